// Package edge puts ospfd's core into the world: raw IP sockets for each VRF, the real
// clock, and the session with zebra.
//
//	            RxPacket                     PutRoute, WatchRoutes
//	networks ──▶ ┌──────────────────────┐ ───────────────▶ session ──▶ zebra
//	  sockets ◀──│ sm.Driver (one       │                     │    nhrpd: TunnelPeer
//	   TxPacket  │ goroutine) with core │◀────────────────────┘    itself: Remembered
//	time of ────▶└──────────────────────┘   interfaces, attachment, routes, topics
//	day  WallClock   ▲ ConfigSet, Query
//	             Configure, Exec (zebra's calls)
//
// The goroutines are those of lib/daemon, and of lib/vrfsock: a socket for IP protocol 89
// for each VRF. A full inbox drops packets, never anything else.
//
// A multicast reaches the core where the core joined: AllSPFRouters, and AllDRouters where
// it is designated router or backup. A packet to an address of ours reaches it whatever
// interface of the VRF it came by, since those of virtual links come by any.
//
// # Memory
//
// What a life of the daemon is to know of the one before (Remember) are values of a topic,
// which zebra gives back to the next one. The core has to have them before it begins: so
// all that zebra tells in the first attachment waits until these values have come. zebra
// answers watches in their order, so a question behind the watch of the topic marks the
// end of the values that there are.
package edge
