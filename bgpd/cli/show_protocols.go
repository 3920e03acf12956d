package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// protocolJSON is BGP's element of `show ip protocols`.
type protocolJSON struct {
	Protocol  string   `json:"protocol"` // bgp AS
	VRF       string   `json:"vrf"`
	RouterID  string   `json:"routerId"`
	Running   bool     `json:"running"`
	Neighbors []string `json:"neighbors"`
}

// ShowProtocols prints BGP's section of `show ip protocols`.
func ShowProtocols(all []*Instance) cli.Output {
	list := []protocolJSON{}
	for _, in := range all {
		j := protocolJSON{Protocol: fmt.Sprintf("bgp %d", in.Router.Speaker.Process.AS), VRF: in.Router.VRF, RouterID: text(in.Config.Process.RouterID), Running: in.Running,
			Neighbors: []string{}}
		for i := range in.Statuses {
			j.Neighbors = append(j.Neighbors, in.Statuses[i].Address.String())
		}
		list = append(list, j)
	}
	return cli.Output{JSON: map[string]any{"protocols": list}, Text: func(w io.Writer) {
		for i, in := range all {
			j := list[i]
			fmt.Fprintf(w, "Routing Protocol is \"%s\"\n", j.Protocol)
			if j.VRF != "" {
				fmt.Fprintf(w, "  VRF %s\n", j.VRF)
			}
			if !j.Running {
				fmt.Fprintln(w, "  It does not run: there is no router ID, or no such VRF")
			}
			d := in.Router.distance
			fmt.Fprintf(w, "  IGP synchronization is disabled\n  Automatic route summarization is disabled\n  Neighbor(s):\n    Address\n")
			for _, n := range j.Neighbors {
				fmt.Fprintf(w, "    %s\n", n)
			}
			fmt.Fprintf(w, "  Maximum path: %d\n  Distance: external %d internal %d local %d\n\n", max(1, in.Router.Speaker.Selection.Paths), d.External, d.Internal, d.Local)
		}
	}}
}
