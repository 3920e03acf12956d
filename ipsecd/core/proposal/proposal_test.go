package proposal

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
)

// words are the transforms by short names; a type stands before a number that is not
// ours.
var words = map[string]packet.Transform{
	"cbc128": {Type: packet.Encryption, ID: packet.EncrAESCBC, KeyLength: 128}, "cbc256": {Type: packet.Encryption, ID: packet.EncrAESCBC, KeyLength: 256},
	"gcm128": {Type: packet.Encryption, ID: packet.EncrAESGCM16, KeyLength: 128}, "gcm256": {Type: packet.Encryption, ID: packet.EncrAESGCM16, KeyLength: 256},
	"chacha": {Type: packet.Encryption, ID: packet.EncrChaCha20}, "3des": {Type: packet.Encryption, ID: packet.Encr3DES},
	"gcm": {Type: packet.Encryption, ID: packet.EncrAESGCM16}, "chacha256": {Type: packet.Encryption, ID: packet.EncrChaCha20, KeyLength: 256},
	"sha1": {Type: packet.Integrity, ID: packet.AuthHMACSHA1}, "sha256": {Type: packet.Integrity, ID: packet.AuthHMACSHA256},
	"sha384": {Type: packet.Integrity, ID: packet.AuthHMACSHA384}, "sha512": {Type: packet.Integrity, ID: packet.AuthHMACSHA512}, "nointeg": {Type: packet.Integrity},
	"md5": {Type: packet.Integrity, ID: packet.AuthHMACMD5}, "sha256key": {Type: packet.Integrity, ID: packet.AuthHMACSHA256, KeyLength: 256},
	"prf1": {Type: packet.PRF, ID: packet.PRFHMACSHA1}, "prf256": {Type: packet.PRF, ID: packet.PRFHMACSHA2256},
	"prf384": {Type: packet.PRF, ID: packet.PRFHMACSHA2384}, "prf512": {Type: packet.PRF, ID: packet.PRFHMACSHA2512},
	"g2": {Type: packet.KeyExchange, ID: 2}, "g14": {Type: packet.KeyExchange, ID: 14}, "g19": {Type: packet.KeyExchange, ID: 19},
	"g20": {Type: packet.KeyExchange, ID: 20}, "g21": {Type: packet.KeyExchange, ID: 21}, "g31": {Type: packet.KeyExchange, ID: 31},
	"g36": {Type: packet.KeyExchange, ID: 36}, "nogroup": {Type: packet.KeyExchange},
	"add1:768": {Type: packet.AddKE1, ID: 36}, "add1:1024": {Type: packet.AddKE1, ID: 37}, "add1:none": {Type: packet.AddKE1}, "add1:512": {Type: packet.AddKE1, ID: 35},
	"add2:768": {Type: packet.AddKE2, ID: 36}, "add2:1024": {Type: packet.AddKE2, ID: 37}, "add2:none": {Type: packet.AddKE2}, "add1:g19": {Type: packet.AddKE1, ID: 19},
	"add7:768": {Type: packet.AddKE7, ID: 36},
	"esn":      {Type: packet.ESN, ID: packet.ESNYes}, "noesn": {Type: packet.ESN, ID: packet.ESNNo},
	"type13": {Type: 13, ID: 1}, "type0": {Type: 0, ID: 1},
	"cbc256+": {Type: packet.Encryption, ID: packet.EncrAESCBC, KeyLength: 256, Attributes: []packet.Attribute{{Type: 99, Short: true, Value: []byte{0, 1}}}},
}

// sa reads an SA payload: proposals separated by |, each of words. Numbers count from 1;
// a first word like #7 is another.
func sa(t testing.TB, protocol packet.Protocol, spi []byte, text string) *packet.SA {
	t.Helper()
	out := &packet.SA{}
	for i, p := range strings.Split(text, "|") {
		pr := packet.Proposal{Number: uint8(i + 1), Protocol: protocol, SPI: spi}
		for _, w := range strings.Fields(p) {
			if tr, ok := words[w]; ok {
				pr.Transforms = append(pr.Transforms, tr)
			} else if _, err := fmt.Sscanf(w, "#%d", &pr.Number); err != nil {
				t.Fatalf("no word %q", w)
			}
		}
		out.Proposals = append(out.Proposals, pr)
	}
	return out
}

