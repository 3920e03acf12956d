// Package bgp tests bgpd between routers of its own kind over Ethernet: external and
// internal sessions of both families, a route reflector whose clients come from a listen
// range with a password, route-maps and communities, the security of TTLs, and daemons
// that are killed under traffic. The truth is in the kernels' tables and on the wire.
package bgp
