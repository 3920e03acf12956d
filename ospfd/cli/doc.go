// Package cli is ospfd's part of the command line: its grammar as data, the reading of
// its configuration, and the outputs of the commands that show something, for people in
// Cisco's layouts and as JSON.
//
// It is pure: it turns a configuration tree into a core.Config and reports of the core
// into text, and knows neither sockets nor zebra.
//
// # Areas
//
// An area is a number or, the same 32 bits, an address. Lines are printed as they were
// entered. One area may be written both ways in different lines, as engineers do; shows
// write it like an address if the first line that names it does. Two lines that say the
// same of one area in two ways are refused, since only one of them could count.
//
// # Lines in any order
//
// A configuration is entered line by line, and each state on the way must be accepted.
// Hence a contradiction is refused only between two lines that are both there:
// dead-interval 40 under hello-interval 60, but not hello-interval 60 alone, to which the
// dead interval adapts.
//
// # What is not done
//
// Lines of IOS that ask for what ospfd does not have are known and refused with the
// reason ([Read]), so that a configuration that is pasted does not say less than it seems.
package cli

// Owner is the name of the daemon.
const Owner = "ospfd"
