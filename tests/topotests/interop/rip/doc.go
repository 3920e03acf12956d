// Package rip tests ripd with FRRouting's ripd and BIRD's rip over Ethernet: with
// both on one LAN in version 2 without authentication, with passwords and with MD5,
// with BIRD in HMAC-SHA-256 and HMAC-SHA-512, and with FRR in version 1. Routes and
// their withdrawal go both ways and from suite to suite through ours, each side is
// restarted, and tshark decodes all that passes.
//
//	              ┌── 10.9.0.0/24 plain ── frr0, bird0
//	              ├── 10.9.1.0/24 MD5 ──── frr1, bird1
//	ours 10.9.N.1 ┼── 10.9.2.0/24 text ─── frr2, bird2
//	              ├── 10.9.3.0/24 HMAC-SHA-256 ── bird3
//	              ├── 10.9.4.0/24 HMAC-SHA-512 ── bird4
//	              └── 10.9.5.0/24 version 1 ───── frr5
//
// FRR is .2 and announces 10.2.N.0/24, BIRD is .3 and announces 10.3.N.0/24; ours
// announces 10.1.0.0/24.
//
// # What was seen
//
//   - FRR 8.4.4 never authenticates its Requests. Where authentication is configured
//     we do not answer them (RFC 2453 section 4.1), so that FRR hears of our routes
//     with our next regular update.
//   - BIRD 2.0.12 sends its first packet with sequence number 0, and hashes HMAC keys
//     that are longer than the digest in a way of its own: keys must not be longer.
package rip
