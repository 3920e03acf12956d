// Package core is OSPF version 2 (RFC 2328) as a deterministic state machine: packets,
// interfaces, configuration, routes of other protocols and time go in; packets, routes
// and reports come out. There is no goroutine, no socket, no clock and no lock here.
//
// # Structures
//
//	Core ── links, own        interfaces and addresses as zebra tells them
//	  │  └─ timers            one heap of deadlines, keyed by what they are for
//	  └─ instance             a process
//	       ├─ as              scope of the AS: its database, and what is being flushed
//	       ├─ areas           each with its scope
//	       │    └─ ifaces     each with the scope of its link, and an outbox
//	       │         └─ neighbors: state, exchange, retransmission list, outboxes
//	       └─ routes          what own LSAs say, the routing table, what zebra was given
//
// The two halves touch in few places. What concerns adjacencies calls the methods whose
// names begin with "routes"; routes call originate, flush, virtualUp and virtualDown, and
// heed restarting.
//
// # A packet's way in
//
//	Parse ─▶ interface or virtual link ─▶ source ─▶ authentication ─▶ sequence number ─▶ neighbour
//	Hello                fits? ─▶ events of the neighbour, of the interface   (packages fsm)
//	Database Description negotiated, described ─▶ request lists
//	Update               lsdb.Receive ─▶ changed ─▶ flood ─▶ outboxes; acknowledgment
//
// A Hello that does not fit is logged, and kept for the status of the interface: the field,
// its value, and what is configured.
//
// # An LSA's way out
//
//	changed ─▶ flood, by interface ─▶ retransmission lists ─▶ outbox of the group or of a neighbour
//
// An outbox has keys, and takes the LSAs when it sends: what changed meanwhile goes as it
// is then. What comes in one Step goes in one packet, and packets are the pacing apart.
// Retransmissions have an outbox of their own, with theirs.
//
// A MaxAge LSA goes when no retransmission list has it and no neighbour exchanges databases.
//
// # Adjacencies
//
// Of a hub with many spokes no more than AdjacencyParallel adjacencies form at a time (RFC
// 4222 section 2, recommendation 5); the others wait in 2-Way. Spokes are the master or not
// by router ID, and begin again after RxmtInterval.
//
// Where there is no multicast, neighbours are named by `neighbor` lines, or by NHRP
// (TunnelPeer); one that NHRP loses goes at once, whatever the network. One that is down is
// polled. Whoever sends a Hello that fits is a neighbour, named or not.
//
// # Authentication
//
// Several MD5 keys sign, each a copy of the packet, as long as some neighbour has not used
// the youngest; keys of a chain follow one another by their lifetimes. A key of a chain
// whose number is above 255 is for RFC 7474, others for RFC 5709. Sequence numbers are the
// time of day in seconds, which does not go back; those of RFC 7474 a boot count, which is
// remembered, and a count of packets.
//
// # Own LSAs and routes
//
//	interfaces, neighbours ─▶ router- and network-LSAs ─┐
//	routing table ─▶ summary-LSAs, virtual links        ├─▶ state ─▶ throttle ─▶ originate
//	redistribution, type-7 LSAs ─▶ external LSAs ───────┘
//	databases ─▶ package route, when the SPF throttle lets it ─▶ install ─▶ zebra
//
// Nothing is originated because of an event. At the end of each Step what this router should
// say is computed of how things are, as far as something changed, and compared with what it
// said; what differs is originated when the LSA's throttle allows, which is MinLSInterval
// (section 12.4), and what is not to be said any more is flushed at once. The own router-LSA
// counts for the routing table as it should be, and not only when it was originated: a lost
// neighbour is no next hop.
//
// A change of the graph waits for the SPF throttle, which does not count a tree that was
// computed without an adjacency; changes of routes on the same tree are gathered for its
// first wait only. External networks are compared ten times a second at
// most.
//
// # Flood reduction
//
// All own LSAs have the DC-bit: LSAs that do not age are taken (RFC 1793 section 2.1). What goes
// out by an interface with flood-reduction does not age, and is not sent again while it says the
// same; with the router itself its own LSAs age and are refreshed (RFC 4136). That is so only
// while all routers take it, which a scope's LSAs with the DC-bit clear tell (unable); border
// routers tell of them across areas. A neighbour is spared only what it was told as not ageing
// (kept). LSAs of routers that are not reached for MaxAge are looked for once a minute.
//
// # Graceful restart
//
// A restart that was announced (Shutdown with Restart), or a crash of which zebra has
// routes still, is graceful where it is configured: grace-LSAs go out before Hellos, own
// LSAs of before are left alone, and routes are neither computed nor told. It ends when all
// adjacencies have been there for two seconds that the own router-LSA of before has, when a
// neighbour has dropped one, or with the grace period. A neighbour that is helped stays in own LSAs, and
// remains designated router, whatever its state is.
//
// # Decisions the RFC leaves open
//
//   - Delayed acknowledgments wait half a second. On an NBMA network they go to all that are
//     adjacent, since the backup waits for them too, and elsewhere to whom they concern.
//   - An interface on which area, type, address or being passive changes begins anew.
//   - An area whose kind changes begins anew, with an empty database.
//   - A neighbour whose router ID changes, told apart by address, is another one.
//   - A grace-LSA is sent twice before the end, since nobody hears an acknowledgment then.
//   - Packets for the neighbour of a point-to-point network go to it alone where the network is a
//     multipoint tunnel: there may be several.
//   - Hellos have no jitter.
//   - On a point-to-multipoint network a Hello may have the mask of a host: FRR's nhrpd takes no
//     other address of a tunnel, and nothing depends on the mask there.
//   - A neighbour that sends other packets than Hellos is not dead, where these are for this router
//     (RFC 4222 section 2, recommendation 2): many at once may cost a hub its Hellos.
//   - The host route of a loopback costs what the interface does, as on IOS, and not 0 (section
//     12.4.1).
//   - An unchanged instance that comes by several ways goes on as not ageing once it came so.
//   - A router is an area border router as on IOS (RFC 3509 section 2.1) unless `ospf abr-type`
//     says otherwise, and an AS boundary router by configuration alone.
//   - Connected networks where OSPF runs are not redistributed, nor is the default route.
//   - With a route-map `default-information originate` depends on the default route, the
//     redistributed routes and those of this process: others are not known here.
//   - A network that is redistributed and also translated is told as redistributed.
//   - A `summary-address` has the metric of its nearest part, and is of type 2 if any is.
//
// # How it is tested
//
// Scripts for each section of the RFCs (testdata); towns of routers in one process for each
// feature, with packets lost; a hub of 500 spokes; simulated DMVPNs of Phases 2 and 3; an exchange of 50,000 LSAs; simulations
// of random graphs of routers in areas, with loss, partitions and restarts, which end at the
// shortest paths that another implementation finds and at equal databases; and hostile
// packets (FuzzReceive).
//
// # What it deliberately does not do
//
// No demand circuits (RFC 1793 sections 3.1 and 3.2: Hellos are always sent), no forced-flooding
// interval (RFC 4136); no multicast OSPF, no traffic engineering. BFD may call for KillNbr.
package core
