// Package core is EIGRP (RFC 7868) as a deterministic state machine: packets,
// interfaces, configuration, routes of other protocols and time go in; packets, routes
// and reports come out. There is no goroutine, no socket, no clock and no lock here.
//
// # EIGRP in a paragraph
//
// Routers find each other by Hellos, and tell each other their tables once, over a
// reliable transport, and after that only what changes. A route has a vector metric: the
// slowest bandwidth and the sum of delays. The Diffusing Update Algorithm sees to it
// that there is never a loop: a neighbour is used only if it is provably nearer, and
// where none is, all neighbours are asked before anything else is chosen.
//
// # Structures
//
//	Core ── links, own        interfaces and addresses as zebra tells them
//	  │  └─ timers            one heap of deadlines, keyed by what they are for
//	  └─ instance             an address family of an AS in a VRF
//	       ├─ ifaces          where EIGRP runs
//	       ├─ neighbors       routers that are heard, by interface and address
//	       ├─ transport       core/rtp: queues, acknowledgments, retransmission, pacing
//	       ├─ table           core/dual: topology table and state machine
//	       └─ routes          what is between the packets and DUAL:
//	            ├─ connected  networks of interfaces, by prefix
//	            ├─ sources    protocols that are redistributed, with their routes
//	            ├─ summaries  with their parts, the nearest first
//	            ├─ installed  what zebra was given
//	            ├─ limits     what `maximum-prefix` keeps away
//	            └─ out        messages that wait, by interface
//
// The two halves touch in few places. What concerns neighbours calls the methods whose
// names begin with "routes"; routes have the hooks.
//
// # A neighbour's life
//
//	      Hello                both INITs arrived          no Hello for the Hold Time,
//	(none) ────▶ Pending ──────────────────────────▶ Up    retry limit, stuck in active,
//	               │  three-way handshake,            │    goodbye, reset, …
//	               │  RFC 7868 section 5.3.5          │
//	               └──────────────▶ (none) ◀──────────┘
//
// A pending neighbour is sent its INIT and nothing else, and DUAL does not know of it.
// One that is up is told the table, the last packet with End of Table. One that restarts
// with the RS flag stays up: its paths are kept until it has told its new table to the
// end, and what it did not tell again goes.
//
// On a tunnel of NHRP nhrpd tells which of its clients and servers are lost
// (lib/tunnelpeer): such a neighbour goes at once.
//
// # A route's way in
//
//	TLV ─decode─▶ attribute ─refuse─▶ dual.Received ─Via─▶ path ─dual─▶ Install ─▶ zebra
//
// An attribute is all that a route carries, in 64 octets: DUAL has several for each
// prefix. What few routes have (external data, AddPaths, attributes that are not
// understood) is interned, and so is the next hop.
//
// The vector is metric.Classic in classic mode and metric.Wide in named mode, from the
// first octet to the last; TLVs of the other version are converted as they come and go.
// Via adds the link, offset lists and filters. What a filter keeps out DUAL has with an
// infinite distance, so that nobody has to be asked again when the filter changes. What
// must not be at all (a multicast prefix, this router's own external route) becomes
// unreachable before DUAL sees it, and is never just missing: a QUERY has to be answered,
// and an UPDATE takes the place of the one before it.
//
// # A route's way out
//
//	dual ─Report─▶ dual.Send ─▶ outbox ─pack─▶ TLVs ─▶ transport
//
// Report withholds what a stub does not tell, the parts of summaries and what filters
// keep in, and decides about the next hop. DUAL compares what it returns with what was
// told last, so a change of configuration needs no more than that DUAL looks again.
//
// The outbox keeps messages while transport has packets for the same neighbours that
// cannot go yet. So thousands of changes in a row fill few packets, an UPDATE of what
// flaps is told once, and memory is bounded by the size of the table. The order is kept
// for each prefix and neighbour, which is what DUAL needs.
//
// # Own routes
//
// A prefix has up to three sources of this router's own: connected, redistributed and
// summary. A summary exists while a route inside of it is in use, with the metric of the
// nearest of them. An own route goes before those of neighbours that its administrative
// distance beats, whatever the metrics are, since the routing table has it so. The parts
// of a summary are in a heap: nothing costs a walk through the table but
// telling it, and what was configured.
//
// # Decisions the RFC leaves open
//
//   - What IOS does, by its documentation, for all that the RFC has not: stubs,
//     summaries, next hops, redistribution, limits, named mode.
//
//   - A stub that leaks routes of others is asked for them, unlike on IOS: who tells of
//     a route and is not asked about it may close a loop. For the same reason a route-map
//     may give a route a worse metric than it has, and not a better one.
//
//   - A next hop that is told counts if it is in a subnet of the link, and not this
//     router; IPv6's is link-local.
//
//   - An offset grows the delay, by what makes the composite metric grow by it if K3 is
//     1; in named mode that is the 64-bit metric, before rib-scale.
//
//   - An interface of more than 1 Gbit/s with the shortest delay that can be configured
//     has the delay of its bandwidth in wide metrics (section 5.6.1.2).
//
//   - A router that restarted tells nothing before it knows the tables of all its
//     neighbours: they kept its routes, and might be led in a circle. A neighbour that
//     comes back with a longer distance than before is reset.
//
//   - Protocols without a number in section 6.2 (NHRP, kernel) are told as static.
//
//   - "new adjacency" is logged when the handshake is done, not with the first Hello as
//     IOS has it: strangers cannot fill the log. What ends before that is logged seldom.
//
//   - A Hello that is sent to this router alone makes no neighbour unless it is a static
//     or remote one, as on IOS; of a neighbour it is as good as any.
//
//   - Expedited Hellos go to the group, so where there are many neighbours they wait,
//     100 ms and 1 ms for each: a hub whose spokes come all at once is not drowned by its
//     own.
//
//   - A neighbour that becomes a stub or ceases to be one, or reads another version of
//     TLVs, is reset. A change of this router's own configuration resets nobody unless
//     K-values, router ID or mode change.
//
//   - Keyed-MD5 leaves acknowledgments and empty UPDATEs open to forgery, and nothing in
//     EIGRP keeps packets from being sent again by others. Such packets are taken, since
//     without them there is no neighbour with MD5; HMAC-SHA-256 leaves nothing open but
//     replay.
//
//   - A router that restarted waits for the tables of those that it hears within a Hold
//     Time, for a minute at most; a QUERY ends the wait, since nobody may wait for a
//     router that waits for all. If the topology changes in that time, DUAL's invariant
//     may be broken until what the neighbours kept is purged, or a route is stuck in
//     active: so it is with the restart of IOS.
//
// # Timers of neighbours
//
// Hello of each interface, Hold Time of each neighbour (looked at when it may be over,
// not moved by each packet), the purge time of one that restarts, transport's and DUAL's
// own, and the wait after a restart.
//
// # How it is tested
//
// The routes of two or more instances in one process (routes_rig_test.go), whole cores on
// networks that lose packets (rig_test.go), hubs with spokes, and graphs drawn at random
// in which at no moment there is a loop, and in the end the metric of each route is that
// of its way. The metrics of the labs are those that routers show.
//
// # What it deliberately does not do
//
// Service families, topologies besides the base, BFD, fast reroute, stub-site; load,
// reliability and jitter are not measured. Communities are passed along and not read.
package core
