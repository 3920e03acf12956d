package core

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// moment returns two ends after a number of events of a negotiation with ML-KEM, and a
// child rekey behind it.
func moment(t testing.TB, events int) (*rig, *node, *node) {
	cfg := plain()
	cfg.Proposals[0].Additional = proposal.DefaultIKE().Additional
	r, a, b := pair(t, cfg, cfg)
	r.secure(a, b)
	for i := range events {
		if i == 12 {
			r.soft(a)
		}
		if i == 14 {
			r.rekey(b)
		}
		r.next(r.now.Add(time.Second))
	}
	return r, a, b
}

// moments are enough to see every state of an IKE SA.
const moments = 20

// seal writes contents as a peer would that has the keys.
func (n *node) seal(sa *ikeSA, x packet.ExchangeType, flags packet.Flags, id uint32, first packet.PayloadType, plain []byte) []byte {
	h := packet.Header{SPIi: sa.spi, SPIr: sa.peerSPI, Exchange: x, Flags: flags | packet.FlagInitiator, MessageID: id}
	if !sa.initiator {
		h.SPIi, h.SPIr, h.Flags = sa.peerSPI, sa.spi, flags
	}
	m := packet.Message{Header: h, Encrypted: &packet.Encrypted{First: first, Data: make([]byte, sa.out.SealedLen(len(plain)))}}
	b, err := m.AppendBinary(nil)
	if err != nil || sa.out.Seal(b, plain, n.random) != nil {
		return nil
	}
	return b
}

// FuzzDatagram: any datagram in any state. Nothing that is not authentic ends an IKE SA
// or changes what is in force.
func FuzzDatagram(f *testing.F) {
	for i := range moments {
		r, _, _ := moment(f, i)
		for _, fl := range r.flying {
			f.Add(uint8(i), fl.tx.Packet)
		}
	}
	f.Fuzz(func(t *testing.T, at uint8, b []byte) {
		r, x, y := moment(t, int(at)%moments)
		for _, n := range []*node{x, y} {
			before, sas := len(n.Core.sas), spisOf(n.sas)
			for _, fl := range r.flying {
				if slices.Equal(fl.tx.Packet, b) {
					return
				}
			}
			other := x.addr
			if n == x {
				other = y.addr
			}
			for _, port := range []uint16{packet.Port, packet.PortNAT} {
				r.step(n, RxPacket{Local: netip.AddrPortFrom(n.addr, port), Remote: netip.AddrPortFrom(other, port), Packet: slices.Clone(b)})
			}
			if len(n.Core.sas) < before || !slices.Equal(sas, spisOf(n.sas)) {
				t.Fatalf("%x changed what is in force", b)
			}
		}
	})
}

// FuzzContents: any contents of an encrypted message, as request or answer of any
// exchange, from a peer with the keys. What is left agrees with itself.
func FuzzContents(f *testing.F) {
	for i := range moments {
		for _, x := range []packet.ExchangeType{packet.IKEIntermediate, packet.IKEAuth, packet.CreateChildSA, packet.Informational} {
			ps, err := packet.AppendPayloads(nil, []packet.Payload{
				&packet.Notify{Protocol: packet.ProtocolESP, SPI: 77777, Kind: packet.RekeySA}, &packet.Delete{Protocol: packet.ProtocolESP, SPIs: []uint32{1, 1}},
			})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), uint8(x), true, uint8(packet.TypeNotify), ps)
			f.Add(uint8(i), uint8(x), false, uint8(0), []byte{})
		}
	}
	f.Fuzz(func(t *testing.T, at, x uint8, response bool, first uint8, plain []byte) {
		r, a, b := moment(t, int(at)%moments)
		for _, p := range [][2]*node{{a, b}, {b, a}} {
			from, to := p[0], p[1]
			for _, sa := range slices.Clone(from.order) {
				o := to.Core.sas[sa.peerSPI]
				if sa.out == nil || o == nil || o.in == nil {
					continue
				}
				id, flags := o.expectedID, packet.Flags(0)
				if response {
					id, flags = o.nextID, packet.FlagResponse
				}
				m := from.seal(sa, packet.ExchangeType(x), flags, id, packet.PayloadType(first), plain)
				if m == nil || sa.local.Port() == packet.PortNAT {
					continue
				}
				r.step(to, RxPacket{Local: sa.remote, Remote: sa.local, Packet: m})
			}
		}
		r.run(20 * time.Second)
		for _, n := range r.nodes {
			if len(n.sas) != 2*len(n.Core.children)+len(n.left) && !slices.ContainsFunc(n.order, func(sa *ikeSA) bool {
				return slices.ContainsFunc(sa.children, func(ch *child) bool { return !ch.sending })
			}) {
				t.Fatalf("%d SAs of %d children", len(n.sas), len(n.Core.children))
			}
		}
	})
}

func spisOf(sas map[saKey]rib.ESP) (out []uint32) {
	for k := range sas { // unordered: sorted below
		out = append(out, k.spi)
	}
	slices.Sort(out)
	return out
}

// What has no place, or is not authentic, is dropped and counted; only who has an IKE SA
// that is not here is told so.
func TestDrops(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	sa := a.order[0]
	send := func(b []byte) {
		r.step(r.nodes[1], RxPacket{Local: sa.remote, Remote: sa.local, Packet: b})
	}
	good := a.seal(sa, packet.Informational, 0, sa.nextID, 0, nil)
	bad := slices.Clone(good)
	bad[len(bad)-1] ^= 1
	unknown := slices.Clone(good)
	unknown[0] ^= 1
	binary.BigEndian.PutUint32(unknown[8:], 1)
	for _, c := range []struct {
		name string
		why  DropReason
		b    []byte
	}{
		{"cut off", DropMalformed, good[:30]},
		{"changed", DropIntegrity, bad},
		{"of no IKE SA", DropUnknownSA, unknown},
		{"an answer to nothing", DropMessageID, a.seal(sa, packet.Informational, packet.FlagResponse, 0, 0, nil)},
		{"a request to come", DropMessageID, a.seal(sa, packet.Informational, 0, sa.nextID+1, 0, nil)},
		{"IKE_AUTH again", DropState, a.seal(sa, packet.IKEAuth, 0, sa.nextID, 0, nil)},
		{"an unknown exchange", DropState, a.seal(sa, 99, 0, sa.nextID, 0, nil)},
		{"IKEv1", DropIKEv1, append(append(slices.Clone(good[:17]), 0x10), good[18:]...)},
	} {
		before, sent := b.counters.Dropped[c.why], len(b.sends)
		send(c.b)
		if answered := len(b.sends) != sent; b.counters.Dropped[c.why] != before+1 || answered != (c.why == DropUnknownSA) {
			t.Errorf("%s: %v", c.name, b.counters.Dropped)
		}
	}
	send(good)
	if b.sends[len(b.sends)-1].h.Exchange != packet.Informational {
		t.Error("what is right is not answered")
	}
	r.step(b, RxPacket{Local: netip.AddrPortFrom(a.addr, 500), Remote: sa.local, Packet: good})
	if b.counters.Dropped[DropAddress] != 1 {
		t.Error("nobody listens there")
	}
}
