package edge

import (
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
)

// noCertificates is why lines about certificates are refused.
const noCertificates = "not supported yet: peers are authenticated by pre-shared keys"

// unsupported refuses what the core does not do.
func unsupported(tree *conf.Tree) (errs []plugin.LineError) {
	var walk func(nodes []*conf.Node, path []string)
	walk = func(nodes []*conf.Node, path []string) {
		for _, n := range nodes {
			at := append(slices.Clone(path), n.Key)
			switch n.ID {
			case cli.CmdTrustpoint, cli.CmdUseTrustpoint:
				errs = append(errs, plugin.LineError{Path: at, Msg: noCertificates})
				continue
			case cli.CmdAuthLocal, cli.CmdAuthRemote:
				if n.Args.String("method") != "pre-share" {
					errs = append(errs, plugin.LineError{Path: at, Msg: noCertificates})
				}
			}
			walk(n.Nodes, at)
		}
	}
	walk(tree.Nodes, nil)
	return errs
}
