package suite_test

import (
	"crypto/rand"
	"fmt"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
)

// Two ends agree on a secret, make the same keys of it, and speak.
func Example() {
	agreed := suite.IKE{
		Encryption: packet.Transform{ID: packet.EncrAESGCM16, KeyLength: 256},
		PRF:        suite.PRF(packet.PRFHMACSHA2384),
	}
	initiator, err := suite.Start(packet.ECP384, rand.Reader)
	if err != nil {
		panic(err)
	}
	public, secret, err := suite.Respond(packet.ECP384, initiator.Public(), rand.Reader)
	if err != nil {
		panic(err)
	}
	n := suite.Nonces{Ni: make([]byte, 32), Nr: make([]byte, 32), SPIi: 1, SPIr: 2}
	responderKeys := agreed.Derive(secret, n)

	secret, err = initiator.Secret(public)
	if err != nil {
		panic(err)
	}
	keys := agreed.Derive(secret, n)
	out, err := agreed.NewCipher(keys.Ei, keys.Ai)
	if err != nil {
		panic(err)
	}
	m := packet.Message{Header: packet.Header{SPIi: 1, SPIr: 2, Exchange: packet.Informational, Flags: packet.FlagInitiator}}
	b, err := out.Append(nil, &m, []packet.Payload{&packet.Delete{Protocol: packet.ProtocolIKE}}, rand.Reader)
	if err != nil {
		panic(err)
	}

	in, err := agreed.NewCipher(responderKeys.Ei, responderKeys.Ai)
	if err != nil {
		panic(err)
	}
	got, err := packet.Parse(b)
	if err != nil {
		panic(err)
	}
	plain, err := in.Open(b, got.Encrypted.Offset)
	if err != nil {
		panic(err)
	}
	inner, err := packet.ParsePayloads(got.Encrypted.First, plain)
	if err != nil {
		panic(err)
	}
	fmt.Println(got.Exchange, inner[0].Type(), keys)
	// Output: INFORMATIONAL DELETE keys of an IKE SA
}
