package packet

import (
	"fmt"

	"github.com/godmvpn/godmvpn/lib/wire"
)

// MaxGroup is the longest name of a group, in octets.
const MaxGroup = 63

// attributeGroup is the type of the attribute that holds the name of a group; see
// doc.go for where it comes from.
const attributeGroup = 1

// NewGroup returns the Vendor Private extension by which a client tells its servers
// the name of its group (`nhrp group`):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|              Vendor ID 00-00-0C               |   Type = 1    :
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	:               |          Length               |   Name ...
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The error says why name cannot be one.
func NewGroup(name string) (Extension, error) {
	if !ValidGroup(name) {
		return Extension{}, fmt.Errorf("group %q: 1 to %d printable characters without spaces are wanted", name, MaxGroup)
	}
	b := wire.AppendU16(nil, attributeGroup)
	b = wire.AppendU16(b, uint16(len(name)))
	return NewVendorPrivate(CiscoOUI, append(b, name...)), nil
}

// Group returns the name of the group in the extensions of a request, "" if there is
// none. Other vendors' extensions, other attributes and data that is laid out in
// another way are passed over: they are no fault.
func (m *Message) Group() string {
	for i := range m.Extensions {
		id, data, ok := m.Extensions[i].Vendor()
		if !ok || id != CiscoOUI {
			continue
		}
		for rd := wire.NewReader(data); rd.Len() > 0; {
			typ, name := rd.U16(), rd.Bytes(int(rd.U16()))
			if rd.Failed() {
				break
			}
			if typ == attributeGroup && ValidGroup(string(name)) {
				return string(name)
			}
		}
	}
	return ""
}

// ValidGroup reports whether s can be the name of a group: 1 to MaxGroup printable
// ASCII characters without spaces, since it goes into logs and onto screens.
func ValidGroup(s string) bool {
	if s == "" || len(s) > MaxGroup {
		return false
	}
	for _, b := range []byte(s) {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	return true
}
