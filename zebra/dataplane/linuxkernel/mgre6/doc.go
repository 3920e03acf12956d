// Package mgre6 assembles the BPF programs by which a multipoint tunnel over IPv6
// sends.
//
// A GRE device over IPv6 without a remote address is made by Linux like one over
// IPv4: its neighbours have link-layer addresses, of 16 bytes, and what leaves it
// begins with an IPv6 header and a GRE header whose destination is that of the
// neighbour. But its transmit function drops every packet, and where it does not it
// puts a second such header before the first (seen with Linux 6.1). What it receives
// is right.
//
// # How
//
// Encap runs on a clsact queueing discipline where packets leave such a device, after
// all other filters. It reads source and destination from the header that the kernel
// has made, writes them with the tunnel's key into the packet's tunnel metadata, and
// redirects the packet to a carrier: the one GRE device over IPv6 of the network
// namespace that takes all from that metadata ("external"). bpf_redirect takes the
// header off on the way, and the carrier puts the true one on.
//
//	packet → Tunnel0: [IPv6 S→D][GRE][packet] → Encap → carrier: [IPv6 S→D][GRE key][packet]
//
// So neighbours, their resolution, routes and everything else on the tunnel are as on
// one over IPv4, and nothing has to be kept in step with them. The program has no
// tables: what it was made for is written in its instructions, and it outlives the
// process that made it.
//
// What is not for one station (a group, the tunnel's own broadcast address, nobody)
// is dropped: package replicate made copies of it before.
//
// The carrier also receives: what comes for no tunnel. Sink drops that, so that a
// stranger's packets do not come in by a device that nobody watches.
//
// # What it needs
//
// Linux 6.0 (the source address in tunnel metadata), CAP_BPF and CAP_NET_ADMIN to
// load. Before 6.2 a packet of a tunnel without a key is sent with key 0, which Linux
// takes for none.
package mgre6
