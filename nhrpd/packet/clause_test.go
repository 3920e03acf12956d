package packet

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each test here proves a sentence of RFC 2332 that the codec is answerable
// for; the sentence is quoted or named by its section.

func parseEdited(t *testing.T, name string, edit func([]byte) []byte) *Message {
	t.Helper()
	m, err := Parse(edit(goldenNamed(t, name).bytes(t)))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Section 5.1, ar$pro.type: IPv4 has three codings, all are understood, and the
// Ethertype is the one to transmit. The same for IPv6 with NLPID 0x8E.
func TestProtocolCodings(t *testing.T) {
	tests := []struct {
		name, golden string
		coding       []byte
	}{
		{"SNAP", "registration request, IOS", []byte{0x00, 0x80, 0, 0, 0, 0x08, 0x00}},
		{"NLPID", "registration request, IOS", []byte{0x00, 0xcc, 0, 0, 0, 0, 0}},
		{"SNAP, IPv6", "resolution reply, IPv6 over IPv4, vendor and unknown extensions", []byte{0x00, 0x80, 0, 0, 0, 0x86, 0xdd}},
		{"NLPID, IPv6", "resolution reply, IPv6 over IPv4, vendor and unknown extensions", []byte{0x00, 0x8e, 0, 0, 0, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := parseEdited(t, tt.golden, set(2, tt.coding...))
			b, err := m.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := goldenNamed(t, tt.golden).bytes(t); !bytes.Equal(b, want) {
				t.Errorf("wrote %x, want the Ethertype form %x", b, want)
			}
		})
	}
}

// Section 5.1, ar$pro.snap: "MUST be zero on transmit and ignored on receive".
func TestSNAPIgnoredInShortForm(t *testing.T) {
	m := parseEdited(t, "purge request without reply", set(4, 1, 2, 3, 4, 5))
	b, _ := m.AppendBinary(nil)
	if want := goldenNamed(t, "purge request without reply").bytes(t); !bytes.Equal(b, want) {
		t.Errorf("wrote %x, want %x", b, want)
	}
}

// Section 5.1, ar$pktsz: "excluding link layer encapsulation": padding of the
// link is not part of the packet.
func TestLinkPaddingIgnored(t *testing.T) {
	m := parseEdited(t, "purge request without reply", func(b []byte) []byte { return append(b, 1, 2, 3) })
	if d := cmp.Diff(&goldenNamed(t, "purge request without reply").msg, m, sameMessage); d != "" {
		t.Error(d)
	}
}

// Section 5.1, ar$chksum: an odd packet is summed as if a zero octet followed.
func TestOddChecksum(t *testing.T) {
	g := goldenNamed(t, "resolution reply, IPv6 over IPv4, vendor and unknown extensions")
	if b := g.bytes(t); len(b)%2 != 1 {
		t.Fatalf("golden has %d octets, the test wants an odd number", len(b))
	}
	// The octet that follows in memory must not matter.
	m := parseEdited(t, g.name, func(b []byte) []byte { return append(b, 0xff) })
	if d := cmp.Diff(&g.msg, m, sameMessage); d != "" {
		t.Error(d)
	}
}

// Section 5.1, type/length octets: "If this value is zero the flag x is
// ignored."
func TestE164FlagIgnoredWithoutAddress(t *testing.T) {
	m := parseEdited(t, "registration request, IOS", set(48, 0x40, 0x40))
	if d := cmp.Diff(&goldenNamed(t, "registration request, IOS").msg, m, sameMessage); d != "" {
		t.Error(d)
	}
}

// Section 5: "Fields marked "unused" MUST be set to zero on transmission, and
// ignored on receipt."
func TestUnusedFields(t *testing.T) {
	for name, off := range map[string]int{
		"registration request, IOS":                42, // in the entry
		"error indication, authentication failure": 22, // after the lengths
		"traffic indication with authentication":   22,
	} {
		m := parseEdited(t, name, set(off, 0xab, 0xcd))
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := goldenNamed(t, name).bytes(t); !bytes.Equal(b, want) {
			t.Errorf("%s: wrote %x, want %x", name, b, want)
		}
	}
	// Section 5.3: the u bit of an extension.
	m := parseEdited(t, "registration request, IOS", set(52, 0xc0, 3))
	if d := cmp.Diff(&goldenNamed(t, "registration request, IOS").msg, m, sameMessage); d != "" {
		t.Error(d)
	}
}

// Section 5.2.0.1: subaddresses are carried, although IP has none.
func TestSubaddresses(t *testing.T) {
	m := goldenNamed(t, "purge request without reply").msg.Clone()
	m.SrcSubaddress = []byte{1, 2, 3}
	m.CIEs[0].NBMASubaddress = bytes.Repeat([]byte{9}, MaxSubaddress)
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if b[19] != 3 || !bytes.Equal(b[32:35], []byte{1, 2, 3}) {
		t.Errorf("source subaddress: ar$sstl %d, octets % x", b[19], b[32:35])
	}
	got, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, got, sameMessage); d != "" {
		t.Error(d)
	}
}

