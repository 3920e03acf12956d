package core

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDN bounds distinguished names of peers, in octets.
const maxDN = 1024

// attribute is an AttributeTypeAndValue (RFC 5280 section 4.1.2.4).
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// attributeSET is a RelativeDistinguishedName; encoding/asn1 knows a SET by the end of the
// name of its type.
type attributeSET []attribute

// dnName returns a distinguished name as RFC 4514 writes it; ok is false if it is none, or
// has nothing in it.
func dnName(der []byte) (name string, ok bool) {
	var seq pkix.RDNSequence
	rest, err := asn1.Unmarshal(der, &seq)
	if err != nil || len(rest) > 0 || len(seq) == 0 {
		return "", false
	}
	return seq.String(), true
}

// sameDN reports whether two distinguished names are equal (RFC 5280 section 7.1): the
// same attributes in the same order, whatever the type of their strings, and in these
// neither the case of ASCII letters nor the amount of space matters. What is beyond ASCII
// has to be the same.
func sameDN(a, b []byte) bool {
	x, ok := canonicalDN(a)
	y, also := canonicalDN(b)
	return ok && also && x == y
}

// canonicalDN returns what all names have in common that are equal to this one, and no
// other has.
func canonicalDN(der []byte) (string, bool) {
	if len(der) > maxDN {
		return "", false
	}
	var seq []attributeSET
	if rest, err := asn1.Unmarshal(der, &seq); err != nil || len(rest) > 0 || len(seq) == 0 {
		return "", false
	}
	var out []string
	for _, set := range seq {
		var one []string
		for _, a := range set {
			one = append(one, a.Type.String()+"="+a.canonical())
		}
		slices.Sort(one)
		out = append(out, strings.Join(one, "+"))
	}
	return strings.Join(out, ","), true
}

// canonical returns the value, of strings without what does not matter.
func (a *attribute) canonical() string {
	if a.Value.Class == asn1.ClassUniversal && !a.Value.IsCompound {
		switch a.Value.Tag {
		case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString, asn1.TagT61String:
			return strconv.Quote(fold(string(a.Value.Bytes)))
		case asn1.TagBMPString:
			if s, ok := wide(a.Value.Bytes); ok {
				return strconv.Quote(fold(s))
			}
		}
	}
	return "#" + hex.EncodeToString(a.Value.FullBytes)
}

// wide reads a BMPString.
func wide(b []byte) (string, bool) {
	var out []uint16
	for ; len(b) >= 2; b = b[2:] {
		out = append(out, binary.BigEndian.Uint16(b))
	}
	s := string(utf16.Decode(out))
	return s, len(b) == 0 && !strings.ContainsRune(s, utf8.RuneError)
}

// fold takes the case from ASCII letters, and space that does not matter.
func fold(s string) string {
	return strings.Join(strings.FieldsFunc(foldCase(s), func(r rune) bool { return r == ' ' }), " ")
}

// foldCase takes the case from ASCII letters.
func foldCase(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
