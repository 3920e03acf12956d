// Package packet is the codec of EIGRP, the Enhanced Interior Gateway Routing
// Protocol (RFC 7868): IP protocol 88, header version 2, with TLVs of version 1.2
// (classic metrics) and 2.0 (wide metrics), of IPv4 and IPv6.
//
// A packet is a header of 20 octets and TLVs:
//
//	+--------------------+  0
//	| Header             |  opcode, checksum, flags, sequence, acknowledgment,
//	|                    |  virtual router, autonomous system
//	+--------------------+  20
//	| General TLVs       |  authentication; parameters, sequence, software version,
//	|                    |  stub, termination, topologies
//	+--------------------+
//	| Route TLVs         |  a metric, a next hop, and the destinations that share them
//	+--------------------+
//
// Message is all of it as a value. Parse makes one from bytes; Decode does the same
// into a Message that is used again and again, without allocating. AppendBinary and
// Append make bytes of it, filling in lengths, checksum and digest. The metrics'
// arithmetic is in the package metric beside this one.
//
// # What is checked
//
// Decode reads nothing past a length that is announced, and nothing a length does
// not cover: a TLV shorter than its header, one that reaches beyond the packet, and
// one that is longer or shorter than its type wants refuse the whole packet (RFC
// 7868 section 6.6), as do a wrong checksum (a zero is no exception), a reserved
// opcode or virtual router, AS 0, an unknown address family, a prefix longer than
// an address, a route without destinations. A refusal is an *Error with the offset
// of the field and a Reason. General TLVs may come in any order but once. Unknown
// TLVs and unknown extended attributes survive, byte by byte and in order. Reserved
// fields are ignored on receipt and zero on transmission.
//
// What Decode accepts AppendBinary can write again, unless it is of the largest size
// and grows by octets of default routes that came without (see below). Not kept are the order of
// different TLVs, padding attributes, and TLVs and attributes without contents (a
// stub without flags, an empty list, a tag of 0).
//
// # What is not checked
//
// Whether a message makes sense to its receiver: K-values, autonomous system,
// sequence numbers, hop counts, destinations that nobody should route. And
// authentication, for which the caller has the key: nothing in a Message may be
// believed before Verify said so.
//
// # Where RFC and routers differ
//
// The RFC was written after the fact, and in places its figures are not what
// routers send. This package follows the routers, by what Wireshark's dissector
// (which comes from EIGRP's authors) and published captures show:
//
//   - Multiprotocol TLVs have TID before AFI (section 6.9.1 draws AFI first), a next
//     hop between the attributes and the rest (section 6.9 draws none), and the
//     administrator's tag in the Exterior Section (section 6.9.4 leaves it out).
//   - The Authentication TLV has 16 bits each for type and length, a key ID and a key
//     sequence, which section 6.7.2 does not draw.
//   - Addresses in the Peer Termination TLV have their length before them, as those
//     of the Sequence TLV do. The TID list has flags and its own length.
//   - After a bit count of 0, the default route, there is one octet of zeros: that
//     is what the formulas of section 6.8.4 give as integers, whatever its text says
//     of "no address". Received, both are understood. The formula of IPv6 gives one
//     octet more than needed where the length is a multiple of 8: it is sent so.
//   - The Scaled Metric attribute is 5 words long, not 4 (section 6.9.3.2).
//
// # What the digests cover
//
// The RFC says no more than "the MD5 hash value". What routers do was found from
// their packets:
//
// HMAC-SHA-256 covers the whole packet, with checksum and digest zero. Its key is a
// line feed, the secret, and the sender's address as text. (For IPv6 nobody has
// published a capture; the text is that of RFC 5952, without a zone.) FRR 8.4.4
// sends a digest of another making, always with key ID 0, and checks none.
//
// Keyed-MD5 puts the secret, filled with zeros up to 16 octets, in the digest's
// place, and then leaves out the last 20 octets of the packet. So the end of a
// packet, which is a destination as often as not, is not protected, and in a packet
// that has only the Authentication TLV (an acknowledgment, the first Update) not
// even the secret is hashed. This is what has to be computed to be understood; who
// wants protection uses HMAC-SHA-256.
package packet
