package ikefault

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
)

// Peer is a small peer of IKEv2: one IKE SA with one child SA for GRE between the two
// ends, X25519, and a shared key. It keeps what it needs to go on as a good peer would,
// whatever it sent in between.
type Peer struct {
	Local, Remote netip.AddrPort // as the other end sees them
	Key           []byte
	Identity      packet.ID // without one: the local address
	CBC           bool      // AES-CBC and HMAC-SHA-256 for the IKE SA; else AES-GCM
	Childless     bool      // IKE_AUTH is for no child SA (RFC 6023)
	MLKEM         bool      // offers ML-KEM-768 as an additional key exchange, or takes it
	Initiator     bool      // the IKE SA was begun here
	Random        io.Reader

	SPIi, SPIr packet.SPI
	Cookie     []byte // to be sent with IKE_SA_INIT
	Next       uint32 // Message ID of the next request
	Out        uint32 // SPI of the child SA that the other end has chosen
	In         uint32 // the one chosen here
	Before     uint32 // the one chosen here before
	Keys       *suite.Keys

	nonces   suite.Nonces
	exchange *suite.Exchange
	init     [2][]byte // the messages of IKE_SA_INIT
	int      [2]suite.IntAuth
	rounds   int // of IKE_INTERMEDIATE
	in, out  *seal
}

const ikeSPILen = 8

func (p *Peer) bytes(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(p.Random, b); err != nil {
		panic(err)
	}
	return b
}

func (p *Peer) suite() suite.IKE {
	s := suite.IKE{Encryption: packet.Transform{Type: packet.Encryption, ID: packet.EncrAESGCM16, KeyLength: 256}, PRF: suite.PRF(packet.PRFHMACSHA2256)}
	if p.CBC {
		s.Encryption.ID, s.Integrity = packet.EncrAESCBC, packet.AuthHMACSHA256
	}
	return s
}

// proposal is what is offered for an IKE SA, and what is answered.
func (p *Peer) proposal(spi []byte) packet.Proposal {
	s := p.suite()
	out := packet.Proposal{Number: 1, Protocol: packet.ProtocolIKE, SPI: spi, Transforms: []packet.Transform{
		s.Encryption, {Type: packet.PRF, ID: uint16(s.PRF)}, {Type: packet.KeyExchange, ID: uint16(packet.Curve25519)},
	}}
	if p.CBC {
		out.Transforms = append(out.Transforms, packet.Transform{Type: packet.Integrity, ID: s.Integrity})
	}
	if p.MLKEM && spi == nil {
		out.Transforms = append(out.Transforms, packet.Transform{Type: packet.AddKE1, ID: uint16(packet.MLKEM768)})
	}
	return out
}

// espProposal is the same for a child SA.
func espProposal(spi uint32) packet.Proposal {
	return packet.Proposal{Number: 1, Protocol: packet.ProtocolESP, SPI: binary.BigEndian.AppendUint32(nil, spi), Transforms: []packet.Transform{
		{Type: packet.Encryption, ID: packet.EncrAESGCM16, KeyLength: 256}, {Type: packet.ESN, ID: packet.ESNNo},
	}}
}

func (p *Peer) newSPI() uint32 { return binary.BigEndian.Uint32(p.bytes(4)) | 1<<12 }

// draft begins a message of the IKE SA.
func (p *Peer) draft(x packet.ExchangeType, id uint32, response bool) *Draft {
	d := &Draft{SPIi: p.SPIi, SPIr: p.SPIr, Version: packet.Version, Exchange: x, ID: id, Sealed: x != packet.IKESAInit}
	if p.Initiator {
		d.Flags |= byte(packet.FlagInitiator)
	}
	if response {
		d.Flags |= byte(packet.FlagResponse)
	}
	return d
}

// Init returns the request of IKE_SA_INIT; again with the same SPI and nonce, if there
// was one.
func (p *Peer) Init() *Draft {
	if p.exchange == nil {
		p.Initiator, p.SPIr = true, 0
		p.SPIi = packet.SPI(binary.BigEndian.Uint64(p.bytes(ikeSPILen)))
		p.nonces = suite.Nonces{Ni: p.bytes(32), SPIi: p.SPIi}
		p.start()
	}
	d := p.draft(packet.IKESAInit, 0, false)
	if p.Cookie != nil {
		d.Clear = Ofs(&packet.Notify{Kind: packet.Cookie, Data: p.Cookie})
	}
	d.Clear = append(d.Clear, Ofs(&packet.SA{Proposals: []packet.Proposal{p.proposal(nil)}}, &packet.KE{Group: packet.Curve25519, Data: p.exchange.Public()}, &packet.Nonce{Data: p.nonces.Ni})...)
	d.Clear = append(d.Clear, p.features()...)
	return d
}

func (p *Peer) start() {
	x, err := suite.Start(packet.Curve25519, p.Random)
	if err != nil {
		panic(err)
	}
	p.exchange = x
}