// Section 5.2.0.1, Prefix Length: 0 "MUST be ignored" and "is thus equivalent
// to 0xFF".
func TestPrefixLength(t *testing.T) {
	v4, v6 := ip("10.1.2.3"), ip("2001:db8::1")
	tests := []struct {
		n    uint8
		addr netip.Addr
		want string // empty: invalid
	}{
		{0, v4, "10.1.2.3/32"}, {255, v4, "10.1.2.3/32"}, {32, v4, "10.1.2.3/32"},
		{24, v4, "10.1.2.0/24"}, {1, v4, "0.0.0.0/1"}, {33, v4, ""}, {254, v4, ""},
		{0, v6, "2001:db8::1/128"}, {255, v6, "2001:db8::1/128"}, {64, v6, "2001:db8::/64"}, {129, v6, ""},
		{0, netip.Addr{}, ""}, {24, netip.Addr{}, ""},
	}
	for _, tt := range tests {
		c := CIE{PrefixLength: tt.n}
		p, ok := c.Prefix(tt.addr)
		if ok != (tt.want != "") || ok && p.String() != tt.want {
			t.Errorf("Prefix Length %d of %v: %v, %v, want %q", tt.n, tt.addr, p, ok, tt.want)
		}
	}
}

// Sections 5.2.2, 5.2.4, 5.2.6: a reply is the request with another type code.
func TestReplyTypes(t *testing.T) {
	for req, want := range map[Type]Type{
		ResolutionRequest: ResolutionReply, RegistrationRequest: RegistrationReply, PurgeRequest: PurgeReply,
		ResolutionReply: 0, RegistrationReply: 0, PurgeReply: 0, ErrorIndication: 0, TrafficIndication: 0,
	} {
		if got := req.Reply(); got != want {
			t.Errorf("%v.Reply() = %v, want %v", req, got, want)
		}
		if req.IsRequest() != (want != 0) || req.IsReply() == (req.IsRequest() || req.IsIndication()) {
			t.Errorf("%v: request %v, reply %v, indication %v", req, req.IsRequest(), req.IsReply(), req.IsIndication())
		}
	}
	reply := goldenNamed(t, "purge request without reply").msg.Clone()
	reply.Type = reply.Type.Reply()
	b, err := reply.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := set(17, 6)(goldenNamed(t, "purge request without reply").bytes(t))
	if !bytes.Equal(b, want) {
		t.Errorf("reply %x, want the request with type 6 %x", b, want)
	}
}

// Section 5.2.2: a NAK that "12 - No Internetworking Layer Address to NBMA
// Address Binding Exists" is one entry with all other fields zero.
func TestResolutionNAK(t *testing.T) {
	m := &Message{
		NBMA: AFNIPv4, Protocol: ProtocolIPv4, HopCount: 255, Type: ResolutionReply, RequestID: 1,
		SrcNBMA: ip("192.0.2.3"), SrcProtocol: ip("10.1.1.3"), DstProtocol: ip("10.9.9.9"),
		CIEs: []CIE{{Code: CodeNoBinding}},
	}
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte{12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}; !bytes.Equal(b[40:], want) {
		t.Errorf("entry % x, want % x", b[40:], want)
	}
}

// Section 5.3: order, Compulsory bits and values of extensions that are not
// understood survive a transit NHS. What changes on the way is the hop count.
func TestTransitKeepsExtensions(t *testing.T) {
	name := "resolution reply, IPv6 over IPv4, vendor and unknown extensions"
	in := goldenNamed(t, name).bytes(t)
	m := parseEdited(t, name, slices.Clone[[]byte])
	m.HopCount--
	out, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := sealSum(func() []byte { b := slices.Clone(in); b[9]--; return b }()); !bytes.Equal(out, want) {
		t.Errorf("forwarded\n%x, want\n%x", out, want)
	}
}

