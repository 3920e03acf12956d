// Package phase2 is DMVPN Phase 2: the cloud of package lab1 with spokes whose
// tunnels are multipoint and whose routes lead to the other spoke's tunnel address.
// NHRP resolves that when the first packet wants it. What decides are packets: none
// may be lost, and those on the underlay go from spoke to spoke.
package phase2
