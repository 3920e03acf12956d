package cli_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// TestContradictions has configurations that are refused, with the line that is blamed:
// that of a key, innermost last.
func TestContradictions(t *testing.T) {
	const proposal, policy, peer, profile, ipsec, trust = "crypto ikev2 proposal P\n ", "crypto ikev2 policy P\n ", "crypto ikev2 keyring K\n peer P\n  ",
		"crypto ikev2 profile P\n ", "crypto ipsec profile P\n ", "crypto pki trustpoint T\n "
	for _, tc := range []struct{ text, line, msg string }{
		{proposal + "encryption aes-cbc-256 aes-gcm-256", "ikev2.encryption", "in proposals of their own"},
		{proposal + "encryption aes-gcm-256 aes-cbc-256", "ikev2.encryption", "in proposals of their own"},
		{proposal + "integrity sha256\n encryption aes-gcm-256", "ikev2.integrity", "integrity of their own: the line is prf"},
		{proposal + "encryption aes-cbc-256 aes-cbc-256", "ikev2.encryption", "aes-cbc-256 is there twice"},
		{proposal + "integrity sha256 sha256", "ikev2.integrity", "sha256 is there twice"},
		{proposal + "prf sha256 sha256", "ikev2.prf", "sha256 is there twice"},
		{proposal + "group 14 19 14", "ikev2.group", "14 is there twice"},
		{proposal + "pqc mlkem768 mlkem768", "ikev2.pqc", "mlkem768 is there twice"},
		{ipsec + "set pfs group19 pqc mlkem768 mlkem768", "ipsec.set-pfs", "mlkem768 is there twice"},
		{policy + "match address local 0.0.0.0", "ikev2.match-address-local/0.0.0.0", "not the address of a router"},
		{policy + strings.Join(names("proposal P", packet.MaxProposals+1), "\n "), "ikev2.use-proposal/P64", "more than 64 proposals"},
		{peer + "address 10.1.0.0 255.0.0.0", "ikev2.peer-address", "bits outside of its mask"},
		{peer + "address 192.0.2.1\n  identity fqdn x", "ikev2.peer-identity", "known by its address"},
		{peer + "identity address 224.0.0.1", "ikev2.peer-identity", "not the address of a router"},
		{peer + "pre-shared-key a\n  pre-shared-key remote b", "ikev2.pre-shared-key/remote", "a key for both ends"},
		{peer + "pre-shared-key local", "ikev2.pre-shared-key/", "the key is missing"},
		{peer + "pre-shared-key 7 zz", "ikev2.pre-shared-key/", "Cisco's type 7"},
		{peer + "pre-shared-key local 6 zz", "ikev2.pre-shared-key/local", "only zebra can read it"},
		{peer + "pre-shared-key hex 123", "ikev2.pre-shared-key/", "hexadecimal digits"},
		{peer + "pre-shared-key hex zz", "ikev2.pre-shared-key/", "hexadecimal digits"},
		{profile + "match identity remote address 10.1.0.0 255.0.0.0", "ikev2.match-identity-remote/10.1.0.0/255.0.0.0/////", "bits outside of its mask"},
		{profile + "match identity remote address 0.0.0.0\n match identity remote address 0.0.0.0 0.0.0.0", "ikev2.match-identity-remote/0.0.0.0/0.0.0.0/////", "another notation"},
		{profile + "identity local address 0.0.0.0", "ikev2.identity-local", "not the address of a router"},
		{profile + "identity local dn\n authentication local pre-share", "ikev2.identity-local", "no identity where this end authenticates by a pre-shared key"},
		{profile + "authentication remote pre-share key 7 zz", "ikev2.authentication-remote/pre-share", "Cisco's type 7"},
		{profile + "authentication local pre-share key 6 zz", "ikev2.authentication-local", "only zebra can read it"},
		{"crypto ipsec transform-set T esp-aes 256", "ipsec.transform-set/T", "esp-aes needs integrity"},
		{"crypto ipsec transform-set T esp-gcm esp-sha-hmac", "ipsec.transform-set/T", "esp-gcm has integrity of its own"},
		{"crypto ipsec transform-set T esp-chacha20-poly1305 256", "ipsec.transform-set/T", "keys of one length"},
		{ipsec + "set transform-set A B A", "ipsec.set-transform-set", "A is there twice"},
		{ipsec + "set transform-set " + strings.Join(names("T", packet.MaxProposals+1), " "), "ipsec.set-transform-set", "more than 64 transform sets"},
		{trust + "private-key file hub.key", "pki.private-key", "begin at /"},
		{trust + "crl file /etc/../x", "pki.crl//etc/../x", "no . or .. in it"},
	} {
		_, _, errs := read(t, tc.text+"\n")
		if len(errs) != 1 || !strings.Contains(errs[0].Msg, tc.msg) || !strings.HasSuffix(errs[0].Path[len(errs[0].Path)-1], tc.line) {
			t.Errorf("%s: %q, want %q about %q", tc.text, errs, tc.msg, tc.line)
		}
	}
}

// names returns n texts that differ in the number after them.
func names(text string, n int) (out []string) {
	for i := range n {
		out = append(out, text+fmt.Sprint(i))
	}
	return out
}

