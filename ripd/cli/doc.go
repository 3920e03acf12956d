// Package cli is ripd's part of the command line: its grammar as data, the
// reading of its configuration, and the outputs of `show ip rip`, `show ip rip
// database`, `show ip rip status` and of RIP's section of `show ip protocols`,
// for people and as JSON.
//
// It is pure: it turns a configuration tree into a core.Config and reports of
// the core into text, and knows neither sockets nor zebra.
//
// # Two ways to count
//
// RFC 2453 gives a connected network the metric 1, and a route that a neighbour
// announces with metric 1 is stored with 2. Cisco IOS counts the routers on the
// way instead: that route is [120/1] in its routing table. So is it here:
// `show ip rip` and `show ip rip status` show RFC 2453's metric, as on the wire;
// `show ip route` and the brackets of `show ip rip database` show the hops, which
// are one less. JSON has both, as "metric" and "hops".
//
// # Authentication
//
// A key chain or string without a mode means the mode text, as on IOS. A mode
// without either is a mode for which there is no key: nothing is sent and nothing
// is accepted until one is configured. So the mode can be entered first, and at
// no moment is a key sent in clear text that is meant for a digest.
package cli

// Owner is the name of the daemon.
const Owner = "ripd"
