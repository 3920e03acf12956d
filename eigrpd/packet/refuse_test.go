package packet

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
)

func goldenNamed(t testing.TB, name string) *golden {
	t.Helper()
	gs := goldens()
	i := slices.IndexFunc(gs, func(g golden) bool { return g.name == name })
	if i < 0 {
		t.Fatalf("no golden %q", name)
	}
	return &gs[i]
}

// wantError checks that err is an *Error with these fields.
func wantError(t *testing.T, err error, r Reason, off int) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v (%T), want *Error", err, err)
	}
	if *e != (Error{Reason: r, Offset: off}) {
		t.Fatalf("error is %v at %d, want %v at %d", e.Reason, e.Offset, r, off)
	}
}

// helloHeader and updateHeader are headers in AS 100.
const (
	helloHeader  = "0205 0000 00000000 00000000 00000000 0000 0064 "
	updateHeader = "0201 0000 00000000 00000001 00000000 0000 0064 "
	queryHeader  = "0203 0000 00000000 00000001 00000000 0000 0064 "
)

// Pieces of routes: next hop and metric of IPv4, header and metric of a wide one up
// to Offset.
const (
	classicHead = "00000000 00000100 00000a00 0005dc 01 ff 01 00 00 "
	wideHead    = "0000 0001 0a010101 "
	wideRest    = " 00 ff 01 0005dc 02 000000989680 0000000f4240 0000 0000 "
)

