package packet

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// seal writes ar$pktsz and ar$chksum of an edited packet.
func seal(b []byte) []byte {
	binary.BigEndian.PutUint16(b[offSize:], uint16(len(b)))
	return sealSum(b)
}

// sealSum writes ar$chksum alone.
func sealSum(b []byte) []byte {
	wire.PutU16(b, offChecksum, 0)
	wire.PutU16(b, offChecksum, wire.Checksum(b))
	return b
}

func goldenNamed(t *testing.T, name string) *golden {
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

// Each malformed field has its own reason and offset. The packet that is
// edited has 20 octets of Fixed Part, a Mandatory Part of 32 octets (the entry
// at 40), and extensions from 52: Responder at 52, Forward at 56, Reverse at
// 60, NAT Address with an entry at 64, End Of Extensions at 88.
func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name   string
		edit   func(b []byte) []byte
		reason Reason
		offset int
	}{
		{"nothing at all", func(b []byte) []byte { return nil }, ReasonTruncated, 0},
		{"version 0, MARS", set(16, 0), ReasonVersion, 16},
		{"version 2", set(16, 2), ReasonVersion, 16},
		{"type 0", set(17, 0), ReasonType, 17},
		{"type 9", set(17, 9), ReasonType, 17},
		{"type 128", set(17, 128), ReasonType, 17},
		{"address family 3, NSAP", set(1, 3), ReasonAddressFamily, 0},
		{"address family 0x0101", set(0, 1), ReasonAddressFamily, 0},
		{"protocol ARP", set(3, 6), ReasonProtocol, 2},
		{"protocol SNAP with another OUI", set(2, 0x00, 0x80, 0x00, 0x00, 0x0c, 0x08, 0x00), ReasonProtocol, 2},
		{"protocol SNAP with OUI 0c-00-00", set(2, 0x00, 0x80, 0x0c, 0x00, 0x00, 0x08, 0x00), ReasonProtocol, 2},
		{"protocol SNAP for ARP", set(2, 0x00, 0x80, 0x00, 0x00, 0x00, 0x08, 0x06), ReasonProtocol, 2},
		{"size 19", raw(10, 0, 19), ReasonPacketSize, 10},
		{"size 0", raw(10, 0, 0), ReasonPacketSize, 10},
		{"size above the bound", raw(10, 0x24, 0x01), ReasonTooLong, 10},
		{"size above the data", raw(10, 0, 93), ReasonTruncated, 92},
		{"checksum off by one", raw(13, 0xc4), ReasonChecksum, 12},
		{"checksum zero is not 'none'", raw(12, 0, 0), ReasonChecksum, 12},
		{"extension offset inside the Fixed Part", set(14, 0, 19), ReasonExtensionOffset, 14},
		{"extension offset past the end", set(14, 0, 93), ReasonExtensionOffset, 14},
		{"extension offset at the end", func(b []byte) []byte { return seal(b[:52]) }, ReasonNoEndOfExtensions, 52},
		{"extension offset inside the common header", set(14, 0, 30), ReasonTruncated, 28},
		{"extension offset inside the entry", set(14, 0, 51), ReasonTruncated, 51},
		{"source NBMA length 5", set(18, 5), ReasonAddressLength, 18},
		{"source NBMA length 16 in family 1", set(18, 16), ReasonAddressLength, 18},
		{"source NBMA in E.164 form", set(18, 0x44), ReasonAddressLength, 18},
		{"source NBMA reserved bit", set(18, 0x84), ReasonAddressLength, 18},
		{"source subaddress reserved bit", set(19, 0x80), ReasonAddressLength, 19},
		{"source subaddress in E.164 form", set(19, 0x41), ReasonAddressLength, 19},
		{"source subaddress longer than the part", set(19, 63), ReasonTruncated, 32},
		{"source protocol length 3", set(20, 3), ReasonAddressLength, 20},
		{"source protocol length 255", set(20, 255), ReasonAddressLength, 20},
		{"destination protocol length 16", set(21, 16), ReasonAddressLength, 21},
		{"client NBMA length 3", set(48, 3), ReasonAddressLength, 48},
		{"client NBMA reserved bit", set(48, 0x80), ReasonAddressLength, 48},
		{"client NBMA past the part", set(48, 4), ReasonTruncated, 52},
		{"client subaddress past the part", set(49, 1), ReasonTruncated, 52},
		{"client protocol length 16", set(50, 16), ReasonAddressLength, 50},
		{"client protocol past the part", set(50, 4), ReasonTruncated, 52},
		{"extension longer than the packet", set(66, 0, 25), ReasonTruncated, 68},
		{"extension of 65535 octets", set(66, 0xff, 0xff), ReasonTruncated, 68},
		{"entry in extension cut", set(66, 0, 19), ReasonTruncated, 84},
		{"length in entry of extension", set(76, 5), ReasonAddressLength, 76},
		{"extension twice", set(57, 3), ReasonDuplicateExtension, 56},
		{"unknown extension twice", set(52, 0x38, 1, 0, 0, 0x38, 1), ReasonDuplicateExtension, 56},
		{"Compulsory does not make a type new", set(52, 0x38, 1, 0, 0, 0xb8, 1), ReasonDuplicateExtension, 56},
		{"End Of Extensions with a value", set(88, 0x80, 0, 0, 1, 0), ReasonExtension, 88},
		{"data after End Of Extensions", func(b []byte) []byte { return seal(append(b, 0)) }, ReasonNoEndOfExtensions, 92},
		{"End Of Extensions first", set(53, 0), ReasonNoEndOfExtensions, 56},
		{"End Of Extensions missing", func(b []byte) []byte { return seal(b[:88]) }, ReasonNoEndOfExtensions, 88},
		{"End Of Extensions cut", func(b []byte) []byte { return seal(b[:90]) }, ReasonTruncated, 90},
		{"authentication shorter than its header", set(64, 0x80, 7, 0, 3, 0, 0, 1, 0x80, 0, 0, 0), ReasonExtension, 64},
		{"vendor private shorter than its id", set(64, 0, 8, 0, 2, 0, 0, 0x80, 0, 0, 0), ReasonExtension, 64},
		{"two entries in the responder address", responderTwice, ReasonExtension, 52},
		{"too many extensions", extensions(MaxExtensions + 1), ReasonTooManyExtensions, 52 + 8*MaxExtensions},
		{"too many entries", entries(MaxCIEs + 1), ReasonTooManyCIEs, 40 + 12*MaxCIEs},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.edit(goldenNamed(t, "registration request, IOS").bytes(t))
			m, err := Parse(b)
			if m != nil {
				t.Error("Parse returned a message with an error")
			}
			wantError(t, err, tt.reason, tt.offset)
		})
	}
}

