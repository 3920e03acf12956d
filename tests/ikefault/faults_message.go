package ikefault

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// requests and answers are all moments but those that want ML-KEM.
var (
	requests = []Moment{Init, Auth, Probe, Create, ChildRekey, Rekey, Delete}
	answers  = []Moment{AnswerInit, AnswerAuth, AnswerCreate, AnswerRekey, AnswerDelete}
)

// octets changes datagrams that are sealed already.
func octets(f func(b []byte) []byte) func(*Peer, *Draft) {
	return func(_ *Peer, d *Draft) {
		d.Datagrams = func(bs [][]byte) (out [][]byte) {
			for _, b := range bs {
				out = append(out, f(slices.Clone(b)))
			}
			return out
		}
	}
}

// states is F3 and F4: messages where they have no place, also of IKE SAs that are not.
func states() (out []Fault) {
	exchange := func(x packet.ExchangeType, ps ...packet.Payload) func(*Peer, *Draft) {
		return func(_ *Peer, d *Draft) {
			d.Exchange = x
			if ps != nil {
				d.Parts = Ofs(ps...)
			}
		}
	}
	rekey := func(p *Peer, d *Draft) { *d = *p.Rekey() }
	kem := []packet.Payload{&packet.KE{Group: packet.MLKEM768, Data: make([]byte, 1184)}}
	const bypass, before, empty = "CVE-2014-2338: an IKE SA that nobody has authenticated is rekeyed", "CVE-2019-12312: what is encrypted before there are keys", "CVE-2020-1763, CVE-2022-23094: errors without an IKE SA"
	for _, c := range []struct {
		name, why string
		at        Moment
		do        func(*Peer, *Draft)
		want      Outcome
	}{
		{"rekey of a half-open IKE SA", bypass, Auth, rekey, dropped(OutOfState)},
		{"child SA of a half-open IKE SA", bypass, Auth, func(p *Peer, d *Draft) { *d = *p.Create(false) }, dropped(OutOfState)},
		{"INFORMATIONAL in a half-open IKE SA", bypass, Auth, exchange(packet.Informational), dropped(OutOfState)},
		{"deletion of a half-open IKE SA", bypass, Auth, exchange(packet.Informational, &packet.Delete{Protocol: packet.ProtocolIKE}), dropped(OutOfState)},
		{"IKE_AUTH before IKE_INTERMEDIATE", "RFC 9370 section 2.2.2", Intermediate, func(p *Peer, d *Draft) { *d = *p.Auth() }, ended(packet.AuthenticationFailed)},
		{"IKE_INTERMEDIATE that nobody agreed on", "RFC 9242 section 3.1", Auth, func(p *Peer, d *Draft) { *d = *p.Intermediate() }, ended(packet.InvalidSyntax)},
		{"IKE_SA_INIT that is encrypted", before, Auth, func(p *Peer, d *Draft) { d.Exchange, d.SPIr, d.ID = packet.IKESAInit, 0, 0 }, dropped(OutOfState)},
		{"IKE_SA_INIT with an SPI of the responder", "RFC 7296 section 2.6", Init, func(p *Peer, d *Draft) { d.SPIr = 5 }, dropped(OutOfState)},
		{"IKE_SA_INIT with an SPI of 0", "RFC 7296 section 3.1", Init, func(p *Peer, d *Draft) { d.SPIi = 0 }, dropped(OutOfState)},
		{"IKE_SA_INIT with Message ID 1", "RFC 7296 section 2.2", Init, func(p *Peer, d *Draft) { d.ID = 1 }, dropped(OutOfState)},
		{"IKE_SA_INIT of the responder", "RFC 7296 section 3.1", Init, func(p *Peer, d *Draft) { d.Flags &^= byte(packet.FlagInitiator) }, dropped(OutOfState)},
		{"an answer to nothing", empty, Init, func(p *Peer, d *Draft) { d.Flags |= byte(packet.FlagResponse) }, dropped(UnknownSA)},
		{"IKE_AUTH of no IKE SA", empty, Init, exchange(packet.IKEAuth), dropped(UnknownSA)},
		{"INFORMATIONAL of no IKE SA", empty, Init, exchange(packet.Informational), dropped(UnknownSA)},
		{"an exchange of number 0", empty, Init, exchange(0), dropped(UnknownSA)},
		{"an exchange of number 255", empty, Init, exchange(255), dropped(UnknownSA)},
		{"IKE_AUTH again", "RFC 7296 section 1.2", Probe, func(p *Peer, d *Draft) { *d = *p.Auth() }, dropped(OutOfState)},
		{"IKE_INTERMEDIATE afterwards", "RFC 9242 section 3.1", Probe, func(p *Peer, d *Draft) { *d = *p.Intermediate() }, dropped(OutOfState)},
		{"IKE_FOLLOWUP_KE in a half-open IKE SA", bypass, Auth, exchange(packet.IKEFollowupKE, kem...), dropped(OutOfState)},
		{"IKE_FOLLOWUP_KE without a link", "RFC 9370 section 2.2.4", Probe, exchange(packet.IKEFollowupKE, kem...), ended(packet.InvalidSyntax)},
		{"IKE_FOLLOWUP_KE of another exchange", "RFC 9370 section 2.2.4", Create, exchange(packet.IKEFollowupKE, append(kem, &packet.Notify{Kind: packet.AdditionalKeyExchange, Data: []byte("link")})...), refused(packet.StateNotFound)},
		{"IKE_SA_INIT in the IKE SA", "RFC 7296 section 1.2", Probe, exchange(packet.IKESAInit), dropped(OutOfState)},
		{"an unknown exchange", "RFC 7296 section 3.1", Probe, exchange(99), dropped(OutOfState)},
		{"another exchange than asked for", "RFC 7296 section 2.1", AnswerInit, func(p *Peer, d *Draft) { d.Exchange = packet.IKEAuth }, dropped(UnknownSA)},
		{"another exchange than asked for", "RFC 7296 section 2.1", AnswerAuth, exchange(packet.Informational), dropped(WrongID)},
		{"another exchange than asked for", "RFC 7296 section 2.1", AnswerCreate, exchange(packet.Informational), dropped(WrongID)},
		{"no SPI of the responder", "RFC 7296 section 3.1", AnswerInit, func(p *Peer, d *Draft) { d.SPIr = 0 }, dropped(Malformed)},
	} {
		out = append(out, Fault{"F3", c.name, c.why, c.at, false, c.at == Intermediate, c.do, c.want})
	}
	return out
}

