// Package classify assembles the BPF program that tells, of each packet that leaves a
// multipoint tunnel, to which class of the tunnel's queueing discipline it belongs: by
// the peer that it goes to.
//
// Linux gives a GRE device without a remote address the outer IPv4 header and the GRE
// header of a packet as its link-layer header, before the packet comes to the queueing
// discipline. So the NBMA address of the peer stands in it, at a fixed place, whatever
// is inside and whether or not there is a key. The program is a filter of the queueing
// discipline: it looks the address up in a hash table and returns the class that
// stands there, or 0, "no match", whereupon the packet is in no class. One program and
// one look-up serve any number of peers; a list of filters would be gone through for
// each packet.
//
// What package replicate copies to the peers comes by here as well, each copy with its
// own peer's address.
//
// # What it needs
//
// Linux 4.20, CAP_BPF and CAP_NET_ADMIN (before 5.8 CAP_SYS_ADMIN) to load. No BTF, no
// compiler.
package classify
