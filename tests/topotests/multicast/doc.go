// Package multicast tests that what any program on a router sends to many on a
// multipoint tunnel reaches every peer, once for each NBMA address, and nothing
// else: on the receiving sockets and, packet by packet, on the underlay.
//
//	hub    192.0.2.1    ──┐
//	spoke1 198.51.100.1 ──┤ inet
//	spoke2 203.0.113.1  ──┤
//	plain  192.0.2.9    ──┘ a host that the hub's `map multicast` names
//
//	Tunnel0 172.31.0.0/24, multipoint everywhere: hub .1, spokes .11 and .12
package multicast
