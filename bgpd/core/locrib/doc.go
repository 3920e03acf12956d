// Package locrib is the middle of BGP (RFC 4271, sections 3.2 and 9): the routes that
// neighbours sent, the policy that lets them in, and the choice among them. It is pure:
// time is an argument, and one goroutine at a time may use a [Table].
//
//	Learn, Unlearn ─▶ ┌ prefix ─ paths ┐ ─Select─▶ best paths: to zebra, to neighbours
//	SetNextHop ─────▶ │ import policy  │
//	Aggregates ─────▶ └ next hops      ┘
//
// What comes in only marks a prefix as changed; [Table.Changed] hands the marked ones
// out in pieces, and [Table.Select] chooses. So a prefix that changes often is chosen
// once for many changes, and a table of a million prefixes does not stop the world.
//
// # Paths
//
// A [Path] has the attributes as received and as import policy left them; policies can
// therefore be applied anew without asking the neighbour (what Cisco calls soft
// reconfiguration). [Attributes] are never written to once they are in a table: all
// prefixes of an UPDATE share them, and a policy that changes one makes a copy.
//
// # Selection
//
// In this order, Cisco's: not LLGR_STALE (RFC 9494, section 4.3), weight, LOCAL_PREF, own
// routes, length of AS_PATH, ORIGIN, MULTI_EXIT_DISC among paths of the same
// neighbouring AS, external before internal, metric to the next hop; then, for paths
// that could share load so far, the oldest external one, router ID or ORIGINATOR_ID,
// length of CLUSTER_LIST (RFC 4456, section 9), address of the neighbour, path
// identifier. MED is always compared in the deterministic way: first within each
// neighbouring AS, then among what is left.
//
// # Next hops
//
// With [Config.TrackNextHops] a path counts only if its next hop was said to be
// reachable. Nothing is kept of which prefixes use a next hop, only how many: a change
// of next hops marks all prefixes that have such a path by one walk through the table.
//
// # Aggregates
//
// An aggregate exists while a more specific prefix has a best path (RFC 4271, section
// 9.2.2.2). With SummaryOnly the more specific ones are not to be advertised.
package locrib
