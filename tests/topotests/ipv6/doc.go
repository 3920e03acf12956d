// Package ipv6 tests DMVPN with IPv6 in the tunnel, as the tunnel's transport, or as
// both: a hub and two spokes with multipoint tunnels over a router that knows their
// uplinks only, each spoke with a LAN, and a way to the LAN of the other by that one's
// tunnel address (Phase 2), or by the hub (Phases 1 and 3).
//
//	lan1 ── spoke1 ──┐
//	                 ├ inet ── hub
//	lan2 ── spoke2 ──┘
//
// The kernel's tables and captures on the underlay say what is true.
package ipv6