// fragments is F8.
func fragments() (out []Fault) {
	const why = "CVE-2026-12413, CVE-2013-6076: fragments that are too many, of none, or of another message"
	pieces := func(n int) func(*Peer, *Draft) { return func(_ *Peer, d *Draft) { d.Pieces = n } }
	raw := func(number, total uint16) func(*Peer, *Draft) {
		return func(_ *Peer, d *Draft) {
			d.Pieces = 2
			d.Datagrams = func(bs [][]byte) [][]byte {
				binary.BigEndian.PutUint16(bs[0][packet.HeaderLen+4:], number)
				binary.BigEndian.PutUint16(bs[0][packet.HeaderLen+6:], total)
				return bs[:1]
			}
		}
	}
	pick := func(n int, f func(bs [][]byte) [][]byte) func(*Peer, *Draft) {
		return func(_ *Peer, d *Draft) { d.Pieces, d.Datagrams = n, f }
	}
	add := func(name string, at Moment, do func(*Peer, *Draft), want Outcome) {
		out = append(out, Fault{"F8", name, why, at, false, at == Intermediate, do, want})
	}
	for _, m := range []Moment{Auth, Create, Rekey, Probe} {
		add("number 0", m, raw(0, 2), dropped(Malformed))
		add("number beyond the total", m, raw(3, 2), dropped(Malformed))
		add("65535 of them", m, raw(1, 65535), dropped(Malformed))
		add("0 of 0", m, raw(0, 0), dropped(Malformed))
		if m != Probe { // which has no payload that the second fragment may not name
			add("numbers that were changed", m, raw(2, 3), dropped(Malformed))
		}
		add("total that was changed", m, raw(1, 3), dropped(NotAuthentic))
	}
	for _, m := range []Moment{Auth, Create, Rekey} {
		add("three of them", m, pieces(3), taken)
		add("the last one first", m, pick(3, func(bs [][]byte) [][]byte { slices.Reverse(bs); return bs }), taken)
		add("each of them twice", m, pick(3, func(bs [][]byte) [][]byte { return [][]byte{bs[0], bs[0], bs[1], bs[1], bs[2]} }), taken)
		add("all but the first", m, pick(3, func(bs [][]byte) [][]byte { return bs[1:] }), dropped(Incomplete))
		add("all but the last", m, pick(3, func(bs [][]byte) [][]byte { return bs[:2] }), dropped(Incomplete))
		add("the first, a thousand times", m, pick(3, func(bs [][]byte) [][]byte { return slices.Repeat(bs[:1], 1000) }), dropped(Incomplete))
		add("other payloads before it", m, func(_ *Peer, d *Draft) {
			d.Pieces = 2
			d.Clear = []Part{{Type: 200, Body: make([]byte, 500)}, Of(&packet.Delete{Protocol: packet.ProtocolIKE})}
		}, taken)
		add("first fewer, then more of them", m, func(p *Peer, d *Draft) {
			d.Pieces = 3
			d.Datagrams = func(bs [][]byte) [][]byte {
				small := *d
				small.Pieces, small.Datagrams = 2, nil
				return append(small.write(p.out)[:1], bs...)
			}
		}, taken)
		add("first more, then fewer of them", m, func(p *Peer, d *Draft) {
			d.Pieces = 3
			d.Datagrams = func(bs [][]byte) [][]byte {
				small := *d
				small.Pieces, small.Datagrams = 2, nil
				return append(bs[:1], small.write(p.out)...)
			}
		}, dropped(Incomplete))
		add("one, and then the whole", m, func(p *Peer, d *Draft) {
			d.Pieces = 3
			d.Datagrams = func(bs [][]byte) [][]byte {
				whole := *d
				whole.Pieces, whole.Datagrams = 0, nil
				return append(bs[:1], whole.write(p.out)...)
			}
		}, taken)
	}
	add("three of them", AnswerAuth, pieces(3), taken)
	add("other payloads before it", AnswerAuth, func(_ *Peer, d *Draft) { d.Pieces, d.Clear = 2, []Part{{Type: 200, Body: make([]byte, 500)}} }, taken)
	add("of another exchange", Create, func(p *Peer, d *Draft) {
		d.Pieces = 2
		d.Datagrams = func(bs [][]byte) [][]byte {
			other := *d
			other.Exchange, other.Datagrams = packet.Informational, nil
			return append(bs[:1], other.write(p.out)[1])
		}
	}, dropped(Incomplete))
	return out
}

