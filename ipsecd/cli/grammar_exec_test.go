package cli_test

import (
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/core"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	nhrpcli "github.com/godmvpn/godmvpn/nhrpd/cli"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

// merged is the grammar of all whose lines stand beside ipsecd's.
var merged = sync.OnceValues(func() (*libcli.Grammar, error) {
	return libcli.Merge(libcli.Owned{Owner: zcli.Owner, Tree: zcli.Grammar()}, libcli.Owned{Owner: nhrpcli.Owner, Tree: nhrpcli.Grammar()},
		libcli.Owned{Owner: cli.Owner, Tree: cli.Grammar()})
})

func grammar(t testing.TB) *libcli.Grammar {
	t.Helper()
	g, err := merged()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestProtectionIsZebras: the line of another that ipsecd reads has that ID.
func TestProtectionIsZebras(t *testing.T) {
	if cli.CmdProtection != zcli.CmdTunIPsec {
		t.Errorf("%q, zebra's is %q", cli.CmdProtection, zcli.CmdTunIPsec)
	}
}

// TestExec parses commands and checks the canonical text and the ID.
func TestExec(t *testing.T) {
	g := grammar(t)
	for _, tc := range []struct{ in, want, id string }{
		{"sh cry ikev2 sa", "show crypto ikev2 sa", cli.ExecSA},
		{"sh crypto ikev2 sa det", "show crypto ikev2 sa detailed", cli.ExecSA},
		{"show crypto ikev2 sa detailed remote 192.0.2.1", "", cli.ExecSA},
		{"show crypto ikev2 sa remote 192.0.2.1 detailed", "show crypto ikev2 sa detailed remote 192.0.2.1", cli.ExecSA},
		{"show crypto ikev2 session detailed", "", cli.ExecIKEv2Session},
		{"show crypto ikev2 stats", "", cli.ExecStats},
		{"show crypto ikev2 proposal", "", cli.ExecProposal},
		{"show crypto ikev2 proposal default", "", cli.ExecProposal},
		{"show crypto ikev2 policy", "", cli.ExecPolicy},
		{"show crypto ikev2 profile P", "", cli.ExecProfile},
		{"show crypto ipsec sa", "", cli.ExecIPsecSA},
		{"show crypto ipsec sa peer 192.0.2.1", "", cli.ExecIPsecSA},
		{"show crypto ipsec profile", "", cli.ExecIPsecProfile},
		{"show crypto ipsec transform-set", "", cli.ExecTransform},
		{"show crypto session", "", cli.ExecSession},
		{"show crypto session remote 192.0.2.1 detail", "", cli.ExecSession},
		{"show crypto socket", "", cli.ExecSocket},
		{"clear crypto session", "", cli.ExecClearSession},
		{"clear crypto session remote 192.0.2.1", "", cli.ExecClearSession},
		{"clear crypto sa", "", cli.ExecClearSA},
		{"clear crypto sa peer 192.0.2.1", "", cli.ExecClearSA},
		{"clear crypto sa counters", "", cli.ExecClearCounters},
		{"clear crypto ikev2 sa", "", cli.ExecClearIKEv2},
		{"clear crypto ikev2 stats", "", cli.ExecClearStats},
		{"debug crypto ikev2", "", "debug.crypto ikev2"},
		{"debug crypto ikev2 packet", "", "debug.crypto ikev2"},
		{"no debug crypto ikev2 internal", "", "debug.crypto ikev2"},
		{"debug crypto ipsec", "", "debug.crypto ipsec"},
		{"debug crypto socket", "", "debug.crypto socket"},
		{"undebug all", "", libcli.UndebugAll},
	} {
		m, err := g.Parse([]string{libcli.ModeEnable}, tc.in)
		if err != nil {
			t.Errorf("%q:\n%s", tc.in, err.Report())
			continue
		}
		if tc.want == "" {
			tc.want = tc.in
		}
		if m.Canonical != tc.want || m.Command.ID != tc.id {
			t.Errorf("%q: %q %s, want %q %s", tc.in, m.Canonical, m.Command.ID, tc.want, tc.id)
		}
	}
}

func TestClearing(t *testing.T) {
	peer := netip.MustParseAddr("192.0.2.1")
	for line, want := range map[string]core.Clear{
		"clear crypto session":                  {IKE: true, AllVRFs: true},
		"clear crypto session remote 192.0.2.1": {IKE: true, AllVRFs: true, Remote: peer},
		"clear crypto ikev2 sa":                 {IKE: true, AllVRFs: true},
		"clear crypto sa peer 192.0.2.1":        {Children: true, AllVRFs: true, Remote: peer},
		"clear crypto sa counters":              {Counters: true, AllVRFs: true},
		"clear crypto ikev2 stats":              {Counters: true, AllVRFs: true},
	} {
		m, err := grammar(t).Parse([]string{libcli.ModeEnable}, line)
		if err != nil {
			t.Fatal(err.Report())
		}
		if got, ok := cli.Clearing(m.Command.ID, m.Args); got != want || !ok {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	}
	if c, ok := cli.Clearing(cli.ExecSA, nil); ok || c != (core.Clear{}) {
		t.Errorf("show clears %+v", c)
	}
}

// TestEveryWordHasHelp wants a line of help for what "?" offers.
func TestEveryWordHasHelp(t *testing.T) {
	for _, word := range grammar(t).Undocumented() {
		if strings.HasPrefix(word, cli.Owner+" ") && !strings.Contains(word, ".refused-") {
			t.Errorf("no help for %s", word)
		}
	}
}

func TestPrompts(t *testing.T) {
	g := grammar(t)
	for stack, want := range map[string]string{
		cli.ModeProposal: "(config-ikev2-proposal)#", cli.ModePolicy: "(config-ikev2-policy)#", cli.ModeKeyring: "(config-ikev2-keyring)#",
		cli.ModeKeyring + " " + cli.ModePeer: "(config-ikev2-keyring-peer)#", cli.ModeProfile: "(config-ikev2-profile)#",
		cli.ModeTransform: "(cfg-crypto-trans)#", cli.ModeIPsec: "(ipsec-profile)#", cli.ModeTrustpoint: "(ca-trustpoint)#",
	} {
		if got := g.Prompt("hub1", append([]string{"config"}, strings.Fields(stack)...)); got != "hub1"+want {
			t.Errorf("%s: prompt %q, want %q", stack, got, want)
		}
	}
}
