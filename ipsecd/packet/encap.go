package packet

// MarkerLen is the length of the non-ESP marker: octets of zero where ESP has its SPI,
// before every IKE message on port 4500 (RFC 3948 section 2.2).
const MarkerLen = 4

// Keepalive is the one octet of a NAT-keepalive packet (RFC 3948 section 2.3).
const Keepalive = 0xff

// Encapsulated is what a datagram on port 4500 has in it.
type Encapsulated uint8

// Kinds of datagrams on port 4500.
const (
	NotEncapsulated     Encapsulated = iota // too short for any of the others
	EncapsulatedIKE                         // an IKE message behind the marker
	EncapsulatedESP                         // an ESP packet
	EncapsulatedNothing                     // a NAT-keepalive: to be ignored
)

// Decapsulate says what is in a datagram that came in on port 4500, and returns it: an
// IKE message without its marker, an ESP packet as it is (RFC 3948 section 3).
func Decapsulate(b []byte) (Encapsulated, []byte) {
	switch {
	case len(b) == 1 && b[0] == Keepalive:
		return EncapsulatedNothing, nil
	case len(b) < MarkerLen:
		return NotEncapsulated, nil
	case b[0]|b[1]|b[2]|b[3] == 0:
		return EncapsulatedIKE, b[MarkerLen:]
	}
	return EncapsulatedESP, b
}

// AppendMarker appends the non-ESP marker, which an IKE message has to follow.
func AppendMarker(b []byte) []byte { return append(b, 0, 0, 0, 0) }
