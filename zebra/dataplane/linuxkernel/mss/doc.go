// Package mss assembles the BPF program that lowers the maximum segment size
// which TCP peers announce to each other (`ip tcp adjust-mss`).
//
// A TCP host says in its SYN, in option 2 (RFC 9293 section 3.2), how large the
// segments may be that it receives. A router whose tunnel takes less than that
// lowers the number as the SYN passes; then no segment needs fragmentation, even
// where path MTU discovery does not work.
//
// The program runs on a clsact queueing discipline, once for each direction of a
// device, as a classifier with direct action. It looks at IPv4 packets with SYN
// set that are whole or first fragments, walks the TCP options, and rewrites each
// MSS option that announces more than the limit, with the checksum of TCP
// (RFC 1624). It never drops a packet and always leaves the verdict to the
// filters after it.
//
// # Where the IP header is
//
// On devices with Ethernet headers the packet begins with one, and the header of
// IPv4 is behind it and an optional VLAN tag ([Ethernet]), which a VLAN's device
// without header reordering has. Where the kernel keeps a VLAN's tag beside the
// packet, as on the device below the VLAN's, the packet belongs to the VLAN's
// device and is left alone.
//
// On GRE devices the packet begins with the inner IP header or, on what a
// multipoint tunnel sends and on all that is received, with the outer IP and GRE
// headers, whose length varies with the tunnel's options ([Network]). There the
// header is found from the end: it begins as many bytes before it as its total
// length says. What is found must begin with the four bytes that the kernel sees
// as those of its network header, the length among them; packets with trailing
// bytes are thus left alone.
//
// # What it needs
//
// Linux 4.18, CAP_BPF and CAP_NET_ADMIN (before 5.8 CAP_SYS_ADMIN) to load. No BTF,
// no compiler.
package mss
