// Package packet is the codec of the Routing Information Protocol: version 1
// (RFC 1058) and version 2 (RFC 2453), with its authentication by simple
// password (RFC 2453 section 4.1) and by Keyed-MD5 and HMAC-SHA (RFC 4822,
// which replaces RFC 2082).
//
// A message is a header of 4 octets and up to 25 entries of 20. If the first
// entry of version 2 has the address family 0xFFFF, it is no route but
// authentication; the cryptographic kind has its digest in a trailer behind the
// last entry. Message is all of this as a value: Decode makes one from bytes,
// without allocating if it is used again; Append makes bytes of one.
//
// # Three steps of receiving
//
// A datagram is judged in steps, so that each refusal hits no more than it
// should:
//
//   - Decode refuses messages: wrong lengths, version 0, unknown commands,
//     version 1 with a must-be-zero field set, malformed authentication. Its
//     *Error has the offset of the field and a Reason.
//   - Verify says whether a key proves the message authentic. Nothing may be
//     believed before, not even Auth.Sequence.
//   - Entry.Check refuses single entries of a Response; the others of the
//     message are still good (RFC 2453 section 3.9.2). Entry.Prefix then tells
//     the destination, by the interface's mask where the entry has none.
//
// Versions greater than 2 are read as 2. Fields that version 2 calls unused or
// reserved are ignored on receipt and zero on transmission.
//
// # Where routers differ
//
// Auth Data Len is sent as RFC 4822 section 2.1 has it, the length of the digest
// (16 with Keyed-MD5). The length with the four octets before it (20), which FRR
// and BIRD send by default, is accepted too; both accept 16.
//
// RFC 4822 section 2.5 hashes an HMAC key that is longer than the digest; RFC
// 2104, and with it BIRD, only one longer than the hash's block. This package
// does the former, so keys no longer than the digest (20 octets with HMAC-SHA-1)
// are understood by all. Keyed-MD5 takes 16 octets of a key, as others do.
//
// FRR drops datagrams of more than 512 octets, BIRD little longer ones:
// MaxEntriesWith keeps to 512. FRR never authenticates its Requests.
package packet
