// Package ike tests the core of ipsecd with strongSwan's charon on this kernel, which needs
// neither GRE nor ESP for it: the core's datagrams go by real sockets, and the
// associations that it states go nowhere. charon's are refused by a kernel without ESP,
// so that IKE SAs without children (RFC 6023) carry most of the tests. The clock is the
// test's, so that lifetimes end when it wants.
//
// Children, and what passes by them, are for package ipsec.
package ike
