// Package eigrp tests eigrpd with FRRouting's eigrpd, as far as that goes: neighbours,
// routes that are added, and Hellos that are authenticated by MD5, over Ethernet and
// from a multipoint tunnel. tshark decodes all that passes.
//
// # What was seen
//
//   - FRR 8.4.4 sends an Update to its group with the sequence number of the last
//     packet before. We acknowledge it as the repetition that it seems to be (RFC 7868
//     section 5.3), so that a network that is added at FRR is learnt when the tables
//     are exchanged the next time.
//   - It authenticates Hellos and nothing else, and shows a neighbour that is pending
//     only with "detail". We take no Update without authentication.
//   - It does not take authentication from its configuration file.
//   - A `network` of which the interface appears at the same moment sometimes leaves that
//     without EIGRP for good; the interface is there before, here.
//   - On a multipoint tunnel without a replicator it reaches nobody by multicast; it is
//     a spoke here, with a point-to-point tunnel.
package eigrp
