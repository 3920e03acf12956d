// Package edge puts eigrpd's core into the world: raw IP sockets for each VRF and
// address family, the real clock, and the session with zebra.
//
//	            RxPacket                     PutRoute, WatchRoutes
//	networks ──▶ ┌──────────────────────┐ ───────────────▶ session ──▶ zebra
//	  sockets ◀──│ sm.Driver (one       │                     │
//	   TxPacket  │ goroutine) with core │◀────────────────────┘
//	time of ────▶└──────────────────────┘   interfaces, attachment, routes
//	day  WallClock   ▲ ConfigSet, Query
//	             Configure, Exec (zebra's calls)
//
// The goroutines are those of lib/daemon, and of lib/vrfsock: a socket for IP protocol 88
// for each VRF and address family. A full inbox drops packets, never anything else.
//
// A multicast reaches the core where the core joined. A packet to an address of ours
// reaches it whatever interface of the VRF it came by, since a remote neighbour's may
// come by any.
//
// # Many neighbours
//
// A hub sends one multicast to a thousand spokes and gets their acknowledgments at
// once. They wait in the buffer of the socket, whose size net.core.rmem_max limits,
// and then in the inbox, which has room for many times as much. What finds no room is
// counted and told to the operator; reliable transport sends it again.
package edge
