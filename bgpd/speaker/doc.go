// Package speaker is BGP for bgpd: GoBGP v4 embedded as a library, behind an
// interface in words of our own. No type of GoBGP leaves this package, and no other
// package imports it (lib/archtest insists). docs/decisions/gobgp.md says why it is
// GoBGP and what fences it.
//
// It is not wired into a daemon yet: nothing but its tests uses it.
//
// # How it hangs together
//
//	Config ──Apply──▶ ┌─────────────────────┐ ──Next──▶ Batch: sessions, best routes
//	Local ─Originate▶ │  GoBGP: goroutines, │
//	                  │  sockets, timers    │ ◀──List, Neighbors── show commands
//	Clear ──────────▶ └─────────────────────┘
//
// A Speaker is one BGP process: an AS, a router ID, a listener. Its configuration is
// desired state: Apply takes the whole, compares it with what is in force, and
// changes what differs, disturbing only whom the difference concerns. What GoBGP
// finds comes out of Next in batches that are bounded: of a prefix that changed often
// only the last state is told, so a slow reader costs no memory beyond the number of
// prefixes.
//
// # What stands where
//
//   - config.go: what can be configured, and what is refused;
//   - apply.go: from one configuration to the next;
//   - peer.go, policy.go: our words become GoBGP's;
//   - events.go: the queue between GoBGP's callbacks and Next;
//   - route.go: own routes in, paths out; query.go: tables and neighbours;
//   - speaker.go: life of a Speaker.
//
// # Things to know
//
// GoBGP keeps how paths are selected in variables of its package. All Speakers of a
// process, one for each VRF, therefore select alike; New refuses another.
//
// GoBGP has policies per neighbour for route servers only. Here they are blocks in one
// import and one export policy, each for the neighbours that have the same, so give
// equal neighbours the same *Policy: evaluation walks the blocks in order.
//
// Neighbours come with all that they inherit filled in; GoBGP's peer-groups are used
// for listen ranges only. Descriptions stay outside: GoBGP would reset the session for
// a changed one.
//
// GoBGP does not send a neighbour what has passed the neighbour's AS, and nothing turns
// that off. So allowas-in works at a spoke of another hub; external spokes of one AS of
// a hub with this package need ASOverride at the hub, or a default route.
//
// An UPDATE that is malformed is treated after RFC 7606, with the one exception that
// hostile_test.go names. A panic of GoBGP on what a peer sends would be in a goroutine
// of its own, where nobody can recover it: the process would end, and bgpd is a process
// of its own for that reason. None was found.
//
// # What it does not do
//
// A limit of dynamic neighbours (bgp listen limit), default-originate to one
// neighbour, aggregation, filter by access-list, extended communities of own routes,
// next hop tracking (an unreachable next hop or the distance to it has no influence on
// the best path), and suppression of routes until they are installed. GoBGP has no hook
// for the last two; bgpd would have to do them by own withdrawals.
//
// Handed to GoBGP, but with no test here yet: LongLived, TTLSecurity, ClusterID, LocalAS,
// Device, and the rules of Selection but for Multipath. They want one before a command
// offers them.
package speaker