// Each malformed field has its own reason and offset. The checksum is right, where
// it is not what is tested.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		hex    string
		reason Reason
		offset int
	}{
		{"nothing at all", "", ReasonTruncated, 0},
		{"half a header", "0205 0000 00000000", ReasonTruncated, 8},
		{"version 0", "00" + helloHeader[2:], ReasonVersion, 0},
		{"version 3", "03" + helloHeader[2:], ReasonVersion, 0},
		{"opcode 0", "0200" + helloHeader[4:], ReasonOpcode, 1},
		{"opcode 6, IPX SAP", "0206" + helloHeader[4:], ReasonOpcode, 1},
		{"opcode 7, probe", "0207" + helloHeader[4:], ReasonOpcode, 1},
		{"opcode 8, ack", "0208" + helloHeader[4:], ReasonOpcode, 1},
		{"opcode 9", "0209" + helloHeader[4:], ReasonOpcode, 1},
		{"opcode 12", "020c" + helloHeader[4:], ReasonOpcode, 1},
		{"reserved VRID 2", "0205 0000 00000000 00000000 00000000 0002 0064", ReasonVRID, 16},
		{"reserved VRID 0x8001", "0205 0000 00000000 00000000 00000000 8001 0064", ReasonVRID, 16},
		{"AS 0", "0205 0000 00000000 00000000 00000000 0000 0000", ReasonAS, 18},

		{"TLV of three octets", helloHeader + "0001 00", ReasonTruncated, 22},
		{"TLV length 0", helloHeader + "0001 0000 0100 0100 0000 000f", ReasonTLVLength, 22},
		{"TLV length 3", helloHeader + "dead 0003", ReasonTLVLength, 22},
		{"TLV past the end", helloHeader + "dead 0005", ReasonTruncated, 22},
		{"TLV of 65535", helloHeader + "dead ffff 00", ReasonTruncated, 22},
		{"octets after the last TLV", helloHeader + "dead 0004 00", ReasonTruncated, 24},

		{"parameter too short", helloHeader + "0001 000b 01 00 01 00 00 00 00", ReasonTruncated, 30},
		{"parameter empty", helloHeader + "0001 0004", ReasonTruncated, 24},
		{"parameter too long", helloHeader + "0001 000d 01 00 01 00 00 00 000f 00", ReasonTLVLength, 22},
		{"parameter twice", helloHeader + "0001 000c 0100010000 00000f 0001 000c 0100010000 00000f", ReasonDuplicate, 32},
		{"software with the length of the RFC's figure", helloHeader + "0004 000c 0f000200 00000000", ReasonTLVLength, 22},
		{"multicast sequence too short", helloHeader + "0005 0006 0001", ReasonTruncated, 24},
		{"stub too long", helloHeader + "0006 0008 0001 0000", ReasonTLVLength, 22},
		{"sequence, address of AppleTalk's length", helloHeader + "0003 0008 03 0a0000", ReasonAddressLength, 24},
		{"sequence, IPX", helloHeader + "0003 000f 0a 00000000000000000000", ReasonAddressLength, 24},
		{"sequence, address cut", helloHeader + "0003 000d 04 0a000002 04 0a0000", ReasonTruncated, 30},
		{"termination without lengths", helloHeader + "0007 0008 0a000002", ReasonAddressLength, 24},
		{"TID list too long for its TLV", helloHeader + "0008 000a 0000 0004 0000", ReasonTIDs, 26},
		{"TID list odd", helloHeader + "0008 0009 0000 0001 00", ReasonTIDs, 26},
		{"TID list without its length", helloHeader + "0008 0006 0000", ReasonTruncated, 26},

		{"authentication of type 1", helloHeader + "0002 0028 0001 0010 00000001" + zeros(28), ReasonAuthType, 24},
		{"MD5 of 20 octets", helloHeader + "0002 002c 0002 0014 00000001" + zeros(32), ReasonAuthLength, 26},
		{"MD5, TLV too long", helloHeader + "0002 002c 0002 0010 00000001" + zeros(32), ReasonTLVLength, 22},
		{"SHA-256 in a TLV of MD5's size", helloHeader + "0002 0028 0003 0020 00000001" + zeros(28), ReasonTruncated, 44},
		{"authentication of four octets", helloHeader + "0002 0008 0002 0010", ReasonTruncated, 28},
		{"authentication twice", helloHeader + "0002 0028 0002 0010 00000001" + zeros(28) +
			"0002 0028 0002 0010 00000001" + zeros(28), ReasonDuplicate, 60},

		{"route without a destination", updateHeader + "0102 0018" + classicHead, ReasonNoDestination, 44},
		{"route of four octets", updateHeader + "0102 0004", ReasonTruncated, 24},
		{"metric cut", updateHeader + "0102 000c 00000000 00000100", ReasonTruncated, 32},
		{"destination cut", updateHeader + "0102 001b" + classicHead + "18 0a0c", ReasonTruncated, 45},
		{"IPv4 /33", updateHeader + "0102 001d" + classicHead + "21 0a0c000000"[:11], ReasonPrefixLength, 44},
		{"IPv4 /255", updateHeader + "0102 001d" + classicHead + "ff 0a0c0000", ReasonPrefixLength, 44},
		{"IPv6 /129", updateHeader + "0402 0036" + zeros(12) + classicHead + "81" + zeros(17), ReasonPrefixLength, 56},
		{"IPv6 /64 of eight octets", updateHeader + "0402 002d" + zeros(12) + classicHead + "40 20010db800000001", ReasonTruncated, 57},
		{"external cut", updateHeader + "0103 0010 00000000 0a020202 0000fde8", ReasonTruncated, 36},

		{"wide, AFI 3", updateHeader + "0602 002c 0000 0003 0a010101 00" + wideRest + "00000000 18 0a0c00", ReasonAddressFamily, 26},
		{"wide, service family", updateHeader + "0602 002c 0000 4001 0a010101 00" + wideRest + "00000000 18 0a0c00", ReasonAddressFamily, 26},
		{"wide, attributes past the end", updateHeader + "0602 002c" + wideHead + "05" + wideRest + "00000000 18 0a0c00", ReasonTruncated, 56},
		{"wide, no next hop", updateHeader + "0602 0024" + wideHead + "00" + wideRest, ReasonTruncated, 56},
		{"attribute past the attributes", updateHeader + "0602 002e" + wideHead + "01" + wideRest + "0202 00000000 18 0a0c00", ReasonAttribute, 56},
		{"tag of one word", updateHeader + "0602 0030" + wideHead + "02" + wideRest + "0201 0000 00000000 18 0a0c00", ReasonAttribute, 56},
		{"tag of three words", updateHeader + "0602 0034" + wideHead + "04" + wideRest + "0203 000000000000 00000000 18 0a0c00", ReasonAttribute, 56},
		{"NoOp with data", updateHeader + "0602 0030" + wideHead + "02" + wideRest + "0001 0000 00000000 18 0a0c00", ReasonAttribute, 56},
		{"tag twice", updateHeader + "0602 0038" + wideHead + "06" + wideRest + "0202 00000001 0202 00000001 00000000 18 0a0c00", ReasonDuplicate, 62},
		{"community of four octets", updateHeader + "0602 0032" + wideHead + "03" + wideRest + "0302 00000001 00000000 18 0a0c00", ReasonCommunity, 58},
		{"path of an internal route with protocol", updateHeader + "0602 003c" + wideHead + "08" + wideRest + "0707" + zeros(14) + "00000000 18 0a0c00", ReasonAttribute, 56},
		{"five paths", updateHeader + "0602 0072" + wideHead + "23" + wideRest +
			"0706" + zeros(12) + "0706" + zeros(12) + "0706" + zeros(12) + "0706" + zeros(12) + "0706" + zeros(12) + "00000000 18 0a0c00",
			ReasonTooManyPaths, 112},

		{"communities without one", updateHeader + "0104 000c 0a0c0001 0000 0000", ReasonCommunity, 32},
		{"communities, length too large", updateHeader + "0104 0014 0a0c0001 0000 0010" + zeros(8), ReasonCommunity, 30},
		{"communities of seven octets", updateHeader + "0104 0013 0a0c0001 0000 0007" + zeros(7), ReasonCommunity, 32},
		{"communities cut", updateHeader + "0404 000c 0a0c0001 0000 0000", ReasonTruncated, 24},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(repair(octets(t, c.hex)))
			wantError(t, err, c.reason, c.offset)
		})
	}
}

