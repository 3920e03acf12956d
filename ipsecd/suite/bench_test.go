package suite

import (
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// BenchmarkRespond is a responder's key exchange.
func BenchmarkRespond(b *testing.B) {
	for _, g := range ours {
		b.Run(g.String(), func(b *testing.B) {
			random := seeded(1)
			x, err := Start(g, random)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Respond(g, x.Public(), random); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkInitiate is an initiator's.
func BenchmarkInitiate(b *testing.B) {
	for _, g := range ours {
		b.Run(g.String(), func(b *testing.B) {
			random := seeded(1)
			x, err := Start(g, random)
			if err != nil {
				b.Fatal(err)
			}
			public, _, err := Respond(g, x.Public(), random)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if x, err = Start(g, random); err != nil {
					b.Fatal(err)
				}
				// Of ML-KEM it is the ciphertext for another key: the same work.
				if _, err = x.Secret(public); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkResponder is all the cryptography of a responder for an IKE SA with a shared
// key and its child: key exchange, keys, four messages of the size of IKE_AUTH opened and
// sealed, both AUTH payloads.
func BenchmarkResponder(b *testing.B) {
	for _, g := range []packet.Group{packet.Curve25519, packet.ECP256, packet.ECP384, packet.MODP2048, packet.MODP3072} {
		b.Run(g.String(), func(b *testing.B) {
			s := IKE{Encryption: encr(packet.EncrAESGCM16, 256), PRF: PRF(packet.PRFHMACSHA2384)}
			random := seeded(1)
			x, err := Start(g, random)
			if err != nil {
				b.Fatal(err)
			}
			n := Nonces{seq(1, 32), seq(2, 32), 1, 2}
			id := &packet.ID{Kind: packet.IDIPv4Addr, Data: seq(1, 4)}
			request := seq(3, 300)
			inner := []packet.Payload{&packet.VendorID{Data: seq(1, 200)}}
			b.ReportAllocs()
			for b.Loop() {
				_, secret, err := Respond(g, x.Public(), random)
				if err != nil {
					b.Fatal(err)
				}
				k := s.Derive(secret, n)
				out, err := s.NewCipher(k.Er, nil)
				if err != nil {
					b.Fatal(err)
				}
				in, err := s.NewCipher(k.Er, nil)
				if err != nil {
					b.Fatal(err)
				}
				for range 2 {
					msg, err := out.Append(nil, message(), inner, random)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := in.Open(msg, 32); err != nil {
						b.Fatal(err)
					}
				}
				for _, skp := range [][]byte{k.Pi, k.Pr} {
					SharedKeyAuth(s.PRF, []byte("cisco"), SignedOctets(s.PRF, request, n.Nr, skp, id, nil, nil, 1))
				}
				ESP{Encryption: encr(packet.EncrAESGCM16, 256)}.Derive(s.PRF, k.D, n, nil)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "SA/s")
		})
	}
}
