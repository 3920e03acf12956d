// Package spf computes the routes of an OSPF area: the shortest-path tree of RFC 2328
// section 16.1, and from it the routes within the area.
//
// An Area holds what matters of the router-LSAs and network-LSAs of an area's database.
// Run computes the tree from one router on; Routes lays the networks on it. Nothing here
// has a clock, and no LSA is judged: whoever fills the Area leaves out what is MaxAge or
// unreadable.
//
//	router-LSA ──┐                       ┌── Vertex  distance and first hops of each
//	             ├─▶ Area ──Run──▶ Tree ─┤           router and transit network
//	network-LSA ─┘                       └── Routes  one for each network of the area
//
// # The graph
//
// Vertices are routers and transit networks. There is an edge from V to W if V's LSA has a
// link to W and W's LSA has one back (section 16.1 step 2b): what only one side claims is
// not used. An edge from a router costs the metric of its link, one from a network
// nothing. Stub links are leaves: a change of them alone leaves the tree as it is, so that
// only Routes has to be done again.
//
// # First hops
//
// A Hop is how a vertex is reached from the root: by which link of the root's router-LSA,
// and through which router. On a transit network it has that router's address, from its own
// link to the network (section 16.1.1). On point-to-point, point-to-multipoint and virtual
// links the router's ID says who it is; the caller knows the address from the adjacency,
// or, of a virtual link, the way through the transit area.
//
// Paths of equal cost are kept side by side, up to MaxHops. A vertex that was reached
// already is not looked at again where links cost nothing; so of two paths that differ only
// in such links one may be missing, but no path is longer than it must be.
package spf
