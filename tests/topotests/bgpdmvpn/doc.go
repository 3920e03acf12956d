// Package bgpdmvpn runs bgpd over DMVPN clouds: Phase 1 with a default route, Phase 2 with
// next hops that stay, Phase 3 with the hub as next hop and shortcuts, external spokes of
// one autonomous system, two hubs, and a second network in a VRF. The hub has no line for
// any spoke, in all of them. Daemons are killed under traffic; the truth is in the kernels'
// tables and on the wire.
package bgpdmvpn
