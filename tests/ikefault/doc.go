// Package ikefault attacks IKEv2: a Peer holds real keys and can say anything, at any
// moment of a negotiation, so that what is malformed also arrives behind the encryption
// and behind the authentication. For tests only.
//
// A Peer is a value: messages in, messages out, and no clock. The tests of ipsecd/core
// run it against the core in virtual time. A message begins as a Draft of what would be
// right. A Fault changes the draft, and says what a good peer makes of it. Attack runs a
// fault against a daemon at the other end of UDP, also against another implementation, to
// see that an attack is the message which it is meant to be.
//
// The classes are what vulnerabilities of other implementations had in common:
//
//	F1   payloads that are missing
//	F2   public values that are none, or of another group
//	F3   messages that are out of place: before there are keys, before authentication
//	F4   errors where there is no IKE SA
//	F5   what is left of a negotiation that failed
//	F6   traffic selectors: counts and lengths
//	F7   notifications with protocols and SPIs that come back in the answer
//	F8   fragments: too many, of nothing, of several messages
//	F9   payloads of IKEv1, and critical ones that nobody knows
//	F10  algorithms that are not there, odd key lengths
//	F11  signatures that are malleable
//	F12  certificates: names, constraints, sizes
//	F13  what is fetched because an attacker named it
//	F14  identities that are believed before the policy was asked
//	F15  repeated deletions, deletions of what is not there
//	F16  an exchange that does not verify the checksum
//	F17  amplification towards an address that nobody has shown to be his
//	F18  liveness checks that are forged or replayed
//	F19  padding, lengths, chains of payloads
//	F20  guessing of pre-shared keys by who pretends to be the peer
//
// F1 to F4, F6 to F10, F15, F16, F18 and F19 are faults here; F5 and F17 are looked at
// with each of them. F11 to F14 are in the tests of certificates, and F20 has no remedy but
// keys that are long, so that short ones are warned of. Behind the classes come the lists of what the fault injectors of
// strongSwan and libreswan do besides.
package ikefault