// show writes the result of a choice in words: the number and the transforms of the
// answer, the additional groups; or the error.
func show(c *Choice, err error) string {
	var wrong *WrongGroup
	switch {
	case errors.As(err, &wrong):
		return fmt.Sprintf("wrong group, %d", wrong.Want)
	case errors.Is(err, ErrNoProposal):
		return "none"
	case err != nil:
		return err.Error()
	}
	out := []string{fmt.Sprintf("#%d", c.Answer.Number)}
	for _, tr := range c.Answer.Transforms {
		name := tr.String()
		for w, x := range words { // unordered: names differ
			if cmp.Equal(x, tr) {
				name = w
			}
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

var (
	spi4 = []byte{1, 2, 3, 4}
	spi8 = []byte{1, 2, 3, 4, 5, 6, 7, 8}

	aes256 = []packet.Transform{words["cbc256"]}
	gcm    = []packet.Transform{words["gcm256"], words["gcm128"]}
	both   = []packet.Transform{words["gcm256"], words["cbc256"]}
	sha2   = []uint16{packet.AuthHMACSHA512, packet.AuthHMACSHA256}
	prfs   = []uint16{packet.PRFHMACSHA2512, packet.PRFHMACSHA2256}
	groups = []packet.Group{packet.ECP384, packet.MODP2048}
	mlkem  = []packet.Group{packet.MLKEM768, packet.MLKEM1024}
)

// RFC 7296 sections 2.7, 3.3, 3.3.3, 3.3.6 and RFC 9370 section 2.2.1, case by case.
func TestChooseIKE(t *testing.T) {
	cbc := IKE{Encryption: aes256, Integrity: sha2, PRF: prfs, Groups: groups}
	aead := IKE{Encryption: gcm, PRF: prfs, Groups: groups}
	mixed := IKE{Encryption: both, Integrity: sha2, PRF: prfs, Groups: groups}
	optional, required := cbc, cbc
	optional.Additional = []Additional{{mlkem, true}}
	required.Additional = []Additional{{mlkem, false}}
	two := cbc
	two.Additional = []Additional{{mlkem, true}, {mlkem, true}}
	curve := cbc
	curve.Groups = []packet.Group{packet.ECP256}
	curve.Additional = []Additional{{[]packet.Group{packet.ECP256}, true}}
	for _, c := range []struct {
		name   string
		policy []IKE
		offer  string
		ke     packet.Group
		want   string
	}{
		{"one of each", []IKE{cbc}, "cbc256 sha256 prf256 g14", 14, "#1 cbc256 prf256 sha256 g14"},
		{"ours comes first", []IKE{cbc}, "cbc256 sha256 sha512 prf256 prf512 g14 g20", 20, "#1 cbc256 prf512 sha512 g20"},
		{"the group of the KE payload", []IKE{cbc}, "cbc256 sha256 prf256 g20 g14", 14, "#1 cbc256 prf256 sha256 g14"},
		{"another group is wanted", []IKE{cbc}, "cbc256 sha256 prf256 g19 g14", 19, "wrong group, 14"},
		{"of two, ours first", []IKE{cbc}, "cbc256 sha256 prf256 g19 g14 g20", 19, "wrong group, 20"},
		{"no KE payload", []IKE{cbc}, "cbc256 sha256 prf256 g14", 0, "wrong group, 14"},
		{"no group in common", []IKE{cbc}, "cbc256 sha256 prf256 g19 g31", 19, "none"},
		{"no cipher in common", []IKE{cbc}, "cbc128 sha256 prf256 g14", 14, "none"},
		{"no integrity in common", []IKE{cbc}, "cbc256 sha1 prf256 g14", 14, "none"},
		{"no PRF in common", []IKE{cbc}, "cbc256 sha256 prf1 g14", 14, "none"},
		{"no cipher", []IKE{cbc}, "sha256 prf256 g14", 14, "none"},
		{"no integrity", []IKE{cbc}, "cbc256 prf256 g14", 14, "none"},
		{"integrity NONE", []IKE{cbc}, "cbc256 nointeg prf256 g14", 14, "none"},
		{"no PRF", []IKE{cbc}, "cbc256 sha256 g14", 14, "none"},
		{"no group", []IKE{cbc}, "cbc256 sha256 prf256", 14, "none"},
		{"group NONE", []IKE{cbc}, "cbc256 sha256 prf256 nogroup", 0, "none"},
		{"ESN, which is not of IKE", []IKE{cbc}, "cbc256 sha256 prf256 g14 noesn", 14, "none"},
		{"an unknown type", []IKE{cbc}, "cbc256 sha256 prf256 g14 type13", 14, "none"},
		{"type 0", []IKE{cbc}, "cbc256 sha256 prf256 g14 type0", 14, "none"},
		{"an unknown type, and then a good one", []IKE{cbc}, "cbc256 sha256 prf256 g14 type13 | cbc256 sha512 prf256 g14", 14, "#2 cbc256 prf256 sha512 g14"},
		{"an unknown attribute", []IKE{cbc}, "cbc256+ sha256 prf256 g14", 14, "none"},
		{"an unknown attribute, and one without", []IKE{cbc}, "cbc256+ cbc256 sha256 prf256 g14", 14, "#1 cbc256 prf256 sha256 g14"},
		{"a key length where there is none", []IKE{cbc}, "cbc256 sha256key prf256 g14", 14, "none"},
		{"unknown ones are passed over", []IKE{cbc}, "3des cbc256 md5 sha256 prf256 g2 g14", 14, "#1 cbc256 prf256 sha256 g14"},

		{"AEAD without integrity", []IKE{aead}, "gcm128 prf256 g14", 14, "#1 gcm128 prf256 g14"},
		{"AEAD with NONE", []IKE{aead}, "gcm128 nointeg prf256 g14", 14, "#1 gcm128 prf256 nointeg g14"},
		{"AEAD with integrity", []IKE{aead}, "gcm128 sha256 prf256 g14", 14, "none"},
		{"AEAD without a key length", []IKE{aead}, "gcm prf256 g14", 14, "none"},
		{"both kinds, with integrity", []IKE{mixed}, "gcm256 cbc256 sha256 prf256 g14", 14, "#1 cbc256 prf256 sha256 g14"},
		{"both kinds, with NONE", []IKE{mixed}, "gcm256 cbc256 nointeg sha256 prf256 g14", 14, "#1 gcm256 prf256 nointeg g14"},

		{"the peer's order of proposals", []IKE{cbc, aead}, "gcm256 prf256 g14 | cbc256 sha256 prf256 g14", 14, "#1 gcm256 prf256 g14"},
		{"the second of the policy", []IKE{aead, cbc}, "cbc256 sha256 prf256 g14", 14, "#1 cbc256 prf256 sha256 g14"},
		{"number 7", []IKE{aead}, "#7 gcm256 prf256 g14", 14, "#7 gcm256 prf256 g14"},
		{"what is configured, and not ours", []IKE{{[]packet.Transform{words["3des"]}, sha2, prfs, groups, nil}}, "3des sha256 prf256 g14", 14, "none"},
		{"no policy", nil, "gcm256 prf256 g14", 14, "none"},

		{"ML-KEM, of both", []IKE{optional}, "cbc256 sha256 prf256 g14 add1:768 add1:1024 add1:none", 14, "#1 cbc256 prf256 sha256 g14 add1:768"},
		{"ML-KEM, of the peer", []IKE{optional}, "cbc256 sha256 prf256 g14 add1:1024", 14, "#1 cbc256 prf256 sha256 g14 add1:1024"},
		{"ML-KEM-512 alone", []IKE{optional}, "cbc256 sha256 prf256 g14 add1:512 add1:none", 14, "#1 cbc256 prf256 sha256 g14 add1:none"},
		{"ML-KEM-512 at any price", []IKE{optional}, "cbc256 sha256 prf256 g14 add1:512", 14, "none"},
		{"ML-KEM not offered", []IKE{optional}, "cbc256 sha256 prf256 g14", 14, "#1 cbc256 prf256 sha256 g14"},
		{"ML-KEM wanted, not offered", []IKE{required}, "cbc256 sha256 prf256 g14", 14, "none"},
		{"ML-KEM wanted and offered", []IKE{required}, "cbc256 sha256 prf256 g14 add1:none add1:1024", 14, "#1 cbc256 prf256 sha256 g14 add1:1024"},
		{"ML-KEM offered, not ours", []IKE{cbc}, "cbc256 sha256 prf256 g14 add1:768", 14, "none"},
		{"ML-KEM offered as optional, not ours", []IKE{cbc}, "cbc256 sha256 prf256 g14 add1:768 add1:none", 14, "#1 cbc256 prf256 sha256 g14 add1:none"},
		{"two exchanges, no method twice", []IKE{two}, "cbc256 sha256 prf256 g14 add1:768 add2:768 add2:1024", 14, "#1 cbc256 prf256 sha256 g14 add1:768 add2:1024"},
		{"two exchanges of one method", []IKE{two}, "cbc256 sha256 prf256 g14 add1:768 add2:768", 14, "none"},
		{"two exchanges of one method, the second optional", []IKE{two}, "cbc256 sha256 prf256 g14 add1:768 add2:768 add2:none", 14, "#1 cbc256 prf256 sha256 g14 add1:768 add2:none"},
		{"the seventh", []IKE{two}, "cbc256 sha256 prf256 g14 add7:768", 14, "none"},
		{"the group twice", []IKE{curve}, "cbc256 sha256 prf256 g19 add1:g19 add1:none", 19, "#1 cbc256 prf256 sha256 g19 add1:none"},
		{"ML-KEM in the first place", []IKE{{aes256, sha2, prfs, mlkem, nil}}, "cbc256 sha256 prf256 g36", 36, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			offer := sa(t, packet.ProtocolIKE, nil, c.offer)
			choice, err := ChooseIKE(offer, c.policy, c.ke, false, true)
			if got := show(choice, err); got != c.want {
				t.Fatalf("%s, want %s", got, c.want)
			}
			if err == nil {
				agrees(t, offer, choice, c.ke, nil)
			}
		})
	}
}

// agrees checks that the initiator accepts an answer, with spi, and understands the same
// by it.
func agrees(t interface{ Fatalf(string, ...any) }, offer *packet.SA, c *Choice, ke packet.Group, spi []byte) {
	answer := c.Answer
	answer.SPI = spi
	got, err := Accept(offer, &packet.SA{Proposals: []packet.Proposal{answer}}, ke)
	if err != nil {
		t.Fatalf("the initiator refuses %+v: %v", answer, err)
	}
	want := *c
	want.SPI = spi
	if d := cmp.Diff(strip(&want), strip(got)); d != "" {
		t.Fatalf("the ends differ (-responder +initiator):\n%s", d)
	}
}

// strip returns a choice without what does not matter to the agreement.
func strip(c *Choice) Choice {
	out := *c
	out.IKE.Encryption.Type, out.ESP.Encryption.Type = 0, 0
	return out
}

// An IKE SA that replaces another has an SPI in its offer, the first one has none (RFC
// 7296 section 3.3.1); without IKE_INTERMEDIATE there is no additional key exchange (RFC
// 9370 section 2.2).
func TestChooseIKEVariants(t *testing.T) {
	policy := []IKE{DefaultIKE()}
	for _, c := range []struct {
		name              string
		spi               []byte
		rekey, additional bool
		want              string
	}{
		{"first", nil, false, true, "#1 cbc256 prf512 sha512 g19 add1:768"},
		{"first, with an SPI", spi8, false, true, "none"},
		{"rekey", spi8, true, true, "#1 cbc256 prf512 sha512 g19 add1:768"},
		{"rekey without an SPI", nil, true, true, "none"},
		{"rekey with SPI 0", make([]byte, 8), true, true, "none"},
		{"no IKE_INTERMEDIATE", nil, false, false, "#1 cbc256 prf512 sha512 g19 add1:none"},
	} {
		offer := OfferIKE(policy, 0)
		for i := range offer.Proposals {
			offer.Proposals[i].SPI = c.spi
		}
		choice, err := ChooseIKE(offer, policy, packet.ECP256, c.rekey, c.additional)
		if got := show(choice, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if err == nil {
			agrees(t, offer, choice, packet.ECP256, c.spi)
		}
	}
	if _, err := ChooseIKE(sa(t, packet.ProtocolESP, nil, "cbc256 sha256 prf256 g14"), policy, 14, false, true); err != ErrNoProposal {
		t.Errorf("ESP as IKE: %v", err)
	}
	required := DefaultIKE()
	required.Additional[0].Optional = false
	if _, err := ChooseIKE(OfferIKE(policy, 0), []IKE{required}, packet.ECP256, false, false); err != ErrNoProposal {
		t.Errorf("ML-KEM wanted and not possible: %v", err)
	}
}

// Child SAs (RFC 7296 sections 1.2, 1.3, 3.3.3), case by case.
func TestChooseESP(t *testing.T) {
	plain := ESP{Encryption: gcm}
	cbc := ESP{Encryption: aes256, Integrity: sha2}
	pfs := ESP{Encryption: gcm, Groups: groups, Additional: []Additional{{mlkem, true}}}
	must := ESP{Encryption: gcm, Groups: groups, Additional: []Additional{{Groups: mlkem}}}
	some := ESP{Encryption: gcm, Groups: groups}
	esn := ESP{Encryption: gcm, ESN: []bool{true, false}}
	for _, c := range []struct {
		name   string
		policy ESP
		offer  string
		ke     packet.Group
		auth   bool
		want   string
	}{
		{"without PFS", plain, "gcm256 noesn", 0, true, "#1 gcm256 noesn"},
		{"cipher and integrity", cbc, "cbc256 sha256 noesn", 0, true, "#1 cbc256 sha256 noesn"},
		{"no ESN transform", plain, "gcm256", 0, true, "none"},
		{"ESN alone", plain, "gcm256 esn", 0, true, "none"},
		{"ESN wanted", esn, "gcm256 noesn esn", 0, true, "#1 gcm256 esn"},
		{"ESN wanted, not there", esn, "gcm256 noesn", 0, true, "#1 gcm256 noesn"},
		{"a PRF, which is not of ESP", plain, "gcm256 prf256 noesn", 0, true, "none"},
		{"an unknown type", plain, "gcm256 noesn type13", 0, true, "none"},
		{"integrity missing", cbc, "cbc256 noesn", 0, true, "none"},
		{"both wrong, then good", plain, "cbc256 sha256 noesn | gcm128 noesn", 0, true, "#2 gcm128 noesn"},

		{"what is configured, and not ours", ESP{Encryption: []packet.Transform{words["3des"]}, Integrity: sha2}, "3des sha256 noesn", 0, true, "none"},
		{"IKE_AUTH with a group: ignored", plain, "gcm256 g14 noesn", 0, true, "#1 gcm256 noesn"},
		{"IKE_AUTH, PFS configured", pfs, "gcm256 noesn", 0, true, "#1 gcm256 noesn"},
		{"IKE_AUTH, PFS of both", pfs, "gcm256 g20 add1:768 noesn", 0, true, "#1 gcm256 noesn"},

		{"PFS of both", pfs, "gcm256 g14 g20 noesn", 14, false, "#1 gcm256 g14 noesn"},
		{"PFS, another group", pfs, "gcm256 g19 g20 noesn", 19, false, "wrong group, 20"},
		{"PFS, no group in common", pfs, "gcm256 g19 noesn", 19, false, "none"},
		{"PFS, nothing offered", pfs, "gcm256 noesn", 0, false, "none"},
		{"PFS, NONE offered", pfs, "gcm256 nogroup noesn", 0, false, "none"},
		{"PFS with ML-KEM", pfs, "gcm256 g20 add1:1024 add1:none noesn", 20, false, "#1 gcm256 g20 noesn add1:1024"},

		{"PFS with ML-KEM, which the peer has not", must, "gcm256 g20 noesn", 20, false, "none"},
		{"PFS with ML-KEM, which we do not want", some, "gcm256 g20 add1:768 noesn", 20, false, "none"},

		{"the peer wants PFS", plain, "gcm256 g19 noesn", 19, false, "#1 gcm256 g19 noesn"},
		{"the peer wants PFS in another group", plain, "gcm256 g2 g19 g14 noesn", 2, false, "wrong group, 19"},
		{"the peer wants PFS, which is not ours", plain, "gcm256 g2 noesn", 2, false, "none"},
		{"the peer can do without", plain, "gcm256 g2 nogroup noesn", 2, false, "#1 gcm256 nogroup noesn"},
		{"the peer can do without, and has no KE payload", plain, "gcm256 g19 nogroup noesn", 0, false, "#1 gcm256 nogroup noesn"},
		{"the peer wants ML-KEM too", plain, "gcm256 g19 add1:768 noesn", 19, false, "#1 gcm256 g19 noesn add1:768"},
		{"ML-KEM without a group", plain, "gcm256 add1:768 noesn", 0, false, "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			offer := sa(t, packet.ProtocolESP, spi4, c.offer)
			choice, err := ChooseESP(offer, []ESP{c.policy}, c.ke, c.auth)
			if got := show(choice, err); got != c.want {
				t.Fatalf("%s, want %s", got, c.want)
			}
			// In IKE_AUTH an answer without the group that was offered against the RFC is
			// no answer to it.
			if err == nil && !(c.auth && strings.Contains(c.offer, " g")) {
				agrees(t, offer, choice, c.ke, spi4)
			}
		})
	}
	for _, spi := range [][]byte{nil, {0, 0, 0, 255}, {0, 0, 0, 0}, spi8} {
		if _, err := ChooseESP(sa(t, packet.ProtocolESP, spi, "gcm256 noesn"), []ESP{plain}, 0, true); err != ErrNoProposal {
			t.Errorf("SPI %x: %v", spi, err)
		}
	}
	if _, err := ChooseESP(sa(t, packet.ProtocolAH, spi4, "sha256 noesn"), []ESP{cbc}, 0, true); err != ErrNoProposal {
		t.Errorf("AH: %v", err)
	}
}

// Cisco's defaults as they are on the wire, and agreed on between two of us and with a
// router of before ML-KEM.
func TestCiscoDefaults(t *testing.T) {
	offer := OfferIKE([]IKE{DefaultIKE()}, 0)
	want := sa(t, packet.ProtocolIKE, nil, "cbc256 prf512 prf384 sha512 sha384 g19 g14 g21 add1:768 add1:1024 add1:none|cbc256 prf512 prf384 sha512 sha384 g19 g14 g21")
	if d := cmp.Diff(want, offer); d != "" {
		t.Errorf("offer (-want +got):\n%s", d)
	}
	if d := cmp.Diff(sa(t, packet.ProtocolESP, spi4, "cbc128 sha1 noesn"), OfferESP([]ESP{DefaultESP()}, 0x01020304, true)); d != "" {
		t.Errorf("offer of ESP (-want +got):\n%s", d)
	}
	choice, err := ChooseIKE(offer, []IKE{DefaultIKE()}, packet.ECP256, false, true)
	if got := show(choice, err); got != "#1 cbc256 prf512 sha512 g19 add1:768" {
		t.Error(got)
	}
	// What a router that knows no additional key exchanges makes of it (RFC 7296 section
	// 3.3.6): the first proposal has types that it does not know.
	legacy := &packet.SA{Proposals: offer.Proposals[1:]}
	choice, err = ChooseIKE(legacy, []IKE{DefaultIKE()}, packet.ECP256, false, false)
	if got := show(choice, err); got != "#2 cbc256 prf512 sha512 g19" {
		t.Error(got)
	}
	agrees(t, offer, choice, packet.ECP256, nil)
	old := sa(t, packet.ProtocolIKE, nil, "cbc256 prf512 prf384 sha512 sha384 g19 g14 g21 g2")
	choice, err = ChooseIKE(old, []IKE{DefaultIKE()}, packet.ECP256, false, false)
	if got := show(choice, err); got != "#1 cbc256 prf512 sha512 g19" {
		t.Error(got)
	}
	choice, err = ChooseESP(OfferESP([]ESP{DefaultESP()}, 0x01020304, true), []ESP{DefaultESP()}, 0, true)
	if got := show(choice, err); got != "#1 cbc128 sha1 noesn" {
		t.Error(got)
	}
	if choice.ESP.Integrity != packet.AuthHMACSHA1 || choice.ESP.Encryption.KeyLength != 128 || choice.ESN || choice.Group != packet.NoGroup {
		t.Errorf("%+v", choice.ESP)
	}
}

// RFC 7296 section 3.3.6: an answer that was not offered ends the exchange (F10).
func TestAcceptRefuses(t *testing.T) {
	const offer = "cbc256 gcm256 sha256 sha512 prf256 prf512 g14 g19 add1:768 add1:1024 add1:none | gcm256 prf256 g14 add1:768 add2:768 add2:1024"
	for _, c := range []struct {
		name, answer string
		ke           packet.Group
		ok           bool
	}{
		{"good", "cbc256 sha256 prf512 g14 add1:768", 14, true},
		{"NONE left out", "cbc256 sha256 prf512 g14", 14, true},
		{"the second", "#2 gcm256 prf256 g14 add1:768 add2:1024", 14, true},
		{"AEAD without the integrity that was offered", "gcm256 prf512 g14", 14, true},
		{"two proposals", "cbc256 sha256 prf512 g14 | gcm256 prf256 g14", 14, false},
		{"number 3", "#3 cbc256 sha256 prf512 g14", 14, false},
		{"number 0", "#0 cbc256 sha256 prf512 g14", 14, false},
		{"the second's, said to be the first's", "#2 cbc256 sha256 prf256 g14 add1:768 add2:1024", 14, false},
		{"another cipher", "chacha prf512 g14", 14, false},
		{"another key length", "cbc128 sha256 prf512 g14", 14, false},
		{"another group", "cbc256 sha256 prf512 g20", 20, false},
		{"a group that the KE payload has not", "cbc256 sha256 prf512 g19", 14, false},
		{"no group", "cbc256 sha256 prf512", 14, false},
		{"group NONE", "cbc256 sha256 prf512 nogroup", 14, false},
		{"no PRF", "cbc256 sha256 g14", 14, false},
		{"no integrity beside CBC", "cbc256 prf512 g14", 14, false},
		{"integrity beside AEAD", "gcm256 sha256 prf512 g14", 14, false},
		{"NONE that was not offered", "gcm256 nointeg prf512 g14", 14, false},
		{"two ciphers", "cbc256 gcm256 sha256 prf512 g14", 14, false},
		{"two PRFs", "cbc256 sha256 prf512 prf256 g14", 14, false},
		{"an attribute of its own", "cbc256 cbc256+ sha256 prf512 g14", 14, false},
		{"only one with an attribute", "cbc256+ sha256 prf512 g14", 14, false},
		{"ESN", "cbc256 sha256 prf512 g14 noesn", 14, false},
		{"an unknown type", "cbc256 sha256 prf512 g14 type13", 14, false},
		{"ML-KEM of another exchange", "cbc256 sha256 prf512 g14 add2:768", 14, false},
		{"ML-KEM-512", "cbc256 sha256 prf512 g14 add1:512", 14, false},
		{"ML-KEM left out that was not optional", "#2 gcm256 prf256 g14 add1:768", 14, false},
		{"ML-KEM twice", "#2 gcm256 prf256 g14 add1:768 add2:768", 14, false},
	} {
		choice, err := Accept(sa(t, packet.ProtocolIKE, nil, offer), sa(t, packet.ProtocolIKE, nil, c.answer), c.ke)
		if (err == nil) != c.ok || err != nil && err != ErrAnswer {
			t.Errorf("%s: %v, %v", c.name, choice, err)
		}
	}
	good := sa(t, packet.ProtocolIKE, nil, "cbc256 sha256 prf512 g14")
	for name, a := range map[string]*packet.SA{
		"nothing": {}, "ESP": sa(t, packet.ProtocolESP, spi4, "cbc256 sha256 prf512 g14"), "an SPI": sa(t, packet.ProtocolIKE, spi8, "cbc256 sha256 prf512 g14"),
	} { // unordered: each by itself
		if _, err := Accept(good, a, 14); err != ErrAnswer {
			t.Errorf("%s: %v", name, err)
		}
	}
	esp := sa(t, packet.ProtocolESP, spi4, "gcm256 g14 nogroup noesn esn")
	for _, c := range []struct {
		answer string
		ke     packet.Group
		spi    []byte
		ok     bool
	}{
		{"gcm256 g14 esn", 14, spi4, true}, {"gcm256 nogroup noesn", 14, spi4, true}, {"gcm256 noesn", 14, spi4, true}, {"gcm256 g14 noesn", 0, spi4, false},
		{"gcm256 g14", 14, spi4, true}, {"gcm256 g14 esn", 14, make([]byte, 4), false},
	} {
		choice, err := Accept(esp, sa(t, packet.ProtocolESP, c.spi, c.answer), c.ke)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v, %v", c.answer, choice, err)
		}
		if err == nil && choice.ESN != strings.HasSuffix(c.answer, " esn") {
			t.Errorf("%s: ESN %v", c.answer, choice.ESN)
		}
	}
}

func drawSome[T any](t *rapid.T, lo int, all ...T) []T {
	var out []T
	for _, v := range rapid.Permutation(all).Draw(t, "order") {
		if rapid.Bool().Draw(t, "in") {
			out = append(out, v)
		}
	}
	for i := 0; len(out) < lo; i++ {
		out = append(out, all[i])
	}
	return out
}

func drawAdditional(t *rapid.T) []Additional {
	var out []Additional
	for range rapid.IntRange(0, 2).Draw(t, "additional") {
		out = append(out, Additional{drawSome(t, 1, packet.MLKEM768, packet.MLKEM1024, packet.ECP384), rapid.Bool().Draw(t, "optional")})
	}
	return out
}

func drawCiphers(t *rapid.T) []packet.Transform {
	return drawSome(t, 1, words["cbc128"], words["cbc256"], words["gcm256"], words["chacha"])
}

func drawIKE(t *rapid.T) IKE {
	return IKE{
		drawCiphers(t), drawSome(t, 0, packet.AuthNone, packet.AuthHMACSHA1, packet.AuthHMACSHA256), drawSome(t, 1, packet.PRFHMACSHA1, packet.PRFHMACSHA2256),
		drawSome(t, 1, packet.MODP2048, packet.ECP384, packet.Curve25519), drawAdditional(t),
	}
}

// Whatever two policies are: a choice is one that the initiator accepts and understands
// in the same way, a wrong group is one that is chosen when it is offered next, and both
// ends can work with it.
func TestEndsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := []IKE{drawIKE(t), drawIKE(t)}, []IKE{drawIKE(t), drawIKE(t)}
		offer := OfferIKE(a, 0)
		ke := a[0].Groups[0]
		intermediate := rapid.Bool().Draw(t, "intermediate") // said in each IKE_SA_INIT alike
		c, err := ChooseIKE(offer, b, ke, false, intermediate)
		var wrong *WrongGroup
		if errors.As(err, &wrong) {
			ke = wrong.Want
			if c, err = ChooseIKE(offer, b, ke, false, intermediate); errors.As(err, &wrong) {
				t.Fatalf("%v was wanted, and now %v", ke, wrong.Want)
			}
		}
		if err != nil {
			return
		}
		if c.IKE.Check() != nil || !suite.Supported(c.Group) || suite.KEM(c.Group) {
			t.Fatalf("%+v", c)
		}
		agrees(t, offer, c, ke, nil)
	})
	rapid.Check(t, func(t *rapid.T) {
		draw := func() ESP {
			return ESP{drawCiphers(t), drawSome(t, 0, packet.AuthHMACSHA1, packet.AuthHMACSHA256), drawSome(t, 0, packet.MODP2048, packet.ECP384), drawAdditional(t), drawSome(t, 0, true, false)}
		}
		a, b := []ESP{draw(), draw()}, []ESP{draw(), draw()}
		auth := rapid.Bool().Draw(t, "auth")
		offer := OfferESP(a, 0x01020304, auth)
		ke := packet.NoGroup
		if !auth && len(a[0].Groups) > 0 {
			ke = a[0].Groups[0]
		}
		c, err := ChooseESP(offer, b, ke, auth)
		var wrong *WrongGroup
		if errors.As(err, &wrong) {
			ke = wrong.Want
			c, err = ChooseESP(offer, b, ke, auth)
		}
		if err != nil {
			return
		}
		agrees(t, offer, c, ke, spi4)
	})
}

