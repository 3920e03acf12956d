// Package speaker is BGP for bgpd: GoBGP v4 embedded as a library, behind an
// interface in words of our own. No type of GoBGP leaves this package, and no other
// package imports it (lib/archtest insists). docs/decisions/gobgp.md says why it is
// GoBGP, what fences it, and why its table is not used as one.
//
// # How it hangs together
//
//	           ┌───────────┐ paths   ┌─────────────┐ best paths ┌───────┐
//	neighbours │   GoBGP   │────────▶│ locrib, our │───────────▶│ queue │──Next──▶ daemon
//	 ◀────────▶│ sessions  │         │ own choice  │            └───────┘
//	           │ Adj-RIBs  │◀────────│ and policy  │◀─ Originate, SetNextHops, Installed
//	           └───────────┘ what is └─────────────┘
//	                         advertised, with tags
//
// GoBGP has the sessions, decodes and encodes, and keeps what each neighbour sent.
// Its import policy lets none of that into its own table. Paths come here by its
// events instead; bgpd/core/locrib applies policies, follows next hops and chooses;
// and what is to be advertised is put into GoBGP's table as GoBGP's own route. So all
// that is Cisco's about BGP is in a pure package, and GoBGP judges nothing.
//
// A Speaker is one BGP process: an AS, a router ID, a listener; each VRF has one. Its
// configuration is desired state: Apply takes the whole, compares it with what is in
// force, and changes what differs, disturbing only whom the difference concerns. What
// happens comes out of Next in batches that are bounded: of a prefix that changed
// often only the last state is told, so a slow reader costs no memory beyond the
// number of prefixes.
//
// # What stands where
//
//   - config.go: what can be configured, and what is refused;
//   - apply.go: from one configuration to the next;
//   - peer.go, attributes.go: our words become GoBGP's, and the other way;
//   - receive.go: what GoBGP tells of sessions and paths;
//   - advertise.go: the goroutine that chooses, and fills GoBGP's table;
//   - export.go: what which neighbours get of a path: classes, changes and tags;
//   - default.go: the default route of default-originate, and its route-map;
//   - events.go: the queue between that and Next;
//   - route.go: own routes, paths; query.go: tables and neighbours;
//   - speaker.go: life of a Speaker.
//
// # Tags
//
// GoBGP has one table and one export policy. Neighbours that are to be sent the same
// are a class; what a class gets of a path is worked out here as a change (deny, next
// hop, MED, communities, …), and each change that occurs gets a number. The path
// carries it into GoBGP's table as a community from 65535:20000 on, GoBGP's policy has
// a statement for each that does the change, and all such communities are taken off
// on the way out, as on the way in. A path without a tag of a class gets what is
// usual for it. So export policies may match what they like, and change what GoBGP
// has an action for.
//
// # Things to know
//
// Neighbours come with all that they inherit filled in; GoBGP's peer-groups are used
// for listen ranges only. Descriptions stay outside: GoBGP would reset the session for
// a changed one.
//
// Where a class is internal, an external neighbour is sent MED 0 for routes whose MED
// stays here (RFC 4271, section 5.1.4), since GoBGP cannot leave it out; where all are
// external it is left out. Internal neighbours of a route reflector get ORIGINATOR_ID
// and CLUSTER_LIST also for routes that are not reflected.
//
// With additional paths GoBGP prefers among what it was given the higher LOCAL_PREF;
// neighbours without that capability may then get another path than the best, if
// weight made it the best.
//
// A default route in the table goes to neighbours with default-originate in place of
// the one that is made for them.
//
// IPv6 routes over an IPv4 session, and the other way, need a next hop from an export
// policy unless they have one that stays.
//
// A neighbour beyond the listen limit is removed as soon as its session opens. GoBGP may
// be faster, and establish it for a moment; nobody is told, and its routes are not taken.
// It may be sent routes in that moment.
//
// A neighbour that takes leave while it is being sent something may pass for one that
// restarts, if it does graceful restart: GoBGP gives up at the write that failed, without
// reading the NOTIFICATION that has come. Its routes then stay for its restart time.
//
// A path with our own router ID as ORIGINATOR_ID (RFC 4456, section 8) is passed over,
// and by GoBGP: the path that it replaces stays until the neighbour withdraws it.
//
// Where both sides dial at once, GoBGP may go on dialling every 2 s on the side that
// accepted, while the session is up; the other side closes these connections at once. It
// can be had off with passive on one side; listen ranges are passive by themselves.
//
// Each speaker that starts writes GoBGP's options of path selection, which are variables
// of a package (table.SelectionOptions, UseMultiplePaths), while others read them. All
// write the same, and what is chosen by them does not count here; but the race detector
// finds it, so tests of several speakers in one process run without.
//
// An UPDATE that is malformed is treated after RFC 7606, with the one exception that
// hostile_test.go names. A panic of GoBGP on what a peer sends would be in a goroutine
// of its own, where nobody can recover it: the process would end, and bgpd is a process
// of its own for that reason. None was found.
//
// # What it does not do
//
// Confederations; local-as that keeps the process's AS in AS_PATH (it always is
// no-prepend replace-as), and remove-private-as without all, since GoBGP puts its own AS
// before, or takes private ones out, before a policy sees the path; policies that change AS_PATH otherwise than by prepending one
// AS.
package speaker
