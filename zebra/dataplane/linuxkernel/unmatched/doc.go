// Package unmatched assembles the BPF program that counts the GRE packets that come for
// no tunnel, by outer source, outer destination and key.
//
// Linux has a fallback device for GRE over IPv4, gre0, in every network namespace. While
// it is up, each packet that no tunnel takes (another key, an unknown source or
// destination, the tunnel is down) is given to it; while it is down, such packets are
// refused with an ICMP message. So a packet that has a tunnel never meets anything of
// ours, and one that has none ends here: the program runs where packets come in by gre0,
// as a classifier with direct action, counts, and drops every packet. None may go on:
// what is inside came from anybody.
//
// What arrives begins with the outer IPv4 header and the GRE header.
//
// # Limits
//
// There is room for [MaxRows] rows. When it is used up, the rows that were not counted
// for longest go, and begin anew when they come back: who sends from many addresses
// makes rows go, and no more.
//
// # What it needs
//
// Linux 4.20, CAP_BPF and CAP_NET_ADMIN (before 5.8 CAP_SYS_ADMIN) to load and to read.
// No BTF, no compiler.
package unmatched
