// Package ripdmvpn runs RIP over DMVPN clouds: a hub and two spokes that find each
// other with NHRP and exchange routes by what multicast the tunnel carries, without
// a firewall rule and without a line for a neighbour, in each of Cisco's phases.
// What decides are the kernel's tables, the paths of packets from LAN to LAN, and
// the packets on the underlay.
//
//	lan0 10.10.0.0/24 ── hub    192.0.2.1 ─────┐
//	lan1 10.11.0.0/24 ── spoke1 198.51.100.1 ──┤ inet
//	lan2 10.12.0.0/24 ── spoke2 203.0.113.1 ───┘
//
//	Tunnel0 172.31.0.0/24: hub .1 (mGRE), spokes .11 and .12 (point-to-point GRE in
//	Phase 1, mGRE in the others)
//
// Each test is one cloud to which one thing after the other happens. Phase 1 has a
// GRE key and a default route of RIP's beside routes for the underlay. Phase 2 has
// no GRE key. Phase 3 has the underlay in a VRF of its own, and loses its daemons.
package ripdmvpn
