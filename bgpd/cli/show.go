package cli

import (
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Instance is what the show commands know of BGP in a VRF.
type Instance struct {
	Router   *Router
	Running  bool // its speaker runs
	Config   speaker.Config
	Version  uint64 // of the table: it counts changes of best paths
	Statuses []speaker.Status
	Now      time.Time
}

// View is what a show command is about.
type View struct {
	VRF     string
	Family  rib.Family
	Prefix  netip.Prefix // this one
	Addr    netip.Addr   // the longest prefix that it is in; or a neighbour
	Longer  bool         // what is within Prefix
	What    string       // advertised-routes, received-routes, routes
	Group   string
	AS      uint32
	Soft    bool
	Changes speaker.Direction // of clear … soft
}

// ViewOf returns what the arguments of an exec command ask for.
func ViewOf(a cli.Args) View {
	v := View{VRF: a.String("vrf"), Family: rib.IPv4, Longer: a.Has("longer-prefixes"), What: a.String("what"), Group: a.String("group"), AS: uint32(a.Uint("as")),
		Soft: a.Has("soft") || a.Has("direction"), Changes: speaker.Both}
	if f := a.String("family"); f == "ipv6" {
		v.Family = rib.IPv6
	}
	switch a.String("direction") {
	case "in":
		v.Changes = speaker.In
	case "out":
		v.Changes = speaker.Out
	}
	switch {
	case a.Has("prefix"):
		v.Prefix = a.Prefix("prefix")
	case a.Has("mask"):
		p, _ := a.MaskedPrefix("addr", "mask")
		v.Prefix = p.Masked()
	default:
		v.Addr = a.Addr("addr")
	}
	return v
}

// family is the name of an address family, as IOS writes it.
func familyName(f rib.Family) string {
	if f == rib.IPv6 {
		return "IPv6 Unicast"
	}
	return "IPv4 Unicast"
}

// count returns what is counted of a family.
func count(s *speaker.Status, f rib.Family) speaker.FamilyCount {
	if f == rib.IPv6 {
		return s.IPv6
	}
	return s.IPv4
}

// NotRunning says that BGP does not run.
func NotRunning(v View) cli.Output {
	return cli.Output{JSON: map[string]any{"running": false}, Text: func(w io.Writer) {
		if v.VRF != "" {
			fmt.Fprintf(w, "%% BGP is not active in VRF %s\n", v.VRF)
			return
		}
		fmt.Fprintln(w, "% BGP not active")
	}}
}

// text is an address, "" if there is none.
func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// since is the time from then, 0 if that never was.
func since(then, now time.Time) time.Duration {
	if then.IsZero() {
		return 0
	}
	return now.Sub(then)
}
