// Package edge puts nhrpd's core into the world: sockets on the tunnels, the
// real clock, name resolution, and the session with zebra.
//
//	            RxPacket                     PutNeighbor, SaveEntry
//	tunnels ───▶ ┌──────────────────────┐ ───────────────▶ session ──▶ zebra
//	  sockets ◀──│ sm.Driver (one       │                     │
//	   TxPacket  │ goroutine) with core │◀────────────────────┘
//	resolver ◀──▶└──────────────────────┘   interfaces, attachment, memory
//	                 ▲ ConfigSet, Query
//	             Configure, Exec (zebra's calls)
//
// One goroutine steps the core and carries out its effects. Each tunnel with
// NHRP has a goroutine that reads its socket and offers packets to the core; a
// full inbox drops packets, never anything else.
//
// What goes on is told in three ways: messages in Cisco's form, lines of debugging to
// whoever turned them on, about whom the conditions say; and the last events are
// kept, and counted. `diagnose dmvpn` asks zebra how addresses are reached by watches
// that last as long as the command, and that the core may have as well: they are
// counted.
//
// The NHRP cache outlives the daemon: the core states each learnt entry as a
// value of a topic of zebra's, and a restarted daemon, which watches that topic,
// is given the values of its former life.
//
// Two more topics are those of lib/protection: who is to be secured, and what ipsecd says
// of that. A daemon that begins is told what was said before it is given its memory back.
package edge
