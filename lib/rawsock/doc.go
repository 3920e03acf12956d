// Package rawsock does real packet I/O behind two small interfaces, so that the
// edge of a daemon can be tested without a kernel: package memnet is the twin in
// memory of all that is here.
//
// A PacketConn carries one protocol (an EtherType, such as 0x2001 of NHRP) on
// one device. On a multipoint GRE tunnel the link-layer address of a packet is
// the NBMA address of the peer, so a daemon says to which NBMA address a packet
// goes, and learns from which one it came.
//
// An IPConn carries an IP protocol of IPv4 or IPv6 (EIGRP 88, OSPF 89) or a UDP port
// (RIP 520, IKE 500) on all interfaces of a VRF. A daemon says by which interface, with which
// source address and which TTL a packet goes, joins multicast groups on interfaces,
// and learns where a packet came in, what it was addressed to, and with which TTL.
//
// Devices come and go. A socket on a device that is down or gone answers with
// ErrDown or ErrGone; Keep opens it again until that works.
//
// Sockets belong to the network namespace of the thread that opened them.
package rawsock