// raw overwrites octets from off on and leaves size and checksum alone.
func raw(off int, v ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[off:], v)
		return b
	}
}

// set overwrites octets from off on, extending the packet if need be, and
// corrects size and checksum.
func set(off int, v ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		return seal(append(b[:off:off], slices.Concat(v, b[min(off+len(v), len(b)):])...))
	}
}

// responderTwice gives the Responder Address two entries.
func responderTwice(b []byte) []byte {
	out := append(b[:52:52], 0x80, 3, 0, 24)
	out = append(out, make([]byte, 24)...)
	return seal(append(out, 0x80, 0, 0, 0))
}

// extensions replaces the extensions by n Vendor Private ones.
func extensions(n int) func([]byte) []byte {
	return func(b []byte) []byte {
		b = b[:52]
		for range n {
			b = append(b, 0, 8, 0, 4, 0, 0, 0x0c, 1)
		}
		return seal(append(b, 0x80, 0, 0, 0))
	}
}

// entries replaces entry and extensions by n entries without addresses.
func entries(n int) func([]byte) []byte {
	return func(b []byte) []byte {
		b = append(b[:40:40], make([]byte, 12*n)...)
		wire.PutU16(b, offExtOff, 0)
		return seal(b)
	}
}

// The bounds themselves are still accepted.
func TestParseAcceptsBounds(t *testing.T) {
	b := goldenNamed(t, "registration request, IOS").bytes(t)
	m, err := Parse(extensions(MaxExtensions)(slices.Clone(b)))
	if err != nil || len(m.Extensions) != MaxExtensions {
		t.Errorf("%d extensions: %v", MaxExtensions, err)
	}
	m, err = Parse(entries(MaxCIEs)(slices.Clone(b)))
	if err != nil || len(m.CIEs) != MaxCIEs {
		t.Errorf("%d entries: %v", MaxCIEs, err)
	}
	g := goldenNamed(t, "error indication, authentication failure").msg
	g.Payload = make([]byte, MaxPacketSize-40)
	b, err = g.AppendBinary(nil)
	if err != nil || len(b) != MaxPacketSize {
		t.Fatalf("packet of %d octets: %v", len(b), err)
	}
	if _, err := Parse(b); err != nil {
		t.Error(err)
	}
}

