// Package vtysh tests the command line as a user has it: the real vtysh against
// a real zebra, by scripts (-c, -f, standard input) and on a terminal. Each file
// of testdata is a script with a router of its own.
package vtysh
