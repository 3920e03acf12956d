// Package rib is the routing information base of zebra, as a pure core: what
// the daemons want goes in, what the forwarding table should hold and what the
// daemons should know comes out. It is the only place where what an owner
// stated is kept; the FIB behind it keeps what the kernel has, and the hub
// before it keeps sessions.
//
// The values it exchanges are those of lib/rib. This package is usually
// imported beside that one, under the name zrib or the like.
//
// # Structures
//
// A table is a VRF: a trie of nodes, one for each prefix of which anything is
// stated, IPv4 and IPv6 in one. A node has the candidates for its prefix, best
// first, its overrides, and what became of them: the selected route (best), the
// override in force (over), and what was asked of the FIB. A candidate is one
// route of one owner; it is never changed, but replaced. An owner has a list of
// its objects, whatever their kind, and each object knows its place in it, so
// that neither a put nor a sweep looks anything up by owner.
//
// # Keys
//
// An owner has one route for each VRF, prefix, protocol and instance. Next hops
// of equal cost are next hops of that one route; routes are not merged. Static
// routes of one prefix with different distances are told apart by instance,
// which is not looked at when they are redistributed; those with the same
// distance are next hops of one route.
//
// # The life of a route
//
//  1. Put validates it, enters it in its node, and registers each of its next
//     hops with what that depends on: an interface, or a gateway (VRF and
//     address). The node is queued.
//  2. decide evaluates a queued node: every candidate's next hops are resolved,
//     and the first candidate in order that has one is selected: by distance,
//     then metric, then protocol, instance and owner. Distance 255 is never
//     used. If the node looks different to those who resolve through it, their
//     nodes are queued in turn, until nothing is queued.
//  3. Only then is the outside told, once for each node that was touched and
//     differs from what was told last: redistribution, the FIB, next-hop
//     tracking. What came and went in between is never seen.
//  4. The FIB answers with Installed. That the route is selected and that it is
//     installed are two facts: a route that the kernel refuses stays selected,
//     with the error beside it. When all that an owner stated up to some Seq
//     was decided and answered, the next Drain has an Ack.
//
// Connected and local routes are derived from interfaces that are up, and never
// asked of the FIB; nor are kernel routes, which are there already.
//
// # Resolution
//
// A next hop with an interface resolves if that is up and in the right VRF. A
// next hop with an address only is looked up by the longest match among
// selected routes, and becomes the ways out of the route found; the search ends
// after Options.MaxDepth routes. By the default route it resolves only for the
// protocols of Options.ViaDefault. An address of this router is no next hop.
// Resolution follows routes and never overrides, not even one that stands in for a
// route: so overrides, which come and go with traffic, cannot move routing, and
// next-hop tracking tells the owner of an override what lies beneath it.
//
// # Overrides
//
// An override (RFC 2332 shortcuts, as IOS forwards them) is no route. Where a
// route that is not connected is selected for exactly its prefix, that stays
// selected, shown and redistributed, and only the FIB gets the override's next
// hop. Where no route resolves, the override is a route itself, of its own
// protocol and distance. Where its next hop does not resolve, it is nothing:
// the route's own next hop is back by itself. Since it rests on evaluation like
// everything else, no event of any kind needs to be handled for this. If the
// FIB refuses an override's next hop, owner and route's owner are told, and
// nothing is put in its place.
//
// # The dependency index
//
// Each table has a second trie with the gateways in use, as host prefixes. A
// gateway knows its parent (the longest selected prefix that covers it) and its
// users (the next hops that name it). When the selection at a prefix changes,
// the gateways inside it are exactly those that may be concerned: one walk of
// that subtree finds them, those hidden by a longer prefix are skipped, and the
// others have their users queued. Interfaces have their users in the same way.
// A user and its place in the list point at each other, so that a route leaves
// in constant time, however many share its gateway.
//
//   - Put, Delete: the depth of the tries, plus the candidates of one prefix.
//   - A change of a prefix: the gateways inside it, plus what uses those.
//   - A change of an interface: the next hops that name it, plus its addresses.
//   - OwnerLost: constant. A sweep: the objects of the owner.
//   - Lookup and a Page: the depth of the trie, plus what is returned. Summary:
//     constant.
//   - WatchAdd for redistribution: one walk of the table; for a network: constant.
//
// The alternative that was weighed is to compute next hops in groups shared by
// routes, as the kernel can. It would make the flap of a gateway cheaper, and
// everything else harder to follow; the evaluation of a dependent route takes
// one or two microseconds.
//
// # Loops
//
// A route whose next hop lies within its own prefix needs a longer match for it;
// else it is inactive. That is settled by looking at the two prefixes alone, so
// the prefix is simply absent. Circles over other prefixes are harder: with
//
//	0.0.0.0/0  via eth0
//	30.0.0.0/8 via 40.0.0.1
//	40.0.0.0/8 via 30.0.0.1
//
// each of the two resolves by the default route as long as the other is absent,
// and by itself as soon as the other is there. No choice is at rest. Therefore a
// prefix for which nothing resolves because of a circle is blocked: it has no
// selected route, and yet hides shorter prefixes from next hops, so that both
// stay inactive, with the reason shown, until an input opens the circle. Blocked
// prefixes are kept in a set and looked at again when any recursion changed;
// first all of them are unblocked, or they would block each other for ever.
//
// Only prefixes that cover a gateway can be part of a circle; for all others the
// search is not made. Two routes that could each use the other as second choice
// are at rest either way, and the first one stays. Finally, since recursion with
// negation ("no longer prefix is selected") can express any riddle, a prefix
// that was evaluated more than maxRounds times for one input is blocked for
// the rest of it, and traced as unsettled.
//
// # Replays
//
// OwnerLost makes all objects of an owner stale by counting up its life; they
// stay in force. A put of an equal object freshens it and does nothing else. What
// is stale at EndOfReplay goes in one step, and so does what is stale when the
// limit has passed; a daemon that dies again before it has repeated everything
// gains no time.
//
// # Acks
//
// Each put or delete whose prefix has an unanswered effect waits for the answer
// to that effect or a later one; Ack.Seq is the Seq before the oldest wait. When
// an owner changes its mind faster than the FIB answers, older waits for the
// same prefix are dropped, so there are at most about twice as many as prefixes.
//
// # What it does not do
//
// It does not filter: route-maps are applied by who redistributes. It does not
// retry: the FIB does, and reports with a further Result. It has no RPF view, no
// labels, no policy tables.
package rib
