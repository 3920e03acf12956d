package core

import (
	"testing"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// ParsePolicy reads policy as it is configured.
func ParsePolicy(t testing.TB, text string) *policy.Set {
	t.Helper()
	g, err := cli.Merge(cli.Owned{Owner: "zebra", Tree: policy.Grammar()})
	if err != nil {
		t.Fatal(err)
	}
	tree, errs := conf.Load(g, text, "test")
	if errs != nil {
		t.Fatal(errs)
	}
	set, refused := policy.Read(tree)
	if refused != nil {
		t.Fatal(refused)
	}
	return set
}