// TestRefusedByName has lines of IOS that people paste, and a part of the reason.
func TestRefusedByName(t *testing.T) {
	const proposal, profile, ipsec, trust = "crypto ikev2 proposal P\n ", "crypto ikev2 profile P\n ", "crypto ipsec profile P\n ", "crypto pki trustpoint T\n "
	for text, msg := range map[string]string{
		"crypto isakmp policy 10\n encryption aes 256\n hash sha256\n authentication pre-share\n group 14\n lifetime 3600": "IKEv1 is not spoken",
		"crypto isakmp key SECRET address 0.0.0.0":                        "IKEv1 is not spoken",
		"crypto isakmp keepalive 10 3 periodic":                           "IKEv1 is not spoken",
		"crypto isakmp invalid-spi-recovery":                              "IKEv1 is not spoken",
		"crypto keyring K vrf INET\n pre-shared-key address 0 key X":      "IKEv1 is not spoken",
		"crypto isakmp profile P\n keyring K\n match identity x":          "IKEv1 is not spoken",
		ipsec + "set isakmp-profile P":                                    "IKEv1 is not spoken",
		"crypto ipsec transform-set T esp-3des esp-sha-hmac":              "weak",
		"crypto ipsec transform-set T esp-des\n mode transport":           "weak",
		"crypto ipsec transform-set T esp-aes 256 esp-md5-hmac":           "weak",
		"crypto ipsec transform-set T esp-null esp-sha-hmac":              "weak",
		"crypto ipsec transform-set T ah-sha-hmac":                        "weak",
		"crypto ipsec transform-set T esp-aes esp-sha-hmac\n mode tunnel": "transport mode",
		proposal + "encryption 3des":                                      "weak",
		proposal + "encryption aes-cbc-256 3des aes-cbc-128":              "weak",
		proposal + "integrity sha256 md5":                                 "weak",
		proposal + "prf md5":                                              "weak",
		proposal + "group 14 5 2":                                         "group 14 or above",
		proposal + "group 24":                                             "group 14 or above",
		proposal + "pqc mlkem512 optional":                                "mlkem768",
		ipsec + "set pfs group2":                                          "group14 or above",
		ipsec + "set pfs pqc mlkem768 optional":                           "set pfs group19 pqc mlkem768",
		ipsec + "set security-association idle-time 600":                  "NHRP",
		ipsec + "set security-association lifetime kilobytes disable":     "limit of volume",
		profile + "authentication remote eap query-identity":              "no remote access",
		profile + "aaa authorization group psk list L P":                  "no remote access",
		profile + "match certificate MAP":                                 "match identity remote",
		profile + "lifetime certificate":                                  "lifetime in seconds",
		"crypto map M 10 ipsec-isakmp":                                    "only tunnels are protected",
		"crypto call admission limit ike sa 10":                           "crypto ikev2 limit",
		"crypto ipsec df-bit clear":                                       "ip mtu",
		"crypto ipsec security-association replay disable":                "always dropped",
		"crypto pki certificate chain T":                                  "read from files",
		trust + "enrollment terminal":                                     "read from files",
		trust + "revocation-check crl none":                               "by lists",
		"crypto key generate rsa modulus 2048":                            "read from files",
		"crypto logging session":                                          "always logged",
	} {
		_, _, errs := read(t, text+"\n")
		if len(errs) == 0 {
			t.Errorf("%s: accepted", text)
		}
		for _, err := range errs {
			if !strings.HasPrefix(err.Msg, "not supported: ") || !strings.Contains(err.Msg, msg) {
				t.Errorf("%s: %q, want %q", text, err.Msg, msg)
			}
			if strings.Contains(err.Msg, "SECRET") {
				t.Errorf("%s: %q", text, err.Msg)
			}
		}
	}
}

// choice is a group of a pattern, of which the first word is taken.
var choice = regexp.MustCompile(`(?:\w+:)?[{\[](?:\w+:)?\{?([^|}\]]+)[^}\]]*[}\]]{1,2}(?:\.\.\.)?`)

// TestRefused wants a reason for each line that is known and not done.
func TestRefused(t *testing.T) {
	g := grammar(t)
	opener := map[string]string{cli.ModeProposal: "crypto ikev2 proposal P\n", cli.ModePeer: "crypto ikev2 keyring K\n peer P\n", cli.ModeProfile: "crypto ikev2 profile P\n",
		cli.ModeTransform: "crypto ipsec transform-set T esp-gcm\n", cli.ModeIPsec: "crypto ipsec profile P\n", cli.ModeTrustpoint: "crypto pki trustpoint T\n", "config": ""}
	found := 0
	for _, c := range cli.Grammar().Commands {
		if !c.Hidden || c.Mode == "ikev1" {
			continue
		}
		found++
		text := strings.ReplaceAll(c.Pattern, " [rest:LINE(200)]", "")
		text = strings.ReplaceAll(choice.ReplaceAllString(text, "$1"), "name:WORD(64)", "N")
		tree, errs := conf.Load(g, opener[c.Mode]+"   "+text+"\n", "test")
		if errs != nil {
			t.Errorf("%s: %v", text, errs)
			continue
		}
		if _, _, refused := cli.Read(tree.Filter(cli.Owner)); len(refused) != 1 || !strings.HasPrefix(refused[0].Msg, "not supported: ") {
			t.Errorf("%s: refused with %q", text, refused)
		}
	}
	if found < 60 {
		t.Errorf("%d refused lines", found)
	}
}
