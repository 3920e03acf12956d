// Package plugin is what makes a program a daemon of zebra.
//
// [Daemon] is all that a daemon declares to the world. The same interface is
// implemented by the daemon itself and, over gRPC, by [Client], which zebra
// holds; so a test may put the one in the place of the other (plugintest runs a
// Daemon through real gRPC in memory).
//
// A daemon's Main calls [Init] first of all and ends with [Serve]:
//
//	func Main(args []string) int {
//		log := plugin.Init("nhrpd")
//		d := newDaemon(log)
//		return plugin.Serve(d)
//	}
//
// # Rules for the process
//
// The process outlives the zebra that started it. Therefore
//   - SIGPIPE is ignored before anything is written (Init does it),
//   - nothing is printed: standard output belongs to the handshake and, later, to
//     nobody. Serve turns os.Stdout to the log, so that a stray print neither
//     blocks nor is lost,
//   - logs go to file descriptor 2 as it was inherited, and over the session,
//   - there are no calls from daemon to zebra, only the session stream, which
//     zebra opens and opens again (go-plugin's broker is dead after a re-attach).
//
// # Debugging
//
// What a daemon can debug is a table, telemetry.Facilities. [DebugCommands] makes
// the commands of it for the grammar, [ExecDebug] runs them, and [NewDebug] takes
// the lines:
//
//	if e.debug.On(cli.DebugPackets) {
//		e.debug.Printf(cli.DebugPackets, "RIP: received v2 update from %v", from)
//	}
//
// Debugging is no configuration but the state of a process: everything is off when
// it starts. Lines go over the session as records of severity debugging, and zebra
// shows them whatever the configuration's logging line says. What zebra does not
// take in time is dropped by the session's queue and counted: nothing blocks.
//
// # The end
//
// SIGTERM and the Shutdown call end the process in order: the daemon says
// goodbye to its peers within the deadline and Serve returns. SIGINT is ignored:
// a key pressed on zebra's terminal is for zebra.
package plugin
