package packet

import (
	"fmt"
	"net/netip"
	"strings"
)

// String returns the identifier in the form of an IPv4 address.
func (id ID) String() string { return id.Addr().String() }

// Addr returns the identifier as an address, also 0.0.0.0.
func (id ID) Addr() netip.Addr {
	return netip.AddrFrom4([4]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
}

// IDOf returns an IPv4 address as an identifier; 0 for others.
func IDOf(a netip.Addr) ID { return ID(addrTo(a)) }

// String returns the RFC's name of the type.
func (t Type) String() string {
	switch t {
	case Hello:
		return "Hello"
	case DatabaseDescription:
		return "Database Description"
	case LinkStateRequest:
		return "Link State Request"
	case LinkStateUpdate:
		return "Link State Update"
	case LinkStateAck:
		return "Link State Acknowledgment"
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// String returns the RFC's name of the type.
func (t LSType) String() string {
	switch t {
	case RouterLSA:
		return "router-LSA"
	case NetworkLSA:
		return "network-LSA"
	case SummaryLSA:
		return "summary-LSA"
	case ASBRSummaryLSA:
		return "ASBR-summary-LSA"
	case ExternalLSA:
		return "AS-external-LSA"
	case NSSALSA:
		return "type-7 LSA"
	case OpaqueLinkLSA:
		return "link-local opaque LSA"
	case OpaqueAreaLSA:
		return "area-local opaque LSA"
	case OpaqueASLSA:
		return "AS-wide opaque LSA"
	}
	return fmt.Sprintf("LSA type %d", uint8(t))
}

// String names the LSA.
func (k LSAKey) String() string { return fmt.Sprintf("%v %v of %v", k.Type, k.ID, k.Router) }

var optionNames = [...]string{"", "E", "MC", "N/P", "L", "DC", "O", "DN"}

// String names the options, separated by bars.
func (o Options) String() string {
	var names []string
	for bit, name := range optionNames {
		if o&(1<<bit) != 0 && name != "" {
			names = append(names, name)
		}
	}
	if o&1 != 0 {
		names = append(names, "0x01")
	}
	return strings.Join(names, "|")
}
