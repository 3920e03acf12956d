// Package replicate assembles the BPF program that copies what a multipoint tunnel
// sends to many to each of its peers.
//
// Linux gives a GRE device without a remote address, for each packet, the
// link-layer address of the neighbour that the packet goes to, as a host on Ethernet
// does; but behind the "broadcast address" of such a device there is nobody who
// would copy anything. Multicast therefore leaves with the group as its outer
// destination, if at all. This program does the copying.
//
// # How
//
// It runs on a clsact queueing discipline where packets leave the tunnel's device,
// as a classifier with direct action. What arrives there begins with the outer header,
// of IPv4 or of IPv6, and the GRE header that the kernel has made; the device's transmit
// function, over IPv6 the program of package mgre6, will read the destination from it. The device's broadcast address is [Broadcast] or [Broadcast6],
// which the kernel puts there for all that is meant for many, of IPv4 and IPv6.
//
//	run 1  the packet             broadcast? keep the header, for each group of 128
//	                              peers send a clone by the same device, and drop it
//	run 2  a group's clone        for each peer send a clone, and drop it
//	run 3  a peer's clone         put the header back with the peer's NBMA address as
//	                              its destination, and let it go
//
// bpf_clone_redirect takes the outer header off what it sends, and since it sends to
// the device itself, the program meets its own clones, within the call. What a run
// is for stands in a map with a value for each processor: nothing else of this
// device can come between on the same processor. The peers stand in an array. One
// that goes leaves a hole, which the next one that comes fills, so that nobody
// moves: a packet that is being copied at that time goes to all others, once.
//
// There are two steps since the program has no loops: those of the verifier need
// more rights than zebra has, and those of helpers a kernel that compiles BPF. Tail
// calls would not do either: the table that they go by is emptied when the process
// ends that made it, and the copying must outlive it.
//
// The packet itself is not changed: its TTL stays. The sender sees success, with no
// peers too. Every other packet, and each copy, is left to the filters after this
// one. What has a station as its outer destination is let through, to whatever
// group it goes inside: so a program with a packet socket can send to one peer.
//
// # What it needs
//
// Linux 5.2, CAP_BPF and CAP_NET_ADMIN (before 5.8 CAP_SYS_ADMIN) to load. No BTF, no
// compiler.
package replicate
