package ikefault

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// conftest is what the conformance tests of strongSwan mangle (src/conftest/hooks), as far
// as it is not in the classes.
func conftest() (out []Fault) {
	add := func(name, why string, ms []Moment, do func(*Peer, *Draft), want Outcome) {
		for _, m := range ms {
			out = append(out, Fault{"conftest", name, why, m, false, false, do, want})
		}
	}
	all := append(slices.Clone(requests), answers...)
	sealed := slices.DeleteFunc(slices.Clone(all), func(m Moment) bool { return m == Init || m == AnswerInit })
	onlyRequests := slices.DeleteFunc(slices.Clone(requests), func(m Moment) bool { return m == Init })
	add("payloads in another order", "RFC 7296 section 2.5: recipients should not insist on one", all, func(_ *Peer, d *Draft) {
		slices.Reverse(d.Parts)
		slices.Reverse(d.Clear)
	}, taken)
	flags := func(f byte) func(*Peer, *Draft) {
		return func(_ *Peer, d *Draft) {
			for i := range d.Parts {
				d.Parts[i].Flags = f
			}
			for i := range d.Clear {
				d.Clear[i].Flags = f
			}
		}
	}
	add("critical bit of payloads that are known", "RFC 7296 section 2.5: ignored", all, flags(0x80), taken)
	add("reserved bits of payloads", "RFC 7296 section 3.2: ignored", all, flags(0x7f), taken)
	add("reserved bits of the header", "RFC 7296 section 3.1: ignored", all, func(_ *Peer, d *Draft) { d.Flags |= 0xc7 }, taken)
	add("minor version 15", "RFC 7296 section 2.5: ignored", all, func(_ *Peer, d *Draft) { d.Version = 0x2f }, taken)
	add("major version 3", "RFC 7296 section 2.5", all, func(_ *Peer, d *Draft) { d.Version = 0x30 }, dropped(Malformed))
	add("major version 1", "RFC 7296 section 2.5", all, func(_ *Peer, d *Draft) { d.Version = 0x10 }, dropped(IKEv1))
	add("major version 0", "RFC 7296 section 2.5", all, func(_ *Peer, d *Draft) { d.Version = 0 }, dropped(Malformed))
	add("another SPI of the initiator", "RFC 7296 section 2.6", sealed, func(_ *Peer, d *Draft) { d.SPIi ^= 1 }, dropped(UnknownSA))
	add("another SPI of the responder", "RFC 7296 section 2.6", sealed, func(_ *Peer, d *Draft) { d.SPIr ^= 1 }, dropped(UnknownSA))
	add("SPIs the wrong way", "RFC 7296 section 2.6", sealed, func(_ *Peer, d *Draft) { d.SPIi, d.SPIr = d.SPIr, d.SPIi }, dropped(UnknownSA))
	add("initiator flag of the other end", "RFC 7296 section 3.1", sealed, func(_ *Peer, d *Draft) { d.Flags ^= byte(packet.FlagInitiator) }, dropped(UnknownSA))
	add("the roles exchanged", "RFC 7296 section 3.1", sealed, func(_ *Peer, d *Draft) {
		d.SPIi, d.SPIr = d.SPIr, d.SPIi
		d.Flags ^= byte(packet.FlagInitiator)
	}, dropped(UnknownSA))
	add("a request as an answer", "RFC 7296 section 3.1", onlyRequests, func(_ *Peer, d *Draft) { d.Flags ^= byte(packet.FlagResponse) }, dropped(WrongID))
	add("an answer as a request", "RFC 7296 section 3.1", []Moment{AnswerAuth}, func(_ *Peer, d *Draft) { d.Flags ^= byte(packet.FlagResponse) }, dropped(WrongID))
	add("an old Message ID", "RFC 7296 section 2.2", []Moment{Probe, Create}, func(p *Peer, d *Draft) { d.ID = p.Next - 2 }, dropped(WrongID))
	add("not encrypted", "RFC 7296 section 2.21: nothing unprotected is believed", sealed, func(_ *Peer, d *Draft) { d.Sealed, d.Clear, d.Parts = false, d.Parts, nil }, dropped(NotAuthentic))
	add("notification that is not encrypted", "RFC 7296 section 2.21.4", sealed, func(_ *Peer, d *Draft) {
		d.Sealed, d.Parts, d.Clear = false, nil, Ofs(&packet.Notify{Kind: packet.AuthenticationFailed})
	}, dropped(NotAuthentic))
	add("payloads before the Encrypted one", "RFC 7296 section 3.14: what is in clear counts for nothing", sealed, func(_ *Peer, d *Draft) {
		d.Clear = Ofs(&packet.Delete{Protocol: packet.ProtocolIKE}, &packet.Notify{Kind: packet.AuthenticationFailed}, &packet.VendorID{Data: []byte("x")})
	}, taken)
	add("filler", "RFC 7296 section 3.12", all, func(_ *Peer, d *Draft) {
		d.Add(slices.Repeat([]Part{Of(&packet.VendorID{Data: bytes.Repeat([]byte("godmvpn"), 50)})}, 20)...)
	}, taken)
	add("a cookie that nobody gave", "RFC 7296 section 2.6", []Moment{Init}, func(_ *Peer, d *Draft) {
		d.Clear = append(Ofs(&packet.Notify{Kind: packet.Cookie, Data: []byte("not yours")}), d.Clear...)
	}, taken)
	add("a cookie that is nobody's", "RFC 7296 section 2.6", []Moment{Init}, func(_ *Peer, d *Draft) {
		d.Add(Of(&packet.Notify{Kind: packet.Cookie, Data: make([]byte, 500)}), Of(&packet.Notify{Kind: packet.Cookie}))
	}, taken)
	return append(out, proofs()...)
}

