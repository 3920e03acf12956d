package ikefault

import (
	"bytes"
	"encoding/binary"
	"math/big"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// without leaves out payloads of a type.
func without(t packet.PayloadType) func(*Peer, *Draft) {
	return func(_ *Peer, d *Draft) { d.Drop(t) }
}

// edit changes the contents of a payload.
func edit(t packet.PayloadType, f func([]byte) []byte) func(*Peer, *Draft) {
	return func(_ *Peer, d *Draft) {
		p := d.Find(t)
		p.Body = f(slices.Clone(p.Body))
	}
}

// instead has other payloads in place of one.
func instead(ps ...packet.Payload) func(*Peer, *Draft) {
	return func(_ *Peer, d *Draft) {
		for _, p := range ps {
			*d.Find(p.Type()) = Of(p)
		}
	}
}

// missing is F1: each payload that has to be there is not.
func missing() (out []Fault) {
	const why = "CVE-2013-6467: payloads that the peer withholds are dereferenced"
	add := func(at Moment, want Outcome, ts ...packet.PayloadType) {
		for _, t := range ts {
			out = append(out, Fault{Class: "F1", Name: "no " + t.String(), Why: why, At: at, MLKEM: at == Intermediate || at == AnswerIntermediate, Do: without(t), Want: want})
		}
	}
	add(Init, dropped(Malformed), packet.TypeSA, packet.TypeKE, packet.TypeNonce)
	add(Init, taken, packet.TypeNotify)
	add(Intermediate, ended(packet.InvalidSyntax), packet.TypeKE)
	add(Auth, ended(packet.AuthenticationFailed), packet.TypeIDi, packet.TypeAuth)
	add(Auth, ended(packet.InvalidSyntax), packet.TypeTSi, packet.TypeTSr)
	add(Auth, refused(packet.NoProposalChosen), packet.TypeNotify) // it was tunnel mode then
	for _, m := range []Moment{Create, ChildRekey} {
		add(m, ended(packet.InvalidSyntax), packet.TypeSA, packet.TypeNonce, packet.TypeTSi, packet.TypeTSr)
	}
	add(Rekey, ended(packet.InvalidSyntax), packet.TypeSA, packet.TypeKE, packet.TypeNonce)
	add(AnswerInit, dropped(Malformed), packet.TypeSA, packet.TypeKE, packet.TypeNonce)
	add(AnswerIntermediate, ended(0), packet.TypeKE)
	add(AnswerAuth, ended(0), packet.TypeIDr, packet.TypeAuth, packet.TypeSA, packet.TypeTSi, packet.TypeTSr, packet.TypeNotify)
	add(AnswerCreate, refused(0), packet.TypeSA, packet.TypeNonce, packet.TypeTSi, packet.TypeTSr, packet.TypeNotify)
	add(AnswerRekey, refused(0), packet.TypeSA, packet.TypeKE, packet.TypeNonce)
	for _, m := range []Moment{Init, Auth, Create, Rekey, AnswerInit, AnswerAuth, AnswerCreate, AnswerRekey} {
		want := map[Moment]Outcome{Init: dropped(Malformed), Auth: ended(packet.AuthenticationFailed), AnswerInit: dropped(Malformed), AnswerAuth: ended(0), AnswerCreate: refused(0), AnswerRekey: refused(0)}
		w, ok := want[m]
		if !ok {
			w = ended(packet.InvalidSyntax)
		}
		out = append(out, Fault{Class: "F1", Name: "nothing at all", Why: why, At: m, Do: func(_ *Peer, d *Draft) { d.Clear, d.Parts = nil, nil }, Want: w})
	}
	return out
}

// modp2048 is the prime of RFC 3526 section 3: 2^2048 - 2^1984 - 1 + 2^64 * ([2^1918 pi] +
// 124476), of which only the size and that it is odd matter here; p-1 needs all of it.
const modp2048 = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3be39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497cea956ae515d2261898fa051015728e5a8aacaa68ffffffffffffffff"

// group offers another group, with a public value.
func group(g packet.Group, public []byte) func(*Peer, *Draft) {
	return func(p *Peer, d *Draft) {
		var spi []byte
		if d.Exchange == packet.CreateChildSA {
			spi = p.bytes(ikeSPILen)
		}
		prop := p.proposal(spi)
		prop.Transforms[2].ID = uint16(g)
		instead(&packet.SA{Proposals: []packet.Proposal{prop}})(p, d)
		d.Find(packet.TypeKE).Body = append(binary.BigEndian.AppendUint16(nil, uint16(g)), append([]byte{0, 0}, public...)...)
	}
}

// ke changes the group that the KE payload names, and the value.
func ke(g packet.Group, public []byte) func(*Peer, *Draft) {
	return edit(packet.TypeKE, func([]byte) []byte {
		return append(append(binary.BigEndian.AppendUint16(nil, uint16(g)), 0, 0), public...)
	})
}

// misnamed changes the group that the KE payload names, and leaves the value.
func misnamed(g packet.Group) func(*Peer, *Draft) {
	return edit(packet.TypeKE, func(b []byte) []byte {
		return append(binary.BigEndian.AppendUint16(nil, uint16(g)), b[2:]...)
	})
}

// keyExchanges is F2: public values that are none, or give the secret away.
func keyExchanges() (out []Fault) {
	prime, _ := new(big.Int).SetString(modp2048, 16)
	number := func(n *big.Int, size int) []byte { return n.FillBytes(make([]byte, size)) }
	one := big.NewInt(1)
	values := []struct {
		name, why string
		do        func(*Peer, *Draft)
	}{
		{"Curve25519 of zeros", "RFC 8031 section 3.2: the secret would be zero", ke(packet.Curve25519, make([]byte, 32))},
		{"Curve25519 of order 2", "RFC 7748 section 6.1", ke(packet.Curve25519, append([]byte{1}, make([]byte, 31)...))},
		{"Curve25519 of 31 octets", "RFC 8031 section 3.1", ke(packet.Curve25519, make([]byte, 31))},
		{"Curve25519 of 33 octets", "RFC 8031 section 3.1", ke(packet.Curve25519, make([]byte, 33))},
		{"P-256 at the origin", "RFC 6989 section 2.3: not on the curve", group(packet.ECP256, make([]byte, 64))},
		{"P-256 beside the curve", "RFC 6989 section 2.3", group(packet.ECP256, bytes.Repeat([]byte{7}, 64))},
		{"P-256, compressed", "RFC 5903 section 7", group(packet.ECP256, append([]byte{2}, bytes.Repeat([]byte{7}, 32)...))},
		{"MODP of 0", "CVE-2015-3240: g^x = 0", group(packet.MODP2048, make([]byte, 256))},
		{"MODP of 1", "RFC 6989 section 2.1", group(packet.MODP2048, number(one, 256))},
		{"MODP of p-1", "RFC 6989 section 2.1", group(packet.MODP2048, number(new(big.Int).Sub(prime, one), 256))},
		{"MODP of p", "RFC 6989 section 2.1", group(packet.MODP2048, number(prime, 256))},
		{"MODP of 257 octets", "CVE-2023-41913: a public value larger than its group", group(packet.MODP2048, make([]byte, 257))},
		{"MODP of 1 octet", "RFC 7296 section 3.4", group(packet.MODP2048, []byte{5})},
	}
	for _, v := range values {
		out = append(out, Fault{"F2", v.name, v.why, Init, false, false, v.do, dropped(Malformed)},
			Fault{"F2", v.name, v.why, Rekey, false, false, v.do, ended(packet.InvalidSyntax)})
	}
	for _, v := range values[:4] {
		out = append(out, Fault{"F2", v.name, v.why, AnswerInit, false, false, v.do, dropped(Malformed)},
			Fault{"F2", v.name, v.why, AnswerRekey, false, false, v.do, refused(0)})
	}
	internal := "CVE-2014-9221: a group of the implementation's private numbers"
	return append(out, []Fault{
		{"F2", "KE of no octets", "RFC 7296 section 3.4", Init, false, false, ke(packet.Curve25519, nil), dropped(Malformed)},
		{"F2", "KE of no octets", "RFC 7296 section 3.4", Rekey, false, false, ke(packet.Curve25519, nil), ended(packet.InvalidSyntax)},
		{"F2", "KE of no octets", "RFC 7296 section 3.4", AnswerInit, false, false, ke(packet.Curve25519, nil), dropped(Malformed)},
		{"F2", "KE of group 1025", internal, Init, false, false, ke(1025, make([]byte, 32)), refused(packet.InvalidKEPayload)},
		{"F2", "group 1025", internal, Init, false, false, group(1025, make([]byte, 32)), refused(packet.NoProposalChosen)},
		{"F2", "group 0", "RFC 7296 section 3.3.2", Init, false, false, group(0, make([]byte, 32)), refused(packet.NoProposalChosen)},
		{"F2", "ML-KEM as the first group", "RFC 9370 section 2.2", Init, false, false, group(packet.MLKEM768, make([]byte, 1184)), refused(packet.NoProposalChosen)},
		{"F2", "KE of group 1025", internal, Rekey, false, false, ke(1025, make([]byte, 32)), refused(packet.InvalidKEPayload)},
		{"F2", "KE of another group", "RFC 7296 section 3.4", AnswerInit, false, false, ke(packet.ECP256, make([]byte, 64)), dropped(Malformed)},
		{"F2", "KE of another group", "RFC 7296 section 3.4", AnswerRekey, false, false, ke(packet.ECP256, make([]byte, 64)), refused(0)},
		{"F2", "KE that names another group", "RFC 7296 section 3.4", AnswerInit, false, false, misnamed(1025), dropped(Malformed)},
		{"F2", "KE that names another group", "RFC 7296 section 3.4", AnswerRekey, false, false, misnamed(1025), refused(0)},
		{"F2", "ML-KEM key with coefficients beyond q", "FIPS 203 section 7.2", Intermediate, false, true, ke(packet.MLKEM768, bytes.Repeat([]byte{0xff}, 1184)), ended(packet.InvalidSyntax)},
		{"F2", "ML-KEM key of 1183 octets", "FIPS 203 section 7.2", Intermediate, false, true, ke(packet.MLKEM768, make([]byte, 1183)), ended(packet.InvalidSyntax)},
		{"F2", "the first group again", "RFC 9370 section 2.2.2", Intermediate, false, true, ke(packet.Curve25519, bytes.Repeat([]byte{9}, 32)), ended(packet.InvalidSyntax)},
		{"F2", "ML-KEM ciphertext of 1087 octets", "FIPS 203 section 7.3", AnswerIntermediate, false, true, ke(packet.MLKEM768, make([]byte, 1087)), ended(0)},
		{"F2", "ML-KEM ciphertext of somebody else", "FIPS 203 section 6.3: the secrets differ", AnswerIntermediate, false, true, ke(packet.MLKEM768, make([]byte, 1088)), ended(0)},
	}...)
}

// offer changes the proposal of an SA payload.
func offer(f func(p *Peer, s *packet.SA)) func(*Peer, *Draft) {
	return func(p *Peer, d *Draft) {
		part := d.Find(packet.TypeSA)
		b := append([]byte{0, 0}, binary.BigEndian.AppendUint16(nil, uint16(4+len(part.Body)))...)
		ps, err := packet.ParsePayloads(packet.TypeSA, append(b, part.Body...))
		if err != nil {
			panic(err)
		}
		sa := ps[0].(*packet.SA)
		f(p, sa)
		*part = Of(sa)
	}
}

// transform changes the first transform of the first proposal: the cipher.
func transform(f func(t *packet.Transform)) func(*Peer, *Draft) {
	return offer(func(_ *Peer, s *packet.SA) { f(&s.Proposals[0].Transforms[0]) })
}

// algorithms is F10: what is offered or chosen that nobody has, or with odd keys.
func algorithms() (out []Fault) {
	const why = "CVE-2016-3071, CVE-2024-3652, CVE-2018-10811: algorithms that are not there"
	for _, c := range []struct {
		name string
		do   func(*Peer, *Draft)
	}{
		{"AES of no key length", transform(func(t *packet.Transform) { t.KeyLength = 0 })},
		{"AES of 8 bits", transform(func(t *packet.Transform) { t.KeyLength = 8 })},
		{"AES of 65535 bits", transform(func(t *packet.Transform) { t.KeyLength = 65535 })},
		{"AES of two key lengths", transform(func(t *packet.Transform) {
			t.Attributes = []packet.Attribute{{Type: packet.AttributeKeyLength, Short: true, Value: []byte{1, 0}}}
		})},
		{"an unknown attribute", transform(func(t *packet.Transform) {
			t.Attributes = []packet.Attribute{{Type: 99, Value: []byte("abc")}}
		})},
		{"3DES", transform(func(t *packet.Transform) { t.ID, t.KeyLength = packet.Encr3DES, 0 })},
		{"NULL", transform(func(t *packet.Transform) { t.ID, t.KeyLength = packet.EncrNull, 0 })},
		{"private cipher 1024", transform(func(t *packet.Transform) { t.ID = 1024 })},
		{"no cipher", offer(func(_ *Peer, s *packet.SA) { s.Proposals[0].Transforms = s.Proposals[0].Transforms[1:] })},
		{"no transforms", offer(func(_ *Peer, s *packet.SA) { s.Proposals[0].Transforms = nil })},
		{"an unknown type of transform", offer(func(_ *Peer, s *packet.SA) {
			s.Proposals[0].Transforms = append(s.Proposals[0].Transforms, packet.Transform{Type: 240, ID: 1})
		})},
		{"integrity beside AES-GCM", offer(func(_ *Peer, s *packet.SA) {
			s.Proposals[0].Transforms = append(s.Proposals[0].Transforms, packet.Transform{Type: packet.Integrity, ID: packet.AuthHMACSHA256})
		})},
		{"another protocol", offer(func(_ *Peer, s *packet.SA) { s.Proposals[0].Protocol, s.Proposals[0].SPI = 9, nil })},
	} {
		for _, m := range []Moment{Init, Auth, Create, ChildRekey, Rekey} {
			want := refused(packet.NoProposalChosen)
			if m == Rekey && c.name == "another protocol" { // it is for a child SA then, and has no selectors
				want = ended(packet.InvalidSyntax)
			}
			out = append(out, Fault{"F10", c.name, why, m, false, false, c.do, want})
		}
		out = append(out, Fault{"F10", c.name, why, AnswerInit, false, false, c.do, dropped(Malformed)},
			Fault{"F10", c.name, why, AnswerAuth, false, false, c.do, ended(0)},
			Fault{"F10", c.name, why, AnswerCreate, false, false, c.do, refused(0)},
			Fault{"F10", c.name, why, AnswerRekey, false, false, c.do, refused(0)})
	}
	for _, c := range []struct {
		name string
		do   func(p *Peer, s *packet.SA)
	}{
		{"another cipher than offered", func(_ *Peer, s *packet.SA) {
			s.Proposals[0].Transforms[0] = packet.Transform{Type: packet.Encryption, ID: packet.EncrChaCha20}
		}},
		{"two proposals", func(_ *Peer, s *packet.SA) { s.Proposals = append(s.Proposals, s.Proposals[0]) }},
		{"two ciphers", func(_ *Peer, s *packet.SA) {
			s.Proposals[0].Transforms = append(s.Proposals[0].Transforms, s.Proposals[0].Transforms[0])
		}},
		{"a proposal number that was not offered", func(_ *Peer, s *packet.SA) { s.Proposals[0].Number = 77 }},
	} {
		for m, want := range map[Moment]Outcome{AnswerInit: dropped(Malformed), AnswerAuth: ended(0), AnswerCreate: refused(0), AnswerRekey: refused(0)} { // unordered: each by itself
			out = append(out, Fault{"F10", c.name, "RFC 7296 section 3.3.6: what was not offered", m, false, false, offer(c.do), want})
		}
	}
	return out
}

// selectors is F6.
func selectors() (out []Fault) {
	const why = "CVE-2023-23009: counts and lengths of traffic selectors"
	ts := func(f func(b []byte) []byte) func(*Peer, *Draft) { return edit(packet.TypeTSi, f) }
	selector := func(kind, protocol byte, rest ...byte) []byte {
		return append([]byte{kind, protocol, 0, byte(4 + len(rest))}, rest...)
	}
	v4 := func(b ...byte) []byte { return selector(7, 47, append([]byte{0, 0, 255, 255}, b...)...) }
	v6 := selector(8, 47, append([]byte{0, 0, 255, 255}, make([]byte, 32)...)...)
	with := func(n byte, s ...[]byte) func(*Peer, *Draft) {
		return ts(func([]byte) []byte { return append([]byte{n, 0, 0, 0}, bytes.Join(s, nil)...) })
	}
	before := func(n byte, s ...[]byte) func(*Peer, *Draft) {
		return ts(func(b []byte) []byte { return append(append([]byte{n, 0, 0, 0}, bytes.Join(s, nil)...), b[4:]...) })
	}
	for _, c := range []struct {
		name   string
		do     func(*Peer, *Draft)
		syntax bool // it cannot be read
		fits   bool
	}{
		{"none", with(0), true, false},
		{"none, with one", ts(func(b []byte) []byte { b[0] = 0; return b }), true, false},
		{"more than there are", ts(func(b []byte) []byte { b[0] = 255; return b }), true, false},
		{"fewer than there are", before(1, v4(10, 0, 0, 1, 10, 0, 0, 1)), true, false},
		{"a length of 0", ts(func(b []byte) []byte { b[7] = 0; return b }), true, false},
		{"a length of 255", ts(func(b []byte) []byte { b[7] = 255; return b }), true, false},
		{"start behind the end", with(1, v4(10, 0, 0, 2, 10, 0, 0, 1)), true, false},
		{"ports the wrong way", with(1, selector(7, 47, 0, 9, 0, 8, 10, 0, 0, 1, 10, 0, 0, 1)), true, false},
		{"IPv6 only", with(1, v6), false, false},
		{"an unknown type only", with(1, selector(9, 47, 1, 2, 3)), false, false},
		{"somebody else", with(1, v4(10, 0, 0, 1, 10, 0, 0, 1)), false, false},
		{"IPv6 and an unknown type before", before(3, v6, selector(9, 47, 1, 2, 3)), false, true},
		{"255, the last of which fits", before(255, bytes.Repeat(v4(10, 0, 0, 1, 10, 0, 0, 1), 254)), false, true},
		{"all of the world", with(1, selector(7, 0, 0, 0, 255, 255, 0, 0, 0, 0, 255, 255, 255, 255)), false, true},
	} {
		request := refused(packet.TSUnacceptable)
		answer := map[Moment]Outcome{AnswerAuth: ended(0), AnswerCreate: refused(0)}
		switch {
		case c.syntax:
			request = ended(packet.InvalidSyntax)
			answer[AnswerCreate] = ended(0)
		case c.fits:
			request, answer[AnswerAuth], answer[AnswerCreate] = taken, taken, taken
		}
		for _, m := range []Moment{Auth, Create, ChildRekey} {
			out = append(out, Fault{"F6", "selectors: " + c.name, why, m, false, false, c.do, request})
		}
		for _, m := range []Moment{AnswerAuth, AnswerCreate} {
			out = append(out, Fault{"F6", "selectors: " + c.name, why, m, false, false, c.do, answer[m]})
		}
	}
	return out
}

// notifies is F7: notifications with protocols and SPIs that are none, which must not come
// back in our own answer.
func notifies() (out []Fault) {
	const why = "CVE-2023-38710: REKEY_SA with a bad protocol or SPI, reflected"
	rekey := func(protocol, size byte, spi ...byte) func(*Peer, *Draft) {
		return func(_ *Peer, d *Draft) {
			d.Find(packet.TypeNotify).Body = append([]byte{protocol, size, 0x40, 0x09}, spi...)
		}
	}
	for _, c := range []struct {
		name string
		do   func(*Peer, *Draft)
		want Outcome
	}{
		{"REKEY_SA of no protocol", rekey(0, 0), refused(packet.ChildSANotFound)},
		{"REKEY_SA of an unknown SPI", rekey(3, 4, 1, 2, 3, 4), refused(packet.ChildSANotFound)},
		{"REKEY_SA of AH", rekey(2, 4, 1, 2, 3, 4), refused(packet.ChildSANotFound)},
		{"REKEY_SA of ESP without an SPI", rekey(3, 0), refused(packet.ChildSANotFound)},
		{"REKEY_SA of the IKE SA", rekey(1, 8, 1, 2, 3, 4, 5, 6, 7, 8), ended(packet.InvalidSyntax)},
		{"REKEY_SA of protocol 99", rekey(99, 4, 1, 2, 3, 4), ended(packet.InvalidSyntax)},
		{"REKEY_SA with an SPI of 255 octets", rekey(3, 255, 1, 2, 3, 4), ended(packet.InvalidSyntax)},
		{"REKEY_SA with an SPI of 3 octets", rekey(3, 3, 1, 2, 3), ended(packet.InvalidSyntax)},
	} {
		out = append(out, Fault{"F7", c.name, why, ChildRekey, false, false, c.do, c.want})
	}
	status := func(m Moment, want Outcome) Fault {
		return Fault{"F7", "unknown notifications", "RFC 7296 section 3.10.1: unknown status types and, in requests, error types are ignored", m, false, false,
			func(_ *Peer, d *Draft) {
				d.Add(Ofs(&packet.Notify{Kind: 40000}, &packet.Notify{Kind: 8192}, &packet.Notify{Protocol: packet.ProtocolESP, SPI: 5, Kind: 50000, Data: make([]byte, 300)})...)
			}, want}
	}
	for _, m := range []Moment{Init, Auth, Probe, Create, Rekey, Delete} {
		out = append(out, status(m, taken))
	}
	return append(out,
		Fault{"F7", "INVALID_SYNTAX", "RFC 7296 section 2.21.3: fatal at both ends", AnswerCreate, false, false, func(_ *Peer, d *Draft) {
			d.Parts = Ofs(&packet.Notify{Kind: packet.InvalidSyntax})
		}, ended(0)},
		Fault{"F7", "INVALID_SYNTAX", "RFC 7296 section 2.21.3: fatal at both ends", AnswerRekey, false, false, func(_ *Peer, d *Draft) {
			d.Parts = Ofs(&packet.Notify{Kind: packet.InvalidSyntax})
		}, ended(0)},
		Fault{"F7", "an unknown error", "RFC 7296 section 3.10.1: in an answer the request has failed", AnswerCreate, false, false, func(_ *Peer, d *Draft) {
			d.Parts = Ofs(&packet.Notify{Kind: 8192})
		}, refused(0)},
		Fault{"F7", "NO_PROPOSAL_CHOSEN beside what is right", "RFC 7296 section 3.10.1", AnswerCreate, false, false, func(_ *Peer, d *Draft) {
			d.Add(Of(&packet.Notify{Kind: packet.NoProposalChosen}))
		}, refused(0)},
		Fault{"F7", "INVALID_KE_PAYLOAD for a group that was not offered", "RFC 7296 section 1.3", AnswerRekey, false, false, func(_ *Peer, d *Draft) {
			d.Parts = Ofs(packet.NewInvalidKE(packet.MODP1024))
		}, refused(0)},
	)
}

// hints is what an answer to IKE_SA_INIT says without anybody to authenticate it: what is
// right is still waited for (RFC 7296 section 2.21.1).
func hints() (out []Fault) {
	for name, n := range map[string]*packet.Notify{ // unordered: each by itself
		"NO_PROPOSAL_CHOSEN":                 {Kind: packet.NoProposalChosen},
		"AUTHENTICATION_FAILED":              {Kind: packet.AuthenticationFailed},
		"an unknown error":                   {Kind: 8192},
		"INVALID_SYNTAX":                     {Kind: packet.InvalidSyntax},
		"INVALID_MAJOR_VERSION":              {Kind: packet.InvalidMajorVersion, Data: []byte{1}},
		"INVALID_KE_PAYLOAD of our group":    packet.NewInvalidKE(packet.Curve25519),
		"INVALID_KE_PAYLOAD of group 1024":   packet.NewInvalidKE(packet.MODP1024),
		"INVALID_KE_PAYLOAD of ML-KEM":       packet.NewInvalidKE(packet.MLKEM768),
		"INVALID_KE_PAYLOAD of group 0":      packet.NewInvalidKE(packet.NoGroup),
		"INVALID_KE_PAYLOAD without a group": {Kind: packet.InvalidKEPayload},
		"INVALID_KE_PAYLOAD with a long one": {Kind: packet.InvalidKEPayload, Data: make([]byte, 4)},
		"COOKIE of no octets":                {Kind: packet.Cookie},
		"COOKIE of 65 octets":                {Kind: packet.Cookie, Data: make([]byte, 65)},
		"COOKIE of 60000 octets":             {Kind: packet.Cookie, Data: make([]byte, 60000)},
	} {
		out = append(out, Fault{"F4", "only " + name, "RFC 7296 section 2.21.1", AnswerInit, false, false, func(_ *Peer, d *Draft) { d.Clear = Ofs(n) }, dropped(Hint)})
	}
	for _, n := range []packet.NotifyType{packet.AuthenticationFailed, packet.InvalidSyntax, packet.TemporaryFailure, packet.NoProposalChosen, 8192} {
		out = append(out, Fault{"F1", "only " + n.String(), "RFC 7296 section 2.21.2", AnswerAuth, false, false, func(_ *Peer, d *Draft) { d.Parts = Ofs(&packet.Notify{Kind: n}) }, ended(0)})
	}
	return out
}

// deletions is F15.
func deletions() (out []Fault) {
	const why = "CVE-2023-38712: repeated deletion, deletion with other payloads, of what is not there"
	esp := func(spis ...uint32) *packet.Delete { return &packet.Delete{Protocol: packet.ProtocolESP, SPIs: spis} }
	for _, c := range []struct {
		name string
		ps   func(p *Peer) []packet.Payload
		want Outcome
	}{
		{"the same SPI twice", func(p *Peer) []packet.Payload { return []packet.Payload{esp(p.In, p.In)} }, taken},
		{"the same twice", func(p *Peer) []packet.Payload { return []packet.Payload{esp(p.In), esp(p.In)} }, taken},
		{"an unknown SPI", func(*Peer) []packet.Payload { return []packet.Payload{esp(1)} }, taken},
		{"no SPI", func(*Peer) []packet.Payload { return []packet.Payload{esp()} }, taken},
		{"our own SPI", func(p *Peer) []packet.Payload { return []packet.Payload{esp(p.Out)} }, taken},
		{"1000 SPIs", func(*Peer) []packet.Payload { return []packet.Payload{esp(make([]uint32, 1000)...)} }, taken},
		{"of AH", func(p *Peer) []packet.Payload {
			return []packet.Payload{&packet.Delete{Protocol: packet.ProtocolAH, SPIs: []uint32{p.In}}}
		}, taken},
		{"and REKEY_SA of it", func(p *Peer) []packet.Payload {
			return []packet.Payload{&packet.Notify{Protocol: packet.ProtocolESP, SPI: p.In, Kind: packet.RekeySA}, esp(p.In), &packet.Notify{Kind: packet.InitialContact}}
		}, taken},
		{"and the IKE SA", func(p *Peer) []packet.Payload {
			return []packet.Payload{esp(p.In), &packet.Delete{Protocol: packet.ProtocolIKE}, esp(p.In), &packet.Delete{Protocol: packet.ProtocolIKE}}
		}, ended(0)},
		{"the IKE SA, and an error", func(*Peer) []packet.Payload {
			return []packet.Payload{&packet.Notify{Kind: packet.AuthenticationFailed}, &packet.Delete{Protocol: packet.ProtocolIKE}}
		}, ended(0)},
	} {
		out = append(out, Fault{"F15", "deletes " + c.name, why, Delete, false, false, func(p *Peer, d *Draft) { d.Parts = Ofs(c.ps(p)...) }, c.want})
	}
	raw := func(name string, body ...byte) Fault {
		return Fault{"F15", "deletes " + name, why, Delete, false, false, func(_ *Peer, d *Draft) { d.Parts = []Part{{Type: packet.TypeDelete, Body: body}} }, ended(packet.InvalidSyntax)}
	}
	return append(out, raw("65535 SPIs that are not there", 3, 4, 255, 255), raw("the IKE SA by an SPI", 1, 8, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8), raw("of protocol 0", 0, 4, 0, 1, 1, 2, 3, 4),
		raw("SPIs of no octets", 3, 0, 0, 9))
}
