package cli_test

import (
	"slices"
	"strings"
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

const policies = `policy-map TEN
 class class-default
  shape average 10000000
policy-map ONE
 class class-default
  shape average 1000000 80000
policy-map EMPTY
`

// Policies apply by group; both forms of the line are one, for each group.
func TestReadPolicy(t *testing.T) {
	cfg, errs := read(t, policies+`interface Tunnel0
 ip nhrp network-id 1
 nhrp map group GOLD service-policy output ONE
 ip nhrp map group SILVER service-policy output ONE
 ip nhrp map group GOLD service-policy output TEN
`)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want := []core.Policy{{Name: "EMPTY"}, {Name: "ONE", Rate: 1000000, Burst: 10000}, {Name: "TEN", Rate: 10000000}}
	if !slices.Equal(cfg.Policies, want) {
		t.Errorf("policies %+v, want %+v", cfg.Policies, want)
	}
	groups := slices.Clone(cfg.Interfaces[0].GroupMaps)
	slices.SortFunc(groups, func(a, b core.GroupMap) int { return strings.Compare(a.Group, b.Group) })
	if want := []core.GroupMap{{Group: "GOLD", Policy: "TEN"}, {Group: "SILVER", Policy: "ONE"}}; !slices.Equal(groups, want) {
		t.Errorf("groups %+v, want %+v", groups, want)
	}
}

// What no policy is, or does here, is refused at its line.
func TestReadPolicyRefused(t *testing.T) {
	for text, want := range map[string]string{
		"interface Tunnel0\n nhrp map group GOLD service-policy output TWO\n":      "there is no policy-map TWO",
		"interface Tunnel0\n ip nhrp map group GOLD service-policy output TWO\n":   "there is no policy-map TWO",
		"interface Tunnel0\n nhrp map group GOLD service-policy output EMPTY\n":    `policy-map EMPTY has no "shape average"`,
		"interface Tunnel0\n nhrp map group Gr\u00fcn service-policy output TEN\n": "printable ASCII",
		"interface Ethernet0\n nhrp map group GOLD service-policy output TEN\n":    "Ethernet0 is no tunnel",
		"policy-map TEN\n class VOICE\n":                                           "there is no class VOICE",
		"policy-map TEN\n class class-default\n  bandwidth percent 20\n":           "not done here",
		"policy-map TEN\n class class-default\n  priority\n":                       "not done here",
		"policy-map TEN\n class class-default\n  service-policy CHILD\n":           "not done here",
	} {
		if _, errs := read(t, policies+text); len(errs) != 1 || !strings.Contains(errs[0].Msg, want) {
			t.Errorf("%q: %+v, want %q", text, errs, want)
		}
	}
}