// proofs are those of conftest about who the other end is.
func proofs() (out []Fault) {
	add := func(name, why string, ms []Moment, do func(*Peer, *Draft), want Outcome) {
		for _, m := range ms {
			out = append(out, Fault{"conftest", name, why, m, false, false, do, want})
		}
	}
	auth := func(f func(p *Peer, a *packet.Auth)) func(*Peer, *Draft) {
		return func(p *Peer, d *Draft) {
			a := p.Prove(p.id(), d.ID)
			f(p, a)
			*d.Find(packet.TypeAuth) = Of(a)
		}
	}
	for name, do := range map[string]func(*Peer, *Draft){ // unordered: each by itself
		"AUTH that was forged":     auth(func(_ *Peer, a *packet.Auth) { a.Data[0] ^= 1 }),
		"AUTH of 1 octet":          auth(func(_ *Peer, a *packet.Auth) { a.Data = a.Data[:1] }),
		"AUTH with octets behind":  auth(func(_ *Peer, a *packet.Auth) { a.Data = append(a.Data, 0) }),
		"AUTH of method NULL":      auth(func(_ *Peer, a *packet.Auth) { a.Method = packet.AuthNull }),
		"AUTH of method 0":         auth(func(_ *Peer, a *packet.Auth) { a.Method = 0 }),
		"AUTH of RSA":              auth(func(_ *Peer, a *packet.Auth) { a.Method = packet.AuthRSA }),
		"AUTH of an empty key":     auth(func(p *Peer, a *packet.Auth) { key := p.Key; p.Key = nil; *a = *p.Prove(p.id(), 1); p.Key = key }),
		"AUTH of another identity": auth(func(p *Peer, a *packet.Auth) { *a = *p.Prove(&packet.ID{Kind: packet.IDFQDN, Data: []byte("x")}, 1) }),
		"AUTH of the other end": auth(func(p *Peer, a *packet.Auth) {
			p.Initiator = !p.Initiator
			*a = *p.Prove(p.id(), 1)
			p.Initiator = !p.Initiator
		}),
		"identity that was changed": edit(packet.TypeIDi, func(b []byte) []byte { b[7] ^= 1; return b }),
	} {
		add(name, "RFC 7296 section 2.15", []Moment{Auth}, do, ended(packet.AuthenticationFailed))
		if name != "identity that was changed" {
			add(name, "RFC 7296 section 2.15", []Moment{AnswerAuth}, do, ended(0))
		}
	}
	identity := func(kind packet.IDType, data []byte) func(*Peer, *Draft) {
		return func(p *Peer, d *Draft) {
			id := &packet.ID{Kind: kind, Data: data, Responder: !p.Initiator}
			*d.Find(id.Type()), *d.Find(packet.TypeAuth) = Of(id), Of(p.Prove(id, d.ID))
		}
	}
	for name, do := range map[string]func(*Peer, *Draft){ // unordered: each by itself
		"identity of no octets":    identity(packet.IDFQDN, nil),
		"identity of 60000 octets": identity(packet.IDKeyID, make([]byte, 60000)),
		"identity of kind NULL":    identity(packet.IDNull, nil),
		"identity of kind 250":     identity(250, []byte("x")),
	} {
		add(name, "RFC 7296 section 3.5", []Moment{Auth}, do, ended(packet.AuthenticationFailed))
		add(name, "RFC 7296 section 3.5", []Moment{AnswerAuth}, do, ended(0))
	}
	return out
}

