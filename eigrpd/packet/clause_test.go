package packet

import (
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
)

// RFC 7868 section 6.1: protocol 88, 224.0.0.10 and ff02::a.
func TestAddresses(t *testing.T) {
	if Protocol != 88 || GroupIPv4 != ip("224.0.0.10") || GroupIPv6 != ip("ff02::a") {
		t.Error(Protocol, GroupIPv4, GroupIPv6)
	}
}

// RFC 7868 section 6.5: a Hello that acknowledges is an acknowledgment; another
// packet may carry one along.
func TestIsAck(t *testing.T) {
	for _, c := range []struct {
		m    Message
		want bool
	}{
		{Message{Opcode: Hello, Ack: 1}, true}, {Message{Opcode: Hello}, false}, {Message{Opcode: Update, Ack: 1}, false},
	} {
		if c.m.IsAck() != c.want {
			t.Errorf("%v, ack %d: %v", c.m.Opcode, c.m.Ack, !c.want)
		}
	}
}

// RFC 7868 section 6.7.7: all K-values 255 except K6, which says nothing.
func TestGoodbye(t *testing.T) {
	for _, k6 := range []uint8{0, 1, 255} {
		if p := (Parameters{Weights: metric.Weights{K1: 255, K2: 255, K3: 255, K4: 255, K5: 255, K6: k6}}); !p.Goodbye() {
			t.Errorf("K6 %d: no goodbye", k6)
		}
	}
	for _, w := range []metric.Weights{
		metric.DefaultWeights,
		{K1: 254, K2: 255, K3: 255, K4: 255, K5: 255}, {K1: 255, K2: 254, K3: 255, K4: 255, K5: 255},
		{K1: 255, K2: 255, K3: 254, K4: 255, K5: 255}, {K1: 255, K2: 255, K3: 255, K4: 254, K5: 255},
		{K1: 255, K2: 255, K3: 255, K4: 255, K5: 254},
	} {
		if p := (Parameters{Weights: w}); p.Goodbye() {
			t.Errorf("%v: a goodbye", w)
		}
	}
	if p := Goodbye(9); !p.Goodbye() || p.HoldTime != 9 {
		t.Errorf("%+v", p)
	}
}

// RFC 7868 section 6.7.4: TLVs of version 2.0 only to those who read them.
func TestSoftwareWide(t *testing.T) {
	for v, want := range map[uint8]bool{1: false, 2: true, 3: true} { // unordered: each by itself
		if s := (Software{TLVMajor: v}); s.Wide() != want {
			t.Errorf("version %d: %v", v, !want)
		}
	}
}

// RFC 7868 section 6.8.4: octets of a destination, its bit count included.
func TestDestinationLen(t *testing.T) {
	for s, want := range map[string]int{ // unordered: each by itself
		"0.0.0.0/0": 2, "10.0.0.0/1": 2, "10.0.0.0/8": 2, "10.0.0.0/9": 3, "10.0.0.0/16": 3,
		"10.0.0.0/17": 4, "10.0.0.0/24": 4, "10.0.0.0/25": 5, "10.0.0.0/32": 5,
		"::/0": 2, "2001::/7": 2, "2001::/8": 3, "2001:db8::/63": 9, "2001:db8::/64": 10, "2001:db8::/127": 17, "2001:db8::/128": 17,
	} {
		if got := DestinationLen(netip.MustParsePrefix(s)); got != want {
			t.Errorf("%s: %d octets, want %d", s, got, want)
		}
	}
}

// RFC 7868 section 6.8.4: bits of the address beyond the count mean nothing.
func TestHostBitsIgnored(t *testing.T) {
	m, err := Parse(repair(octets(t, updateHeader+"0102 001b"+classicHead+"09 0aff")))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Routes[0].Destinations[0]; got != netip.MustParsePrefix("10.128.0.0/9") {
		t.Errorf("%v", got)
	}
}

