package packet

import (
	"slices"
	"strings"
	"testing"
)

// RFC 2332 section 5.3.5: the data of a Vendor Private extension is the vendor's. A
// group is read where it is laid out as doc.go says, whatever stands around it.
func TestGroup(t *testing.T) {
	cisco := func(data string) Extension { return NewVendorPrivate(CiscoOUI, []byte(data)) }
	for _, c := range []struct {
		name string
		exts []Extension
		want string
	}{
		{"none", nil, ""},
		{"alone", []Extension{cisco("\x00\x01\x00\x04GOLD")}, "GOLD"},
		{"behind another attribute", []Extension{cisco("\x00\x07\x00\x02ab\x00\x01\x00\x04GOLD")}, "GOLD"},
		{"in the second extension", []Extension{NewVendorPrivate(OUI{0, 0, 0x5e}, []byte("\x00\x01\x00\x03IBM")), cisco("\x00\x01\x00\x04GOLD")}, "GOLD"},
		{"behind data of another layout", []Extension{cisco("\xff"), cisco("\x00\x01\x00\x04GOLD")}, "GOLD"},
		{"empty data", []Extension{cisco("")}, ""},
		{"longer than the data", []Extension{cisco("\x00\x01\x00\x05GOLD")}, ""},
		{"half a header", []Extension{cisco("\x00\x01\x00")}, ""},
		{"empty name", []Extension{cisco("\x00\x01\x00\x00")}, ""},
		{"control character", []Extension{cisco("\x00\x01\x00\x04GO\x1bD")}, ""},
		{"space", []Extension{cisco("\x00\x01\x00\x04GO D")}, ""},
		{"not ASCII", []Extension{cisco("\x00\x01\x00\x04GO\xc3\xa9")}, ""},
		{"too long", []Extension{cisco("\x00\x01\x00\x40" + strings.Repeat("x", MaxGroup+1))}, ""},
		{"another type of extension", []Extension{{Type: Authentication, Value: []byte("\x00\x00\x0c\x00\x01\x00\x04GOLD")}}, ""},
	} {
		m := Message{Extensions: c.exts}
		if got := m.Group(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// What NewGroup writes is what Group reads, and it refuses what could not be read.
func TestNewGroup(t *testing.T) {
	for _, name := range []string{"G", "GOLD-10M", strings.Repeat("x", MaxGroup)} {
		e, err := NewGroup(name)
		m := Message{Extensions: []Extension{e}}
		if err != nil || m.Group() != name {
			t.Errorf("%q: %v, read as %q", name, err, m.Group())
		}
	}
	for _, name := range []string{"", "two words", "tab\t", "é", strings.Repeat("x", MaxGroup+1)} {
		if _, err := NewGroup(name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	g := goldenNamed(t, "registration request with a group").msg
	if e, err := NewGroup("GOLD1"); err != nil || !slices.Equal(e.Value, g.Extensions[1].Value) {
		t.Errorf("%x, want %x (%v)", e.Value, g.Extensions[1].Value, err)
	}
}

func FuzzGroup(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x04GOLD"))
	f.Add([]byte("\x00\x07\x00\x02ab\x00\x01\x00\x04GOLD"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := Message{Extensions: []Extension{NewVendorPrivate(CiscoOUI, data)}}
		if name := m.Group(); name != "" {
			e, err := NewGroup(name)
			again := Message{Extensions: []Extension{e}}
			if err != nil || again.Group() != name {
				t.Errorf("%q is read but not written: %v", name, err)
			}
		}
	})
}
