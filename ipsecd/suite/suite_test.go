package suite

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// octets turns hexadecimal with blanks into bytes.
func octets(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(strings.Fields(s), ""), "-", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// seq returns n octets that count from first.
func seq(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

// seeded returns randomness that is the same in every run.
func seeded(n byte) Repeatable { return Repeatable{rand.NewChaCha8([32]byte{n})} }

// failing is randomness that fails.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errRandom }

func encr(id, bits uint16) packet.Transform {
	return packet.Transform{Type: packet.Encryption, ID: id, KeyLength: bits}
}

// suites are all pairs of encryption and integrity that go together.
func suites() map[string]IKE {
	out := map[string]IKE{}
	for _, e := range []packet.Transform{
		encr(packet.EncrAESCBC, 128), encr(packet.EncrAESCBC, 192), encr(packet.EncrAESCBC, 256),
		encr(packet.EncrAESGCM16, 128), encr(packet.EncrAESGCM16, 192), encr(packet.EncrAESGCM16, 256), encr(packet.EncrChaCha20, 0),
	} {
		if AEAD(e.ID) {
			out[e.String()] = IKE{Encryption: e, PRF: PRF(packet.PRFHMACSHA2256)}
			continue
		}
		for _, i := range []uint16{packet.AuthHMACSHA1, packet.AuthHMACSHA256, packet.AuthHMACSHA384, packet.AuthHMACSHA512} {
			name := e.String() + " " + packet.Transform{Type: packet.Integrity, ID: i}.String()
			out[name] = IKE{Encryption: e, Integrity: i, PRF: PRF(packet.PRFHMACSHA2512)}
		}
	}
	return out
}

// pair returns the two ends of a direction.
func (s IKE) pair(tb testing.TB) (sender, receiver *Cipher) {
	tb.Helper()
	k := s.Derive(seq(1, 32), Nonces{seq(0x10, 16), seq(0x20, 16), 1, 2})
	sender, err := s.NewCipher(k.Ei, k.Ai)
	if err != nil {
		tb.Fatal(err)
	}
	if receiver, err = s.NewCipher(k.Ei, k.Ai); err != nil {
		tb.Fatal(err)
	}
	return sender, receiver
}

// message returns a message without payloads.
func message() *packet.Message {
	return &packet.Message{Header: packet.Header{SPIi: 1, SPIr: 2, Exchange: packet.Informational, Flags: packet.FlagInitiator, MessageID: 7}}
}