// versions is F9: payloads of IKEv1, and critical ones that nobody knows.
func versions() (out []Fault) {
	const v1 = "CVE-2015-3991: payloads of the other version"
	old := func(flags byte) func(*Peer, *Draft) {
		return func(_ *Peer, d *Draft) {
			for t := packet.PayloadType(1); t <= 16; t++ {
				d.Add(Part{Type: t, Flags: flags, Body: []byte{0, 0, 0, 1, 2, 3}})
			}
		}
	}
	unknown := func(flags byte) func(*Peer, *Draft) {
		return func(_ *Peer, d *Draft) { d.Add(Part{Type: 200, Flags: flags, Body: []byte("abc")}) }
	}
	for _, m := range append(slices.Clone(requests), answers...) {
		critical := refused(packet.UnsupportedCriticalPayload)
		switch {
		case m == Init || m == AnswerInit:
			critical = dropped(Malformed)
		case m == Auth:
			critical = ended(packet.UnsupportedCriticalPayload)
		case m.Answer():
			critical = ended(0)
		}
		eap := ended(packet.InvalidSyntax)
		if m == Init || m == AnswerInit {
			eap = dropped(Malformed)
		} else if m.Answer() {
			eap = ended(0)
		}
		out = append(out,
			Fault{"F9", "payloads of IKEv1", v1, m, false, false, old(0), taken},
			Fault{"F9", "critical payloads of IKEv1", v1, m, false, false, old(0x80), critical},
			Fault{"F9", "an unknown payload", "RFC 7296 section 2.5: it is ignored", m, false, false, unknown(0), taken},
			Fault{"F9", "an unknown critical payload", "RFC 7296 section 2.5", m, false, false, unknown(0x80), critical},
			Fault{"F9", "EAP", "RFC 7296 section 2.16: not spoken here", m, false, false, func(_ *Peer, d *Draft) {
				d.Add(Part{Type: packet.TypeEAP, Body: []byte{1, 1, 0, 5, 1}})
			}, eap})
	}
	return out
}

