package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// forwarding returns how packets for a prefix leave: the next hops that were asked
// of the kernel, which are those of an override where one is in force, or those of
// a route that the kernel has by itself.
func forwarding(v rib.PrefixView) []librib.NextHop {
	if len(v.Forwarding) > 0 {
		return v.Forwarding
	}
	r, ok := v.Selected()
	if !ok || !kernelHas(r.Route.Protocol) {
		return nil
	}
	return r.Route.NextHops
}

// ShowCEF prints how packets for a prefix leave: `show ip cef A.B.C.D`.
func ShowCEF(v rib.PrefixView, found bool, asked string) cli.Output {
	hops := forwarding(v)
	r, _ := v.Selected()
	if !found || len(hops) == 0 {
		return cli.Output{JSON: map[string]any{"found": false}, Text: func(w io.Writer) {
			fmt.Fprintf(w, "%%Prefix not found: %s\n", asked)
		}}
	}
	override := v.Override != nil && v.Override.InForce && !r.IsOverride
	type row struct {
		Prefix   string        `json:"prefix"`
		Protocol string        `json:"protocol"`
		Override bool          `json:"nextHopOverride"`
		Error    string        `json:"fibError,omitempty"`
		NextHops []nextHopJSON `json:"nextHops"`
	}
	j := row{Prefix: v.Prefix.String(), Protocol: r.Route.Protocol.String(), Override: override, NextHops: []nextHopJSON{}}
	if v.FIB == rib.FIBFailed {
		j.Error = v.Error
	}
	for _, h := range hops {
		n := nextHopJSON{Interface: h.Interface, Discard: h.Discard, Weight: h.Weight, Active: true}
		if h.Addr.IsValid() {
			n.Address = h.Addr.String()
		}
		j.NextHops = append(j.NextHops, n)
	}
	return cli.Output{JSON: j, Text: func(w io.Writer) {
		fmt.Fprintln(w, v.Prefix)
		for _, h := range hops {
			fmt.Fprintln(w, "  "+cefHop(r.Route.Protocol, h))
		}
		if j.Error != "" {
			fmt.Fprintf(w, "  not in the kernel: %s\n", j.Error)
		}
	}}
}

func cefHop(p librib.Protocol, h librib.NextHop) string {
	switch {
	case h.Discard:
		return "attached to Null0"
	case p == librib.Local:
		return "receive for " + h.Interface
	case !h.Addr.IsValid():
		return "attached to " + h.Interface
	}
	return fmt.Sprintf("nexthop %v %s", h.Addr, h.Interface)
}
