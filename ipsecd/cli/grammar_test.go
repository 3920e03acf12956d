package cli_test

import (
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
)

var (
	inConfig    = []string{"config"}
	inProposal  = []string{"config", cli.ModeProposal}
	inPolicy    = []string{"config", cli.ModePolicy}
	inKeyring   = []string{"config", cli.ModeKeyring}
	inPeer      = []string{"config", cli.ModeKeyring, cli.ModePeer}
	inProfile   = []string{"config", cli.ModeProfile}
	inTransform = []string{"config", cli.ModeTransform}
	inIPsec     = []string{"config", cli.ModeIPsec}
	inTrust     = []string{"config", cli.ModeTrustpoint}
)

// TestLines parses lines that engineers paste and checks the canonical text. "" is the
// line itself.
func TestLines(t *testing.T) {
	g := grammar(t)
	for _, tc := range []struct {
		stack    []string
		in, want string
	}{
		{inConfig, "cry ikev2 prop P", "crypto ikev2 proposal P"},
		{inConfig, "crypto ikev2 proposal default", ""},
		{inConfig, "crypto ikev2 limit max-in-negotation-sa 8 outgoing", ""},
		{inConfig, "crypto ikev2 limit max-in-negotiation-sa 8", ""},
		{inConfig, "crypto ikev2 limit max-sa 10", ""},
		{inConfig, "crypto ikev2 cookie 4", "crypto ikev2 cookie-challenge 4"},
		{inConfig, "crypto ikev2 dpd 30 5 on", "crypto ikev2 dpd 30 5 on-demand"},
		{inConfig, "crypto ikev2 nat keepalive 5", ""},
		{inConfig, "crypto ikev2 fragmentation mtu 1400", ""},
		{inConfig, "crypto ipsec security-association replay window-size 1024", ""},
		{inConfig, "crypto ipsec transform-set T esp-aes 256 esp-sha-hmac", ""},
		{inConfig, "crypto ipsec transform-set T esp-sha256-hmac esp-aes", ""},
		{inConfig, "crypto ipsec transform-set T esp-gcm 192", ""},
		{inConfig, "crypto isakmp policy 10", ""},
		{inProposal, "encryption aes-cbc-256 aes-cbc-128", ""},
		{inProposal, "encryption aes-cbc-128 aes-cbc-256", ""},
		{inProposal, "group 19 14 21", ""},
		{inProposal, "prf sha512", ""},
		{inProposal, "pqc mlkem768 mlkem1024", ""},
		{inProposal, "pqc mlkem768 opt", "pqc mlkem768 optional"},
		{inPolicy, "match fvrf any", ""},
		{inPolicy, "match address local 192.0.2.1", ""},
		{inKeyring, "peer ANY", ""},
		{inPeer, "address 0.0.0.0 0.0.0.0", ""},
		{inPeer, "address ::/0", ""},
		{inPeer, "pre-shared-key local secret", ""},
		{inPeer, "pre-shared-key local 6 secret", ""},
		{inPeer, "pre-shared-key 0 secret", ""},
		{inProfile, "match identity remote address 0.0.0.0", ""},
		{inProfile, "match identity remote address 0.0.0.0 0.0.0.0", ""},
		{inProfile, "match identity remote fqdn domain example.net", ""},
		{inProfile, "match identity remote any", ""},
		{inProfile, "identity local address 192.0.2.1", ""},
		{inProfile, "identity local dn", ""},
		{inProfile, "authentication remote pre-share", ""},
		{inProfile, "auth local pre-share key 7 01100F175804", "authentication local pre-share key 7 01100F175804"},
		{inProfile, "authentication local rsa-sig", ""},
		{inProfile, "lifetime 3600", ""},
		{inTransform, "mode transport", ""},
		{inTransform, "esn", ""},
		{inIPsec, "set transform-set A B", ""},
		{inIPsec, "set pfs group19", ""},
		{inIPsec, "set pfs group21 pqc mlkem1024 opt", "set pfs group21 pqc mlkem1024 optional"},
		{inIPsec, "set security lifetime sec 3600", "set security-association lifetime seconds 3600"},
		{inIPsec, "set ikev2-profile P", ""},
		{inIPsec, "responder-only", ""},
		{inTrust, "revocation-check none", ""},
		{inTrust, "ca-certificate file /etc/ca.pem", ""},
	} {
		m, err := g.Parse(tc.stack, tc.in)
		if err != nil {
			t.Errorf("%q:\n%s", tc.in, err.Report())
			continue
		}
		if tc.want == "" {
			tc.want = tc.in
		}
		if m.Canonical != tc.want || m.Level != len(tc.stack)-1 || m.Command.Owner != cli.Owner {
			t.Errorf("%q: canonical %q at level %d of %s, want %q", tc.in, m.Canonical, m.Level, m.Command.Owner, tc.want)
		}
	}
}

