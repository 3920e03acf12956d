// Package ipsecphase3 is DMVPN Phase 3 over protected tunnels: tunnels from spoke to spoke
// that are secured on demand, by both ends at once, and what becomes of entries, routes and
// neighbours when a security association is lost. Routes are static, so that no routing
// protocol says who is gone. What decides are packets on the underlay, and the kernel's
// routes, neighbours and associations.
package ipsecphase3
