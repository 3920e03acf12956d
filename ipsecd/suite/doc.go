// Package suite is the cryptography of ipsecd's core, which knows no algorithm itself:
// the keys of IKE and child SAs, the key exchanges they come from, the Encrypted payload
// and its fragments, the AUTH payloads, the hashes of NAT detection, and cookies.
//
//	IKE, ESP              what was agreed on, and the keys that follow from it
//	Start, Respond        the two halves of a key exchange
//	Cipher                messages of one direction: Append, Fragments, Open
//	Reassembly            fragments, once they are opened
//	SignedOctets          what AUTH payloads are about; SharedKeyAuth, Scheme, Verify
//	NATHash, Cookies      what IKE_SA_INIT needs
//
// # Algorithms
//
//	encryption      AES-CBC with HMAC, AES-GCM with an ICV of 16 octets (RFC 5282),
//	                ChaCha20-Poly1305 (RFC 7634)
//	integrity       HMAC with SHA-256, SHA-384, SHA-512 (RFC 4868), and SHA-1-96
//	PRF             HMAC with SHA-256, SHA-384, SHA-512, and SHA-1
//	key exchange    MODP 2048, 3072, 4096 (RFC 3526), ECP 256, 384, 521 (RFC 5903),
//	                Curve25519 (RFC 8031); ML-KEM-768 and -1024 in addition (RFC 9370)
//	signatures      RSASSA-PSS, RSA, ECDSA, Ed25519 (RFC 7427, RFC 8420); ECDSA of RFC
//	                4754 is understood
//
// Those of SHA-1 are for peers that have nothing else: it is the configuration that
// leaves them out. Signatures with SHA-1 are not made and not accepted.
//
// # Rules
//
// Everything is a pure function of its arguments: randomness is a reader that is passed
// in, so that two runs of a simulation with the same seed send the same octets. Who runs
// the daemon passes crypto/rand's, who simulates one a Repeatable. Nothing depends on a secret in its time that the
// standard library or filippo.io/bigmod does not keep constant; checksums are compared by
// hmac.Equal, and before anything below them is looked at. A failure to open a message
// has one error, whatever failed.
//
// Keys are octets in structs that do not print them. Wipe overwrites them; Go gives no
// promise that no copy is left.
//
// What comes from a peer is checked here where that takes arithmetic (public values,
// lengths of ciphertexts, padding, signatures) and in `ipsecd/packet` where it does not.
// Whether an algorithm was agreed on, a key is the peer's, or a message is expected, is
// the core's to decide.
package suite
