package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

type groupJSON struct {
	Interface string          `json:"interface"`
	Group     string          `json:"group"`
	Policy    string          `json:"policy"`
	Peers     []groupPeerJSON `json:"peers"`
}

type groupPeerJSON struct {
	Tunnel string `json:"tunnel"`
	NBMA   string `json:"nbma"`
}

// ShowGroups prints the groups that have policies, or one of them: `show ip nhrp
// group-map`.
func ShowGroups(r *core.GroupReport, only string) cli.Output {
	list := []groupJSON{}
	for _, i := range r.Interfaces {
		for _, g := range i.Groups {
			if only != "" && only != g.Group {
				continue
			}
			row := groupJSON{Interface: i.Interface, Group: g.Group, Policy: g.Policy, Peers: []groupPeerJSON{}}
			for _, p := range g.Peers {
				row.Peers = append(row.Peers, groupPeerJSON{text(p.Tunnel), text(p.NBMA)})
			}
			list = append(list, row)
		}
	}
	return cli.Output{JSON: map[string]any{"groups": list}, Text: func(w io.Writer) {
		for i, g := range list {
			if i == 0 || list[i-1].Interface != g.Interface {
				fmt.Fprintf(w, "Interface: %s\n\n", g.Interface)
			}
			fmt.Fprintf(w, "NHRP group: %s\n  QoS policy: %s\n  Tunnels using the QoS policy:", g.Group, g.Policy)
			if len(g.Peers) == 0 {
				fmt.Fprint(w, " None\n")
				continue
			}
			fmt.Fprint(w, "\n  Tunnel destination overlay/transport address\n")
			for _, p := range g.Peers {
				fmt.Fprintf(w, "  %s/%s\n", p.Tunnel, p.NBMA)
			}
		}
	}}
}

type policyJSON struct {
	Name  string `json:"name"`
	Rate  uint64 `json:"rate"`            // bits in a second; 0: none
	Burst uint64 `json:"burst,omitempty"` // bits
}

// ShowPolicies prints the policies, or one of them: `show policy-map`.
func ShowPolicies(r *core.PolicyReport, only string) cli.Output {
	list := []policyJSON{}
	for _, p := range r.Policies {
		if only == "" || only == p.Name {
			list = append(list, policyJSON{p.Name, p.Rate, 8 * uint64(p.Burst)})
		}
	}
	return cli.Output{JSON: map[string]any{"policies": list}, Text: func(w io.Writer) {
		for _, p := range list {
			fmt.Fprintf(w, "  Policy Map %s\n", p.Name)
			if p.Rate == 0 {
				continue
			}
			fmt.Fprintf(w, "    Class class-default\n      Average Rate Traffic Shaping\n      cir %d (bps)", p.Rate)
			if p.Burst > 0 {
				fmt.Fprintf(w, ", bc %d (bits)", p.Burst)
			}
			fmt.Fprintln(w)
		}
	}}
}
