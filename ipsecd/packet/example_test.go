package packet_test

import (
	"fmt"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// A responder that wants another group.
func Example() {
	answer := packet.Message{
		Header:   packet.Header{SPIi: 0x1122334455667788, Exchange: packet.IKESAInit, Flags: packet.FlagResponse},
		Payloads: []packet.Payload{packet.NewInvalidKE(packet.ECP384)},
	}
	b, err := answer.AppendBinary(nil)
	if err != nil {
		panic(err)
	}

	m, err := packet.Parse(b)
	if err != nil {
		panic(err)
	}
	n := packet.FindNotify(m.Payloads, packet.InvalidKEPayload)
	group, ok := n.Group()
	fmt.Println(m.Exchange, n.Kind, group, ok)
	// Output: IKE_SA_INIT INVALID_KE_PAYLOAD ECP-384 true
}

// The payloads of an Encrypted payload are a chain of their own.
func ExampleAppendPayloads() {
	inner := []packet.Payload{&packet.Delete{Protocol: packet.ProtocolESP, SPIs: []uint32{0xc0ffee}}}
	b, err := packet.AppendPayloads(nil, inner)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%v %x\n", packet.First(inner), b)
	// Output: DELETE 0000000c0304000100c0ffee
}
