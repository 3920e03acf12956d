package cli_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/cli/clitest"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// Configurations are drawn from the grammar itself, so that no line is left out.

// lines are those that open no block.
var lines = clitest.Lines{Commands: cli.Grammar().Commands, Values: map[string][]string{
	"A.B.C.D": {"10.0.0.0", "192.0.2.1", "0.0.0.0"}, "ADDR": {"192.0.2.1", "2001:db8::1"}, "MASK": {"255.0.0.0", "255.255.255.0"}, "X:X::X:X": {"2001:db8::1"},
	"PREFIX6": {"2001:db8::/32", "::/0"}, "WORD": {"A", "B", "/etc/x", "any"}, "SECRET": {"s3cret", "01100F175804", "00ff", "remote"}, "LINE": {"what it is for"},
}}

// blocks are the blocks that are filled with drawn lines; of transform sets the line
// itself says much.
var blocks = [][2]string{{"config", ""}, {cli.ModeTrustpoint, "crypto pki trustpoint A"}, {cli.ModeProposal, "crypto ikev2 proposal A"}, {cli.ModeProposal, "crypto ikev2 proposal default"},
	{cli.ModePolicy, "crypto ikev2 policy A"}, {cli.ModePeer, "crypto ikev2 keyring A\npeer B"}, {cli.ModePeer, "crypto ikev2 keyring A\npeer A"}, {cli.ModeProfile, "crypto ikev2 profile A"},
	{cli.ModeTransform, "crypto ipsec transform-set A esp-gcm"}, {cli.ModeTransform, "crypto ipsec transform-set B esp-sha-hmac esp-aes 256"}, {cli.ModeIPsec, "crypto ipsec profile A"}}

// drawTree makes a configuration of drawn lines that can stand together, and that is
// accepted; what is refused is left out again.
func drawTree(t *rapid.T, g *libcli.Grammar) *conf.Tree {
	whole := &conf.Tree{}
	for _, b := range blocks {
		for range rapid.IntRange(0, 6).Draw(t, b[0]) {
			text := lines.Draw(t, b[0], nil)
			tree, errs := conf.Merge(g, whole, b[1]+"\n"+text+"\n", "drawn")
			if errs != nil {
				t.Fatalf("%s\n%s\n%v", b[1], text, errs)
			}
			if _, _, refused := cli.Read(tree.Filter(cli.Owner)); refused == nil {
				whole = tree
			}
		}
	}
	return whole
}

// TestPrintedParsesBack: what is printed of a configuration is that configuration, and
// means the same.
func TestPrintedParsesBack(t *testing.T) {
	g := grammar(t)
	rapid.Check(t, func(t *rapid.T) {
		tree := drawTree(t, g)
		again, errs := conf.Load(g, tree.Text(), "printed")
		if errs != nil {
			t.Fatalf("%s\n%v", tree.Text(), errs)
		}
		if !tree.Equal(again) {
			t.Fatalf("%s\nis read as\n%s", tree.Text(), again.Text())
		}
		want, files, _ := cli.Read(tree.Filter(cli.Owner))
		got, gotFiles, refused := cli.Read(again.Filter(cli.Owner))
		if diff := cmp.Diff(want, got, comparable...) + cmp.Diff(files, gotFiles); diff != "" || refused != nil {
			t.Fatalf("%s\n%v\n%s", tree.Text(), refused, diff)
		}
	})
}
