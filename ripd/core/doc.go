// Package core is RIP as a deterministic state machine: packets, interfaces,
// configuration and time go in; packets, routes and reports come out. There is no
// goroutine, no socket, no clock and no lock here. The same code runs behind real
// sockets, among thousands of others in a simulation, in a fuzzer and in a replayed
// recording.
//
// # RIP in a paragraph
//
// Each router tells its neighbours, every 30 seconds and whenever something changes,
// to which destinations it knows a way and how many hops it has. A neighbour adds
// one for the network between them and keeps the shortest. 16 hops are infinity: a
// destination that is told with 16, or not told for 180 seconds, cannot be reached.
// Loops are kept short by split horizon (what was learnt by an interface is not told
// there, or told as unreachable) and by telling bad news at once.
//
// # Structures
//
//	Core ── links, own     interfaces and addresses as zebra tells them
//	  │  └─ timers         one heap of deadlines, keyed by what they are for
//	  └─ instance          one for each VRF with `router rip`
//	       ├─ ifaces       where RIP runs; each has two lanes of jobs
//	       ├─ neighbors    routers that are heard, by interface and address
//	       ├─ table        prefix → route ─┬─ origins: own reasons to announce it
//	       │                               └─ paths: what neighbours told
//	       ├─ heard        all paths, by when they were last told
//	       ├─ garbage      what became unreachable, by when
//	       ├─ changed      routes that the next triggered update tells of
//	       ├─ summaries    with the number of routes inside, by metric
//	       └─ watched      protocols that are redistributed
//
// There may be 250,000 routes, and thousands of such tables in a simulation, so a
// route with one path takes 112 octets and its place in a map and a slice. Nothing
// in the protocol may cost a walk through the table but telling it:
//
//   - All paths time out after the same time, so a list in the order in which they
//     were told has the next one to time out in front; telling a path again moves
//     it to the back. The same holds for garbage. One timer watches each list.
//   - The table is a map, and a sorted slice for walks. New routes are sorted in
//     when a walk begins, all at once. A walk remembers the prefix where it stopped,
//     so it may be interrupted for any time, by any change.
//   - Summaries count the routes inside of them by metric, as these come and go.
//   - The default route with a route-map remembers which route passed the map, and
//     looks for another only when that one changes.
//
// # A route's life
//
//	          told with less than 16, or an own origin
//	(none) ──────────────────────────────────────────▶ Reachable ◀─┐
//	  ▲                                                  │         │ told again, by
//	  │                      last path timed out or told │         │ any neighbour or,
//	  │                      with 16, interface down, no │         │ in holddown, by
//	  │                      more permitted; last origin │         │ the one who told
//	  │                      withdrawn                   ▼         │ it last
//	  └──────────────────────────────────────────────── Garbage ───┘
//	          garbage-collection time                   metric 16
//
// What a route is announced with is its strongest origin (connected, `route`,
// default, redistributed), else its paths. Both live apart from each other: paths
// are stated to zebra even where an own origin is announced; whether they forward is
// decided there by distance. For connected networks no paths are kept. settle is the
// one place where the announced metric changes, and where all that follows from that
// is done; wanted and restate are the only ones that state routes to zebra.
//
// Paths are of one metric and one distance; up to MaximumPaths of them are used. A
// neighbour has one path of a route. The better one replaces the others; alternatives
// are not remembered, as every neighbour tells them again soon.
//
// # A packet's way in
//
//	check:    decodes? RIP runs here? version, own, port, source, authentic?
//	request:  whole table → a job; certain destinations → the same packet back
//	response: the neighbour is noted; each entry is judged (valid? next hop? filters,
//	          offset, distance) and learnt (RFC 2453 section 3.9.2)
//
// What fails is dropped, under one DropReason, which is a counter. Only authentic
// packets have effects: a neighbour exists from its first authentic response on.
//
// # A packet's way out
//
// Everything that takes more than one packet is a job: a walk through the table that
// stops when its packet is full. A lane runs its jobs one after the other, a burst of
// packets and then a gap; each interface has a lane for what goes to the whole network
// and one for what goes to single routers, so that a hub which answers the requests of
// thousands of spokes keeps its regular updates. On multipoint tunnels each packet to
// the group is copied to every spoke: the first lane is slower there. Where the link is
// slower than that, the edge keeps what has no room and says so by SendRoom; both lanes
// of the interface then stand still, so that no part of an update is lost. A triggered
// update goes before the other jobs of its lane.
//
// view is split horizon, next hop and the interface's own network; entry adds
// summaries, what version 1 can say, and policy. One packet serves the group and all
// configured neighbours of an interface; without split horizon each neighbour gets its
// own, without what it told itself.
//
// On a DMVPN hub `no ip split-horizon` has the spokes learn each other's networks: with
// the spoke that told a network as next hop (phase 2; RFC 2453 section 4.4), or with
// the hub, by `ip rip next-hop-self` or a summary (phase 3).
//
// # Timers
//
//	regular    an interface's next update       Update ± 1/6; the first after 1 … 5 s
//	lane       the gap between two bursts       5 ms, 50 ms, or output-delay
//	trigger    hold after a triggered update    1 … 5 s, random
//	expire     the oldest path                  Invalid since it was told
//	garbage    the oldest garbage               Flush − Invalid since it was lost, 5 s at least
//	neighbor   a neighbour that may be silent   Invalid since it was heard
//	replay     see below                        1.5 × Update, once
//
// Expire and neighbor are armed for what was known when they were set; when they come
// and there was news since, they are set again.
//
// # Restart
//
// The core keeps nothing over a restart. What its former life stated goes on forwarding
// until EndOfReplay, which comes once for each session, when this life has been at work
// for one and a half update intervals: by then every living neighbour has told its
// table, asked for by the request at the start. When zebra restarts, the session repeats
// all objects by itself; the core then only waits for zebra to tell interfaces and
// redistributed routes again, and takes for gone what it does not tell. The sequence
// numbers of authentication follow the wall clock and so never decrease.
//
// # What is built of which RFC
//
//	RFC 2453 3.4.3   split horizon, with and without poisoned reverse
//	         3.6     message format, versions 1 and 2
//	         3.7     addressing, masks by class in version 1
//	         3.8     timers, jitter, garbage collection
//	         3.9.1   requests, for all and for certain destinations
//	         3.9.2   responses, with the heuristic of the half timeout
//	         3.10.1  triggered updates, hold, suppression
//	         3.10.2  response messages
//	         4.1     simple password
//	         4.2-5   route tag, subnet mask, next hop, multicast
//	         5.1-2   compatibility switches, for each interface and direction
//	RFC 4822         Keyed-MD5 and HMAC-SHA, key lifetimes, replay windows
//	Cisco            summaries, offset- and distribute-lists, distance, holddown,
//	                 unicast neighbours, validate-update-source, passive interfaces
//
// # Deviations
//
//   - The garbage-collection time is 60 s by default, as on Cisco IOS; RFC 2453 section
//     3.8 has 120 s. It is `timers basic`'s flush without invalid.
//   - More than one path of the same metric is used; RFC 2453 knows one.
//   - A network of this router's own that is lost is not learnt from others before the
//     triggered update with its loss went out, which the hold may delay: what they tell
//     meanwhile is what this router told them.
//   - The distance goes before the metric where neighbours have different ones: that is
//     what it is configured for.
//   - Requests must come from a network of the interface, like responses, and be
//     authentic where that is configured: an answer is much longer than a request.
//   - Who asks in version 2 for the whole table where version 1 is sent is answered in
//     version 1 (section 3.10.2 would have the answer match the request).
//   - A triggered update is left out on an interface where a regular one began since the
//     last change; section 3.10.1 says so of one that is about to begin.
//   - RFC 4822 section 5.1 lets the last key live on after its end. Here nothing is sent
//     then, and that is logged.
//
// # What it deliberately does not do
//
// It does not remember alternatives to the best paths, and has no flash updates on
// demand circuits (RFC 2091). It sends nothing on loopbacks. Auto-summary is not
// done: version 2 tells masks, and version 1 does what its format forces it to. A route
// that a new outbound list hides is not told as unreachable; it times out. The route-map
// of the default route sees OSPF, EIGRP and BGP routes of number 0, and of the numbers
// that are redistributed. IPv6 (RIPng, RFC 2080) is out of scope.
package core
