package packet_test

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/ripd/packet"
)

// A router tells two routes, one of them to an address that is not valid; its
// neighbour proves the message authentic and takes the other.
func Example() {
	key := packet.Key{ID: 1, Algorithm: packet.HMACSHA256, Secret: []byte("secret")}
	out := packet.Message{Command: packet.Response, Version: packet.Version2, Entries: []packet.Entry{
		packet.Route(netip.MustParsePrefix("10.1.0.0/16"), 0, netip.Addr{}, 2),
		packet.Route(netip.MustParsePrefix("127.0.0.0/8"), 0, netip.Addr{}, 1),
	}}
	b, err := out.Append(nil, &key, 42)
	if err != nil {
		fmt.Println(err)
		return
	}

	var in packet.Message // used again for the next datagram
	if err := in.Decode(b); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(in.Command, in.Auth.Type, in.Auth.Sequence, in.Verify(b, key))
	for i := range in.Entries {
		e := &in.Entries[i]
		if reason := e.Check(); reason != 0 {
			fmt.Println(reason)
			continue
		}
		prefix, _ := e.Prefix(netip.MustParsePrefix("192.0.2.1/24"))
		fmt.Println(prefix, e.Metric)
	}
	// Output:
	// Response cryptographic 42 true
	// 10.1.0.0/16 2
	// destination address is not valid
}
