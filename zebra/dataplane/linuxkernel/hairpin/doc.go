// Package hairpin assembles the BPF program that finds packets which a router
// forwards back into the network that they came from: what arrived by a tunnel and
// leaves by the same one, or by another of its group (the tunnels of one NHRP
// network-id). Such a packet's way would be shorter without this router, and NHRP
// tells its sender so, in a Traffic Indication.
//
// # How
//
// The program runs on clsact queueing disciplines, as a classifier with direct
// action, for all devices of all groups. It changes no packet and always leaves the
// verdict to the filters after it.
//
//	in by a tunnel      note the device beside the packet (tc_index)
//	out by a tunnel     came it in by a device of the same group?   no: done
//	                    IPv4 or IPv6, between stations?             no: done
//	                    was this pair told of lately?               yes: done
//	                    were too many told of lately?               yes: done
//	                    copy its beginning into the ring
//
// The kernel itself keeps with each packet by which device it came in, and nothing
// for what the machine sends itself; but a packet that comes in by a tunnel of a VRF
// is then said to have come in by the VRF. That is why there is a note, which is
// asked where the kernel's word names no device of a group. A filter of somebody
// else behind ours that passes packets with a class of its own overwrites it; then
// the tunnels of VRFs go unnoticed.
//
// Link-local addresses (RFC 3927, RFC 4291 section 2.5.6), groups and unspecified
// addresses are no business of a router's. NHRP itself is another EtherType.
//
// # Limits
//
// Both limits are kept in the kernel, each as the one number of the generic cell
// rate algorithm (the theoretical arrival time: a packet conforms that is not more
// than a tolerance earlier). A pair of source and destination has [PairBurst]
// samples and then one each [PairInterval]; all pairs together [Burst] and then one
// each [Interval]. The pairs stand in a table of [MaxPairs], in which those not seen
// for long make room. What finds the second limit reached does not count for its
// pair: it is told of later, if it goes on. Two processors at work on one pair at a
// time may tell of it once too often.
//
// Samples go to a ring buffer, which one process reads. When that dies the ring
// fills up, and packets are forwarded as before; the next process cannot open the
// tables of the first without having all rights, and puts another program in the
// place of the old one.
//
// The program has no loop and calls no program of another.
//
// # What it needs
//
// Linux 5.8, CAP_BPF and CAP_NET_ADMIN to load. No BTF, no compiler.
package hairpin
