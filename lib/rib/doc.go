// Package rib holds the values that zebra and the daemons exchange: prefixes
// and routes, next hops, neighbours, multicast peers, next-hop overrides, interfaces, and the
// events about them. It has no behaviour beyond naming and comparing.
//
// A daemon states the objects that it wants, each under a Key that is unique
// within the daemon; putting an object again replaces it. Nothing is relative:
// a daemon can repeat all of its objects at any time (a replay), and zebra
// sweeps what was not repeated. See lib/session for the exchange itself.
//
// Interfaces are named by their configuration name throughout ("Tunnel0",
// "GigabitEthernet1"); only Interface.KernelName and Interface.Index know how
// the kernel calls them. The default VRF is the empty string.
package rib
