package core

import (
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf16"
)

// attributeOf makes an attribute with a string of a type.
func attributeOf(oid string, tag int, value string) attribute {
	b := []byte(value)
	if tag == asn1.TagBMPString {
		b = nil
		for _, u := range utf16.Encode([]rune(value)) {
			b = append(b, byte(u>>8), byte(u))
		}
	}
	return attribute{map[string]asn1.ObjectIdentifier{"CN": {2, 5, 4, 3}, "O": {2, 5, 4, 10}, "DC": {0, 9, 2342, 19200300, 100, 1, 25}}[oid], asn1.RawValue{Tag: tag, Bytes: b}}
}

func dnOf(t *testing.T, sets ...attributeSET) []byte {
	t.Helper()
	b, err := asn1.Marshal(sets)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	utf8String = asn1.TagUTF8String
	printed    = asn1.TagPrintableString
)

// RFC 5280 section 7.1.
func TestSameDN(t *testing.T) {
	cn := func(tag int, s string) attributeSET { return attributeSET{attributeOf("CN", tag, s)} }
	o := func(s string) attributeSET { return attributeSET{attributeOf("O", printed, s)} }
	base := dnOf(t, o("Example Inc"), cn(utf8String, "Spoke 1"))
	for _, c := range []struct {
		name string
		dn   []byte
		want bool
	}{
		{"itself", base, true},
		{"another type", dnOf(t, o("Example Inc"), cn(printed, "Spoke 1")), true},
		{"of two octets", dnOf(t, o("Example Inc"), cn(asn1.TagBMPString, "Spoke 1")), true},
		{"case and space", dnOf(t, o("EXAMPLE  inc"), cn(utf8String, " spoke   1 ")), true},
		{"no space", dnOf(t, o("Example Inc"), cn(utf8String, "Spoke1")), false},
		{"another order", dnOf(t, cn(utf8String, "Spoke 1"), o("Example Inc")), false},
		{"one more", dnOf(t, o("Example Inc"), cn(utf8String, "Spoke 1"), cn(utf8String, "x")), false},
		{"one less", dnOf(t, o("Example Inc")), false},
		{"in one set", dnOf(t, attributeSET{attributeOf("O", printed, "Example Inc"), attributeOf("CN", utf8String, "Spoke 1")}), false},
		{"another attribute", dnOf(t, o("Example Inc"), o("Spoke 1")), false},
		{"a zero in it", dnOf(t, o("Example Inc"), cn(utf8String, "Spoke 1\x00")), false},
		{"its separators", dnOf(t, o(`Example Inc",2.5.4.3="Spoke 1`)), false},
		{"not a string", dnOf(t, o("Example Inc"), attributeSET{{asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.RawValue{Tag: asn1.TagOctetString, Bytes: []byte("Spoke 1")}}}), false},
		{"nothing", dnOf(t), false}, {"no octets", nil, false}, {"garbage behind", append(append([]byte{}, base...), 0), false},
	} {
		if got := sameDN(base, c.dn); got != c.want || sameDN(c.dn, base) != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if sameDN(nil, nil) || sameDN(dnOf(t, cn(utf8String, "Zoë")), dnOf(t, cn(utf8String, "ZOË"))) || !sameDN(dnOf(t, cn(utf8String, "Zoë")), dnOf(t, cn(asn1.TagBMPString, "zoë"))) {
		t.Error("beyond ASCII")
	}
	// DER has an order of its own in a set, by the octets of types and values.
	a := dnOf(t, attributeSET{attributeOf("CN", utf8String, "b"), attributeOf("CN", printed, "a")})
	if !sameDN(a, dnOf(t, attributeSET{attributeOf("CN", utf8String, "A"), attributeOf("CN", printed, "B")})) {
		t.Error("the order in a set")
	}
}

// Names as RFC 4514 writes them: what OpenSSL says of the same certificate is in
// testdata/pki, `openssl x509 -subject -nameopt RFC2253`.
func TestDNName(t *testing.T) {
	cert := parsed(t, der(t, "ed25519.pem"))
	if name, ok := dnName(cert.RawSubject); !ok || name != `CN=Zoë\, of \+ \"ed\",O=Example,C=DE` {
		t.Error(name)
	}
}

// F12: lengths in a distinguished name that lie, that are long or without end, and sets in
// sets are no names.
func TestF12DistinguishedNames(t *testing.T) {
	long := dnOf(t, attributeSET{attributeOf("CN", utf8String, strings.Repeat("x", maxDN))})
	if sameDN(long, long) {
		t.Error("a name that is too long is compared")
	}
	for _, s := range []string{
		"", "30", "3000", "3080", "30800000", "3005", "30ff", "3084ffffffff", "3003310130", "300530033101ff", "300b3109300706035504030c05",
		"300b310930070603550403" + "0c00" + "00", "3081", "308100", "30023100" + "ff", "310b300930070603550403", strings.Repeat("3080", 200), strings.Repeat("3082", 500),
		"300c310a30080603550403a0020c00"[:28],
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(s, err)
		}
		if name, ok := dnName(b); ok {
			t.Errorf("%s: %q", s, name)
		}
		if sameDN(b, []byte{0x30, 0}) {
			t.Errorf("%s is equal to nothing", s)
		}
	}
}

// FuzzDN: any octets. A name is equal to itself, and to its canonical form only.
func FuzzDN(f *testing.F) {
	f.Add([]byte{0x30, 0}, []byte{0x30, 0})
	b, _ := hex.DecodeString("300e310c300a06035504030c03616263")
	c, _ := hex.DecodeString("300e310c300a06035504031303414243")
	f.Add(b, c)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, ok := canonicalDN(a)
		y, also := canonicalDN(b)
		if got := sameDN(a, b); got != (ok && also && x == y) || sameDN(b, a) != got {
			t.Errorf("%x %x: %v", a, b, got)
		}
		dnName(a)
	})
}
