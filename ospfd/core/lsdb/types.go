package lsdb

import (
	"cmp"
	"fmt"
	"time"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Constants of RFC 2328 appendix B.
const (
	MinLSArrival = time.Second // between instances that are taken from others
	CheckAge     = 300         // seconds of age between verifications of a checksum
)

// Limits where Options has none.
const (
	DefaultMaxLSAs   = 200_000
	DefaultMaxOctets = 64 << 20
)

// Scope is how far an LSA is flooded (RFC 2328 section 13.3, RFC 5250 section 3).
type Scope uint8

// Scopes.
const (
	ScopeLink Scope = iota + 1
	ScopeArea
	ScopeAS
)

// ScopeOf returns the scope of a type of LSAs; ok is false if the type is unknown.
func ScopeOf(t packet.LSType) (s Scope, ok bool) {
	switch t {
	case packet.OpaqueLinkLSA:
		return ScopeLink, true
	case packet.RouterLSA, packet.NetworkLSA, packet.SummaryLSA, packet.ASBRSummaryLSA, packet.NSSALSA, packet.OpaqueAreaLSA:
		return ScopeArea, true
	case packet.ExternalLSA, packet.OpaqueASLSA:
		return ScopeAS, true
	}
	return 0, false
}

// Options say whose database it is, and what it may hold.
type Options struct {
	Router packet.ID // the router's own ID
	Scope  Scope
	// MinArrival is MinLSArrival, how long an instance that was flooded stands before another
	// is taken; 0: the constant of that name.
	MinArrival time.Duration
	MaxLSAs    int // LSAs that were received, at most; 0: DefaultMaxLSAs
	MaxOctets  int // of these LSAs, headers included; 0: DefaultMaxOctets
}

func (o Options) filled() Options {
	if o.MinArrival <= 0 {
		o.MinArrival = MinLSArrival
	}
	if o.MaxLSAs <= 0 {
		o.MaxLSAs = DefaultMaxLSAs
	}
	if o.MaxOctets <= 0 {
		o.MaxOctets = DefaultMaxOctets
	}
	return o
}

// Verdict is what becomes of an LSA that was received.
type Verdict uint8

// Verdicts, with the step of RFC 2328 section 13.
const (
	Newer        Verdict = iota + 1 // (5) installed, to be flooded
	TooSoon                         // (5a) discarded, not acknowledged
	Duplicate                       // (7) the same instance as the copy
	SendBack                        // (8) older: the copy goes to the sender, unacknowledged and on no list
	JustSent                        // (8) older, and the copy was sent less than MinLSArrival ago: discarded
	Wrapping                        // (8) older than a copy that is MaxAge with MaxSequence: discarded
	Gone                            // (4) MaxAge, no copy, nobody exchanging: acknowledged and discarded
	BadChecksum                     // (1) discarded
	Unacceptable                    // (2), (3) a type that is unknown or of another scope: discarded
	Full                            // no room: discarded, not acknowledged
)

// String names the verdict in a few words.
func (v Verdict) String() string {
	names := [...]string{Newer: "newer", TooSoon: "too soon", Duplicate: "duplicate", SendBack: "older", JustSent: "older, copy just sent",
		Wrapping: "sequence number wrapping", Gone: "MaxAge, not in the database", BadChecksum: "bad checksum",
		Unacceptable: "unacceptable type", Full: "database full"}
	if int(v) < len(names) && v > 0 {
		return names[v]
	}
	return fmt.Sprintf("verdict(%d)", uint8(v))
}

// Receipt is what Receive says.
type Receipt struct {
	Verdict Verdict
	// Self says that the LSA is one of the router's own (section 13.4): after Newer it is to
	// be originated or flushed.
	Self   bool
	Change Change     // of Newer
	Copy   packet.LSA // of SendBack, with its present age
}

// Kind is what has happened to an LSA of the database.
type Kind uint8

// Kinds.
const (
	Nothing    Kind = iota
	Installed       // an instance that was received
	Originated      // an instance that the router made, and says something new
	Refreshed       // an instance that the router made because the last one is old
	Flushing        // the router's own, prematurely aged (section 14.1)
	Expired         // reached MaxAge (section 14)
	Removed         // is not in the database any more
	Corrupt         // its checksum has become wrong: memory is damaged (section 14)
)

// String names the kind.
func (k Kind) String() string {
	names := [...]string{"nothing", "installed", "originated", "refreshed", "flushing", "expired", "removed", "corrupt"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Change is what has happened to one LSA.
type Change struct {
	Kind Kind
	LSA  packet.LSA // with its age at that instant; of Removed: what was removed
	Part Part       // what the routes have to do with it
}

// Flood reports whether the LSA is to be flooded; any older instance then leaves all
// retransmission lists (section 13 step 5c).
func (c Change) Flood() bool { return c.Kind >= Installed && c.Kind <= Expired }

// Part is the piece of the routing table that has to be computed again (RFC 2328 section
// 13.2). That an LSA becomes MaxAge is a change of its contents.
type Part uint8

// Parts.
const (
	PartNone     Part = iota
	PartTree          // a router-LSA or network-LSA: all, beginning with the shortest-path tree
	PartRoutes        // a router-LSA of which but stub links or flags changed: routes on the same tree
	PartSummary       // the destination of a summary-LSA (section 16.5)
	PartExternal      // the destination of an AS-external-LSA or type-7 LSA (section 16.6)
	PartOpaque        // nothing of the routing table; whoever reads opaque LSAs
)

// String names the part.
func (p Part) String() string {
	names := [...]string{"none", "tree", "routes", "summary", "external", "opaque"}
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("part(%d)", uint8(p))
}

// Statement is what the router says in an LSA of its own.
type Statement struct {
	Type     packet.LSType
	ID       packet.ID // Link State ID
	Options  packet.Options
	Body     []byte // kept: not to be changed
	DoNotAge bool   // it does not age, and is not refreshed (RFC 1793 section 2.2)
	First    int32  // sequence number of the first instance; 0: InitialSequence
}

// CompareKeys is the order in which a Database yields LSAs: by type, Link State ID and
// Advertising Router.
func CompareKeys(a, b packet.LSAKey) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Router, b.Router))
}
