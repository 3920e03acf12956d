// Package packet is the codec of the NBMA Next Hop Resolution Protocol:
// RFC 2332, the parts of RFC 2333 that touch the packet, and what Cisco adds
// for DMVPN (Traffic Indication, clear-text authentication, NAT address
// extension).
//
// An NHRP packet has three parts:
//
//	+--------------------+  0
//	| Fixed Part         |  address families, hop count, size, checksum,
//	|                    |  where the extensions are, packet type
//	+--------------------+  20
//	| Mandatory Part     |  common header (who asks, who is asked, Request ID)
//	|                    |  and Client Information Entries: the bindings;
//	|                    |  or, in indications, a copy of the packet at fault
//	+--------------------+  ar$extoff
//	| Extensions Part    |  type, length, value; ended by End Of Extensions
//	+--------------------+  ar$pktsz
//
// Message is all of it as a value. Parse makes one from bytes; Decode does the
// same into a Message that is used again and again, without allocating.
// AppendBinary makes bytes of it, filling in lengths, extension offset and
// checksum.
//
// # What is checked
//
// Parse accepts exactly what it could write again: version 1, a known packet
// type, IPv4 or IPv6 as NBMA network (ar$afn 1 and 2) and as internetwork
// protocol, all lengths, the checksum, an extension list that ends with End Of
// Extensions, each extension type once (but Vendor Private). A refusal is an
// *Error with the offset of the field, a Reason, and through
// Reason.ErrorCode the code that an NHRP Error Indication would carry.
//
// A checksum of zero is no exception: RFC 2332 section 5.1 knows no "not
// computed" value, so it must be right like any other.
//
// Octets after ar$pktsz are link-layer padding and are ignored. Fields that the
// RFC calls unused are ignored on receipt and zero on transmission, but unknown
// bits of the Flags field survive, since Cisco routers define some there
// (FlagNAT). Unknown extensions survive byte by byte, in order, with their
// Compulsory bit.
//
// # The group of a client
//
// Cisco's clients send the name of their group (`nhrp group`) in a Vendor Private
// extension. That it is there is documented, and that the extension begins with the
// vendor's identifier is RFC 2332 section 5.3.5; how Cisco lays out the data behind
// it is not public, and neither Wireshark nor any implementation at hand knows more
// than "data". NewGroup therefore writes what is most natural in this protocol, a
// type and a length of 16 bits each, as those of the extensions themselves, and
// Group reads that and passes over what it does not know. Between nodes of this
// suite groups work; with Cisco's routers they are not known to, and a group that
// cannot be read is no group and no fault.
//
// # What is not checked
//
// Whether a message makes sense to its receiver: Code values, Prefix Length
// (PrefixBits interprets it), the number of entries a message type should have,
// authentication. Some checks depend on the receiver's role and are methods to
// be called by it: CheckCompulsory by a station that will answer, CheckForward
// by one that will forward.
package packet
