// Package policytest reads policy for the tests of those that use it.
package policytest

import (
	"testing"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// Parse reads policy as it is configured: lists, route-maps, key chains. The test ends where
// any of it is refused.
func Parse(t testing.TB, text string) *policy.Set {
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
