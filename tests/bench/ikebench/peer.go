package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
)

// algorithms are those of all IKE SAs here: AES-GCM-256, HMAC-SHA-384.
var algorithms = suite.IKE{
	Encryption: packet.Transform{Type: packet.Encryption, ID: packet.EncrAESGCM16, KeyLength: 256},
	PRF:        suite.PRF(packet.PRFHMACSHA2384),
}

const nonceLen = 32

// peer is an initiator that makes an IKE SA without a child (RFC 6023), at the least
// possible cost: all peers of a run share one private key.
type peer struct {
	local, remote netip.AddrPort
	group         packet.Group
	exchange      *suite.Exchange

	nonces  suite.Nonces
	init    []byte // the request of IKE_SA_INIT
	cookie  []byte
	keys    *suite.Keys
	in, out *suite.Cipher
	id      *packet.ID

	cookies int // how often one was asked for
	last    []byte
	began   time.Time
	sent    time.Time
	resent  int
}

func newPeer(local, remote netip.AddrPort, group packet.Group, x *suite.Exchange) *peer {
	p := &peer{local: local, remote: remote, group: group, exchange: x}
	p.nonces = suite.Nonces{Ni: noise(nonceLen), SPIi: packet.SPI(rand.Uint64() | 1)}
	p.id = &packet.ID{Kind: packet.IDIPv4Addr, Data: local.Addr().AsSlice()}
	return p
}

func noise(n int) (b []byte) {
	for len(b) < n {
		b = binary.NativeEndian.AppendUint64(b, rand.Uint64())
	}
	return b[:n]
}

// request returns the request of IKE_SA_INIT.
func (p *peer) request() ([]byte, error) {
	var ps []packet.Payload
	if p.cookie != nil {
		ps = append(ps, &packet.Notify{Kind: packet.Cookie, Data: p.cookie})
	}
	ps = append(ps,
		&packet.SA{Proposals: []packet.Proposal{{Number: 1, Protocol: packet.ProtocolIKE, Transforms: []packet.Transform{
			algorithms.Encryption, {Type: packet.PRF, ID: uint16(algorithms.PRF)}, {Type: packet.KeyExchange, ID: uint16(p.group)}}}}},
		&packet.KE{Group: p.group, Data: p.exchange.Public()}, &packet.Nonce{Data: p.nonces.Ni},
		&packet.Notify{Kind: packet.NATDetectionSourceIP, Data: suite.NATHash(p.nonces.SPIi, 0, p.local)},
		&packet.Notify{Kind: packet.NATDetectionDestinationIP, Data: suite.NATHash(p.nonces.SPIi, 0, p.remote)},
		&packet.Notify{Kind: packet.FragmentationSupported},
		&packet.Notify{Kind: packet.SignatureHashAlgorithms, Data: []byte{0, 2}},
		&packet.Notify{Kind: packet.ChildlessSupported})
	m := packet.Message{Header: packet.Header{SPIi: p.nonces.SPIi, Exchange: packet.IKESAInit, Flags: packet.FlagInitiator}, Payloads: ps}
	b, err := m.AppendBinary(nil)
	p.init = b
	return b, err
}

// take takes in an answer. It returns the next request, nil if there is none: done
// says whether the IKE SA is established.
func (p *peer) take(b []byte) (next []byte, done bool, err error) {
	m, err := packet.Parse(b)
	switch {
	case err != nil:
		return nil, false, err
	case !m.Response():
		return nil, false, fmt.Errorf("a request of %v", m.Exchange)
	case m.Exchange == packet.IKESAInit && p.keys == nil:
		next, err = p.takeInit(m, b)
		return next, false, err
	case m.Exchange == packet.IKEAuth && p.keys != nil && m.Encrypted != nil:
		return nil, true, p.takeAuth(m, b)
	}
	return nil, false, nil // an answer that came twice
}

func (p *peer) takeInit(m *packet.Message, b []byte) ([]byte, error) {
	if n := packet.FindNotify(m.Payloads, packet.Cookie); n != nil {
		p.cookie = n.Data
		p.cookies++
		return p.request()
	}
	ke, _ := packet.Find(m.Payloads, packet.TypeKE).(*packet.KE)
	nonce, _ := packet.Find(m.Payloads, packet.TypeNonce).(*packet.Nonce)
	if ke == nil || nonce == nil {
		return nil, fmt.Errorf("the answer to IKE_SA_INIT has %v", kinds(m.Payloads))
	}
	shared, err := p.exchange.Secret(ke.Data)
	if err != nil {
		return nil, err
	}
	p.nonces.Nr, p.nonces.SPIr = nonce.Data, m.SPIr
	p.keys = algorithms.Derive(shared, p.nonces)
	if p.out, err = algorithms.NewCipher(p.keys.Ei, p.keys.Ai); err != nil {
		return nil, err
	}
	if p.in, err = algorithms.NewCipher(p.keys.Er, p.keys.Ar); err != nil {
		return nil, err
	}
	octets := suite.SignedOctets(algorithms.PRF, p.init, p.nonces.Nr, p.keys.Pi, p.id, nil, nil, 1)
	auth := suite.SharedKeyAuth(algorithms.PRF, []byte(secret), octets)
	out := &packet.Message{Header: packet.Header{SPIi: p.nonces.SPIi, SPIr: p.nonces.SPIr, Exchange: packet.IKEAuth, Flags: packet.FlagInitiator, MessageID: 1}}
	return p.out.Append(nil, out, []packet.Payload{p.id, auth}, nil)
}

// takeAuth looks whether the responder has authenticated itself; what it says is not
// checked.
func (p *peer) takeAuth(m *packet.Message, b []byte) error {
	plain, err := p.in.Open(b, m.Encrypted.Offset)
	if err != nil {
		return err
	}
	ps, err := packet.ParsePayloads(m.Encrypted.First, plain)
	if err != nil {
		return err
	}
	if packet.Find(ps, packet.TypeAuth) == nil {
		return fmt.Errorf("the answer to IKE_AUTH has %v", kinds(ps))
	}
	return nil
}

// kinds lists payloads, and the kinds of notifications.
func kinds(ps []packet.Payload) (out []string) {
	for _, p := range ps {
		if n, ok := p.(*packet.Notify); ok {
			out = append(out, n.Kind.String())
			continue
		}
		out = append(out, p.Type().String())
	}
	return out
}

// spi returns the initiator's SPI of a message, which is at its start.
func spi(b []byte) packet.SPI { return packet.SPI(binary.BigEndian.Uint64(b)) }