// Section 5.3: "if the bit is set … the station responding … MUST be able to
// understand the extension"; the offset is that of the extension.
func TestCheckCompulsory(t *testing.T) {
	m := parseEdited(t, "registration request, IOS", slices.Clone[[]byte])
	if err := m.CheckCompulsory(); err != nil {
		t.Errorf("known extensions only: %v", err)
	}
	m = parseEdited(t, "resolution reply, IPv6 over IPv4, vendor and unknown extensions", slices.Clone[[]byte])
	err := m.CheckCompulsory()
	wantError(t, err, ReasonUnrecognizedExtension, 0x60+36+11+8)
	if b, _ := m.AppendBinary(nil); b[0x60+36+11+8] != 0xb8 {
		t.Error("offset does not point at the extension")
	}
	m.Extension(0x3801).Compulsory = false
	if err := m.CheckCompulsory(); err != nil {
		t.Errorf("without the Compulsory bit: %v", err)
	}
}

// RFC 2735: Device Capabilities has type 9 too, and 8 octets.
// They are not taken for Cisco's list of entries, and not understood.
func TestDeviceCapabilitiesKeptRaw(t *testing.T) {
	m := goldenNamed(t, "purge request without reply").msg.Clone()
	m.Extensions = []Extension{{Type: NATAddress, Compulsory: true, Value: []byte{0, 0, 0, 1, 0, 0, 0, 0}}}
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, got, sameMessage); d != "" {
		t.Error(d)
	}
	wantError(t, got.CheckCompulsory(), ReasonUnrecognizedExtension, 56)
}

// Section 5.1, ar$hopcnt: what arrives with zero is not forwarded, what arrives
// with one is.
func TestCheckForward(t *testing.T) {
	wantError(t, (&Message{}).CheckForward(), ReasonHopCountExceeded, 9)
	if err := (&Message{HopCount: 1}).CheckForward(); err != nil {
		t.Error(err)
	}
}

// Section 5.3.0: End Of Extensions is sent Compulsory; the bit is not demanded.
func TestEndOfExtensionsBit(t *testing.T) {
	m := parseEdited(t, "registration request, IOS", set(88, 0))
	b, _ := m.AppendBinary(nil)
	if want := goldenNamed(t, "registration request, IOS").bytes(t); !bytes.Equal(b, want) {
		t.Errorf("wrote %x, want %x", b, want)
	}
}

// Section 5.3.4.1: Reserved, SPI, Src Addr as long as the Source Protocol
// Address, Authentication Data; Cisco's SPI 1 has the data at once.
func TestAuthentication(t *testing.T) {
	m := parseEdited(t, "registration request, FRR", slices.Clone[[]byte])
	h, ok := m.Authentication()
	if want := (AuthenticationHeader{SPI: 1, Data: []byte("secret")}); !ok || !cmp.Equal(h, want) {
		t.Errorf("clear text: %+v, want %+v", h, want)
	}
	e, err := ClearTextAuthentication("secret")
	if d := cmp.Diff(&e, m.Extension(Authentication)); err != nil || d != "" {
		t.Errorf("ClearTextAuthentication: %v %s", err, d)
	}
	m.Extension(Authentication).Value = []byte{0, 0, 0x12, 0x34, 10, 1, 1, 3, 0xaa, 0xbb}
	h, ok = m.Authentication()
	if want := (AuthenticationHeader{SPI: 0x1234, SrcAddr: []byte{10, 1, 1, 3}, Data: []byte{0xaa, 0xbb}}); !ok || !cmp.Equal(h, want) {
		t.Errorf("keyed hash: %+v, want %+v", h, want)
	}
	m.Extension(Authentication).Value = []byte{0, 0, 0x12, 0x34, 10, 1}
	if h, ok = m.Authentication(); !ok || len(h.SrcAddr) != 2 || len(h.Data) != 0 {
		t.Errorf("cut: %+v", h)
	}
	if _, ok := (&Message{}).Authentication(); ok {
		t.Error("found without extension")
	}
	for _, s := range []string{"", "123456789"} {
		if _, err := ClearTextAuthentication(s); err == nil {
			t.Errorf("secret of %d octets is accepted", len(s))
		}
	}
}

// Section 5.3.5: Vendor ID and data; the one extension that may be repeated.
func TestVendorPrivate(t *testing.T) {
	m := parseEdited(t, "resolution reply, IPv6 over IPv4, vendor and unknown extensions", slices.Clone[[]byte])
	id, data, ok := m.Extensions[1].Vendor()
	if !ok || id != CiscoOUI || !bytes.Equal(data, []byte{1, 2, 3, 4}) {
		t.Errorf("first: %v %v %v", id, data, ok)
	}
	id, data, ok = m.Extensions[2].Vendor()
	if !ok || id != (OUI{0, 0, 0x5e}) || !bytes.Equal(data, []byte{0xff}) {
		t.Errorf("second: %v %v %v", id, data, ok)
	}
	if _, _, ok := m.Extensions[0].Vendor(); ok {
		t.Error("Responder Address taken for Vendor Private")
	}
	e := NewVendorPrivate(CiscoOUI, []byte{1, 2, 3, 4})
	if d := cmp.Diff(m.Extensions[1], e); d != "" {
		t.Error(d)
	}
}

