package packet

// ExtensionType is the type of an extension, without the Compulsory bit: 14
// bits (RFC 2332 section 5.3).
type ExtensionType uint16

// Extension types. NATAddress is Cisco's; the number was also given to the
// Device Capabilities of RFC 2735, whose value is 8 octets long, which no list
// of Client Information Entries can be: such a value is kept raw.
const (
	EndOfExtensions   ExtensionType = 0 // section 5.3.0
	ResponderAddress  ExtensionType = 3 // section 5.3.1
	ForwardTransitNHS ExtensionType = 4 // section 5.3.2
	ReverseTransitNHS ExtensionType = 5 // section 5.3.3
	Authentication    ExtensionType = 7 // section 5.3.4
	VendorPrivate     ExtensionType = 8 // section 5.3.5
	NATAddress        ExtensionType = 9 // Cisco
)

const (
	compulsoryBit    = 0x8000
	unusedBit        = 0x4000
	extensionTypeMax = 0x3fff
	extensionHeader  = 4 // type and length

	// deviceCapabilitiesLen is the length of the value of the RFC 2735
	// extension that shares type 9.
	deviceCapabilitiesLen = 8
)

// Known reports whether this package, and so the daemon, can process the
// extension type. An unknown Compulsory one obliges the responder to refuse
// (section 5.3).
func (t ExtensionType) Known() bool {
	return t == EndOfExtensions || t.HasCIEs() || t == Authentication || t == VendorPrivate
}

// HasCIEs reports whether the value is a list of Client Information Entries.
func (t ExtensionType) HasCIEs() bool {
	return t >= ResponderAddress && t <= ReverseTransitNHS || t == NATAddress
}

// Extension is one {Type, Length, Value} triplet (RFC 2332 section 5.3):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|C|u|        Type               |        Length                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Value...                              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Extension struct {
	Type       ExtensionType
	Compulsory bool
	// CIEs is the value of Responder Address, Forward and Reverse Transit NHS
	// Record and NAT Address. Empty where a requester asks for the information
	// (sections 5.3.1 to 5.3.3).
	CIEs []CIE
	// Value is the value of all other extensions, byte by byte.
	Value []byte
}

// Extension returns the first extension of type t, or nil. The result points
// into m.
func (m *Message) Extension(t ExtensionType) *Extension {
	for i := range m.Extensions {
		if m.Extensions[i].Type == t {
			return &m.Extensions[i]
		}
	}
	return nil
}

// CheckCompulsory is for the station that is going to answer m. It returns an
// *Error with ReasonUnrecognizedExtension for the first extension that has the
// Compulsory bit and is of an unknown type (RFC 2332 section 5.3). Transit
// NHSs do not call it: they ignore unrecognized extensions.
func (m *Message) CheckCompulsory() error {
	off := FixedLen + m.mandatoryLen()
	for i := range m.Extensions {
		e := &m.Extensions[i]
		if e.Compulsory && !e.known() {
			return &Error{Reason: ReasonUnrecognizedExtension, Offset: off}
		}
		off += e.size()
	}
	return nil
}

// known is Type.Known, but for the RFC 2735 extension.
func (e *Extension) known() bool {
	return e.Type.Known() && !(e.Type == NATAddress && len(e.Value) > 0)
}

// CheckForward is for an NHS that is going to forward m. It returns an *Error
// with ReasonHopCountExceeded if the hop count is used up (RFC 2332 section
// 5.1, ar$hopcnt). The caller decrements HopCount.
func (m *Message) CheckForward() error {
	if m.HopCount == 0 {
		return &Error{Reason: ReasonHopCountExceeded, Offset: offHopCount}
	}
	return nil
}
