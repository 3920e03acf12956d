// Package packet is the codec of IKEv2, the Internet Key Exchange (RFC 7296 section
// 3), with fragments (RFC 7383), signatures that name their algorithm (RFC 7427), the
// numbers of the intermediate exchange (RFC 9242) and of several key exchanges (RFC
// 9370), and the marker that tells IKE from ESP on port 4500 (RFC 3948).
//
// A message is a header of 28 octets and a chain of payloads, each of which names the
// type of the next:
//
//	+--------------------+  0
//	| Header             |  SPIs, first payload, version, exchange, flags,
//	|                    |  message ID, length
//	+--------------------+  28
//	| Payloads           |  next, critical bit, length; contents
//	+--------------------+
//	| Encrypted          |  SK or SKF, always the last: its next payload is the
//	|                    |  first of those within
//	+--------------------+
//
// Message is all of it as a value; Parse makes one from bytes, AppendBinary bytes of
// it. What is inside an Encrypted payload is octets to this package: `ipsecd/suite`
// opens it, and ParsePayloads reads the chain that comes out. AppendPayloads writes
// such a chain. Each kind of payload is a struct; Payload is any of them.
//
// # What is checked
//
// Parse reads nothing past a length that is announced, and nothing a length does not
// cover. A message is refused as a whole for a payload shorter than its header or
// longer than what is left, for octets behind the last payload, for a payload longer
// or shorter than its contents, for counts and sizes of SPIs that do not fit, for a
// nonce of fewer than 16 or more than 256 octets, for an address of the wrong length,
// for a range of addresses that ends before it starts, for a list of selectors
// without one, for a fragment that is numbered 0 or beyond their total, and for a
// payload that occurs more often than it may (RFC 7296 section 1.2 and following, and
// the bounds below). A refusal is an *Error with the offset of the field and a Reason;
// Error.Notify has what RFC 7296 section 2.5 wants to be answered, if anything is.
//
// A payload of a type that is not known is kept, byte by byte, unless its critical bit
// is set: that is ReasonCritical, and Error.Payload says which. Payloads of IKEv1 have
// types that are not known here. EAP is refused: this suite does not speak it. Unknown
// transform types, attributes, protocols, notifications and selectors are kept, since
// the RFC wants them passed over one by one. Reserved fields are ignored on receipt and
// zero on transmission, and so are the critical bits of known payloads, the minor
// version and unknown flags.
//
// What Parse accepts AppendBinary can write again.
//
// # Bounds
//
// MaxMessageSize bounds a message and, since every value has octets of its own there,
// what Parse allocates. A message has at most MaxPayloads payloads, an SA payload
// MaxProposals proposals of MaxTransforms transforms of MaxAttributes attributes that are
// not known, a configuration MaxConfig attributes. A Message owns its memory: it
// keeps no reference to what it was read from.
//
// # What is not checked
//
// Whether a message makes sense: which payloads an exchange needs, whether SPIs and
// message IDs are those of an SA, whether a proposal can be accepted, the numbering of
// proposals, the public values of a key exchange. Nothing in a message may be believed
// before the integrity of its Encrypted payload is verified, and nothing in the first
// two before the AUTH payloads are.
//
// # IKEv1
//
// A message of major version 1 is ReasonIKEv1, and ParseHeader reads as much of it as
// is needed to count it and to name its peer.
package packet