// FuzzNegotiation: any SA payload, as an offer and as an answer.
func FuzzNegotiation(f *testing.F) {
	for _, s := range []*packet.SA{OfferIKE([]IKE{DefaultIKE()}, 0), OfferESP([]ESP{DefaultESP()}, 0x01020304, false)} {
		b, err := packet.AppendPayloads(nil, []packet.Payload{s})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(19))
	}
	f.Fuzz(func(t *testing.T, b []byte, ke uint16) {
		ps, err := packet.ParsePayloads(packet.TypeSA, b)
		if err != nil {
			return
		}
		offer, ok := packet.Find(ps, packet.TypeSA).(*packet.SA)
		if !ok {
			return
		}
		g := packet.Group(ke)
		if c, err := ChooseIKE(offer, []IKE{DefaultIKE()}, g, false, true); err == nil && (c.IKE.Check() != nil || c.Group != g) {
			t.Fatalf("%+v", c)
		}
		if c, err := ChooseESP(offer, []ESP{DefaultESP()}, g, ke&1 == 0); err == nil && c.ESP.Check() != nil {
			t.Fatalf("%+v", c)
		}
		if c, err := Accept(OfferIKE([]IKE{DefaultIKE()}, 0), offer, g); err == nil && (c.IKE.Check() != nil || c.Group != g) {
			t.Fatalf("%+v", c)
		}
	})
}
