package proposal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
)

// ErrNoProposal says that nothing in an offer fits: NO_PROPOSAL_CHOSEN (RFC 7296 section
// 2.7).
var ErrNoProposal = errors.New("proposal: none is acceptable")

// WrongGroup says that the KE payload has another group than the one chosen:
// INVALID_KE_PAYLOAD (RFC 7296 section 1.3).
type WrongGroup struct {
	Want packet.Group
}

// Error names the group that is wanted.
func (e *WrongGroup) Error() string { return fmt.Sprintf("proposal: wants %v", e.Want) }

// ChooseIKE returns what a responder with a policy takes of an offer for an IKE SA. ke
// is the group of the KE payload. rekey says that the IKE SA replaces another: then there
// is an SPI in the offer. additional says that additional key exchanges are possible:
// that both support IKE_INTERMEDIATE, or that this is a rekey. The error is
// ErrNoProposal or a *WrongGroup.
func ChooseIKE(offer *packet.SA, policy []IKE, ke packet.Group, rekey, additional bool) (*Choice, error) {
	spi := 0
	if rekey {
		spi = 8
	}
	for i := range offer.Proposals {
		o := index(&offer.Proposals[i], packet.ProtocolIKE, spi)
		if o == nil {
			continue
		}
		for j := range policy {
			c := o.chooseIKE(&policy[j], ke, additional)
			if c == nil {
				continue
			}
			if c.Group != ke {
				return nil, &WrongGroup{c.Group}
			}
			return c, nil
		}
	}
	return nil, ErrNoProposal
}

// ChooseESP returns what a responder takes of an offer for a child SA. ke is the group of
// the KE payload, NoGroup if there is none; auth says that the exchange is IKE_AUTH. The
// error is ErrNoProposal or a *WrongGroup.
func ChooseESP(offer *packet.SA, policy []ESP, ke packet.Group, auth bool) (*Choice, error) {
	for i := range offer.Proposals {
		o := index(&offer.Proposals[i], packet.ProtocolESP, 4)
		if o == nil {
			continue
		}
		if auth {
			o.withoutKeyExchange()
		}
		for j := range policy {
			c := o.chooseESP(&policy[j], ke, auth)
			if c == nil {
				continue
			}
			if c.Group != packet.NoGroup && c.Group != ke {
				return nil, &WrongGroup{c.Group}
			}
			return c, nil
		}
	}
	return nil, ErrNoProposal
}

// offered is a proposal of a peer: its acceptable transforms, by type. A type of which
// all transforms are unacceptable is there, with none.
type offered struct {
	*packet.Proposal
	types map[packet.TransformType][]packet.Transform
}

// minSPI is the first SPI of ESP that is not reserved (RFC 4303 section 2.1).
const minSPI = 256

// index returns a proposal if it is of a protocol and its SPI of that length, and all
// types of its transforms are known; else nil.
func index(p *packet.Proposal, protocol packet.Protocol, spi int) *offered {
	if p.Protocol != protocol || len(p.SPI) != spi {
		return nil
	}
	switch {
	case spi == 4 && binary.BigEndian.Uint32(p.SPI) < minSPI, spi == 8 && binary.BigEndian.Uint64(p.SPI) == 0:
		return nil
	}
	o := &offered{p, map[packet.TransformType][]packet.Transform{}}
	for _, t := range p.Transforms {
		if t.Type < packet.Encryption || t.Type > packet.AddKE7 {
			return nil
		}
		ts := o.types[t.Type]
		if len(t.Attributes) == 0 && (t.Type == packet.Encryption || t.KeyLength == 0) {
			ts = append(ts, t)
		}
		o.types[t.Type] = ts
	}
	return o
}

// has reports whether a transform is in the offer.
func (o *offered) has(t packet.TransformType, id uint16) bool {
	return slices.ContainsFunc(o.types[t], func(x packet.Transform) bool { return x.ID == id })
}

// absent reports whether there is no transform of a type, which means NONE (RFC 7296
// section 3.3.3).
func (o *offered) absent(t packet.TransformType) bool {
	_, there := o.types[t]
	return !there
}

// without reports whether NONE is acceptable to the peer.
func (o *offered) without(t packet.TransformType) bool { return o.absent(t) || o.has(t, 0) }

func (o *offered) withoutKeyExchange() {
	delete(o.types, packet.KeyExchange)
	for i := range MaxAdditional {
		delete(o.types, slot(i))
	}
}

// first returns the first of ids that is offered.
func first[T ~uint16](o *offered, t packet.TransformType, ids []T) (T, bool) {
	for _, id := range ids {
		if o.has(t, uint16(id)) {
			return id, true
		}
	}
	return 0, false
}

// protection chooses cipher and integrity, which have to go together.
func (o *offered) protection(cs []packet.Transform, integrity []uint16) (packet.Transform, uint16, bool) {
	for _, c := range cs {
		t := cipher(c)
		if !slices.ContainsFunc(o.types[packet.Encryption], func(x packet.Transform) bool { return x.ID == t.ID && x.KeyLength == t.KeyLength }) {
			continue
		}
		if suite.AEAD(c.ID) {
			if o.without(packet.Integrity) {
				return t, packet.AuthNone, true
			}
			continue
		}
		if id, ok := first(o, packet.Integrity, integrity); ok {
			return t, id, true
		}
	}
	return packet.Transform{}, 0, false
}