// zeros is so many octets of zeros, in hexadecimal.
func zeros(n int) string { return string(slices.Repeat([]byte("00"), n)) }

// Packets that made other routers' daemons crash, or that are like those of their
// open reports, repaired so that a checksum does not hide the fault.
func TestPacketsThatCrashedOthers(t *testing.T) {
	for _, c := range []struct {
		name   string
		hex    string
		reason Reason
		offset int
	}{
		{"update with a parameter TLV and four odd octets", "02010000 00000000 00000000 00000101 01010100 0001000C C04E968CFC78A1A0 ACA93768", ReasonVRID, 16},
		{"the same in a virtual router that exists", "02010000 00000000 00000000 00000101 00000100 0001000C C04E968CFC78A1A0 ACA93768", ReasonTruncated, 34},
		{"update, TLV length zero", updateHeader + "0102 0000 " + classicHead + "18 0a0c00", ReasonTLVLength, 22},
		{"query, TLV length zero", queryHeader + "0102 0000 " + classicHead + "18 0a0c00", ReasonTLVLength, 22},
		{"update, TLV length absurd", updateHeader + "0102 ffff " + classicHead + "18 0a0c00", ReasonTruncated, 22},
		{"query, TLV length absurd", queryHeader + "0102 ffff " + classicHead + "18 0a0c00", ReasonTruncated, 22},
		{"update, length of the TLV ends in the metric", updateHeader + "0102 0010 " + classicHead + "18 0a0c00", ReasonTruncated, 36},
		{"update with an unknown TLV of length zero", updateHeader + "0000 0000", ReasonTLVLength, 22},
		{"hello, parameter of four octets", helloHeader + "0001 0004", ReasonTruncated, 24},
		{"hello, parameter overruns", helloHeader + "0001 0400 01 00 01 00 00 00 000f", ReasonTruncated, 22},
		{"hello, MD5 overruns", helloHeader + "0002 0028 0002 0010 00000001", ReasonTruncated, 22},
		{"hello, termination cut", helloHeader + "0007 0008 04 0a0000", ReasonTruncated, 25},
		{"update, prefix length 33", updateHeader + "0102 001d" + classicHead + "21 0a0c0000", ReasonPrefixLength, 44},
		{"query, prefix length 200", queryHeader + "0102 001d" + classicHead + "c8 0a0c0000", ReasonPrefixLength, 44},
		{"update, external of an internal's length", updateHeader + "0103 001c" + classicHead + "18 0a0c00", ReasonTruncated, 48},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(repair(octets(t, c.hex)))
			wantError(t, err, c.reason, c.offset)
		})
	}
}

