// Package harness builds small networks of Linux network namespaces, runs real
// routers in them, and looks at what they do: forwarding state in the kernel,
// packets on the wire, answers of vtysh.
//
// # Where it runs
//
// A test package has a TestMain that is one line, [Main]. Where this kernel can
// do all that the topologies need, and the user is root, the tests run in
// namespaces here. Otherwise the test binary runs itself again inside a
// User-Mode Linux (package uml), one boot per package, and says so in one line.
// Where neither works the package fails and names what is missing. The variable
// GODMVPN_TOPO_KERNEL (native or uml) takes the choice away.
//
// A program that is no test, such as a demo, uses [Enter] and [Program] to the
// same end.
//
// # A topology
//
//	tp := harness.New(t)
//	inet := tp.Internet("inet")
//	hub, spoke := tp.Router("hub"), tp.Router("spoke")
//	tp.Uplink(inet, hub, "203.0.113.1/30")
//	tp.Uplink(inet, spoke, "203.0.113.5/30")
//	lan := tp.Host("lan", spoke, "192.168.1.10/24", "192.168.1.1")
//	hub.StartZebra(conf)
//	harness.Eventually(t, time.Minute, func() error { return hub.ShowJSON("show dmvpn", want) })
//
// Namespaces have no names: they vanish with this process, whatever happens to
// it. [Named] gives them names under /run/netns for a person's use. At the end of
// a test every process in them is killed, and on failure the logs, the kernel's
// tables and the captures stay in the output directory that is printed.
//
// Every wait is a poll with a limit ([Eventually]); nothing is decided by a
// sleep.
package harness
