package packet_test

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
)

// A hub sends a summary, and the spoke adds the tunnel to its metric.
func Example() {
	update := packet.Message{
		Opcode: packet.Update, Sequence: 7, AS: 100,
		Routes: []packet.Route{{
			Type:         packet.TypeIPv4Internal,
			Classic:      metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Reliability: 255, Load: 1},
			Destinations: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		}},
	}
	b, err := update.AppendBinary(nil)
	if err != nil {
		panic(err)
	}

	m, err := packet.Parse(b)
	if err != nil {
		panic(err)
	}
	tunnel := metric.Wide{Delay: 50_000_000_000, Bandwidth: 100, MTU: 1400, Reliability: 255, Load: 1}.Classic()
	for _, r := range m.Routes {
		fmt.Println(m.Opcode, r.Destinations[0], r.Classic.Add(tunnel).Composite(metric.DefaultWeights))
	}
	// Output: Update 10.0.0.0/8 26880256
}