// Appending an element to a transit record (section 5.3.2) must not reach into
// the next extension's entries, which lie behind it in the same memory.
func TestAppendToRecordOfDecoded(t *testing.T) {
	m := goldenNamed(t, "purge request without reply").msg.Clone()
	hop := func(last string) CIE { return CIE{NBMA: ip("192.0.2." + last), Protocol: ip("10.1.1." + last)} }
	m.Extensions = []Extension{
		{Type: ForwardTransitNHS, Compulsory: true, CIEs: []CIE{hop("1")}},
		{Type: ReverseTransitNHS, Compulsory: true, CIEs: []CIE{hop("2")}},
	}
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got Message
	for range 2 { // the second time all entries lie in one array
		if err := got.Decode(b); err != nil {
			t.Fatal(err)
		}
	}
	got.CIEs = append(got.CIEs, hop("8"))
	fwd := got.Extension(ForwardTransitNHS)
	fwd.CIEs = append(fwd.CIEs, hop("9"))
	if d := cmp.Diff(hop("2"), got.Extension(ReverseTransitNHS).CIEs[0], sameMessage); d != "" {
		t.Errorf("neighbour changed: %s", d)
	}
	if d := cmp.Diff(hop("1"), fwd.CIEs[0], sameMessage); d != "" {
		t.Errorf("first element changed: %s", d)
	}
}

// Names are the RFC's words, and unknown values are numbers.
func TestNames(t *testing.T) {
	tests := map[fmt.Stringer]string{
		ResolutionRequest:   "Resolution Request",
		ResolutionReply:     "Resolution Reply",
		RegistrationRequest: "Registration Request",
		RegistrationReply:   "Registration Reply",
		PurgeRequest:        "Purge Request",
		PurgeReply:          "Purge Reply",
		ErrorIndication:     "Error Indication",
		TrafficIndication:   "Traffic Indication",
		Type(9):             "Type 9",

		EndOfExtensions:   "End Of Extensions",
		ResponderAddress:  "Responder Address",
		ForwardTransitNHS: "Forward Transit NHS Record",
		ReverseTransitNHS: "Reverse Transit NHS Record",
		Authentication:    "Authentication",
		VendorPrivate:     "Vendor-Private",
		NATAddress:        "NAT Address",
		ExtensionType(77): "Extension 77",

		// Section 5.2.7, with the numbers it gives.
		ErrorCode(1):  "Unrecognized Extension",
		ErrorCode(2):  "Error 2",
		ErrorCode(3):  "NHRP Loop Detected",
		ErrorCode(6):  "Protocol Address Unreachable",
		ErrorCode(7):  "Protocol Error",
		ErrorCode(8):  "NHRP SDU Size Exceeded",
		ErrorCode(9):  "Invalid Extension",
		ErrorCode(10): "Invalid NHRP Resolution Reply Received",
		ErrorCode(11): "Authentication Failure",
		ErrorCode(15): "Hop Count Exceeded",

		// Sections 5.2.2 and 5.2.4.
		CIECode(0):  "Success",
		CIECode(1):  "Code 1",
		CIECode(4):  "Administratively Prohibited",
		CIECode(5):  "Insufficient Resources",
		CIECode(12): "No Internetworking Layer Address to NBMA Address Binding Exists",
		CIECode(13): "Binding Exists But Is Not Unique",
		CIECode(14): "Unique Internetworking Layer Address Already Registered",
	}
	for v, want := range tests {
		if got := v.String(); got != want {
			t.Errorf("%T: got %q, want %q", v, got, want)
		}
	}
}

// The bits of the Flags field: sections 5.2.1, 5.2.2, 5.2.3, 5.2.5.
func TestFlagsText(t *testing.T) {
	for _, tt := range []struct {
		flags Flags
		typ   Type
		want  string
	}{
		{0xf802, ResolutionReply, "router authoritative dest-stable unique source-stable nat"},
		{0x8800, ResolutionRequest, "router source-stable"},
		{0x8002, RegistrationRequest, "unique nat"},
		{0x8000, RegistrationReply, "unique"},
		{0x8000, PurgeRequest, "no-reply"},
		{0x8010, PurgeReply, "no-reply 0x0010"},
		{0x4000, RegistrationRequest, "0x4000"},
		{0, ErrorIndication, ""},
	} {
		if got := tt.flags.Text(tt.typ); got != tt.want {
			t.Errorf("%#04x of %v: got %q, want %q", uint16(tt.flags), tt.typ, got, tt.want)
		}
	}
}
