// Package dual is the Diffusing Update Algorithm of RFC 7868 sections 3 and 5.4,
// and nothing else: no packet, no socket, no metric arithmetic. The core of eigrpd
// drives it.
//
// # What it is for
//
// A distance vector protocol has loops when a router takes a neighbour's distance
// for good that rests on its own. DUAL never does. Each router remembers the least
// distance at which it ever was, the Feasible Distance (FD). A neighbour that
// reports less than that (its Reported Distance, RD) cannot be behind it: it meets
// the Feasibility Condition, and may be used at once. If the nearest neighbour does
// not meet it, the route turns ACTIVE: the router freezes what it does, tells all
// neighbours its new distance by a QUERY, and changes nothing until each of them
// has said by a REPLY that it has taken this in. Only then may FD grow.
//
// # Structures
//
// A [Table] holds neighbours, the interfaces on which they are, and a route for
// each prefix. A route has a path for each neighbour that reports it, and one for
// each source of the router's own routes:
//
//	path   what the neighbour said (attribute, RD), and with the link added (attribute, CD)
//	told   what the neighbours on an interface were told last
//	waiting, owed   whose REPLY is awaited (rijk=1), and which successor waits for ours
//
// An attribute is the caller's: metric vector, tag, hop count, external data. Dual
// compares attributes for equality, and has an [Arithmetic] turn them into a
// [Distance], add a link, and filter; so classic and wide metrics, offset lists and
// distribute lists are outside. A summary is an own route, and a Report that
// withholds what it covers. Everything is by prefix and independent of the others.
//
// What all neighbours on an interface are told alike is kept once for the
// interface, so that a hub has one record for its thousand spokes.
//
// # The state machine
//
// The table fsm is Figure 1 of the RFC. Numbers in brackets are its clauses.
//
//	   ┌─────────────────────────────────────────────────────────┐
//	   │                         PASSIVE                         │
//	   └─▲───────────▲──┬───────────────────▲────────────▲──┬────┘
//	 (14)│       (15)│  │(4)            (16)│        (13)│  │(3)
//	 ┌───┴────┐   ┌──┴──▼──┐           ┌────┴───┐     ┌──┴──▼──┐
//	 │ACTIVE 0│◀(9)ACTIVE 1│────(5)───▶│ACTIVE 2│◀(10)ACTIVE 3│
//	 │  grew  ├(11)▶ asked │           │grew or │(12)▶   it   │
//	 │        │   │        │           │it asked│     │ asked  │
//	 └───┬────┘   └────────┘           └────▲───┘     └────────┘
//	     └─────────────────(5)──────────────┘
//
//	(1, 2)  the condition is met: choose, UPDATE what changed, REPLY to a QUERY
//	(3)     not met because of the successor's QUERY: QUERY the others
//	(4)     not met for another reason: QUERY
//	(5)     the successor asks: it gets its REPLY at the end
//	(9, 10) the distance through the successor grew, or it is lost
//	(11,12) all replied, and the condition is not met: QUERY again
//	(13-16) all replied: choose, UPDATE what changed, REPLY to the successor if it asked
//
// In ACTIVE state a QUERY of another neighbour is answered with the frozen distance
// (6), other changes go to the topology table only (7), and REPLYs are counted (8).
// The last REPLY ends the computation. In ACTIVE 1 and 3 the distance through the
// successor is still at most what everybody was told, so FD may be anything, and the
// nearest neighbour is chosen (13, 15). In ACTIVE 0 and 2 it has grown since: what
// meets the condition with the frozen FD may be chosen (14, 16), else there is
// another round with the new distance (11, 12).
//
// One invariant carries it all: **the FD of a router is at most every RD of it that
// a neighbour holds or that is on its way to one**, but for stubs and for the
// successor, which are in front of it. So FD gets smaller from hop to hop along
// successors, and there is no loop. A computation with nobody to ask ends at once.
//
// # Decisions the RFC leaves open
//
//   - The successor that is frozen is one; of several at equal cost it is the first.
//     The others are used again when the route is PASSIVE. An ACTIVE route stays
//     installed by its successor as long as that has a distance; when it is lost, the
//     route is withdrawn and reported unreachable (section 5.4: what is advertised is
//     used).
//   - Who is spared a QUERY: stubs; and, if a message of the successor is the reason,
//     the successor and the others behind split horizon on its interface (section
//     5.4.2.3). The latter only if none of them can hold an old finite distance of this
//     router: one that was told a distance, then poison, and is asked nothing, may
//     choose this router in the moment before the poison arrives. That is what the
//     "exception" of that section is made to say here.
//   - Variance: a feasible successor of at most variance times the least distance is
//     used. Feasible by the FD after a computation, not by the infinite one in it.
//   - A path counts at least one more than what its neighbour reports: with links that
//     cost nothing, two routers could each be the other's successor.
//   - Internal before external (section 5.4.1): external distances are larger than all
//     internal ones, see [External].
//   - A second QUERY of the successor in ACTIVE 3 leads to ACTIVE 2, as the legend of
//     Figure 1 has it; the figure draws no such arrow.
//   - An SIA-QUERY after its QUERY had a REPLY gets an SIA-REPLY that is not ACTIVE,
//     and no second REPLY: that could pass for the REPLY to a later QUERY. An SIA-QUERY
//     without a QUERY is one (section 4.4.1.1).
//   - A REPLY for a PASSIVE route is dropped (section 4.3). Nothing on the wire is a
//     reason to fail: a message without sense is a Trace.
//
// # Timers
//
//   - ACTIVE: half of the active time (3 minutes) after the QUERY, those who have not
//     replied are sent an SIA-QUERY; at most three, each half of the active time
//     after the last. Who answers none by an SIA-REPLY that is ACTIVE in that time,
//     or the third by no REPLY, is [Stuck] (section 4.4.1), and its adjacency reset.
//   - Unreachable: an entry without paths is kept for 3 minutes, unseen, longer than
//     messages about it can be on their way.
//
// # What the caller owes
//
// Messages of a neighbour in the order in which it sent them, none lost, between its
// NeighborUp and NeighborDown; no neighbour that is still pending (section 5.3.6).
// Sends go out in the order of the effects. A stub neighbour has no routes of
// others: a stub that had would make loops, since it is not asked.
//
// # How it is tested
//
// Every cell of the table has a test; scripts follow the clauses. Small networks are
// explored in full, each order in which messages and changes can happen, and larger
// ones at random, against shortest paths: see TestExplore and TestSimGraphs.
//
// # What it deliberately does not do
//
// Hop counts and their limit, maximum-prefix, add-paths, next-hop-self and tags are
// the caller's, in attributes. It does not pace, pack or send packets. It does not
// keep more than one path by a neighbour.
package dual
