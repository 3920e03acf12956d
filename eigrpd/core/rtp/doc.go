// Package rtp is EIGRP's Reliable Transport Protocol (RFC 7868 section 5.2): what
// one router sends reaches each neighbour once and in order. It carries encoded TLVs
// and parses nothing. The core of eigrpd has one [Transport] for each process, which
// it drives by calls.
//
// # What it is for
//
// DUAL wants its messages delivered, in order, and none lost. A router may have a
// thousand neighbours on one interface, who mostly are told the same. So a packet is
// multicast once, each receiver acknowledges it by unicast, and it is retransmitted by
// unicast to those who did not. One slow neighbour does not hold up the others: it is
// told not to take the next multicast, and gets it later.
//
// # Structures
//
//	Transport ── link ── waiting   packets for all, not multicast yet
//	   │           │     xmit      neighbours in line for a unicast transmission
//	   │           └──── free      when pacing lets the next packet go
//	   └── peer ─── queue          packets that the neighbour has not acknowledged
//
// Each packet is an outgoing, which the queues of its receivers share: a packet for
// 5,000 neighbours has one copy of its TLVs. It gets its sequence number when it is
// queued, from one space for the whole Transport; so in each queue the numbers grow,
// and only the first of a queue is ever under way (a window of one packet).
//
//	          Send                      first of its queue
//	──────────────▶ queue, waiting ────────────────────────▶ ready
//	                                                           │ the last multicast is acknowledged
//	                                 too many are not ready    │ by all, or the flow timer expired
//	          unicast, RTO running ◀───────────────────────────┤
//	              │   ▲      ▲                                 ▼
//	retransmitted └───┘      └──────────────────────── multicast, flow timer running
//	              │              flow timer expired            │
//	              └─────────────────▶ acknowledged ◀───────────┘
//
// # Conditionally Received mode
//
// A multicast goes to those who have nothing before it in their queue. All others on
// the interface hear it as well, and would take it out of order: those who lag, who
// are pending, who are excepted. If there are any, a Hello with a Sequence TLV that
// lists them goes before it, and it has the CR flag: who is not listed takes it
// (section 5.2, Figure 8). The Hello also has its sequence number, and a receiver
// takes that packet only: a Hello that was lost cannot make it take a wrong one. With
// neither the flag heeded nor the Hello heard nothing is lost but time, since the
// packet comes again by unicast.
//
// If fewer are ready than not, or more are to be listed than fit a Hello, the packet
// goes by unicast: a multicast on a tunnel is a copy for each neighbour as well. But
// where pacing counts packets it waits until all are ready, though no longer than the
// flow timer, and then goes to those who are. It always does so if nobody is ready.
//
// # Timers
//
//   - RTO, of a neighbour: six times its smooth round-trip time (of the old one 80 %,
//     of the new 20 %; only of packets that were sent once), and at least six times the
//     pacing time, from 100 ms to 5 s. 1 s before anything is measured. It grows by one
//     half with each retransmission. After 16 of them, and not before the neighbour's
//     Hold Time has passed since the packet was sent first, the neighbour is lost.
//   - Multicast flow timer, of an interface: four times the mean round-trip time, and
//     the pacing time for each neighbour, up to six; from 50 ms to 5 s. As long as it
//     runs, a multicast that somebody has not acknowledged holds up the next.
//   - Pacing, of an interface: after a packet comes the time that it takes at half (or
//     bandwidth-percent) of the bandwidth. At 100 kbit/s that is 240 ms for 1,500
//     octets, and RTO 1,440 ms. None at all where 1,500 octets take less than 1 ms.
//     Acknowledgments and Hellos never wait; the next packet waits for them. There is
//     no least gap, as IOS is said to have (10 ms): for the INITs of a thousand spokes
//     a hub would take ten seconds, whatever its bandwidth.
//
// Each neighbour is at most once in line, so that a hub retransmits to a thousand
// dead spokes no faster than its bandwidth allows.
//
// # Acknowledgments
//
// Each unicast has the number that was received last; so a REPLY acknowledges its
// QUERY. What finds no packet to ride on is sent by Flush, which the caller does when
// it has done all that a packet led to. A duplicate that comes before it is covered by
// the same acknowledgment. What is older than the last packet is dropped without one.
//
// # The first packet
//
// The INIT of a neighbour is what is taken first of it, by unicast; what comes before
// is dropped. A later INIT with another number says that the neighbour began anew
// ([Restarted]): the caller does PeerDown and PeerUp and hands it in again. But
// while our own INIT is not acknowledged it is the answer to ours: else two routers
// could restart each other for ever. And an INIT is acknowledged by nothing but ours,
// which is sent again for it if need be: so whoever has an acknowledgment knows that
// the neighbour of this life has its INIT, and has its INIT as well. Other makes
// acknowledge it alone: if theirs comes after that, ours is sent once more. A restarted
// router begins its numbers anew, best at random: by its number an INIT is told from
// its own duplicate. Packets of its former life must not be under way any longer:
// nothing tells them from new ones.
//
// # Decisions the RFC leaves open
//
//   - Numbers are compared in serial arithmetic. A neighbour that was sent nothing for
//     2^31 packets to others takes the next for old; it is lost, and begins anew.
//   - A CR flag in a unicast means nothing. Section 5.2 has it dropped if the receiver
//     is not in the mode, but the one who lost the Hello must have it at last.
//   - Conditionally Received mode ends with the packet it was for.
//   - "A maximum of 5 seconds" (section 5.2) is read as the longest RTO, as IOS has it.
//   - A neighbour with 16,384 packets in its queue is lost: that bounds memory.
//
// # What the caller owes
//
// Only packets whose authentication was verified; neighbours in the pending state
// until their INIT is acknowledged (section 5.3.5): [Acked] has the flags. A PeerDown
// for each [PeerLost]. The hold timer, Hellos, and what is in the packets.
//
// # How it is tested
//
// Scripts follow the clauses and figures. In simulations up to 50 transports exchange
// packets over a network that loses, doubles and reorders, and each of them has to be
// delivered once and in order; see TestSim. FuzzTransport hands in nonsense.
//
// # What it deliberately does not do
//
// It does not pack messages into packets, nor limit them to the MTU. It does not age
// neighbours, nor decide which of them may be.
package rtp
