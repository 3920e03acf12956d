package cli_test

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/cli/clitest"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// Configurations are drawn from the grammar itself, so that no line is left out.

// lines are those that open no block.
var lines = clitest.Lines{Commands: cli.Grammar().Commands, Values: map[string][]string{
	"A.B.C.D": {"10.0.0.0", "10.1.2.3", "172.16.0.0", "192.168.7.0"}, "ADDR": {"10.0.0.1", "172.31.0.2", "fe80::1", "2001:db8::1"},
	"MASK": {"255.0.0.0", "255.255.0.0"}, "WILDCARD": {"0.0.0.255", "0.255.255.255", "255.255.0.0"}, "PREFIX4": {"10.0.0.0/8", "172.16.0.0/12", "0.0.0.0/0"},
	"PREFIX6": {"2001:db8::/32", "::/0"}, "PREFIX": {"10.0.0.0/8", "2001:db8::/32"}, "IFNAME": {"Tunnel0", "Tunnel1", "Loopback0"},
	"WORD": {"A", "B", "10", "eigrp"}, "SECRET": {"s3cret", "01100F175804"},
}, Keep: func(c libcli.Command) bool { return c.NoForm != libcli.NoOnly && c.ID != cli.CmdAS }}

// builder makes a configuration of the drawn lines that can stand together.
type builder struct {
	t    *rapid.T
	g    *libcli.Grammar
	tree *conf.Tree
}

// fill adds drawn lines to a block; what is refused there is left out again.
func (b *builder) fill(mode, as string, block ...string) {
	for i := range rapid.IntRange(0, 6).Draw(b.t, mode) + 1 {
		text := strings.Join(block, "\n") + "\n"
		if i > 0 {
			text += lines.Draw(b.t, mode, map[string]string{"as": as}) + "\n"
		}
		tree, errs := conf.Merge(b.g, b.tree, text, "drawn")
		if errs != nil {
			b.t.Fatalf("%s\n%v", text, errs)
		}
		if _, refused := readTree(tree); refused == nil {
			b.tree = tree
		}
	}
}

// drawClassic draws a configuration in classic mode.
func drawClassic(t *rapid.T, g *libcli.Grammar) *conf.Tree {
	b := &builder{t, g, &conf.Tree{}}
	some := func() bool { return rapid.Bool().Draw(t, "there") }
	number := rapid.SampledFrom([]string{"100", "200", "300"})
	b.fill(cli.ModeClassic, "100", "router eigrp 100")
	if some() {
		b.fill(cli.ModeClassicAF, "", "router eigrp 100", "address-family ipv4 vrf RED autonomous-system "+number.Draw(t, "RED"))
	}
	if some() {
		b.fill(cli.ModeClassicAF, "", "router eigrp 100", "address-family ipv4 vrf BLUE autonomous-system "+number.Draw(t, "BLUE"))
	}
	if some() {
		b.fill(cli.ModeClassic, "200", "router eigrp 200")
	}
	if some() {
		b.fill(cli.ModeClassic6, "100", "ipv6 router eigrp 100")
	}
	for _, name := range []string{"Tunnel0", "Tunnel1", "Loopback1"} {
		for range 2 {
			b.fill("interface", number.Draw(t, "as"), "interface "+name)
		}
	}
	return b.tree
}

// drawNamed draws a configuration in named mode.
func drawNamed(t *rapid.T, g *libcli.Grammar) *conf.Tree {
	b := &builder{t, g, &conf.Tree{}}
	b.fill(cli.ModeNamed, "", "router eigrp N")
	for _, family := range []string{"ipv4 unicast autonomous-system 100", "ipv4 vrf RED autonomous-system 300", "ipv6 autonomous-system 100"} {
		open := []string{"router eigrp N", "address-family " + family}
		if !rapid.Bool().Draw(t, "there") {
			continue
		}
		b.fill(cli.ModeFamily, "", open...)
		b.fill(cli.ModeTopology, "", append(slices.Clone(open), "topology base")...)
		for _, name := range []string{"Tunnel0", "Tunnel1"} {
			b.fill(cli.ModeInterface, "", append(slices.Clone(open), "af-interface "+name)...)
		}
		if rapid.Bool().Draw(t, "default") {
			b.fill(cli.ModeDefault, "", append(slices.Clone(open), "af-interface default")...)
		}
	}
	return b.tree
}

// readTree reads what of a configuration comes to the daemon.
func readTree(tree *conf.Tree) (core.Config, error) {
	c, errs := cli.Read(tree.Filter(cli.Owner, policy.SharedIDs()...))
	if len(errs) > 0 {
		return c, fmt.Errorf("%v", errs)
	}
	return c, nil
}
