// Package ipsec tests protected tunnels with strongSwan 5.9.8 and libreswan 4.10 as peers,
// which tools/install-debian.sh installs: GRE that ESP protects, in transport mode. What passes is seen on the underlay and by the counters of the kernel's
// associations: that a ping is answered proves nothing. charon with charon is the control.
//
// # What was seen
//
//   - In both roles, with strongSwan: AES-GCM, AES-CBC with HMAC-SHA-256, ChaCha20-Poly1305,
//     ESN, ESP in UDP; certificates with RSA, ECDSA and Ed25519 keys, those of RSA in
//     fragments, and one that is revoked; one hub with many peers, ours and charon; a packet that brings an
//     association about.
//   - An IKE SA without a child (RFC 6023), and then one, from strongSwan.
//   - Children and IKE SAs are replaced by either end, with PFS, and nothing is lost. With
//     libreswan a few packets may be, if a child is replaced: it sends by the new one at
//     once, before its answer can have arrived, and removes an old one before we can know.
//   - libreswan replaces the child that came with an IKE SA with the group of that IKE SA,
//     whatever its `esp=` says, and refuses all others: `set pfs` is to be that group.
//   - Who begins anew, after a kill, takes the place of what he was. strongSwan removes the
//     old associations when INITIAL_CONTACT comes, before it answers: a packet or two are
//     lost if that is us.
//   - strongSwan answers nothing for IKE SAs that it does not know: that it was restarted
//     and does not begin itself is found out by `dpd`.
package ipsec
