// Package core decides what nhrpd does: it is NHRP (RFC 2332) as a pure state
// machine. Inputs go in with the time, effects come out; there is no goroutine, no
// socket, no clock and no lock here. The same code runs behind real tunnels, among
// ten thousand others in a simulation, in a fuzzer and in a replayed recording.
//
// # Who is who
//
// A DMVPN cloud is a multipoint GRE tunnel over a network that cannot broadcast
// (NBMA network, "the underlay"). Every station has two addresses: a protocol
// address inside the tunnel and an NBMA address outside. NHRP tells which
// protocol address is behind which NBMA address. A client (NHC, Cisco: spoke)
// registers its binding with its servers (NHS, Cisco: hub); the server answers,
// remembers, and so can send to the client. A station may be both at once, on one
// tunnel or on several.
//
// # Structures
//
//	Core ── links      what zebra says of each interface
//	  │  ├─ peers      other ends of protected tunnels: what rests on each, what ipsecd says of it
//	  │  └─ timers     one heap of deadlines, keyed by what they are for
//	  ├─ shapers       who is held down to a rate, with the entries that ask for it
//	  └─ iface         one for each tunnel and family with a network-id
//	       ├─ cache        prefix → entry: static, dynamic, incomplete, local
//	       ├─ neighbors    what was stated to zebra, with the entry it follows from
//	       ├─ servers      the client's half: one state machine for each NHS, chosen by cluster
//	       └─ counters     packets by type, drops by reason
//
// An iface is keyed by configuration name and family, because `ip nhrp` and
// `ipv6 nhrp` are configured apart; the VRF is implied by the tunnel. It lives as
// long as its network-id is configured, whether or not the tunnel exists, is up,
// or has an address: those together make it ready, and only then are packets sent
// or believed.
//
// Everything that is stated to zebra follows from the cache: an entry about one
// station on a multipoint tunnel has a neighbour, whatever brought the entry
// about, but those about this node itself. addEntry and removeEntry are the only ways in and out, so neighbours,
// timers and memory cannot disagree with it; a property test compares them after
// random inputs.
//
// # A packet's way
//
//	receive: interface known, network-id? → decode → of this family, tunnel ready,
//	         not our own → authenticated?
//	dispatch: for us?  no  → forward (requests; replies to Resolution and Purge)
//	                   yes → unknown compulsory extension? → by type
//
// Whatever fails on the way is dropped, under one DropReason, which is a counter
// and a row of `show ip nhrp traffic detail`. fault also sends the Error
// Indication that RFC 2332 section 5.2.7 asks for: never for an Error Indication,
// never two for one packet, and limited for each source, since its cause is not
// authenticated. An Error Indication that arrives changes no state for the same
// reason; its reason is logged and shown with the server that it is about.
//
// What went wrong last stays with the server or entry that it is about, with the time
// since when (trouble), and who was told of an entry stays with that: reports have
// both, and `diagnose dmvpn` judges by nothing else. They decide nothing.
//
// # A client and its server
//
//	         tunnel ready,             chosen
//	         NBMA address known
//	Waiting ────────────────▶ Standby ────────▶ Expecting
//	   ▲                       ▲  ▲  ▲            │   │
//	   │ tunnel down,          │  │  └────────────┘   │ interval of 8 s armed,
//	   │ address unknown       │  │   enough better   │ or reply with another code
//	   │                       │  │   ones answer     ▼
//	   │ (from all) ───────────┘  ├────────────── Down ◀─────────────┐
//	                              │                 │ reply, code 0  │ the same
//	                              │                 ▼                │
//	                              └────────── Responding ────────────┘
//	                 fallback time after
//	                 enough better ones respond
//
// Standby is Cisco's state DOWN (left alone), Expecting and Down are PROBE (asked),
// Responding is UP. Of a cluster without max-connections all servers are chosen.
// With it so many are, in the order of priority; of equals those that are connected
// come first, so that one that works is not left for its equal. Responding and
// Expecting servers take a place, those that are Down do not: the next one is asked
// beside, and who is Down and better than the last that is connected goes on to be
// asked. When more respond than there are places, the worst give way after the
// fallback time: their registration is taken back by a Purge Request. Every change
// goes through serversChanged, which chooses anew and then has multicast, the line
// protocol (if-state nhrp) and temporary entries follow: they depend on servers that
// respond, and on no others; but in a cluster without a limit multicast goes on to one
// that is silent, of which NHRP alone may be dead, so that routing protocols stay up.
//
// The protocol address of a server may be unknown (`nhs dynamic`). It is then learnt
// from the first reply that accepts a registration, and forgotten when the server is
// down or its NBMA address changes.
//
// A request is sent at once when the tunnel comes up, when its source or its
// protocol address changes, and when a change of configuration concerns what is
// registered. Without an answer it is repeated, under the same Request ID, after
// 1, 2, 4 … 64 s, each shortened by 7 to 25 per cent; a server is declared down
// when the 8 s are armed, about 6 s after the first request. A refusal counts as
// no success, whatever its code; the retry that is armed then carries a new
// Request ID. Once accepted, the next request follows after the registration
// timeout, a third of the holding time unless configured.
//
// A server's NBMA address is that of a point-to-point tunnel's destination, or the
// configured one, or that of its domain name, or that of the longest map that
// covers its protocol address. A name is resolved by an effect and its answer:
// again after 5 to 60 s while that fails, and when the server is down, whereupon
// the next of its addresses is tried.
//
// # A server and its clients
//
// A Registration Request is answered CIE by CIE. Refused are, with code 4: the
// server's own addresses and prefixes that hold them, what contradicts a static
// map, a CIE for another NBMA address than its sender's; with code 5: what exceeds
// MaxEntries; with code 14: another NBMA address for an entry that is unique. The
// binding is to the address that the packet came from; where a NAT changed it, the
// claimed one is kept beside, and the NAT address extension of the reply tells the
// client how it is seen. Registering from elsewhere moves the neighbour at once.
// An entry ends with its holding time, or by a Purge Request of the station that
// registered it, from where it did.
//
// A client may tell its group (`nhrp group`) with its registration, in Cisco's Vendor
// Private extension; the entry keeps it as long as the client repeats it. Where the
// group has a policy (`nhrp map group`), what the tunnel sends to the client's NBMA
// address is held down to its rate: a shaper is stated, once for a tunnel and address,
// and goes with the last entry that asks for it.
//
// Routing protocols are told of clients, and of servers as long as they get multicast, by
// a topic (lib/tunnelpeer): a client that is gone, and a server that packets do not pass to
// any more, is lost, which is told for a minute. So adjacencies need not wait for their
// own timers. Other stations are not told of.
//
// # Resolution
//
// zebra tells of packets that have no neighbour (NeighborMiss, after WatchMisses).
// The entry that follows goes by way of the best server that responds, so that the
// packets that the kernel holds are not lost, and that server is asked:
//
//	             miss, a server responds
//	(none) ─────────────────────────────▶ temporary ◀─┐ the server is down, another
//	  ▲ │ miss, none responds               │  │  │   │ responds; or a purge while
//	  │ ▼                     one responds  │  │  └───┘ it is asked
//	  │ waiting ────────────────────────────┘  │
//	  │   10 s                  NAK, no answer │ reply, code 0
//	  ├───◀──── negative ◀─────────────────────┤
//	  │  10 s after a NAK, 180 s after the     ▼
//	  │  miss without an answer             resolved
//	  └───◀─────────────────────────────────────┘ holding time, purge
//
// A request is repeated under its Request ID after 1, 2, 4 and 8 s, shortened as
// registrations are. While an entry exists, of whatever kind, further misses of its
// address ask for nothing. An entry ends with its holding time. Where it is in use
// (PeersUsed, after WatchUse) in the last part of that, two minutes or half of it, it
// is resolved anew before (renew.go), and stays in force meanwhile. A client has use
// watched from the start: no answer has to wait until the data plane can tell of it.
//
// A request is answered from the registrations (an authoritative answer) or, about
// this node itself, by a local entry. What is not known here goes to the station, if
// a map says where it is; if it is of the tunnel's subnet, to this node's own best
// server; else the way that packets go, see below. A reply that is sent to this node
// goes on the way of the request. Who was told is remembered with the entry until what
// it was told ends by itself; when the entry moves or goes before that, they are sent
// Purge Requests until they answer.
//
// # Shortcuts
//
// What is behind the stations is found in the same way, in both directions at once:
//
//	ingress A                     hub H                          egress B
//	   │ ─── packet for 10.12.0.10 ▶│ ───────────────────────────▶ │
//	   │ ◀── Traffic Indication ────│ it left where it came in     │
//	   │ ─── Resolution Request ───▶│ by its route ──────────────▶ │ learns where A is
//	   │ ◀───────────────── Resolution Reply: 10.12.0.0/24 ─────── │ by its route
//	neighbour B, shortcut         remembers the request         remembers A
//
// How an address is reached without shortcuts is zebra's knowledge: route is one that
// was asked for (WatchNextHop) and is kept up to date (NextHopChanged) as long as
// anything rests on it. What needs an answer that is not there yet waits in it.
//
//   - redirect.go, the hub: the previous hop of a packet is the station by which its
//     source is reached. It is told once in a while for each source and destination.
//   - shortcut.go, the ingress: an incomplete entry for the address asks the next hop
//     of its route; the answer becomes an entry for the prefix (a shortcut: asked is
//     valid) and one for the station behind which it is. Both are stated to zebra as
//     overrides: of the route with just that prefix, whose protocol goes on owning it,
//     or as routes of NHRP's own. An answer that would lead the tunnel's own packets
//     into the tunnel is used for the one address only.
//   - answer.go, the egress: where the route leads out of the network, this node
//     answers with the route's prefix, by a local entry that rests on the route.
//   - relay.go, who passes a request on: it remembers that, for it alone sees when the
//     way ceases to lead to the station that answered.
//
// # What ends a shortcut
//
//	holding time          not in use; or in use, and nobody answers
//	the route beneath     gone, or leads elsewhere: at once. Changed (another hub,
//	                      metric or prefix): without an answer within a second
//	Purge Request         of the egress, when its own route is gone or another; of
//	                      the hub, when its route leads to another station, or that
//	                      one moves or is gone; of this node's administrator
//	the station           resolved elsewhere, purged, without an answer to keepalives
//
// So a dead station costs what the routing protocol of the hub needs to see it, and not
// the holding time. A server that comes back is asked anew about all, since it may have
// forgotten what it passed on; what it does not know yet goes on for 64 s, in which
// every station that lives registers again. A router that ends in order says so to
// those that it exchanged packets with. A shortcut that does not carry its traffic any more
// (the station behind it sends it back to the hub) shows by further Traffic
// Indications, which ask anew.
//
// # Protected tunnels
//
// Where a tunnel is protected (rib.Tunnel.Protection) packets pass encrypted or not at
// all. ipsecd negotiates; the core says whom with (WantPeer) and is told how far that is
// (PeerSecured). What was received came encrypted; nobody here looks.
//
//	               something rests on it
//	(nobody) ──────────────────────────▶ wanted ◀──────────────┐
//	   ▲                                   │ up                 │ lost, or up with another
//	   │ nothing rests on it               ▼                    │ generation: all that rests
//	   └──────────────────────────────── secured ───────────────┘ on it goes at once
//
// What rests on another end is derived from what there is, by placePeer for entries and by
// usePeer for servers that are registered with and Purge Requests that are not answered;
// settlePeers compares at the end of each step. Packets that wait are reason enough, too.
//
//   - Nothing is sent to who is not secured. A registration waits, while its retries run,
//     so that the server is down as soon as without answers; it goes at once when the
//     server is secured, and each time that it is again. Other packets wait for 5 s, four
//     for each end (hold.go): an egress so answers its asker once that is secured.
//   - A neighbour, shortcut or multicast peer that was learnt is stated once packets pass
//     to it and arrive there: who answers an IKE negotiation is ready before who began it,
//     and of two that began at once each is heard by associations that may not be those by
//     which it is sent to. So both ends ask each other for their own addresses (knock) until
//     they have the answer to that very question; who does not answer is taken to be ready
//     after two seconds, and who is not asked, since it only registers or asks, when a
//     packet came from there. Until then a station is reached by way of a server (way), so
//     that none is lost. What is configured is stated anyway: it has no other way, and the
//     packets that it brings about have the kernel ask for the end to be secured as well.
//   - A loss removes at once the entries that rest on the end, with all that follows: who
//     was told is purged, servers are down and others take their places. A rekey is no
//     loss. What ipsecd takes back without a word is one after 10 s: it is gone for good.
//   - The generation of each session is remembered for the next life, which so tells what
//     rests on a session that stands from what rests on one that was lost meanwhile. States
//     that come late flush nothing.
//   - A station that is not the only one behind its NAT address has an alias of ipsecd as
//     its NBMA address (alias.go). This node alone can reach it: what would have others
//     send there, or it send to others, is refused or not said, and no packet is believed
//     that names an alias.
//   - Who may register which address may depend on the identity that IKE authenticated
//     (identity.go); a registration that is quicker than what ipsecd says waits for that.
//
// # Timers
//
//	expire    an entry's holding time                    1 … 65535 s
//	send      a server's retry or registration timeout   0.75 … 64 s, or as configured
//	fallback  until a server gives way to better ones    0 … 60 s, as configured
//	resolve   a server's name                            5 … 60 s
//	replay    longest holding time since Attached        once
//	ask       a Resolution Request's retry               0.75 … 16 s
//	refresh   until an entry in use is resolved anew     1 … 65535 s
//	renew     retry of a request to renew an entry       0.75 … 16 s
//	keepalive between questions to a station             as configured
//	route     until what rests on a route is looked at   60 s
//	purge     a Purge Request's retry                    0.75 … 16 s
//	proven    until the other end is ready as well       2 s
//	knock     until that is asked again                  0.1 … 2 s
//	held      a packet that waits for a peer             5 s
//	silence   until who is not spoken for counts as lost 10 s
//
// # Restart
//
// Each dynamic entry that is not temporary is stated to a keeper outside (SaveEntry) with its age and
// what is left of its life, and withdrawn when it ends. So is who was told of an entry,
// and whose request was passed on (memo.go): what ceased to be true while this daemon
// was dead is purged by its next life. The next life is given
// them back (RestoreEntry) and puts them into the cache as soon as their interface
// is known and configured. EndOfReplay, upon which zebra sweeps what was not
// stated again, follows at once if nothing was stale; otherwise after the longest
// holding time, when every client that lives has registered again, remembered or
// not. Request IDs begin above those of the life before (RFC 2332 section 5.2.3).
//
// # What is built of which RFC
//
//	RFC 2332 5.1       fixed part, hop count of forwarded packets
//	         5.2.0.1   Request ID, holding time, prefix length
//	         5.2.1-2   resolution, both halves, transit and egress, codes 0, 4, 5, 12, 13
//	         5.2.3-4   registration, both halves, uniqueness, codes 0, 4, 5, 14
//	         5.2.5-6   purge: of registrations and of what was told, both halves
//	         5.2.7     error indications 1, 3, 6, 7, 8, 9, 10, 11, 15
//	         5.3       extensions: order kept, unknown ones returned or refused
//	         5.3.1     Responder Address
//	         5.3.2-3   Transit NHS Records, loop by protocol address
//	         5.3.4     Authentication: Cisco's clear text, hop by hop
//	Cisco              NAT address extension, max-send, retry times, messages,
//	                   Traffic Indication, redirect, shortcut, groups, tunnel protection
//
// # Deviations
//
//   - A unique entry is refused to any other NBMA address, whether or not the
//     request has the uniqueness bit, as Cisco does; RFC 2332 section 5.2.3 asks
//     for it only if it has. The same NBMA address may register again; by the
//     letter of the RFC it could not.
//   - A binding for a third station's NBMA address is refused: nobody vouches for it.
//   - A request for a station that is not known gives error 6, Protocol Address
//     Unreachable, as the RFC has it; Cisco was seen to send 7.
//   - Replies are believed only from the NBMA address that was asked; a Resolution
//     Reply also from the station that it is about. Purge Requests discard what was
//     resolved only if a server of this node or that station sends them.
//   - A Resolution Request is answered with code 4 unless it comes from where a
//     station is registered or mapped; about this node itself whoever asks is told.
//   - A Resolution Request that can go no further is refused with code 12, not
//     reported by an error.
//   - After a NAK the packets still go by way of the server, which forwards or refuses
//     them as it would without NHRP.
//   - The answer about what is behind this node has the prefix of the route, whatever
//     Prefix Length the request has: Cisco's routers expect it.
//   - A Purge Request of a server for a part of a shortcut ends the shortcut: the server
//     knows no more of it than the address that was asked for.
//   - The Purge Requests of a client have the N bit: it does not wait for replies.
//   - The Authentication extension of a client is not returned by a server that has
//     no authentication configured, since it is made anew at each hop (5.3.4).
//   - Request IDs do not start at 0 (recommended in 5.2.0.1) but where the driver
//     says, which is how they survive a crash without non-volatile memory. Those of
//     Resolution Requests, whose answers are believed from the station that they are
//     about, are spread by a secret, so that who cannot see the request cannot answer it.
//     Those of registrations can be guessed: their replies are believed from the NBMA
//     address alone that was asked, and who can send packets with that as their source
//     can as well send requests, purges and user's packets, none of which needs an ID.
//   - The line protocol does not go down as soon as no server responds, but when no
//     other is asked in its place either: a change of servers is no change of the line.
//
// # What it deliberately does not do
//
// It does not find out whether the underlay carries packets between two stations: the
// answer of one that comes straight from there has to do. It registers one
// protocol address for each tunnel and family; for IPv6 the tunnel's link-local
// addresses with it, unless it registers uniquely. It copies no multicast and delays
// no packet: it says where to and how fast, and the data plane does it. SCSP (RFC 2334)
// is out of scope.
package core
