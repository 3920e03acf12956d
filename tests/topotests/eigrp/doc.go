// Package eigrp runs EIGRP between routers on Ethernet. What decides are the kernel's
// tables, the packets on the wire, and what a neighbour that the test plays sees.
//
//	           10.9.1.0/24 ── r2 ── 10.9.3.0/24
//	          /                                \
//	lan ── r1                                   r4 ── rip ── r5
//	          \                                /
//	           10.9.2.0/24 ── r3 ── 10.9.4.0/24
//
// Other tests have a router with a neighbour or two: keys that differ and keys that
// change, a neighbour that never answers, packets that break other daemons.
package eigrp
