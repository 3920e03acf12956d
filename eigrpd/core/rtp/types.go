package rtp

import (
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
)

// PeerID names a neighbour; 0 is none. A neighbour that was down and is up again may
// have its old name.
type PeerID uint32

// InterfaceID names an interface.
type InterfaceID uint32

// Packet is a reliable packet without what the transport and the codec add: TLVs
// are encoded, without header and without authentication. All receivers share the
// TLVs, and so must never be changed. Flags are INIT, EOT and RS; CR is the transport's.
type Packet struct {
	Opcode packet.Opcode
	Flags  packet.Flags
	TLVs   []byte
}

// Link is what the transport has to know of an interface.
type Link struct {
	ID        InterfaceID
	Bandwidth uint64 // kbit/s; 0: not known, no pacing
	Percent   int    // of the bandwidth that EIGRP may use; 0: 50 (RFC 7868 section 5.2.1)
	MTU       int    // octets of an IP packet; 0: 1500
	// Multicast is false where only unicast reaches the neighbours: NBMA, or static
	// neighbours. Everything is unicast there.
	Multicast bool
}

// Options of a Transport. Zero values are the defaults.
type Options struct {
	// First is the first sequence number, 1 if 0. A random one lets a neighbour tell
	// the first packet of a restarted router from an old one.
	First uint32
	// RetryLimit is how often a packet is retransmitted before its receiver counts as
	// lost, 16 (RFC 7868 section 5.2).
	RetryLimit int
	// QueueLimit is how many packets may wait for one neighbour, 16384. One for whom
	// more would have to wait is lost.
	QueueLimit int
	// AddressLen is the length of the neighbours' addresses in octets, 4: the Sequence
	// TLV has to fit a packet.
	AddressLen int
	// Overhead is what comes before a packet's TLVs in octets, 40: the headers of IP and
	// EIGRP, and perhaps authentication.
	Overhead int
}

// filled returns the options with their defaults.
func (o Options) filled() Options {
	for _, f := range []struct {
		value    *int
		fallback int
	}{{&o.RetryLimit, retryLimit}, {&o.QueueLimit, queueLimit}, {&o.AddressLen, 4}, {&o.Overhead, smallest}} {
		if *f.value <= 0 {
			*f.value = f.fallback
		}
	}
	if o.First == 0 {
		o.First = 1
	}
	return o
}

// Numbers of the transport. The RFC has the first; the others are IOS's, as its
// engineers have told of them in public.
const (
	retryLimit   = 16 // retransmissions (RFC 7868 section 5.2)
	queueLimit   = 16384
	holdTime     = 15 * time.Second // default Hold Time (section 5.3.2)
	minRTO       = 100 * time.Millisecond
	maxRTO       = 5 * time.Second // section 5.2: "a maximum of 5 seconds"
	firstRTO     = time.Second     // before the round-trip time is measured
	rtoFactor    = 6               // RTO is that many SRTT, or pacing intervals
	minFlow      = 50 * time.Millisecond
	maxFlow      = 5 * time.Second
	flowFactor   = 4                // the multicast flow timer is that many SRTT
	largest      = 1500             // octets of the packet after which pacing times are stated
	smallest     = 40               // and of one without TLVs: two headers
	percent      = 50               // section 5.2.1
	negligible   = time.Millisecond // a shorter pacing time is none
	maxBandwidth = 1 << 40          // kbit/s: so that products do not overflow
)

// Header is what a received packet says to the transport.
type Header struct {
	Opcode    packet.Opcode
	Flags     packet.Flags
	Seq       uint32
	Ack       uint32
	Multicast bool // it was sent to the group
}

// Verdict is what is to be done with a received packet.
type Verdict uint8

// The verdicts.
const (
	// Unreliable: it has no sequence number. A Hello is the caller's; nothing else is
	// sent so.
	Unreliable Verdict = iota
	// Deliver: it is the next of this neighbour, and will be acknowledged.
	Deliver
	// Duplicate: it was delivered; it is acknowledged again, and dropped.
	Duplicate
	// OutOfOrder: it is older than what was delivered last; dropped.
	OutOfOrder
	// NotForUs: it has the CR flag, and we are not in Conditionally Received mode for
	// it; dropped. It comes again by unicast.
	NotForUs
	// Early: the neighbour has not sent its INIT yet; dropped (RFC 7868 section 5.3.5).
	Early
	// Restarted: an INIT of a neighbour that had sent another before, and had ours: it
	// has begun anew. The caller resets the adjacency, or what it keeps of it (RS), by
	// PeerDown and PeerUp, and hands the packet in again.
	Restarted
	// Unknown: nobody's, or of a neighbour that is lost; dropped.
	Unknown
)

var verdicts = [...]string{"unreliable", "deliver", "duplicate", "out-of-order", "not-for-us", "early", "restarted", "unknown"}

// String returns the name of the verdict.
func (v Verdict) String() string {
	if int(v) < len(verdicts) {
		return verdicts[v]
	}
	return "?"
}