// features are the notifications of IKE_SA_INIT: there is no NAT, and fragments are fine.
func (p *Peer) features() []Part {
	ps := Ofs(
		&packet.Notify{Kind: packet.NATDetectionSourceIP, Data: suite.NATHash(p.SPIi, p.SPIr, p.Local)},
		&packet.Notify{Kind: packet.NATDetectionDestinationIP, Data: suite.NATHash(p.SPIi, p.SPIr, p.Remote)},
		&packet.Notify{Kind: packet.FragmentationSupported},
		&packet.Notify{Kind: packet.SignatureHashAlgorithms, Data: []byte{0, 2}},
	)
	if p.MLKEM {
		ps = append(ps, Of(&packet.Notify{Kind: packet.IntermediateExchangeSupported}))
	}
	return ps
}

// Write returns the datagrams of a draft, and remembers what will be authenticated.
func (p *Peer) Write(d *Draft) [][]byte {
	out := d.write(p.out)
	switch {
	case len(out) == 0:
	case d.Exchange == packet.IKESAInit && !d.Sealed:
		p.init[p.index(true)] = out[0]
	case d.Exchange == packet.IKEIntermediate && d.Datagrams == nil:
		_, plain := chain(d.Parts, packet.NoNextPayload)
		p.take(p.index(true), out[0], append(plain, d.Trailer...))
	}
	if d.next != nil {
		d.next()
	}
	return out
}

// index is 0 for the initiator's part of something, 1 for the responder's.
func (p *Peer) index(own bool) int {
	if own == p.Initiator {
		return 0
	}
	return 1
}

// take adds a message of IKE_INTERMEDIATE to what is authenticated (RFC 9242 section
// 3.3.2).
func (p *Peer) take(i int, b, plain []byte) {
	sk := [2][]byte{p.Keys.Pi, p.Keys.Pr}
	head, fragment := packet.HeaderLen+4, b[16] == byte(packet.TypeSKF)
	if fragment {
		head += 4
	}
	p.int[i].Add(p.suite().PRF, sk[i], b[:head], fragment, plain)
}

var errAnswer = errors.New("ikefault: not what was waited for")

// TakeInit takes the answer to Init.
func (p *Peer) TakeInit(b []byte) error {
	m, err := packet.Parse(b)
	if err != nil {
		return err
	}
	if n := packet.FindNotify(m.Payloads, packet.Cookie); n != nil {
		p.Cookie = n.Data
		return fmt.Errorf("%w: a cookie is wanted", errAnswer)
	}
	ke, _ := packet.Find(m.Payloads, packet.TypeKE).(*packet.KE)
	nonce, _ := packet.Find(m.Payloads, packet.TypeNonce).(*packet.Nonce)
	if ke == nil || nonce == nil {
		return fmt.Errorf("%w: %v", errAnswer, Notifies(m.Payloads))
	}
	secret, err := p.exchange.Secret(ke.Data)
	if err != nil {
		return err
	}
	p.init[1], p.SPIr, p.Next = b, m.SPIr, 1
	p.nonces.Nr, p.nonces.SPIr = nonce.Data, m.SPIr
	p.derive(p.suite().Derive(secret, p.nonces))
	return nil
}

// derive makes the keys those of the IKE SA.
func (p *Peer) derive(k *suite.Keys) {
	p.Keys = k
	i, r := &seal{key: k.Ei, mac: k.Ai}, &seal{key: k.Er, mac: k.Ar}
	p.in, p.out = i, r
	if p.Initiator {
		p.in, p.out = r, i
	}
}

// Intermediate returns the request of IKE_INTERMEDIATE with the key exchange.
func (p *Peer) Intermediate() *Draft {
	x, err := suite.Start(packet.MLKEM768, p.Random)
	if err != nil {
		panic(err)
	}
	p.exchange = x
	d := p.draft(packet.IKEIntermediate, p.Next, false)
	d.Parts = Ofs(&packet.KE{Group: packet.MLKEM768, Data: x.Public()})
	return d
}

// TakeIntermediate takes the answer to it.
func (p *Peer) TakeIntermediate(bs [][]byte) error {
	ps, plain, err := p.open(bs)
	if err != nil {
		return err
	}
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	if ke == nil {
		return errAnswer
	}
	secret, err := p.exchange.Secret(ke.Data)
	if err != nil {
		return err
	}
	p.take(p.index(false), bs[0], plain)
	p.again(secret)
	p.Next++
	return nil
}

func (p *Peer) again(secret []byte) {
	p.derive(p.suite().Again(p.Keys, secret, p.nonces))
	p.rounds++
}

// id is the identity of this end.
func (p *Peer) id() *packet.ID {
	id := p.Identity
	if id.Data == nil {
		id.Kind, id.Data = packet.IDIPv4Addr, p.Local.Addr().AsSlice()
	}
	id.Responder = !p.Initiator
	return &id
}

// Prove returns the AUTH payload for an identity of this end. id is the Message ID of
// IKE_AUTH.
func (p *Peer) Prove(identity *packet.ID, id uint32) *packet.Auth {
	i := p.index(true)
	nonces, sk := [2][]byte{p.nonces.Nr, p.nonces.Ni}, [2][]byte{p.Keys.Pi, p.Keys.Pr}
	octets := suite.SignedOctets(p.suite().PRF, p.init[i], nonces[i], sk[i], identity, p.int[0], p.int[1], id)
	return suite.SharedKeyAuth(p.suite().PRF, p.Key, octets)
}