// External routes to a destination that nobody has are nothing to be refused, be it
// in an Update or a Query: two open reports of a crash begin with them.
func TestUnknownExternalRoutesAreRead(t *testing.T) {
	for _, header := range []string{updateHeader, queryHeader} {
		b := repair(octets(t, header+"0103 0030 00000000 0a020202 00000001 00000000 00000000 0000 03 00"+
			"ffffffff ffffffff 0005dc 00 ff 01 00 00 18 c6336f"))
		m, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		if r := m.Routes[0]; !r.Unreachable() || r.Destinations[0] != netip.MustParsePrefix("198.51.111.0/24") {
			t.Errorf("%+v", r)
		}
	}
}

// A checksum that is wrong, or zero, is refused.
func TestChecksum(t *testing.T) {
	b := goldenNamed(t, "hello of a spoke").bytes(t)
	b[3]++
	_, err := Parse(b)
	wantError(t, err, ReasonChecksum, 2)
	b[2], b[3] = 0, 0
	_, err = Parse(b)
	wantError(t, err, ReasonChecksum, 2)
}

// The bounds of a packet's size.
func TestSize(t *testing.T) {
	m := Message{Opcode: Hello, AS: 1, Unknown: []TLV{{0xdead, make([]byte, MaxPacketSize-HeaderLen-tlvHeader)}}}
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(b); err != nil {
		t.Error(err)
	}
	_, err = Parse(append(b, 0))
	wantError(t, err, ReasonTooLong, MaxPacketSize)
	m.Unknown[0].Value = append(m.Unknown[0].Value, 0)
	_, err = m.AppendBinary(nil)
	wantError(t, err, ReasonTooLong, MaxPacketSize)
}

// Cut anywhere, a packet is refused, or it was between two TLVs.
func TestTruncatedEverywhere(t *testing.T) {
	for _, g := range goldens() {
		b := g.bytes(t)
		borders := []int{HeaderLen}
		for at := HeaderLen; at < len(b); {
			at += int(b[at+2])<<8 | int(b[at+3])
			borders = append(borders, at)
		}
		for n := range b {
			_, err := Parse(repair(slices.Clone(b[:n])))
			if ok := slices.Contains(borders, n); ok != (err == nil) {
				t.Errorf("%s: cut to %d octets: %v", g.name, n, err)
			}
		}
	}
}

