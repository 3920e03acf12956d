// Package edge puts ipsecd's core into the world: UDP sockets for each address, the real
// clock, files of certificates, and the session with zebra.
//
//	            RxPacket                     PutSA, WatchSAs, topics
//	networks ──▶ ┌──────────────────────┐ ───────────────▶ session ──▶ zebra ──▶ kernel
//	  sockets ◀──│ sm.Driver (one       │                     │
//	   TxPacket  │ goroutine) with core │◀────────────────────┘
//	time of ────▶└──────────────────────┘   interfaces, acquires, expiries, topics
//	day  WallClock   ▲ ConfigSet, Query
//	             Configure, Exec (zebra's calls)
//
// One goroutine steps the core and carries out its effects. Each socket has one that
// reads it and offers datagrams to the core; a full inbox drops datagrams, never
// anything else.
//
// # Sockets
//
// For each address at which the core listens there is a socket on port 500 and one on port
// 4500, from which the kernel takes the ESP that comes in UDP. Datagrams leave from the
// address and port that the core says, and without DF: what a path does not take is
// fragmented, should IKE's own fragments be too large for it, or the peer not have them.
//
// zebra has a socket on port 4500 as well, for all addresses of a VRF
// (dataplane.ESPinUDP): while this daemon is not there, ESP in UDP goes on to come in.
// The kernel prefers a socket that has the address of a datagram, so IKE's come here.
//
// # Security associations
//
// An SA is stated with the epoch of the attachment in which that is done first, so that
// no restart of anybody begins one anew (rib.SA). One that the core states while there
// is no zebra waits for the next attachment. After a start zebra is asked what is in
// force; the core is told, and what it does not speak for then goes.
//
// # Peers
//
// What nhrpd wants secured comes by a topic, and what became of it goes by another
// (package protection). Up is told once the SAs are in force in the kernel, so that the
// first packet finds them. How often a peer came up is counted here, over restarts: what
// an earlier life told last comes back from zebra.
package edge