// RFC 7868 sections 6.8.3, 6.8.5.3, 6.9.2: reserved fields are ignored, and zero when
// written.
func TestReservedIgnored(t *testing.T) {
	for name, at := range map[string]int{ // unordered: each by itself
		"query for an external route": 20 + 4 + 4 + 16, "communities": 20 + 4 + 4, "wide, internal": 20 + 4 + 8 + 20,
	} {
		g := goldenNamed(t, name)
		want := g.bytes(t)
		b := g.bytes(t)
		b[at], b[at+1] = 0xab, 0xcd
		m, err := Parse(repair(b))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.AppendBinary(nil); err != nil || string(got) != string(want) {
			t.Errorf("%s: %x, %v; want %x", name, got, err, want)
		}
	}
}

// RFC 7868 section 6.6: unknown TLVs are passed over, known ones come in any order.
func TestAnyOrder(t *testing.T) {
	m, err := Parse(repair(octets(t, helloHeader+"dead 0005 01 0004 0008 0c040200 beef 0004 0001 000c 01000100 0000000f")))
	if err != nil {
		t.Fatal(err)
	}
	if m.Parameters == nil || m.Parameters.HoldTime != 15 || m.Software == nil || len(m.Unknown) != 2 {
		t.Errorf("%+v", m)
	}
}

// A TLV or attribute without contents is as good as none, but no fault.
func TestEmptyListsAreNone(t *testing.T) {
	m, err := Parse(repair(octets(t, helloHeader+"0003 0004 0007 0004 0008 0008 0000 0000 0006 0006 0000 0005 0008 00000000")))
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.AppendBinary(nil)
	if err != nil || len(b) != HeaderLen {
		t.Errorf("%x, %v", b, err)
	}
}

// RFC 7868 section 6.9.3.2: which classic metric it was.
func TestScaledMetric(t *testing.T) {
	if b, d, ok := NewScaledMetric(7, 9).ScaledMetric(); b != 7 || d != 9 || !ok {
		t.Error(b, d, ok)
	}
	for _, a := range []Attribute{{AttributeScaled, make([]byte, 8)}, {0x63, make([]byte, 10)}} {
		if _, _, ok := a.ScaledMetric(); ok {
			t.Errorf("%+v is a scaled metric", a)
		}
	}
}

// RFC 7868 section 6.9.3.1: attributes that leave no room for padding go without.
func TestFullAttributesRoundTrip(t *testing.T) {
	m := Message{Opcode: Update, AS: 1, Routes: []Route{{
		Type: TypeInternal, AFI: AFIPv4, Attributes: []Attribute{{0x63, make([]byte, 508)}}, Destinations: prefixes("10.0.0.0/8"),
	}}}
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Parse(b); err != nil || len(got.Routes[0].Attributes[0].Data) != 508 {
		t.Errorf("%v", err)
	}
	m.Routes[0].Tag = 1
	_, err = m.AppendBinary(nil)
	wantError(t, err, ReasonAttribute, 20)
}

// The tag that an administrator sees.
func TestAdminTag(t *testing.T) {
	for _, c := range []struct {
		r    Route
		want uint32
	}{
		{Route{}, 0}, {Route{Tag: 5}, 5}, {Route{External: External{Tag: 6}}, 6}, {Route{Tag: 5, External: External{Tag: 6}}, 6},
	} {
		if got := c.r.AdminTag(); got != c.want {
			t.Errorf("tag %d, want %d", got, c.want)
		}
	}
}

// RFC 7868 section 6.4: the type of a community.
func TestCommunityType(t *testing.T) {
	if got := (Community{0x88, 0x03}).Type(); got != CommunitySystem {
		t.Errorf("%#x", got)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{ // unordered: each by itself
		SIAQuery.String(): "SIA-Query", Opcode(6).String(): "IPX SAP", Opcode(77).String(): "Opcode 77",
		RouterID(0x0a010203).String():               "10.1.2.3",
		ProtocolConnected.String():                  "Connected",
		ProtocolIGRP.String():                       "IGRP",
		ExternalProtocol(0).String():                "protocol 0",
		ExternalProtocol(12).String():               "protocol 12",
		(FlagInit | FlagEndOfTable | 0x40).String(): "init eot 0x40",
		(StubConnected | StubSummary).String():      "connected summary",
		RouteActive.String():                        "active",
		HMACSHA256.String():                         "HMAC-SHA-256",
		Algorithm(9).String():                       "type 9",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
