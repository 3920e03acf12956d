// Package supervisor starts the daemons, watches them and starts them again.
//
// Every daemon has a keeper, a goroutine that goes round this circle while the
// daemon is enabled:
//
//	          ┌────────────── record of a live process ── re-attach ─┐
//	stopped → starting ── launch ── handshake ── record ── Hello ────┴→ running
//	   ↑         ↑                                                        │
//	   │         └──── backoff ←── exit, session lost, watchdog, version ─┤
//	   └───────────────────────────── stopping ←── disabled ──────────────┘
//
// A daemon runs in a session and process group of its own and outlives zebra.
// Its attach record (RUNDIR/plugins/NAME.json) says how to find it again: process
// number, start time, socket. The start time tells the daemon from a stranger
// that got its number, the socket's peer credentials tell that it is the one who
// listens there. Sockets lie in directories of mode 0700.
//
// An attachment ends when the process exits, when its session stream ends, when
// its main loop does not answer the watchdog, or when [Config.Serve] gives up.
// Whatever it was, the process is ended before the next one is started.
//
// zebra leaves in one of two ways: [Supervisor.Stop] ends all daemons in order
// (Shutdown call with a deadline, then SIGTERM, then SIGKILL); [Supervisor.Release]
// leaves them running for the next zebra. A zebra that is killed leaves as in
// Release.
package supervisor