// checksums is F16 and F18: each exchange by itself verifies what arrives.
func checksums() (out []Fault) {
	const icv, forged = "CVE-2019-10155: one exchange that does not verify the checksum", "CVE-2009-0790: a liveness check that is forged or replayed"
	flip := func(at int) func(*Peer, *Draft) {
		return octets(func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 1; return b })
	}
	for _, m := range append(append(slices.Clone(requests), answers...), Intermediate, AnswerIntermediate) {
		if m == Init || m == AnswerInit {
			continue
		}
		for _, cbc := range []bool{false, true} {
			f := Fault{Class: "F16", Why: icv, At: m, CBC: cbc, MLKEM: m == Intermediate || m == AnswerIntermediate, Want: dropped(NotAuthentic)}
			f.Name, f.Do = "a wrong checksum", flip(-1)
			out = append(out, f)
			f.Name, f.Do = "contents that were changed", flip(packet.HeaderLen+4+20)
			out = append(out, f)
			f.Name, f.Do = "an initialization vector that was changed", flip(packet.HeaderLen+4)
			out = append(out, f)
			f.Name, f.Do = "a first payload that was changed", flip(packet.HeaderLen)
			out = append(out, f)
			f.Name, f.Do = "a checksum of zeros", octets(func(b []byte) []byte { clear(b[len(b)-16:]); return b })
			out = append(out, f)
		}
	}
	id := func(add uint32) func(*Peer, *Draft) { return func(_ *Peer, d *Draft) { d.ID += add } }
	for _, m := range []Moment{Auth, Probe, Create, Rekey, Delete, AnswerAuth, AnswerCreate, AnswerRekey, AnswerDelete} {
		out = append(out,
			Fault{"F18", "a Message ID to come", forged, m, false, false, id(1), dropped(WrongID)},
			Fault{"F18", "a Message ID far away", forged, m, false, false, id(1 << 31), dropped(WrongID)},
		)
	}
	out = append(out, Fault{"F18", "Message ID 0 again", forged, Auth, false, false, func(_ *Peer, d *Draft) { d.ID = 0 }, dropped(WrongID)})
	return append(out, Fault{"F18", "the Message ID before the last", forged, Create, false, false, id(^uint32(1)), dropped(WrongID)})
}

