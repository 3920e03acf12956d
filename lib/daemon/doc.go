// Package daemon is what the daemons of protocols have in common: around a pure core one
// goroutine that steps it, the session with zebra, its logs and debugging, the time of
// day, and the calls of a plugin.
//
//	            Offer                        Put, Watch
//	networks ──▶ ┌──────────────────────┐ ───────────────▶ session ──▶ zebra
//	  sockets ◀──│ sm.Driver (one       │                     │
//	    Handle   │ goroutine) with core │◀────────────────────┘ Event
//	time of ────▶└──────────────────────┘
//	day  WallClock   ▲ Post, Ask, Do
//	             Configure, Exec (zebra's calls)
//
// An edge embeds Edge, and adds what is the protocol's: how events become inputs, what
// effects do, its sockets (package vrfsock for routing protocols). A daemon embeds
// Plugin and adds Exec.
package daemon
