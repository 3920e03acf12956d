// Package ospf tests ospfd with FRRouting's ospfd and with BIRD over Ethernet: networks of
// each type with a designated router of each suite, areas of each kind with a border router
// of each, virtual links, authentication, graceful restart, and 5,000 external routes of
// each. What decides are the kernels' tables, that all have the same link state database,
// and tshark, which decodes all that passes.
//
// # What was seen
//
//   - FRR 8.4.4 has no HMAC, and no point-to-multipoint network without multicast: it sends to
//     the group, and hears what is sent to it alone. BIRD 2.0.12's is one without multicast.
//   - FRR keeps flushed LSAs for a minute. It needs `capability opaque` for graceful restarts,
//     and tells a default route into each NSSA.
//   - FRR asks an export-list for the parts of a range, and tells ranges that an import-list denies.
//   - FRR sends two instances of an LSA in one packet; the second one comes too soon for
//     everybody (RFC 2328 section 13 (5) (a)), and again with the retransmission.
//   - FRR passed the flush of an LSA on once, and not again to BIRD, which had not taken it since it
//     came within a second of the LSA.
//   - BIRD's virtual links want a broadcast network in the transit area. As a border router it
//     tells nothing that it redistributes into an NSSA; in a stub area it must not export at all.
//   - BIRD flushes its router-LSA when its own graceful restart ends, so that its routes are gone
//     for a second; where it was the designated router the restart only ends with the grace
//     period. So it is a helper here.
package ospf
