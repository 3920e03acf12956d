package packet

// SPIClearText is the Security Parameter Index under which Cisco routers carry
// the string of `ip nhrp authentication` in clear: with the Reserved field
// before it, it reads as a 32-bit type of 1.
const SPIClearText = 1

// MaxClearText is the longest clear-text string, in octets.
const MaxClearText = 8

// AuthenticationHeader is the value of the Authentication extension
// (RFC 2332 section 5.3.4.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Reserved                    | Security Parameter Index (SPI)|
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|               Src Addr...                                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Authentication Data...                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Cisco's clear-text form has no Src Addr: its Data is the string.
type AuthenticationHeader struct {
	SPI uint16
	// SrcAddr is the address of the interface that sent the packet, as long as
	// the message's Source Protocol Address; nil with SPIClearText.
	SrcAddr []byte
	// Data is the keyed hash, or the string.
	Data []byte
}

// Authentication returns the header in m's Authentication extension. It reports
// false if there is none. The slices refer to the extension.
func (m *Message) Authentication() (AuthenticationHeader, bool) {
	e := m.Extension(Authentication)
	if e == nil || len(e.Value) < authFixedLen {
		return AuthenticationHeader{}, false
	}
	h := AuthenticationHeader{SPI: uint16(e.Value[2])<<8 | uint16(e.Value[3])}
	rest := e.Value[authFixedLen:]
	if h.SPI != SPIClearText {
		n := min(m.SrcProtocol.BitLen()/8, len(rest))
		h.SrcAddr, rest = rest[:n:n], rest[n:]
	}
	h.Data = rest
	return h, true
}

// authFixedLen is the length of Reserved and SPI.
const authFixedLen = 4

// ClearTextAuthentication returns an Authentication extension with Cisco's
// clear-text string. It returns an *Error if secret is empty or longer than
// MaxClearText.
func ClearTextAuthentication(secret string) (Extension, error) {
	if secret == "" || len(secret) > MaxClearText {
		return Extension{}, &Error{Reason: ReasonExtension}
	}
	v := append(make([]byte, 0, authFixedLen+len(secret)), 0, 0, 0, SPIClearText)
	return Extension{Type: Authentication, Compulsory: true, Value: append(v, secret...)}, nil
}

// OUI is an IEEE vendor identifier.
type OUI [3]byte

// CiscoOUI is Cisco's vendor identifier, 00-00-0C.
var CiscoOUI = OUI{0x00, 0x00, 0x0c}

// ouiLen is the length of the Vendor ID.
const ouiLen = len(OUI{})

// Vendor splits the value of a Vendor Private extension (RFC 2332 section
// 5.3.5) into Vendor ID and data. It reports false for other types. What
// vendors put into data is theirs: see Group for what is read of Cisco's.
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                  Vendor ID                    |  Data....     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
func (e *Extension) Vendor() (id OUI, data []byte, ok bool) {
	if e.Type != VendorPrivate || len(e.Value) < ouiLen {
		return OUI{}, nil, false
	}
	return OUI(e.Value[:ouiLen]), e.Value[ouiLen:], true
}

// NewVendorPrivate returns a Vendor Private extension.
func NewVendorPrivate(id OUI, data []byte) Extension {
	v := append(make([]byte, 0, ouiLen+len(data)), id[:]...)
	return Extension{Type: VendorPrivate, Value: append(v, data...)}
}
