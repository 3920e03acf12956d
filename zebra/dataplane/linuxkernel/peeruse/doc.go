// Package peeruse assembles the BPF program that notes to which peers of multipoint
// tunnels data is sent. NHRP asks in time for the mappings that are in use and lets
// the others expire; the kernel does not say which those are: the time of use of a
// permanent neighbour does not move.
//
// # How
//
// The program runs on clsact queueing disciplines where packets leave the tunnels'
// devices, as a classifier with direct action. It changes no packet and always
// leaves the verdict to the filters after it.
//
// What arrives there begins with the outer IPv4 or IPv6 header and the GRE header that
// the kernel has made (see package replicate), with the neighbour's NBMA address as its
// destination:
//
//	begins with IP and GRE, not NHRP?             no: done
//	to a station?                                 no: done
//	device and destination noted?                 yes: done
//	note them
//
// Whoever reads the notes takes them away, all of them, every few seconds. So there is
// no clock in the program, and a packet of a stream costs one look-up that writes
// nothing. A packet that comes while the notes are read is told of now or next time.
//
// Nothing is noted for what is for many: for the kernel that is the tunnel's broadcast
// address, which is in 127.0.0.0/8 or in 100::/64, or a group. The copies that package
// replicate makes of it have no outer header when they come here, since this program
// is before that one; an inner header to a group, or of anything that is not GRE, is
// not mistaken for one. (GRE to the broadcast address of the tunnel's subnet is: its
// address is noted, and nobody's.)
//
// # Limits
//
// There is room for [MaxNotes] between two readings; what finds none is not told of
// this time. When the reader dies the notes fill up, and packets leave as before; the
// next process cannot open them without having all rights, and puts another program
// in the place of the old one.
//
// A device that does not put the outer header before its packets on this way, such as
// a tunnel that takes the destination from the route, is none for this program.
//
// # What it needs
//
// Linux 5.6, CAP_BPF and CAP_NET_ADMIN (before 5.8 CAP_SYS_ADMIN) to load and to read.
// No BTF, no compiler.
package peeruse
