// Package flood has the decisions of OSPF's reliable flooding (RFC 2328 sections 13.3 to 13.7):
// who has to be sent an LSA, what waits for an acknowledgment, and how one that came in is
// acknowledged. What becomes of the LSA itself is lsdb's.
//
//	            lsdb: Newer                  Neighbor.Offer      SendOut
//	Update ──────────────▶ each interface ──▶ each neighbour ──▶ out of this interface?
//	   │                                         │
//	   └─▶ Acknowledge (Table 19)                └─▶ List ──Due──▶ retransmissions
//	                                                  ▲
//	Acknowledgment, implied acknowledgment ───────────┘
//
// # The retransmission list
//
// A List has the instances that one neighbour has not acknowledged. Each has its own timer:
// RxmtInterval after it was flooded it is retransmitted, then after twice that time, and so on up
// to MaxInterval (RFC 4222 section 2, recommendation 3). No more than Window of them are under way:
// retransmitted, and neither acknowledged nor due again. So a neighbour that lags is sent no more
// than it takes: the end of recommendation 4, by a window instead of gaps between packets.
//
//	        Add            RxmtInterval        room in the window
//	──────────────▶ flooded ──────────▶ ready ────────────────────▶ under way
//	                                      ▲        the interval, doubled │
//	                                      └──────────────────────────────┘
//	Acked, Remove: gone, from any of them
//
// # Decisions the RFC leaves open
//
//   - The "same instance" of an acknowledgment is the same sequence number, checksum, and MaxAge or
//     not; other ages do not matter.
//   - Who calls takes an older instance off all lists before it offers the new one (section 13 step
//     5c), also off those of neighbours that are not offered it.
//
// That a flush is acknowledged by all neighbours does not mean that it is done everywhere: after a
// wrap (section 12.1.6) an old instance may come back from afar, and the originator flushes again.
// With much loss that goes on for minutes.
//
// # How it is tested
//
// Each cell of Table 19 and each step of section 13.3 has a test. In simulations databases are
// joined by links and networks that lose packets; routers originate, change and flush; in the
// end all databases are equal and all lists empty.
//
// # What it deliberately does not do
//
// It does not pack LSAs into packets, hold back delayed acknowledgments, nor send anything.
package flood
