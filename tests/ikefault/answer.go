package ikefault

import (
	"encoding/binary"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
)

// Answer returns what a good peer answers to a request, in one message or in fragments,
// for an initiator at the other end or in an IKE SA that is established.
func (p *Peer) Answer(bs [][]byte) (*Draft, error) {
	m, err := packet.Parse(bs[0])
	if err != nil {
		return nil, err
	}
	if m.Exchange == packet.IKESAInit {
		return p.answerInit(m, bs[0])
	}
	ps, plain, err := p.open(bs)
	if err != nil {
		return nil, err
	}
	d := p.draft(m.Exchange, m.MessageID, true)
	switch m.Exchange {
	case packet.IKEIntermediate:
		err = p.answerIntermediate(d, bs[0], ps, plain)
	case packet.IKEAuth:
		err = p.answerAuth(d, ps)
	case packet.CreateChildSA:
		err = p.answerCreate(d, ps)
	}
	return d, err
}

func (p *Peer) answerInit(m *packet.Message, b []byte) (*Draft, error) {
	ke, _ := packet.Find(m.Payloads, packet.TypeKE).(*packet.KE)
	nonce, _ := packet.Find(m.Payloads, packet.TypeNonce).(*packet.Nonce)
	if ke == nil || nonce == nil {
		return nil, errAnswer
	}
	public, secret, err := suite.Respond(packet.Curve25519, ke.Data, p.Random)
	if err != nil {
		return nil, err
	}
	p.Initiator, p.Next, p.rounds, p.int, p.init[0] = false, 0, 0, [2]suite.IntAuth{}, b
	p.SPIi, p.SPIr = m.SPIi, packet.SPI(binary.BigEndian.Uint64(p.bytes(ikeSPILen)))
	p.nonces = suite.Nonces{Ni: nonce.Data, Nr: p.bytes(32), SPIi: p.SPIi, SPIr: p.SPIr}
	p.derive(p.suite().Derive(secret, p.nonces))
	d := p.draft(packet.IKESAInit, 0, true)
	d.Clear = Ofs(&packet.SA{Proposals: []packet.Proposal{p.proposal(nil)}}, &packet.KE{Group: packet.Curve25519, Data: public}, &packet.Nonce{Data: p.nonces.Nr})
	d.Clear = append(d.Clear, p.features()...)
	return d, nil
}

func (p *Peer) answerIntermediate(d *Draft, b []byte, ps []packet.Payload, plain []byte) error {
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	if ke == nil {
		return errAnswer
	}
	public, secret, err := suite.Respond(packet.MLKEM768, ke.Data, p.Random)
	if err != nil {
		return err
	}
	p.take(0, b, plain)
	d.Parts = Ofs(&packet.KE{Group: packet.MLKEM768, Data: public})
	d.next = func() { p.again(secret) } // the answer has the keys before
	return nil
}

func (p *Peer) answerAuth(d *Draft, ps []packet.Payload) error {
	d.Parts = Ofs(p.id(), p.Prove(p.id(), d.ID), &packet.Notify{Kind: packet.UseTransportMode})
	return p.answerChild(d, ps)
}

// answerChild takes the child SA that is offered.
func (p *Peer) answerChild(d *Draft, ps []packet.Payload) error {
	sa, _ := packet.Find(ps, packet.TypeSA).(*packet.SA)
	if sa == nil || len(sa.Proposals[0].SPI) != 4 {
		return errAnswer
	}
	p.Before = p.In
	p.In, p.Out = p.newSPI(), binary.BigEndian.Uint32(sa.Proposals[0].SPI)
	d.Parts = append(d.Parts, Of(&packet.SA{Proposals: []packet.Proposal{espProposal(p.In)}}))
	d.Parts = append(d.Parts, p.selectors(false)...)
	return nil
}

func (p *Peer) answerCreate(d *Draft, ps []packet.Payload) error {
	sa, _ := packet.Find(ps, packet.TypeSA).(*packet.SA)
	if sa == nil {
		return errAnswer
	}
	if len(sa.Proposals[0].SPI) != ikeSPILen {
		d.Parts = Ofs(&packet.Notify{Kind: packet.UseTransportMode}, &packet.Nonce{Data: p.bytes(32)})
		return p.answerChild(d, ps)
	}
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	if ke == nil {
		return errAnswer
	}
	public, _, err := suite.Respond(packet.Curve25519, ke.Data, p.Random)
	if err != nil {
		return err
	}
	d.Parts = Ofs(&packet.SA{Proposals: []packet.Proposal{p.proposal(p.bytes(ikeSPILen))}}, &packet.Nonce{Data: p.bytes(32)}, &packet.KE{Group: packet.Curve25519, Data: public})
	return nil
}