// impair is what the switches of libreswan's daemon break (include/impair.h), as far as it
// is not in the classes.
func impair() (out []Fault) {
	add := func(name string, ms []Moment, do func(*Peer, *Draft), want Outcome) {
		for _, m := range ms {
			out = append(out, Fault{"impair", name, "libreswan's impairments", m, false, false, do, want})
		}
	}
	spi := func(b ...byte) func(*Peer, *Draft) {
		return offer(func(_ *Peer, s *packet.SA) { s.Proposals[0].SPI = b })
	}
	children := []Moment{Auth, Create, ChildRekey}
	add("SPI of ESP of 0", children, spi(0, 0, 0, 0), refused(packet.NoProposalChosen))
	add("SPI of ESP that is reserved", children, spi(0, 0, 0, 255), refused(packet.NoProposalChosen))
	add("SPI of ESP of 0", []Moment{AnswerAuth}, spi(0, 0, 0, 0), ended(0))
	add("SPI of ESP of 0", []Moment{AnswerCreate}, spi(0, 0, 0, 0), refused(0))
	add("SPI of ESP that is in use", []Moment{Create, ChildRekey}, offer(func(p *Peer, s *packet.SA) {
		s.Proposals[0].SPI = binary.BigEndian.AppendUint32(nil, p.In)
	}), refused(packet.NoProposalChosen))
	add("SPI of ESP that is in use", []Moment{AnswerCreate}, func(p *Peer, d *Draft) {
		offer(func(p *Peer, s *packet.SA) { s.Proposals[0].SPI = binary.BigEndian.AppendUint32(nil, p.Before) })(p, d)
	}, refused(0))
	add("SPI of IKE of 0", []Moment{Rekey}, spi(make([]byte, 8)...), refused(packet.NoProposalChosen))
	add("SPI of IKE of 0", []Moment{AnswerRekey}, spi(make([]byte, 8)...), refused(0))
	add("no SPI of IKE", []Moment{Rekey}, spi(), refused(packet.NoProposalChosen))
	add("no SPI of IKE", []Moment{AnswerRekey}, spi(), refused(0))
	add("an SPI of IKE", []Moment{Init}, spi(1, 2, 3, 4, 5, 6, 7, 8), refused(packet.NoProposalChosen))
	protocol := func(to packet.Protocol) func(*Peer, *Draft) {
		return offer(func(_ *Peer, s *packet.SA) { s.Proposals[0].Protocol = to })
	}
	add("AH for ESP", children, protocol(packet.ProtocolAH), refused(packet.NoProposalChosen))
	add("AH for ESP", []Moment{AnswerAuth}, protocol(packet.ProtocolAH), ended(0))
	add("AH for ESP", []Moment{AnswerCreate}, protocol(packet.ProtocolAH), refused(0))
	add("nonce of zeros", []Moment{Create, Rekey, AnswerCreate, AnswerRekey}, edit(packet.TypeNonce, func(b []byte) []byte { return make([]byte, len(b)) }), taken)
	for name, n := range map[string]int{"nonce of 15 octets": 15, "nonce of 257 octets": 257} { // unordered: each by itself
		short := edit(packet.TypeNonce, func([]byte) []byte { return make([]byte, n) })
		add(name, []Moment{Init, AnswerInit}, short, dropped(Malformed))
		add(name, []Moment{Create, ChildRekey, Rekey}, short, ended(packet.InvalidSyntax))
		add(name, []Moment{AnswerCreate, AnswerRekey}, short, ended(0))
	}
	for _, t := range []packet.PayloadType{packet.TypeSA, packet.TypeKE, packet.TypeNonce} {
		twice := func(_ *Peer, d *Draft) { d.Add(*d.Find(t)) }
		add("twice "+t.String(), []Moment{Init, AnswerInit}, twice, dropped(Malformed))
		add("twice "+t.String(), []Moment{Rekey}, twice, ended(packet.InvalidSyntax))
	}
	for _, t := range []packet.PayloadType{packet.TypeSA, packet.TypeIDi, packet.TypeAuth, packet.TypeTSi, packet.TypeTSr} {
		add("twice "+t.String(), []Moment{Auth}, func(_ *Peer, d *Draft) { d.Add(*d.Find(t)) }, ended(packet.InvalidSyntax))
	}
	add("an answer of nothing", []Moment{AnswerDelete}, func(_ *Peer, d *Draft) { d.Parts = nil }, taken)
	add("INITIAL_CONTACT twice", []Moment{Auth}, func(_ *Peer, d *Draft) {
		d.Add(Ofs(&packet.Notify{Kind: packet.InitialContact}, &packet.Notify{Kind: packet.InitialContact})...)
	}, taken)
	add("a configuration", []Moment{Auth}, func(_ *Peer, d *Draft) {
		d.Add(Of(&packet.Config{Kind: packet.ConfigRequest, Attributes: []packet.ConfigAttribute{{Type: 1}, {Type: 3}}}))
	}, taken)
	return out
}
