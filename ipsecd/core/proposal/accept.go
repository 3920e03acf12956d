package proposal

import (
	"errors"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
)

// ErrAnswer says that an answer is not consistent with what was offered; the initiator
// must end the exchange (RFC 7296 section 3.3.6).
var ErrAnswer = errors.New("proposal: answer does not fit the offer")

// Accept returns what a responder chose of an offer of ours: one proposal with the number
// of one of ours, and of each type one transform that was in it. Types of which NONE was
// offered may be missing. ke is the group of our KE payload, NoGroup if there was none.
func Accept(offer, answer *packet.SA, ke packet.Group) (*Choice, error) {
	if len(answer.Proposals) != 1 {
		return nil, ErrAnswer
	}
	a := answer.Proposals[0]
	i := slices.IndexFunc(offer.Proposals, func(p packet.Proposal) bool { return p.Number == a.Number })
	if i < 0 {
		return nil, ErrAnswer
	}
	ours := &offer.Proposals[i]
	o, got := index(ours, ours.Protocol, len(ours.SPI)), index(&a, ours.Protocol, len(ours.SPI))
	if o == nil || got == nil || !got.answers(o) {
		return nil, ErrAnswer
	}
	c := &Choice{SPI: a.SPI, Group: got.group1(packet.KeyExchange), Answer: packet.Proposal{Number: a.Number, Protocol: a.Protocol, Transforms: a.Transforms}}
	if c.Group != ke && (c.Group != packet.NoGroup || a.Protocol == packet.ProtocolIKE) {
		return nil, ErrAnswer
	}
	for i := range MaxAdditional {
		if g := got.group1(slot(i)); g != packet.NoGroup {
			if g == c.Group || slices.Contains(c.Additional, g) || c.Group == packet.NoGroup {
				return nil, ErrAnswer
			}
			c.Additional = append(c.Additional, g)
		}
	}
	return c, c.take(got)
}

// take fills in the suite of an answer.
func (c *Choice) take(got *offered) error {
	e, integrity := got.one(packet.Encryption), got.one(packet.Integrity).ID
	var err error
	if got.Protocol == packet.ProtocolIKE {
		c.IKE = suite.IKE{Encryption: e, Integrity: integrity, PRF: suite.PRF(got.one(packet.PRF).ID)}
		err = c.IKE.Check()
	} else {
		c.ESP, c.ESN = suite.ESP{Encryption: e, Integrity: integrity}, got.one(packet.ESN).ID == packet.ESNYes
		err = c.ESP.Check()
	}
	if err != nil {
		return ErrAnswer
	}
	return nil
}

// answers reports whether the answer has one transform of each type of the offer, which
// was in it, and none of another.
func (got *offered) answers(o *offered) bool {
	for t := packet.Encryption; t <= packet.AddKE7; t++ {
		ts := got.types[t]
		switch {
		case got.absent(t):
			if !o.without(t) && !(t == packet.Integrity && suite.AEAD(got.one(packet.Encryption).ID)) {
				return false
			}
		case len(ts) != 1 || !slices.ContainsFunc(o.types[t], func(x packet.Transform) bool { return x.ID == ts[0].ID && x.KeyLength == ts[0].KeyLength }):
			return false
		}
	}
	return len(got.Transforms) == got.count() // else one was dropped for its attributes
}

// count returns the number of acceptable transforms.
func (o *offered) count() (n int) {
	for _, ts := range o.types { // unordered: a sum
		n += len(ts)
	}
	return n
}

// one returns the only transform of a type, one of zeros if there is none.
func (o *offered) one(t packet.TransformType) packet.Transform {
	if len(o.types[t]) == 0 {
		return packet.Transform{}
	}
	return o.types[t][0]
}

// group1 returns the only group of a type, NoGroup if there is none.
func (o *offered) group1(t packet.TransformType) packet.Group { return packet.Group(o.one(t).ID) }