// TestNotUnderstood has lines that must not be accepted.
func TestNotUnderstood(t *testing.T) {
	g := grammar(t)
	for _, tc := range []struct {
		stack []string
		line  string
	}{
		{inConfig, "crypto ikev2 proposal"},
		{inConfig, "crypto ikev2 limit max-in-negotation-sa 0"},
		{inConfig, "crypto ikev2 fragmentation mtu 68"},
		{inConfig, "crypto ikev2 dpd 5 5 periodic"},
		{inConfig, "crypto ipsec transform-set T"},
		{inConfig, "crypto ipsec transform-set T esp-aes 512 esp-sha-hmac"},
		{inConfig, "crypto ipsec security-association replay window-size 100"},
		{inProposal, "encryption"},
		{inProposal, "encryption aes-cbc-512"},
		{inProposal, "group 17"},
		{inProposal, "pqc optional"},
		{inProposal, "pqc kyber"},
		{inPeer, "address 192.0.2.1/24"},
		{inProfile, "match identity remote"},
		{inProfile, "authentication local"},
		{inProfile, "lifetime 10"},
		{inIPsec, "set pfs"},
		{inIPsec, "set transform-set"},
		{inTrust, "revocation-check"},
	} {
		if m, err := g.Parse(tc.stack, tc.line); err == nil {
			t.Errorf("%q was taken as %q", tc.line, m.Canonical)
		}
	}
}

// TestNo removes and replaces lines in the forms that people type.
func TestNo(t *testing.T) {
	g := grammar(t)
	const proposal, policy, peer, profile, ipsec, trust = "crypto ikev2 proposal P", "crypto ikev2 policy P", "crypto ikev2 keyring K\n peer P",
		"crypto ikev2 profile P", "crypto ipsec profile P", "crypto pki trustpoint T"
	for _, tc := range []struct{ block, line, no, rest string }{
		{"", "crypto ikev2 limit max-in-negotation-sa 8", "crypto ikev2 limit max-in-negotiation-sa 9", "crypto ikev2 limit max-in-negotiation-sa 9"},
		{"", "crypto ikev2 limit max-in-negotation-sa 8", "no crypto ikev2 limit max-in-negotiation-sa 8", ""},
		{"", "crypto ikev2 limit max-in-negotation-sa 8 incoming", "no crypto ikev2 limit max-in-negotation-sa 8 incoming", ""},
		{"", "crypto ikev2 cookie-challenge 4", "no crypto ikev2 cookie-challenge", ""},
		{"", "crypto ikev2 nat keepalive 30", "default crypto ikev2 nat keepalive", ""},
		{"", "no crypto ikev2 fragmentation", "crypto ikev2 fragmentation", ""},
		{"", "crypto ikev2 fragmentation mtu 1400", "no crypto ikev2 fragmentation", "no crypto ikev2 fragmentation"},
		{"", "crypto ipsec security-association replay window-size 64", "crypto ipsec security-association replay window-size 128", ""},
		{"", "crypto ipsec security-association lifetime seconds 500", "crypto ipsec security-association lifetime seconds 3600", ""},
		{"", "crypto ipsec transform-set T esp-gcm", "crypto ipsec transform-set T esp-aes esp-sha-hmac", "crypto ipsec transform-set T esp-aes esp-sha-hmac"},
		{"", "crypto ipsec transform-set T esp-gcm", "no crypto ipsec transform-set T", ""},
		{"", "crypto ikev2 proposal P", "no crypto ikev2 proposal P", ""},
		{proposal, "group 14", "group 19", "group 19"},
		{proposal, "group 14", "no group", ""},
		{proposal, "pqc mlkem768 optional", "no pqc mlkem768 optional", ""},
		{policy, "match fvrf any", "match fvrf RED", "match fvrf RED"},
		{policy, "proposal A", "no proposal A", ""},
		{peer, "address 10.0.0.0 255.0.0.0", "address 192.0.2.1", "address 192.0.2.1"},
		{peer, "pre-shared-key local a", "pre-shared-key local b", "pre-shared-key local b"},
		{peer, "pre-shared-key local a", "no pre-shared-key local a", ""},
		{profile, "match identity remote any", "no match identity remote any", ""},
		{profile, "authentication remote pre-share", "authentication remote rsa-sig", "authentication remote pre-share; authentication remote rsa-sig"},
		{profile, "authentication remote pre-share", "no authentication remote pre-share", ""},
		{profile, "authentication local pre-share", "authentication local rsa-sig", "authentication local rsa-sig"},
		{profile, "dpd 10 2 periodic", "no dpd", ""},
		{profile, "lifetime 3600", "lifetime 86400", ""},
		{profile, "lifetime 3600", "no lifetime", ""},
		{profile, "keyring local K", "no keyring", ""},
		{proposal, "pqc mlkem768 optional", "no pqc", ""},
		{trust, "revocation-check none", "no revocation-check", ""},
		{ipsec, "set transform-set A", "set transform-set B", "set transform-set B"},
		{ipsec, "set pfs group19", "no set pfs", ""},
		{ipsec, "set pfs group19 pqc mlkem768 optional", "no set pfs", ""},
		{ipsec, "responder-only", "no responder-only", ""},
		{trust, "revocation-check none", "revocation-check crl", ""},
		{trust, "ca-certificate file /a", "ca-certificate file /b", "ca-certificate file /a; ca-certificate file /b"},
	} {
		depth := 0
		if tc.block != "" {
			depth = strings.Count(tc.block, "\n") + 1
		}
		tree, errs := conf.Load(g, tc.block+"\n   "+tc.line+"\n   "+tc.no+"\n", "test")
		if errs != nil {
			t.Errorf("%q: %v", tc.no, errs)
			continue
		}
		block := &tree.Block
		for range depth {
			block = &block.Nodes[0].Block
		}
		var left []string
		for _, n := range block.Nodes {
			left = append(left, n.Line)
		}
		if got := strings.Join(left, "; "); got != tc.rest {
			t.Errorf("%q then %q leaves %q, want %q", tc.line, tc.no, got, tc.rest)
		}
	}
}
