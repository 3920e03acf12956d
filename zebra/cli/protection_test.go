package cli_test

import (
	"testing"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

// TestProtectionIsOff has the line refused as long as nobody can negotiate.
func TestProtectionIsOff(t *testing.T) {
	m, err := grammar(t).Parse([]string{"config", "interface"}, "tunnel protection ipsec profile DMVPN")
	if (err == nil) != zcli.TunnelProtection {
		t.Errorf("taken as %+v: %v", m, err)
	}
}

// TestProtection reads the line with the switch on.
func TestProtection(t *testing.T) {
	tree := zcli.Grammar()
	if !zcli.TunnelProtection {
		tree.Commands = append(tree.Commands, zcli.ProtectionCommand())
	}
	g, err := cli.Merge(cli.Owned{Owner: zcli.Owner, Tree: tree})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text   string
		shared bool
	}{
		{"interface Tunnel0\n tunnel source 192.0.2.1\n tunnel mode gre multipoint\n tunnel protection ipsec profile DMVPN\n", false},
		{"interface Tunnel0\n tunnel source 192.0.2.1\n tunnel mode gre multipoint\n tunnel protection ipsec profile DMVPN shared\n", true},
	} {
		lines, lineErrs := conf.Load(g, c.text, "test")
		cfg, errs := zcli.Read(lines)
		if len(lineErrs)+len(errs) > 0 {
			t.Fatalf("%v %v", lineErrs, errs)
		}
		if tun := cfg.Iface.Interfaces[0].Tunnel; tun.Protection != "DMVPN" || tun.Shared != c.shared {
			t.Errorf("%q: %+v", c.text, tun)
		}
	}
}
