// Package cli is nhrpd's part of the command line: its grammar as data, the
// reading of its configuration, and the outputs of `show ip nhrp` and
// `show dmvpn` in Cisco's layout and as JSON.
//
// It is pure: it turns a configuration tree into a core.Config and reports of
// the core into text, and knows neither sockets nor zebra.
package cli

// Owner is the name of the daemon.
const Owner = "nhrpd"
