package main

import (
	"testing"

	"github.com/godmvpn/godmvpn/lib/cli"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

// BenchmarkMerge is what zebra and vtysh do at their start: all grammars become one.
func BenchmarkMerge(b *testing.B) {
	trees := append([]cli.Owned{{Owner: zcli.Owner, Tree: zcli.Grammar()}}, builtin().Daemons...)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cli.Merge(trees...); err != nil {
			b.Fatal(err)
		}
	}
}
