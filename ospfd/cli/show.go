package cli

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Show prints what a command shows of the report that About asked for. Of another kind of
// report it shows nothing.
func Show(id string, r core.Report, a cli.Args) cli.Output {
	switch r := r.(type) {
	case *core.StatusReport:
		return showOfStatus(id, r, a)
	case *core.InterfaceReport:
		switch id {
		case ExecTraffic:
			return showInterfaceTraffic(r, a)
		case ExecVirtual:
			return showVirtualLinks(r, a)
		case ExecInterface:
			return showInterfaces(r, a)
		}
	case *core.NeighborReport:
		if id == ExecRequest || id == ExecRetransmit {
			return showLists(r, a, id == ExecRequest)
		}
		return showNeighbors(r, a)
	case *core.DatabaseReport:
		return showDatabase(r, a)
	case *core.RouteReport:
		switch id {
		case ExecBorder:
			return showBorderRouters(r, a)
		case ExecRoute:
			return showRoutes(r, a)
		case ExecRIB:
			return showRIB(r, a)
		}
	}
	return cli.Output{}
}

func showOfStatus(id string, r *core.StatusReport, a cli.Args) cli.Output {
	switch id {
	case ExecStatus:
		return showStatus(r, a)
	case ExecStatistics:
		return showStatistics(r, a)
	case ExecTraffic:
		return showTraffic(r, a)
	case ExecSummary:
		return showSummaryAddresses(r, a)
	case ExecMaxMetric:
		return showMaxMetric(r, a)
	case ExecNSF:
		return showNSF(r, a)
	case cli.ShowProtocols:
		return showProtocols(r, a)
	}
	return cli.Output{}
}

// identityJSON says which process a part of an output is about.
type identityJSON struct {
	Process  uint16 `json:"process"`
	VRF      string `json:"vrf"`      // "" is the default one
	RouterID string `json:"routerId"` // "" if there is none
}

func identityOf(id core.Identity) identityJSON {
	out := identityJSON{Process: id.Process, VRF: id.VRF}
	if id.RouterID != 0 {
		out.RouterID = id.RouterID.String()
	}
	return out
}

// areaText is an area as the configuration of the process writes it.
func areaText(of core.Identity, area packet.ID) string {
	if slices.Contains(of.Dotted, area) {
		return area.String()
	}
	return fmt.Sprint(uint32(area))
}

// each prints the parts of an output, of which part prints the one of an instance; or says
// that there is no OSPF, or that it does not run.
func each[T any](w io.Writer, all []T, identity func(*T) core.Identity, a cli.Args, part func(*T)) {
	if len(all) == 0 {
		if a.Has("process") {
			fmt.Fprintf(w, "%%OSPF: Router process %s is not configured\n", a.String("process"))
		} else {
			fmt.Fprintln(w, "%OSPF: No router process is configured")
		}
	}
	for i := range all {
		if id := identity(&all[i]); id.RouterID == 0 {
			fmt.Fprintf(w, "%%OSPF: Router process %d is not running, please configure a router-id\n", id.Process)
			continue
		}
		part(&all[i])
	}
}

// title is what the tables of a process begin with.
func title(w io.Writer, id core.Identity) {
	fmt.Fprintf(w, "\n            OSPF Router with ID (%v) (Process ID %d)\n\n", id.RouterID, id.Process)
}

// addrText is an address, "" if there is none.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// idText is a router ID, "" if there is none.
func idText(is bool, id packet.ID) string {
	if !is {
		return ""
	}
	return id.String()
}

// zeros is an address, 0.0.0.0 if there is none.
func zeros(a netip.Addr) string {
	if !a.IsValid() {
		return "0.0.0.0"
	}
	return a.String()
}

// precise is a span of time as IOS has it where it counts milliseconds: 1d02h above a day.
func precise(d time.Duration) string {
	if d >= 24*time.Hour {
		return cli.Duration(d)
	}
	return fmt.Sprintf("%s.%03d", cli.Duration(d), d.Milliseconds()%1000)
}

// wholeSeconds is a duration in whole seconds, as Cisco prints timers.
func wholeSeconds(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }

// hopText is a next hop of a route: "10.0.0.2, Tunnel0", or the interface alone.
func hopText(h core.HopStatus) string {
	if !h.Addr.IsValid() {
		return h.Interface
	}
	return fmt.Sprintf("%v, %s", h.Addr, h.Interface)
}

type hopJSON struct {
	Address   string `json:"address"` // "" on what is directly connected
	Interface string `json:"interface"`
}

func hopsJSON(list []core.HopStatus) []hopJSON {
	out := make([]hopJSON, len(list))
	for i, h := range list {
		out[i] = hopJSON{addrText(h.Addr), h.Interface}
	}
	return out
}

// upper is a state as IOS shouts it: "2WAY", "EXSTART", "FULL".
func upper(state fmt.Stringer) string {
	return strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(state.String()))
}
