package packet

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawID(t *rapid.T) ID { return ID(rapid.Uint32().Draw(t, "id")) }

func drawAddr(t *rapid.T) netip.Addr { return addrFrom(rapid.Uint32().Draw(t, "address")) }

func drawHeader(t *rapid.T) LSAHeader {
	return LSAHeader{Age: rapid.Uint16().Draw(t, "age"), Options: Options(rapid.Byte().Draw(t, "options")),
		LSAKey:   LSAKey{LSType(rapid.Byte().Draw(t, "type")), drawID(t), drawID(t)},
		Sequence: rapid.Int32().Draw(t, "sequence"), Checksum: rapid.Uint16().Draw(t, "checksum"), Length: rapid.Uint16().Draw(t, "length")}
}

func drawList[T any](t *rapid.T, draw func(*rapid.T) T) (out []T) {
	for range rapid.IntRange(0, 4).Draw(t, "number") {
		out = append(out, draw(t))
	}
	return out
}

func drawLSA(t *rapid.T) LSA {
	return mustLSA(drawHeader(t), rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "body"))
}

func drawTLV(t *rapid.T) TLV {
	return TLV{rapid.Uint16().Draw(t, "type"), rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "value")}
}

func drawMessage(t *rapid.T) Message {
	m := Message{Type: Type(rapid.IntRange(1, 5).Draw(t, "type")), RouterID: drawID(t), AreaID: drawID(t)}
	options := Options(rapid.Byte().Draw(t, "options")) &^ OptionL
	if m.Type <= DatabaseDescription && rapid.Bool().Draw(t, "LLS") {
		options |= OptionL
		m.LLS = &LLS{TLVs: drawList(t, drawTLV)}
	}
	switch m.Type {
	case Hello:
		m.HelloBody = HelloBody{rapid.Uint32().Draw(t, "mask"), rapid.Uint16().Draw(t, "interval"), options,
			rapid.Byte().Draw(t, "priority"), rapid.Uint32().Draw(t, "dead"), drawAddr(t), drawAddr(t), drawList(t, drawID)}
	case DatabaseDescription:
		m.Description = Description{rapid.Uint16().Draw(t, "MTU"), options, DDFlags(rapid.Byte().Draw(t, "flags")),
			rapid.Uint32().Draw(t, "sequence"), drawList(t, drawHeader)}
	case LinkStateRequest:
		m.Requests = drawList(t, func(t *rapid.T) LSAKey { return drawHeader(t).LSAKey })
	case LinkStateUpdate:
		m.Updates = drawList(t, drawLSA)
	case LinkStateAck:
		m.Acks = drawList(t, drawHeader)
	}
	return m
}

func drawKey(t *rapid.T) (*Key, uint64) {
	a := Algorithm(rapid.IntRange(0, int(HMACSHA512)).Draw(t, "algorithm"))
	if a == 0 {
		return nil, 0
	}
	k := &Key{Algorithm: a, Secret: rapid.SliceOfN(rapid.Byte(), 1, 80).Draw(t, "secret")}
	if a == SimplePassword {
		return k, 0
	}
	if k.Extended = a > KeyedMD5 && rapid.Bool().Draw(t, "extended"); k.Extended {
		k.ID = rapid.Uint32().Draw(t, "key")
		return k, rapid.Uint64().Draw(t, "sequence")
	}
	k.ID = uint32(rapid.Byte().Draw(t, "key"))
	return k, uint64(rapid.Uint32().Draw(t, "sequence"))
}

// TestRoundTrip: what is appended is parsed as it was, and verified.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, source := drawMessage(t), netip.AddrFrom4([4]byte{192, 0, 2, 1})
		key, sequence := drawKey(t)
		b, err := m.Append(nil, key, sequence, source)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if key != nil && (!got.Verify(b, *key, source) || got.Auth.Sequence != sequence) {
			t.Fatalf("not verified: %v", got.Auth)
		}
		got.Auth = Auth{}
		if d := cmp.Diff(&m, got, same); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
	})
}

// TestBodyRoundTrip does so with the bodies of LSAs.
func TestBodyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Router{RouterFlags(rapid.Byte().Draw(t, "flags")), drawList(t, func(t *rapid.T) RouterLink {
			return RouterLink{drawID(t), rapid.Uint32().Draw(t, "data"), LinkType(rapid.Byte().Draw(t, "type")), rapid.Uint16().Draw(t, "metric")}
		})}
		got, err := mustLSA(LSAHeader{}, r.Append(nil)).Router()
		if d := cmp.Diff(r, got, same); err != nil || d != "" {
			t.Fatalf("%v %s", err, d)
		}
		e := External{rapid.Uint32().Draw(t, "mask"), rapid.Bool().Draw(t, "E"), rapid.Uint32Range(0, LSInfinity).Draw(t, "metric"), drawAddr(t), rapid.Uint32().Draw(t, "tag")}
		ext, err := mustLSA(LSAHeader{}, e.Append(nil)).External()
		if d := cmp.Diff(e, ext, same); err != nil || d != "" {
			t.Fatalf("%v %s", err, d)
		}
		tlvs := drawList(t, drawTLV)
		o, err := mustLSA(LSAHeader{}, AppendTLVs(nil, tlvs)).Opaque()
		if d := cmp.Diff(tlvs, o, same); err != nil || d != "" {
			t.Fatalf("%v %s", err, d)
		}
	})
}

// FuzzParse: no panic, and what parses is appended to the same meaning.
func FuzzParse(f *testing.F) {
	for _, g := range goldens() {
		f.Add(octets(f, g.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		for _, l := range m.Updates {
			_, _ = l.Router()
			_, _ = l.Network()
			_, _ = l.Summary()
			_, _ = l.External()
			_, _ = l.Opaque()
			l.ChecksumOK()
		}
		m.Auth = Auth{}
		if m.signalOptions()&OptionL == 0 && m.LLS != nil {
			t.Fatal("signalling without the L bit")
		}
		again, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(again)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, got, same); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
		third, _ := got.AppendBinary(nil)
		if !bytes.Equal(again, third) {
			t.Fatal("appended differently")
		}
	})
}
