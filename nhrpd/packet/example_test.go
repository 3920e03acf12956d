package packet_test

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// A hub answers a registration: the reply is the request with another type.
func Example() {
	request := &packet.Message{
		NBMA: packet.AFNIPv4, Protocol: packet.ProtocolIPv4, HopCount: 255,
		Type: packet.RegistrationRequest, Flags: packet.FlagRegistrationUnique, RequestID: 1,
		SrcNBMA:     netip.MustParseAddr("192.0.2.3"),
		SrcProtocol: netip.MustParseAddr("10.1.1.3"),
		DstProtocol: netip.MustParseAddr("10.1.1.4"),
		CIEs:        []packet.CIE{{PrefixLength: packet.PrefixHost, HoldingTime: 600}},
	}
	b, err := request.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	m, err := packet.Parse(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Type = m.Type.Reply()
	m.CIEs[0].Code = packet.CodeSuccess
	fmt.Println(len(b), m.Type, "to", m.SrcProtocol, m.Flags.Text(m.Type), m.CIEs[0].Code)
	// Output: 52 Registration Reply to 10.1.1.3 unique Success
}