// A packet that lost its tail is refused at every length, with the offset of
// the first octet that is missing.
func TestParseTruncatedEverywhere(t *testing.T) {
	for _, g := range goldens() {
		b := g.bytes(t)
		for n := range b {
			_, err := Parse(b[:n])
			wantError(t, err, ReasonTruncated, n)
		}
	}
}

// The same with a size and checksum that agree with the cut: the inner lengths
// must catch it. A cut is valid only between two entries where no extensions
// follow, or inside the contents of an indication.
func TestParseCutEverywhere(t *testing.T) {
	for _, g := range goldens() {
		b := g.bytes(t)
		for n := FixedLen; n < len(b); n++ {
			cut := seal(slices.Clone(b[:n]))
			m, err := Parse(cut)
			if err == nil {
				if m.hasExtensions() {
					t.Errorf("%s: cut at %d of %d is accepted", g.name, n, len(b))
				}
				continue
			}
			var e *Error
			if !errors.As(err, &e) || e.Offset > n {
				t.Errorf("%s: cut at %d: %v", g.name, n, err)
			}
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	many := make([]Extension, MaxExtensions+1)
	for i := range many {
		many[i] = NewVendorPrivate(CiscoOUI, nil)
	}
	tests := []struct {
		name   string
		edit   func(m *Message)
		reason Reason
		offset int
	}{
		{"address family", func(m *Message) { m.NBMA = 3 }, ReasonAddressFamily, 0},
		{"protocol", func(m *Message) { m.Protocol = 0x0806 }, ReasonProtocol, 2},
		{"type 0", func(m *Message) { m.Type = 0 }, ReasonType, 17},
		{"type 9", func(m *Message) { m.Type = 9 }, ReasonType, 17},
		{"IPv6 source NBMA in family 1", func(m *Message) { m.SrcNBMA = v6 }, ReasonAddress, 18},
		{"IPv6 source protocol", func(m *Message) { m.SrcProtocol = v6 }, ReasonAddress, 20},
		{"IPv6 destination protocol", func(m *Message) { m.DstProtocol = v6 }, ReasonAddress, 21},
		{"IPv4 source NBMA in family 2", func(m *Message) { m.NBMA = AFNIPv6; m.SrcNBMA = v4 }, ReasonAddress, 18},
		{"zone", func(m *Message) { m.NBMA = AFNIPv6; m.SrcNBMA = v6.WithZone("eth0") }, ReasonAddress, 18},
		{"IPv6 client NBMA", func(m *Message) { m.CIEs[0].NBMA = v6 }, ReasonAddress, 48},
		{"IPv6 client protocol", func(m *Message) { m.CIEs[0].Protocol = v6 }, ReasonAddress, 50},
		{"subaddress", func(m *Message) { m.SrcSubaddress = make([]byte, 64) }, ReasonAddressLength, 19},
		{"client subaddress", func(m *Message) { m.CIEs[0].NBMASubaddress = make([]byte, 64) }, ReasonAddressLength, 49},
		{"entries", func(m *Message) { m.CIEs = make([]CIE, MaxCIEs+1) }, ReasonTooManyCIEs, 40},
		{"entries in extensions count too", func(m *Message) { m.CIEs = make([]CIE, MaxCIEs) }, ReasonTooManyCIEs, 40 + 12*MaxCIEs + 16},
		{"extensions", func(m *Message) { m.Extensions = many }, ReasonTooManyExtensions, 52},
		{"size", func(m *Message) { m.Extensions[3] = NewVendorPrivate(CiscoOUI, make([]byte, MaxPacketSize)) }, ReasonTooLong, 10},
		{"extension type 0", func(m *Message) { m.Extensions[1].Type = 0 }, ReasonExtension, 56},
		{"extension type of 15 bits", func(m *Message) { m.Extensions[1].Type = 0x4001 }, ReasonExtension, 56},
		{"raw value where entries belong", func(m *Message) { m.Extensions[1].Value = []byte{1} }, ReasonExtension, 56},
		{"entries where a raw value belongs", func(m *Message) { m.Extensions[3].Type = 0x3801 }, ReasonExtension, 64},
		{"entries and a raw value", func(m *Message) { m.Extensions[3].Value = make([]byte, 8) }, ReasonExtension, 64},
		{"two responders", func(m *Message) { m.Extensions[0].CIEs = make([]CIE, 2) }, ReasonExtension, 52},
		{"short authentication", func(m *Message) { m.Extensions[1].Type = Authentication }, ReasonExtension, 56},
		{"short vendor private", func(m *Message) { m.Extensions[1].Type = VendorPrivate }, ReasonExtension, 56},
		{"extension twice", func(m *Message) { m.Extensions[1].Type = ResponderAddress }, ReasonDuplicateExtension, 56},
		{"payload", func(m *Message) { m.Payload = []byte{1} }, ReasonContents, 20},
		{"error code", func(m *Message) { m.ErrorCode = 7 }, ReasonContents, 20},
		{"error offset", func(m *Message) { m.ErrorOffset = 7 }, ReasonContents, 20},
		{"flags in an indication", func(m *Message) { *m = Message{NBMA: 1, Protocol: 0x800, Type: 7, Flags: 1} }, ReasonContents, 20},
		{"request ID in an indication", func(m *Message) { *m = Message{NBMA: 1, Protocol: 0x800, Type: 8, RequestID: 1} }, ReasonContents, 20},
		{"entry in an indication", func(m *Message) { *m = Message{NBMA: 1, Protocol: 0x800, Type: 8, CIEs: []CIE{{}}} }, ReasonContents, 20},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := goldenNamed(t, "registration request, IOS").msg.Clone()
			tt.edit(m)
			b, err := m.AppendBinary([]byte("before"))
			wantError(t, err, tt.reason, tt.offset)
			if string(b) != "before" {
				t.Errorf("AppendBinary left %q", b)
			}
		})
	}
}

// Every reason has a name and a code of RFC 2332 section 5.2.7.
func TestReasons(t *testing.T) {
	want := map[Reason]ErrorCode{
		ReasonTooLong:               8,
		ReasonDuplicateExtension:    9,
		ReasonUnrecognizedExtension: 1,
		ReasonHopCountExceeded:      15,
	}
	for r := ReasonTruncated; r <= ReasonContents; r++ {
		if _, ok := reasonNames[r]; !ok {
			t.Errorf("reason %d has no name", r)
		}
	}
	for r, name := range reasonNames {
		code, ok := want[r]
		if !ok {
			code = 7
		}
		if got := r.ErrorCode(); got != code {
			t.Errorf("%s: code %d, want %d", name, got, code)
		}
	}
	if got := (&Error{Reason: ReasonChecksum, Offset: 12}).Error(); got != "nhrp: offset 12: checksum error" {
		t.Errorf("Error() = %q", got)
	}
	if got := Reason(0).String(); got != "reason 0" {
		t.Errorf("Reason(0) = %q", got)
	}
}
