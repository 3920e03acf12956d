package cli

import (
	"maps"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// word is a word of the configuration for something that has a number.
type word[T any] struct {
	word  string
	value T
	help  string
}

func cipher(id, bits uint16) packet.Transform {
	return packet.Transform{Type: packet.Encryption, ID: id, KeyLength: bits}
}

// ikeCiphers are the words of `encryption`.
var ikeCiphers = []word[packet.Transform]{
	{"aes-cbc-128", cipher(packet.EncrAESCBC, 128), "AES in CBC mode, key of 128 bits"},
	{"aes-cbc-192", cipher(packet.EncrAESCBC, 192), "AES in CBC mode, key of 192 bits"},
	{"aes-cbc-256", cipher(packet.EncrAESCBC, 256), "AES in CBC mode, key of 256 bits"},
	{"aes-gcm-128", cipher(packet.EncrAESGCM16, 128), "AES in Galois counter mode, key of 128 bits; needs no integrity"},
	{"aes-gcm-256", cipher(packet.EncrAESGCM16, 256), "AES in Galois counter mode, key of 256 bits; needs no integrity"},
	{"chacha20-poly1305", cipher(packet.EncrChaCha20, 0), "ChaCha20-Poly1305; needs no integrity"},
}

// hash is what the word of a hash stands for.
type hash struct{ integrity, prf uint16 }

// hashes are the words of `integrity` and `prf`.
var hashes = []word[hash]{
	{"sha1", hash{packet.AuthHMACSHA1, packet.PRFHMACSHA1}, "SHA-1"},
	{"sha256", hash{packet.AuthHMACSHA256, packet.PRFHMACSHA2256}, "SHA-256"},
	{"sha384", hash{packet.AuthHMACSHA384, packet.PRFHMACSHA2384}, "SHA-384"},
	{"sha512", hash{packet.AuthHMACSHA512, packet.PRFHMACSHA2512}, "SHA-512"},
}

// hmacs are the words of integrity in transform sets.
var hmacs = []word[uint16]{
	{"esp-sha-hmac", packet.AuthHMACSHA1, "Integrity by SHA-1"},
	{"esp-sha256-hmac", packet.AuthHMACSHA256, "Integrity by SHA-256"},
	{"esp-sha384-hmac", packet.AuthHMACSHA384, "Integrity by SHA-384"},
	{"esp-sha512-hmac", packet.AuthHMACSHA512, "Integrity by SHA-512"},
}

// espCiphers are the ciphers of transform sets; the length of their key follows.
var espCiphers = map[string]uint16{"esp-aes": packet.EncrAESCBC, "esp-gcm": packet.EncrAESGCM16, "esp-chacha20-poly1305": packet.EncrChaCha20}

// groups are the words of `group`.
var groups = []word[packet.Group]{
	{"14", packet.MODP2048, "MODP of 2048 bits"}, {"15", packet.MODP3072, "MODP of 3072 bits"}, {"16", packet.MODP4096, "MODP of 4096 bits"},
	{"19", packet.ECP256, "NIST P-256"}, {"20", packet.ECP384, "NIST P-384"}, {"21", packet.ECP521, "NIST P-521"}, {"31", packet.Curve25519, "X25519"},
}

// kems are the words of `pqc`.
var kems = []word[packet.Group]{{"mlkem768", packet.MLKEM768, "ML-KEM-768"}, {"mlkem1024", packet.MLKEM1024, "ML-KEM-1024"}}

// pfsWords are the words of `set pfs`.
func pfsWords() []string {
	out := words(groups)
	for i := range out {
		out[i] = "group" + out[i]
	}
	return out
}

func words[T any](list []word[T]) []string {
	var out []string
	for _, w := range list {
		out = append(out, w.word)
	}
	return out
}

// value returns what a word stands for, zero if it is not of the list.
func value[T any](list []word[T], text string) (v T) {
	for _, w := range list {
		if w.word == text {
			return w.value
		}
	}
	return v
}

// values returns what words stand for.
func values[T any](list []word[T], texts []string) (out []T) {
	for _, t := range texts {
		out = append(out, value(list, t))
	}
	return out
}

// withWords adds the help of words to another.
func withWords[T any](help cli.Help, list []word[T]) cli.Help {
	out := maps.Clone(help)
	for _, w := range list {
		out[w.word] = w.help
	}
	return out
}

// with joins helps; later ones go before earlier ones.
func with(helps ...cli.Help) cli.Help {
	all := cli.Help{}
	for _, h := range helps {
		maps.Copy(all, h)
	}
	return all
}