// lengths is F19.
func lengths() (out []Fault) {
	const why = "free5gc/ike 2026, captures of tcpdump: padding, lengths and chains"
	add := func(name string, cbc bool, do func(*Peer, *Draft), encrypted Outcome, clear bool) {
		for _, m := range append(slices.Clone(requests), answers...) {
			want := encrypted
			first := m == Init || m == AnswerInit
			switch {
			case first && !clear:
				continue
			case first:
				want = dropped(Malformed)
			case m.Answer() && want.Kind == Ended:
				want.Notify = 0
			}
			out = append(out, Fault{"F19", name, why, m, cbc, false, do, want})
		}
	}
	syntax, sealed := ended(packet.InvalidSyntax), dropped(NotAuthentic)
	pad := func(b ...byte) func(*Peer, *Draft) { return func(_ *Peer, d *Draft) { d.Padding = b } }
	for _, cbc := range []bool{false, true} {
		add("padding of more than there is", cbc, func(_ *Peer, d *Draft) {
			d.Parts, d.Padding = nil, []byte{255}
			if cbc {
				d.Padding = append(make([]byte, 15), 255)
			}
		}, sealed, false)
		cut := func(n int) func(*Peer, *Draft) {
			return octets(func(b []byte) []byte {
				b = b[:packet.HeaderLen+4+n]
				binary.BigEndian.PutUint16(b[packet.HeaderLen+2:], uint16(4+n))
				binary.BigEndian.PutUint32(b[24:], uint32(len(b)))
				return b
			})
		}
		add("a body of no octets", cbc, cut(0), dropped(Malformed), false)
		add("a body of 1 octet", cbc, cut(1), sealed, false)
		add("a body of an initialization vector", cbc, cut(16), sealed, false)
		add("a body as long as vector and checksum", cbc, cut(24+8), sealed, false)
	}
	add("no block", true, pad(1, 2, 2), sealed, false)
	add("a payload of length 0", false, func(_ *Peer, d *Draft) { d.Add(Part{Type: packet.TypeVendorID, Length: 1 << 16}) }, syntax, true)
	add("a payload of length 3", false, func(_ *Peer, d *Draft) { d.Add(Part{Type: packet.TypeVendorID, Length: 3}) }, syntax, true)
	add("a payload beyond the end", false, func(_ *Peer, d *Draft) { d.Add(Part{Type: packet.TypeVendorID, Length: 500}) }, syntax, true)
	add("a payload that is promised", false, func(_ *Peer, d *Draft) { d.Add(Part{Type: packet.TypeVendorID, Next: packet.TypeNotify}) }, syntax, true)
	add("half a header of a payload", false, func(_ *Peer, d *Draft) {
		d.Add(Part{Type: packet.TypeVendorID, Next: packet.TypeNotify, Length: 4, Body: []byte{0, 0}})
	}, syntax, true)
	add("octets behind the last payload", false, func(_ *Peer, d *Draft) { d.Add(Part{Type: packet.TypeVendorID, Length: 4, Body: []byte{1, 2, 3, 4}}) }, syntax, true)
	add("10000 payloads", false, func(_ *Peer, d *Draft) { d.Add(slices.Repeat([]Part{{Type: 200}}, 10000)...) }, syntax, true)
	add("an Encrypted payload within", false, func(_ *Peer, d *Draft) {
		d.Add(Part{Type: packet.TypeSK, Body: bytes.Repeat([]byte{1}, 60)}, Part{Type: packet.TypeVendorID})
	}, syntax, true)
	add("an Encrypted Fragment within", false, func(_ *Peer, d *Draft) {
		d.Add(Part{Type: packet.TypeSKF, Body: append([]byte{0, 1, 0, 2}, make([]byte, 60)...)}, Part{Type: packet.TypeVendorID})
	}, syntax, true)
	cutOff := octets(func(b []byte) []byte { return b[:len(b)-1] })
	for name, do := range map[string]func(*Peer, *Draft){ // unordered: each by itself
		"cut off":          cutOff,
		"half a header":    octets(func(b []byte) []byte { return b[:20] }),
		"nothing at all":   octets(func([]byte) []byte { return []byte{} }),
		"an octet more":    octets(func(b []byte) []byte { return append(b, 0) }),
		"a length of 0":    octets(func(b []byte) []byte { clear(b[24:28]); return b }),
		"a length of 4 GB": octets(func(b []byte) []byte { copy(b[24:28], "\xff\xff\xff\xff"); return b }),
		"the header alone": octets(func(b []byte) []byte { b = b[:28]; binary.BigEndian.PutUint32(b[24:], 28); return b }),
		"something behind the Encrypted": octets(func(b []byte) []byte {
			b = append(b, 0, 0, 0, 4)
			binary.BigEndian.PutUint32(b[24:], uint32(len(b)))
			return b
		}),
	} {
		add("message: "+name, false, do, dropped(Malformed), true)
	}
	return out
}
