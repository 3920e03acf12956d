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
// One goroutine steps the core and carries out its effects. Each VRF has a goroutine
// for each address family that reads its socket and offers packets to the core; a
// full inbox drops packets, never anything else. A watch compares the time of day
// with the monotonic clock, since the lifetimes of keys depend on the former.
//
// # Sockets
//
// The core says on which interfaces it listens. The first of a VRF and family opens a
// socket for IP protocol 88, bound to the VRF's device, the last one closes it. Which
// device an interface is, is the kernel's matter and changes: the edge joins the group
// again wherever an interface has another index, and opens the socket again where the
// VRF was made anew. A socket outside of VRFs hears what comes in VRFs too (the sysctl
// raw_l3mdev_accept); that ends here.
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
//
// Sending does not wait: packets for which the kernel has no room wait in a queue of
// the socket for a second at most, in their order.
package edge