func (o *offered) chooseIKE(p *IKE, ke packet.Group, additional bool) *Choice {
	if !o.absent(packet.ESN) { // not a type of this protocol (RFC 7296 section 3.3.3)
		return nil
	}
	e, i, ok := o.protection(p.Encryption, p.Integrity)
	prf, okPRF := first(o, packet.PRF, p.PRF)
	s := suite.IKE{Encryption: e, Integrity: i, PRF: suite.PRF(prf)}
	if !ok || !okPRF || s.Check() != nil {
		return nil
	}
	// A group that leaves none for an additional key exchange which has to be is passed
	// over. If it were the end, the same offer with another group would fit better, and the
	// peer be told a wrong group twice.
	for _, g := range o.usable(p.Groups, ke) {
		c := &Choice{IKE: s, Group: g, SPI: o.SPI}
		c.Answer = packet.Proposal{Number: o.Number, Protocol: packet.ProtocolIKE}
		c.answer(packet.Encryption, e)
		c.answerID(packet.PRF, prf)
		c.answerIntegrity(o, i)
		c.answerID(packet.KeyExchange, uint16(g))
		if c.add(o, p.Additional, additional) {
			return c
		}
	}
	return nil
}

func (o *offered) chooseESP(p *ESP, ke packet.Group, auth bool) *Choice {
	if !o.absent(packet.PRF) {
		return nil
	}
	e, i, ok := o.protection(p.Encryption, p.Integrity)
	esn, okESN := first(o, packet.ESN, p.esn())
	if !ok || !okESN {
		return nil
	}
	c := &Choice{ESP: suite.ESP{Encryption: e, Integrity: i}, ESN: esn == packet.ESNYes, SPI: o.SPI}
	if c.ESP.Check() != nil || !c.pfs(o, p, ke, auth) {
		return nil
	}
	c.Answer = packet.Proposal{Number: o.Number, Protocol: packet.ProtocolESP}
	c.answer(packet.Encryption, e)
	c.answerIntegrity(o, i)
	if !o.absent(packet.KeyExchange) {
		c.answerID(packet.KeyExchange, uint16(c.Group))
	}
	c.answerID(packet.ESN, esn)
	var want []Additional
	switch {
	case auth:
	case len(p.Groups) > 0:
		want = p.Additional
	default:
		want = o.additional()
	}
	if !c.add(o, want, c.Group != packet.NoGroup) {
		return nil
	}
	return c
}

// pfs chooses the group of a child SA. A policy without one takes what the peer wants; in
// IKE_AUTH, where there is none, one with PFS is content too, since the IKE SA is new.
func (c *Choice) pfs(o *offered, p *ESP, ke packet.Group, auth bool) (ok bool) {
	switch {
	case o.absent(packet.KeyExchange):
		return auth || len(p.Groups) == 0
	case len(p.Groups) > 0:
		c.Group, ok = o.group(p.Groups, ke)
		return ok
	case ke == packet.NoGroup && o.has(packet.KeyExchange, 0):
		return true
	}
	if c.Group, ok = o.group(o.groups(packet.KeyExchange), ke); ok {
		return true
	}
	return o.has(packet.KeyExchange, 0)
}

// groups returns the groups of a type in the peer's order.
func (o *offered) groups(t packet.TransformType) (out []packet.Group) {
	for _, t := range o.types[t] {
		out = append(out, packet.Group(t.ID))
	}
	return out
}

// additional returns what additional key exchanges the peer wants, as if we wanted them.
func (o *offered) additional() []Additional {
	out := make([]Additional, MaxAdditional)
	for i := range out {
		out[i] = Additional{Groups: o.groups(slot(i)), Optional: true}
	}
	return out
}

// group chooses the first usable group.
func (o *offered) group(ours []packet.Group, ke packet.Group) (packet.Group, bool) {
	for _, g := range o.usable(ours, ke) {
		return g, true
	}
	return packet.NoGroup, false
}

// usable returns the groups that fit: that of the KE payload first, the others in our
// order. A KEM is not among them: it can be an additional exchange only.
func (o *offered) usable(ours []packet.Group, ke packet.Group) (fit []packet.Group) {
	for _, g := range ours {
		if !o.has(packet.KeyExchange, uint16(g)) || !usable(g) {
			continue
		}
		if g == ke {
			fit = slices.Insert(fit, 0, g)
		} else {
			fit = append(fit, g)
		}
	}
	return fit
}

func usable(g packet.Group) bool { return suite.Supported(g) && !suite.KEM(g) }

// add chooses the additional key exchanges of all types that are offered or wanted. It
// reports whether that is possible.
func (c *Choice) add(o *offered, want []Additional, possible bool) bool {
	used := []packet.Group{c.Group}
	for i := range MaxAdditional {
		t := slot(i)
		var w Additional
		if i < len(want) {
			w = want[i]
		} else {
			w.Optional = true
		}
		g := packet.NoGroup
		if possible {
			fresh := slices.DeleteFunc(slices.Clone(w.Groups), func(g packet.Group) bool { return slices.Contains(used, g) || !suite.Supported(g) })
			g, _ = first(o, t, fresh)
		}
		switch {
		case g != packet.NoGroup:
			c.Additional = append(c.Additional, g)
			used = append(used, g)
		case !w.Optional || !o.without(t):
			return false
		}
		if !o.absent(t) {
			c.answerID(t, uint16(g))
		}
	}
	return true
}

func (c *Choice) answer(t packet.TransformType, tr packet.Transform) {
	tr.Type = t
	c.Answer.Transforms = append(c.Answer.Transforms, tr)
}

func (c *Choice) answerID(t packet.TransformType, id uint16) {
	c.answer(t, packet.Transform{ID: id})
}

// answerIntegrity answers NONE where that was offered, and nothing where nothing was.
func (c *Choice) answerIntegrity(o *offered, id uint16) {
	if !o.absent(packet.Integrity) {
		c.answerID(packet.Integrity, id)
	}
}
