// Package ospf runs OSPF between routers on Ethernet. What decides are the kernel's
// tables, the packets on the wire, and what a crash costs, which must be nothing.
//
//	      area 0       area 1       area 2
//	r7 ──── r1 ──── r2 ──── r3 ──── r4      areas 5 (totally stubby), 3 (stub) and
//	 area 5        /  \                     4 (NSSA); a virtual link through area 1
//	        area 3/    \area 4
//	            r5      r6
//
// Other tests have four routers on one network, of which the designated one dies; links
// with all kinds of authentication, and keys that change; and a router in the midst of
// traffic that restarts.
package ospf
