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
// One goroutine steps the core and carries out its effects. Each VRF has a
// goroutine that reads its socket and offers packets to the core; a full inbox
// drops packets, never anything else. A watch compares the time of day with the
// monotonic clock, since the lifetimes of keys depend on the former.
//
// # Sockets
//
// The core says on which interfaces it listens. The first of a VRF opens a socket
// on port 520, bound to the VRF's device, the last one closes it. Which device an
// interface is, is the kernel's matter and changes: the edge joins the group again
// wherever an interface has another index, and opens the socket again where the
// VRF was made anew. Packets of interfaces on which the core does not listen end
// here.
//
// Sending does not wait: a packet for which the kernel has no room is lost, as
// on any link, and RIP repeats everything. Only the farewell waits a moment.
package edge