// What could not be read again is not written, and the buffer is left alone.
func TestAppendRefuses(t *testing.T) {
	route := func(edit func(*Route)) Message {
		r := Route{Type: TypeIPv4Internal, Destinations: prefixes("10.0.0.0/8")}
		edit(&r)
		return Message{Opcode: Update, AS: 1, Routes: []Route{r}}
	}
	wide := func(edit func(*Route)) Message {
		return route(func(r *Route) { r.Type, r.AFI = TypeInternal, AFIPv4; edit(r) })
	}
	key := Key{1, KeyedMD5, []byte("secret")}
	for _, c := range []struct {
		name   string
		m      Message
		key    *Key
		reason Reason
		offset int
	}{
		{"opcode 8", Message{Opcode: 8, AS: 1}, nil, ReasonOpcode, 1},
		{"VRID 7", Message{Opcode: Hello, AS: 1, VRID: 7}, nil, ReasonVRID, 16},
		{"AS 0", Message{Opcode: Hello}, nil, ReasonAS, 18},
		{"known TLV as unknown", Message{Opcode: Hello, AS: 1, Unknown: []TLV{{TypeParameter, nil}}}, nil, ReasonType, 20},
		{"no address", Message{Opcode: Hello, AS: 1, Terminated: []netip.Addr{{}}}, nil, ReasonAddress, 20},
		{"zone", Message{Opcode: Hello, AS: 1, SequenceAddrs: []netip.Addr{ip("fe80::1%eth0")}}, nil, ReasonAddress, 20},
		{"communities of nothing", Message{Opcode: Update, AS: 1, Communities: []Communities{{List: make([]Community, 1)}}}, nil, ReasonAddress, 20},
		{"no communities", Message{Opcode: Update, AS: 1, Communities: []Communities{{Destination: ip("10.0.0.1")}}}, nil, ReasonCommunity, 20},

		{"route of no type", route(func(r *Route) { r.Type = 0x0101 }), nil, ReasonType, 20},
		{"next hop of IPv6", route(func(r *Route) { r.NextHop = ip("fe80::1") }), nil, ReasonAddress, 20},
		{"destination of IPv6", route(func(r *Route) { r.Destinations = prefixes("2001:db8::/32") }), nil, ReasonAddress, 20},
		{"host bits", route(func(r *Route) { r.Destinations = prefixes("10.0.0.1/8") }), nil, ReasonAddress, 20},
		{"no prefix", route(func(r *Route) { r.Destinations = make([]netip.Prefix, 1) }), nil, ReasonAddress, 20},
		{"no destination", route(func(r *Route) { r.Destinations = nil }), nil, ReasonNoDestination, 20},
		{"MTU of 25 bits", route(func(r *Route) { r.Classic.MTU = 1 << 24 }), nil, ReasonRange, 20},
		{"flags of 9 bits", route(func(r *Route) { r.Flags = 0x100 }), nil, ReasonRange, 20},
		{"exterior of an internal route", route(func(r *Route) { r.External.Tag = 1 }), nil, ReasonContents, 20},
		{"tag in a classic route", route(func(r *Route) { r.Tag = 1 }), nil, ReasonContents, 20},
		{"wide metric in a classic route", route(func(r *Route) { r.Wide.Delay = 1 }), nil, ReasonContents, 20},
		{"paths in a classic route", route(func(r *Route) { r.Paths = make([]Path, 1) }), nil, ReasonContents, 20},

		{"no family", wide(func(r *Route) { r.AFI = 0 }), nil, ReasonAddressFamily, 20},
		{"classic metric in a wide route", wide(func(r *Route) { r.Classic.Delay = 1 }), nil, ReasonContents, 20},
		{"delay of 49 bits", wide(func(r *Route) { r.Wide.Delay = metric.Unreachable + 1 }), nil, ReasonRange, 20},
		{"bandwidth of 49 bits", wide(func(r *Route) { r.Wide.Bandwidth = metric.Unreachable + 1 }), nil, ReasonRange, 20},
		{"jitter of 49 bits", wide(func(r *Route) { r.Wide.Jitter = metric.Unreachable + 1 }), nil, ReasonRange, 20},
		{"five paths", wide(func(r *Route) { r.Paths = make([]Path, 5) }), nil, ReasonTooManyPaths, 20},
		{"path of IPv6", wide(func(r *Route) { r.Paths = []Path{{NextHop: ip("fe80::1")}} }), nil, ReasonAddress, 20},
		{"protocol of an internal path", wide(func(r *Route) { r.Paths = []Path{{Protocol: 1}} }), nil, ReasonContents, 20},
		{"too many communities", wide(func(r *Route) { r.Communities = make([]Community, 64) }), nil, ReasonAttribute, 20},
		{"typed attribute raw", wide(func(r *Route) { r.Attributes = []Attribute{{AttributeTag, make([]byte, 4)}} }), nil, ReasonAttribute, 20},
		{"odd attribute", wide(func(r *Route) { r.Attributes = []Attribute{{0x63, make([]byte, 3)}} }), nil, ReasonAttribute, 20},

		{"no secret", Message{Opcode: Hello, AS: 1}, &Key{ID: 1, Algorithm: KeyedMD5}, ReasonKey, 20},
		{"no algorithm", Message{Opcode: Hello, AS: 1}, &Key{ID: 1, Secret: []byte("x")}, ReasonKey, 20},
		{"HMAC without a source", Message{Opcode: Hello, AS: 1}, &Key{1, HMACSHA256, []byte("x")}, ReasonKey, 20},
		{"second TLV, behind authentication", Message{Opcode: Hello, AS: 1, Parameters: Goodbye(1), Unknown: []TLV{{TypeTIDList, nil}}}, &key, ReasonType, 72},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.m.Append([]byte("abc"), c.key, netip.Addr{})
			wantError(t, err, c.reason, c.offset)
			if string(b) != "abc" {
				t.Errorf("buffer is %q", b)
			}
		})
	}
}

// Each reason has words of its own.
func TestReasonNames(t *testing.T) {
	seen := map[string]Reason{}
	for r, s := range reasonNames { // unordered: a set
		if o, dup := seen[s]; dup {
			t.Errorf("%d and %d are both %q", r, o, s)
		}
		seen[s] = r
	}
	for _, r := range []Reason{ReasonTooManyPaths, ReasonKey} {
		if _, ok := reasonNames[r]; !ok {
			t.Errorf("reason %d has no name", r)
		}
		if s := (r + 1).String(); s[:7] != "reason " {
			t.Errorf("reason after %v: %q", r, s)
		}
	}
}
