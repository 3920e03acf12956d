// Package ospfmgre runs ospfd beside FRRouting's and BIRD's over DMVPN clouds with a GRE key,
// with each of the three as the hub: point-to-multipoint, whose neighbours nhrpd names;
// broadcast, where the hub is the designated router; and non-broadcast. The kernels' tables
// of all decide, and that all have the same link state database; tshark decodes what passes
// the hub.
//
//	hub 198.18.1.1 ──── inet ──── 198.18.N.1 spokes
//
//	Tunnel 172.31.0.0/24, key 100: hub .1, spokes .N; their LANs are 10.N.0.0/24
//
// # What was seen
//
//   - FRR 8.4.4's nhrpd wants a host address on the tunnel, with the subnet as its peer. Its ospfd
//     then tells the mask of a host, which fits point-to-multipoint networks alone: broadcast and
//     non-broadcast ones go without its nhrpd here, by static mappings.
//   - FRR has no point-to-multipoint network without multicast. Its nhrpd copies what goes to a
//     group to the stations that it knows, by a rule of iptables that the user makes.
//   - FRR's nhrpd has a route of its own to each station that it knows, which is nearer than
//     OSPF's to the same host.
//   - FRR's nhrpd answers its kernel's question for a station by the address that the question
//     has: none, if something is sent to a station before it is registered, and be it the kernel's
//     own answer to a Hello that comes too early. Nothing ever reaches such a station. So the
//     kernel is kept from asking here.
//   - Each helps the other's graceful restart over the tunnel, BIRD with a gap: it has no route over
//     an adjacency that is not full.
//   - BIRD 2.0.12 knows its neighbours by configuration alone; beside FRR's nhrpd it is a client
//     of a hub whose own neighbours are those that register.
package ospfmgre