// selectors are those for GRE between initiator and responder of an exchange.
func (p *Peer) selectors(own bool) []Part {
	sel := func(a netip.AddrPort) []packet.Selector {
		return []packet.Selector{{Kind: packet.SelectorIPv4, IPProtocol: 47, EndPort: 65535, Start: a.Addr(), End: a.Addr()}}
	}
	i, r := p.Local, p.Remote
	if !own {
		i, r = r, i
	}
	return Ofs(&packet.TS{Selectors: sel(i)}, &packet.TS{Responder: true, Selectors: sel(r)})
}

// Auth returns the request of IKE_AUTH, with a child SA.
func (p *Peer) Auth() *Draft {
	d := p.draft(packet.IKEAuth, p.Next, false)
	d.Parts = Ofs(p.id(), p.Prove(p.id(), d.ID))
	if p.Childless {
		return d
	}
	p.In = p.newSPI()
	d.Parts = append(d.Parts, Ofs(&packet.Notify{Kind: packet.UseTransportMode}, &packet.SA{Proposals: []packet.Proposal{espProposal(p.In)}})...)
	d.Parts = append(d.Parts, p.selectors(true)...)
	return d
}

// Create returns the request for one more child SA, or for one in place of the present
// one.
func (p *Peer) Create(rekey bool) *Draft {
	d := p.draft(packet.CreateChildSA, p.Next, false)
	spi := p.newSPI()
	if rekey {
		d.Parts = Ofs(&packet.Notify{Protocol: packet.ProtocolESP, SPI: p.In, Kind: packet.RekeySA})
	}
	d.Parts = append(d.Parts, Ofs(&packet.Notify{Kind: packet.UseTransportMode}, &packet.SA{Proposals: []packet.Proposal{espProposal(spi)}}, &packet.Nonce{Data: p.bytes(32)})...)
	d.Parts = append(d.Parts, p.selectors(true)...)
	return d
}

// Rekey returns the request for another IKE SA in place of this one.
func (p *Peer) Rekey() *Draft {
	d := p.draft(packet.CreateChildSA, p.Next, false)
	p.start()
	d.Parts = Ofs(&packet.SA{Proposals: []packet.Proposal{p.proposal(p.bytes(ikeSPILen))}}, &packet.Nonce{Data: p.bytes(32)}, &packet.KE{Group: packet.Curve25519, Data: p.exchange.Public()})
	return d
}

// Inform returns a request of INFORMATIONAL; of nothing it asks for life.
func (p *Peer) Inform(ps ...packet.Payload) *Draft {
	d := p.draft(packet.Informational, p.Next, false)
	d.Parts = Ofs(ps...)
	return d
}

// Delete returns the request to delete the child SA.
func (p *Peer) Delete() *Draft {
	return p.Inform(&packet.Delete{Protocol: packet.ProtocolESP, SPIs: []uint32{p.In}})
}

// open returns what a message, or its fragments, contain.
func (p *Peer) open(bs [][]byte) (ps []packet.Payload, plain []byte, err error) {
	if len(bs) == 0 {
		return nil, nil, fmt.Errorf("%w: silence", errAnswer)
	}
	first := packet.NoNextPayload
	for _, b := range bs {
		m, err := packet.Parse(b)
		if err != nil {
			return nil, nil, err
		}
		if m.Encrypted == nil || p.in == nil {
			return nil, nil, errAnswer
		}
		piece, err := p.in.open(b, m.Encrypted.Offset)
		if err != nil {
			return nil, nil, err
		}
		if m.Encrypted.First != packet.NoNextPayload {
			first = m.Encrypted.First
		}
		plain = append(plain, piece...)
	}
	ps, err = packet.ParsePayloads(first, plain)
	return ps, plain, err
}

// Take takes the answer to a request behind IKE_SA_INIT, which has then been made.
func (p *Peer) Take(bs [][]byte) ([]packet.Payload, error) {
	ps, _, err := p.open(bs)
	if err != nil {
		return nil, err
	}
	p.Next++
	if sa, ok := packet.Find(ps, packet.TypeSA).(*packet.SA); ok && len(sa.Proposals[0].SPI) == 4 {
		p.Out = binary.BigEndian.Uint32(sa.Proposals[0].SPI)
	}
	return ps, nil
}

// Notifies lists the notifications among payloads that say that something failed.
func Notifies(ps []packet.Payload) (out []packet.NotifyType) {
	for _, q := range ps {
		if n, ok := q.(*packet.Notify); ok && n.Kind.IsError() {
			out = append(out, n.Kind)
		}
	}
	return out
}

// Forget has the next Init begin another IKE SA.
func (p *Peer) Forget() {
	*p = Peer{Local: p.Local, Remote: p.Remote, Key: p.Key, Identity: p.Identity, CBC: p.CBC, MLKEM: p.MLKEM, Childless: p.Childless, Random: p.Random}
}
