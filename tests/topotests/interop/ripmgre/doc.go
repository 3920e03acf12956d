// Package ripmgre runs this suite's RIP beside FRRouting's and BIRD's over a DMVPN
// cloud with a GRE key and MD5, with this suite and with FRR as the hub. Routes come
// and are withdrawn in both directions; the kernels' tables decide.
//
//	hub    192.0.2.1    ──┐
//	spoke1 198.51.100.1 ──┤ inet
//	spoke2 203.0.113.1  ──┘
//
//	Tunnel 172.31.0.0/24, key 100: hub .1, spokes .11 and .12
//
// The devices of FRR and BIRD are made with iproute2, and the stations know each other
// by static mappings. FRR's devices are multipoint; it sends RIP by unicast, as nobody
// copies its multicast, and hears what this suite sends to the group. BIRD has a
// point-to-point tunnel, on which multicast passes.
//
// FRR's nhrpd is left out: beside it FRR 8.4.4's ripd found no connected interface for
// any neighbour on the device, whether that had an address with a subnet as its peer
// or a host address and one with the subnet.
package ripmgre
