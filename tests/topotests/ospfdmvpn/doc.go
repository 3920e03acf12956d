// Package ospfdmvpn runs OSPF over DMVPN clouds, in the ways in which it is used there:
// Phase 1 with point-to-multipoint, whose neighbours nhrpd names; Phase 2 with broadcast,
// where the hub is the designated router; Phase 3 with point-to-multipoint and shortcuts;
// and a hub with thirty spokes.
package ospfdmvpn
