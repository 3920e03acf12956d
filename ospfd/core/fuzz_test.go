package core

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/wire"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// FuzzReceive hands packets to a router that has a neighbour in some state: whatever they
// say, nothing panics, what it answers can be parsed, and its bounds hold. Each packet is a
// length of two octets, whose upper three bits say when it comes, and so many octets;
// checksums are put right.
func FuzzReceive(f *testing.F) {
	l, a, b := pair(f)
	var seed []byte
	l.pass = func(from, _ *router, _ *packet.Message) bool { return true }
	l.start()
	b.opaque(packet.OpaqueAreaLSA, 200<<24, "text")
	l.advance(50 * time.Second)
	for _, e := range b.take() {
		if tx, ok := e.(TxPacket); ok {
			seed = binary.BigEndian.AppendUint16(seed, uint16(len(tx.Packet)))
			seed = append(seed, tx.Packet...)
		}
	}
	_ = a
	f.Add(seed, uint8(45))
	f.Add(seed, uint8(1))
	f.Fuzz(func(t *testing.T, data []byte, seconds uint8) {
		l, a, b := pair(t)
		l.start()
		a.in().originate(0, a.in().as, lsdb.Statement{Type: packet.ExternalLSA, ID: 10 << 24, Options: packet.OptionE, Body: packet.External{Mask: 0xff000000}.Append(nil)})
		l.advance(time.Duration(seconds) * time.Second)
		for k := 0; len(data) > 2 && k < 50; k++ {
			n := int(binary.BigEndian.Uint16(data))
			wait, n := n>>13, min(n&0x1fff, len(data)-2)
			p := append([]byte(nil), data[2:2+n]...)
			data = data[2+n:]
			mend(p)
			a.step(RxPacket{Interface: "Eth0", Source: addr("10.0.0.2"), Dest: packet.AllSPFRouters, Packet: p})
			l.advance(time.Duration(wait) * 100 * time.Millisecond)
		}
		l.advance(time.Minute)
		in := a.in()
		if n := in.neighbors; n > 2 || n != len(in.ifaces[0].neighbors) {
			t.Errorf("%d neighbours", n)
		}
		if in.forming < 0 || in.exchanging < 0 || in.exchanging > in.forming {
			t.Errorf("%d exchange, %d form", in.exchanging, in.forming)
		}
		for _, k := range [...]ReportKind{ReportStatus, ReportInterfaces, ReportNeighbors, ReportDatabase, ReportRoutes} {
			a.query(Query{Kind: k})
		}
		_ = b
	})
}

// mend puts the checksums of a packet right, and those of its LSAs, so that what is in them
// is looked at.
func mend(p []byte) {
	if len(p) < packet.HeaderLen {
		return
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	if packet.Type(p[1]) == packet.LinkStateUpdate {
		rest := p[min(len(p), packet.HeaderLen+4):]
		for len(rest) >= packet.LSAHeaderLen {
			n := int(binary.BigEndian.Uint16(rest[18:]))
			if n < packet.LSAHeaderLen || n > len(rest) {
				break
			}
			h := packet.LSAHeader{Age: binary.BigEndian.Uint16(rest), Options: packet.Options(rest[2]), Sequence: int32(binary.BigEndian.Uint32(rest[12:])),
				LSAKey: packet.LSAKey{Type: packet.LSType(rest[3]), ID: packet.ID(binary.BigEndian.Uint32(rest[4:])), Router: packet.ID(binary.BigEndian.Uint32(rest[8:]))}}
			if lsa, err := packet.NewLSA(h, rest[packet.LSAHeaderLen:n]); err == nil {
				copy(rest, lsa.Octets)
			}
			rest = rest[n:]
		}
	}
	binary.BigEndian.PutUint16(p[12:], 0)
	sum := ^wire.Fold(wire.Sum(wire.Sum(0, p[:16]), p[24:]))
	binary.BigEndian.PutUint16(p[12:], sum)
}
