// Package edge puts ripd's core into the world: a UDP socket for each VRF, the
// real clock, and the session with zebra.
//
//	            RxPacket                     PutRoute, WatchRoutes
//	networks ──▶ ┌──────────────────────┐ ───────────────▶ session ──▶ zebra
//	  sockets ◀──│ sm.Driver (one       │                     │
//	   TxPacket  │ goroutine) with core │◀────────────────────┘
//	time of ────▶└──────────────────────┘   interfaces, attachment, routes
//	day  WallClock   ▲ ConfigSet, Query
//	             Configure, Exec (zebra's calls)
//
// The goroutines are those of lib/daemon, and of lib/vrfsock: a socket on port 520 for each
// VRF. A full inbox drops packets, never anything else. Packets of interfaces on which
// the core does not listen end in vrfsock.
//
// Sending does not wait: a packet for which the kernel has no room waits in vrfsock, and
// the core is told to stop; what finds no room there is lost, as on any link, and RIP
// repeats everything. Only the farewell waits a moment.
package edge
