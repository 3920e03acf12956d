// Package core is what lies between BGP and the routing table: it is pure, and knows
// neither sessions nor how paths are chosen, which is the speakers' matter (package
// speaker, and locrib beneath it).
//
//	zebra                        core                          speaker of a VRF
//	 RouteChanged ──▶ network, redistribute ──▶ Originate, Withdraw ──▶ own routes
//	 PutRoute    ◀── best paths             ◀── Best               ◀── selection
//	 NextHopChanged ▶ next hops              ──▶ SetNextHop         ──▶ selection
//	 EndOfReplay ◀── replay                  ◀── EndOfRIB           ◀── sessions
//
// # Own routes
//
// A network statement tells its prefix while the routing table has a route of exactly
// that prefix that is not of BGP itself. A redistribute line tells the selected routes of
// a protocol, but for the default route, which wants default-information originate, as
// on IOS. Where several say the same prefix, a network statement counts, then the first
// redistribute line. MULTI_EXIT_DISC is the metric of the routing table unless a line or
// a route-map says another. The next hop is always this router: what IOS tells internal
// neighbours of a route that it redistributes, the next hop of that route, saves a hop
// on a shared subnet and fails elsewhere.
//
// # Next hops
//
// Whatever next hop the speaker has a path by is watched in zebra, and what zebra says
// of it decides which paths may be the best, and the metric to it is compared. The
// default route leads to no next hop: zebra does not resolve a route of BGP by it, so a
// path that only it leads to must not be chosen either.
//
// # Installation
//
// Best paths become routes of zebra with their next hops as BGP has them; zebra finds
// the interfaces. Own routes are in the routing table already. An aggregate is a route to
// Null0, so that packets for parts that do not exist do not go round in circles.
//
// # A restarted daemon
//
// Its former life's routes go on forwarding until EndOfReplay, which comes once every
// neighbour that is configured has told all of its routes (RFC 4724 section 4.1), zebra has
// resolved their next hops, and the speakers have chosen; or after update-delay. Of those
// who come by listen ranges they are awaited who were there in the former life; if nobody
// is known to return, the whole time is waited.
package core
