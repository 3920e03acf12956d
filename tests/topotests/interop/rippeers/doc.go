// Package rippeers writes RIP configurations for FRRouting's ripd and for BIRD's
// rip from one description ([RIP]), for interoperation tests with this suite's
// ripd. Its own tests run the two against each other, without this suite: they
// prove that the harness, the configurations and the expectations are right.
//
//	frr 10.9.0.1 ── eth0 ──── eth0 ── 10.9.0.2 bird      static routes behind each
//
// The tests need Debian's packages frr (seen with 8.4.4), bird2 (seen with 2.0.12)
// and tshark.
//
// # What both want
//
//   - FRR's ripd sends and receives on interfaces whose subnet a network line
//     covers, and announces these subnets; BIRD names interfaces, and announces only
//     routes of its tables, so that the connected subnets need its protocol direct.
//   - FRR 8.4.4's MD5 writes an authentication data length of 20 unless it is told
//     "auth-length rfc", and takes 16 and 20; RFC 4822 section 2.1 says 16 for MD5.
//     BIRD wants what it writes itself. Key identifiers must agree: FRR uses 1 with a
//     key string, and the key's number with a key chain.
//   - FRR's requests carry no authentication, whatever is configured: BIRD refuses
//     them ("authentication method mismatch"), and FRR gets the routes with the next
//     periodic update.
//   - BIRD's MD5 also has an authentication data length of 20.
//   - BIRD's RIP says nothing when it ends; FRR's ripd neither when it is killed. What
//     BIRD is told to announce no longer (birdc configure) it withdraws at once.
//   - FRR has no HMAC. BIRD 2.0.12 has HMAC-SHA-1, -256, -384 and -512 of RFC 4822.
//   - Without multicast, as on a multipoint tunnel on which nobody copies it, FRR
//     takes "neighbor ADDRESS". BIRD sends to one address in place of the group
//     ("address", with mode broadcast: in mode multicast it joins that address as a
//     group and fails), so that a BIRD is a spoke of one hub, and not a hub of several.
//   - BIRD marks every route that it puts into the kernel with protocol 12 and metric
//     32, FRR's zebra those of RIP with 189 and 20.
package rippeers
