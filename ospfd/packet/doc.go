// Package packet is the codec of OSPF version 2 (RFC 2328): IP protocol 89, its five
// types of packets, link state advertisements, and authentication.
//
// A packet is a header of 24 octets, a body, and, behind the length that the header
// announces, what authentication and link-local signalling append:
//
//	+--------------------+  0
//	| Header             |  version, type, length, router ID, area ID, checksum,
//	|                    |  authentication type and data
//	+--------------------+  24
//	| Body               |  Hello, Database Description, Link State Request, Link
//	|                    |  State Update or Link State Acknowledgment
//	+--------------------+  Packet length
//	| Digest             |  of cryptographic authentication (RFC 2328 appendix D,
//	|                    |  RFC 5709, RFC 7474)
//	+--------------------+
//	| LLS data block     |  if the Options say so (RFC 5613)
//	+--------------------+
//
// Message is all of it as a value. Parse makes one from bytes, AppendBinary and Append
// make bytes of it, filling in lengths, checksums and digest.
//
// # Link state advertisements
//
// An LSA travels through an area unchanged but for its age, so it is kept as it came:
// LSA is its header, decoded, and its octets. What they mean is asked for where it
// matters: Router, Network, Summary, External and Opaque. NewLSA makes an LSA of a body,
// with length and checksum. A router that floods an LSA that it does not understand
// passes it along all the same (RFC 5250 section 3.1).
//
// # What is checked
//
// Parse reads nothing past a length that is announced. It refuses a packet with another
// version, an unknown type, a wrong length, a wrong checksum (only where authentication
// is not cryptographic: section D.4), and a body of a length that its type cannot have.
// In a Link State Update an LSA whose length does not fit refuses the packet, since where
// the next one begins is then unknown; one whose checksum is wrong is kept and marked by
// ChecksumOK, for section 13 (1) discards it alone. A refusal is an *Error with the offset
// of the field and a Reason.
//
// # What is not checked
//
// Whether a message makes sense to its receiver: area, Hello parameters, sequence
// numbers, LS types. And authentication: nothing in a Message may be believed before
// Verify said so, where it is configured.
package packet
