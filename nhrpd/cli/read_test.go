package cli_test

import (
	"testing"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// grammar is nhrpd's, with the mode and the line of zebra that it adds to.
func grammar(t *testing.T) *libcli.Grammar {
	t.Helper()
	g, err := libcli.Merge(libcli.Owned{Owner: "zebra", Tree: libcli.Tree{
		Modes:    []libcli.Mode{{Name: "interface", Parent: libcli.ModeConfig, Prompt: "(config-if)#"}},
		Commands: []libcli.Command{{ID: "zebra.interface", Mode: libcli.ModeConfig, Pattern: "interface name:IFNAME", Enters: "interface", Key: []string{"name"}}},
	}}, libcli.Owned{Owner: cli.Owner, Tree: cli.Grammar()})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// read reads what of a configuration comes to nhrpd.
func read(t *testing.T, text string) (core.Config, []plugin.LineError) {
	t.Helper()
	tree, errs := conf.Load(grammar(t), text, "test")
	if errs != nil {
		t.Fatalf("%s\n%v", text, errs)
	}
	return cli.Read(tree.Filter(cli.Owner))
}

// Both forms of `nhrp group` are one line: the last is in force, and either "no"
// form takes it away.
func TestReadGroup(t *testing.T) {
	for _, c := range []struct{ lines, want string }{
		{" nhrp group GOLD", "GOLD"},
		{" ip nhrp group GOLD", "GOLD"},
		{" ip nhrp group GOLD\n nhrp group SILVER", "SILVER"},
		{" nhrp group SILVER\n ip nhrp group GOLD", "GOLD"},
		{" nhrp group GOLD\n no ip nhrp group", ""},
		{" ip nhrp group GOLD\n no nhrp group GOLD", ""},
	} {
		cfg, errs := read(t, "interface Tunnel0\n ip nhrp network-id 1\n"+c.lines+"\n")
		if len(errs) > 0 || len(cfg.Interfaces) != 1 || cfg.Interfaces[0].Group != c.want {
			t.Errorf("%q: %+v %v, want group %q", c.lines, cfg.Interfaces, errs, c.want)
		}
	}
	_, errs := read(t, "interface Tunnel0\n nhrp group Gr\u00fcn\n")
	if len(errs) != 1 {
		t.Errorf("a name that is not ASCII: %v", errs)
	}
}
