// Package route computes the routing table of an OSPF router (RFC 2328 section 16, RFC 3101
// section 2.5) from what its databases say. It has no clock and originates nothing.
//
//	LSAs ──Put, Remove──▶ Table ──Calculate──▶ Outcome: which routes changed
//	own router-LSAs ──SetRoot──┘                 │
//	                                             └─▶ Get, All, Borders, Within, Ranges
//
// # Steps
//
//	1  each area whose graph changed: the shortest-path tree         16.1, package spf
//	2  each area of these, or whose stub links changed: its networks 16.1
//	3  border routers: those of the trees, and by type-4 LSAs        16.1, 16.2
//	4  each destination that may have changed: the best path of
//	     networks of areas ▷ summary-LSAs ▷ type-5 and type-7 LSAs   16.2, 16.3, 16.4
//
// A destination may have changed if an LSA for it came or went, if an area has it at
// another distance, if one of its border routers is reached otherwise, or, of an external
// one, if a route to its forwarding address changed. The result is the same as that of
// computing everything anew (sections 16.5 and 16.6 have it as an option); the tests hold
// one against the other.
//
// # Next hops
//
// A first hop of package spf is a link of the router's own router-LSA. SetRoot says with
// the LSA what each link is: by which interface it leads, and to which address where it
// leads to one neighbour (point-to-point and point-to-multipoint links). On a transit
// network the address is that of the first router's link to it. A virtual link is replaced
// by the way to its end through the transit area.
//
// # Decisions the RFCs leave open
//
//   - A network that two areas have at the same cost belongs to the one with the larger ID,
//     and has the next hops of both.
//   - An active range has a discard route (section 11.1) unless it is not advertised, or a
//     network of the same prefix is reached within an area.
//   - The cost of a range is that of its nearest part with RFC1583Compatibility, as on IOS
//     (RFC 1583), and otherwise of its farthest (section 12.4.3).
//   - What an export-list denies makes no range active, as on FRR.
//   - Which areas' summary-LSAs count is decided by who calls (RFC 3509): Config.Backbone.
//   - A border router ignores summary-LSAs for the default route of stub areas and NSSAs,
//     which are for those behind it.
//   - An external route whose forwarding address is the router's own is ignored.
//
// # How it is tested
//
// Random topologies of areas, stub areas, NSSAs, transit areas and externals against an
// implementation that knows nothing of this one, a naive Bellman-Ford; partial computations
// against whole ones; and a test for each rule.
package route
