// Package cli is zebra's part of the command line: the grammar of interfaces,
// static routes, VRFs and the system as data, the reading of that
// configuration into values, and the outputs of zebra's show commands in
// Cisco's layout and as JSON.
//
// It decides nothing: zebra hands it snapshots to print, and takes from it the
// values that a configuration stands for.
package cli

// Owner is the name under which zebra's own commands are registered.
const Owner = "zebra"
