package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// neighborJSON is a neighbour for programs. Times are in seconds.
type neighborJSON struct {
	RouterID        string  `json:"routerId"`
	Address         string  `json:"address"`
	Interface       string  `json:"interface"`
	Area            string  `json:"area"`
	State           string  `json:"state"` // "FULL", "2WAY"
	Role            string  `json:"role"`  // "DR", "BDR", "DROTHER"; "" where none is elected
	Priority        uint8   `json:"priority"`
	DR              string  `json:"designatedRouter"`
	BDR             string  `json:"backupDesignatedRouter"`
	Options         uint8   `json:"options"`
	Dead            float64 `json:"deadTime"` // what is left
	Uptime          float64 `json:"uptime"`   // in Full
	Changes         int     `json:"stateChanges"`
	LastChange      float64 `json:"lastChange"`
	Reason          string  `json:"lastDownReason,omitempty"`
	Configured      bool    `json:"configured"`
	Offered         bool    `json:"offeredByNhrp"`
	Master          bool    `json:"master"` // this router is
	Summary         int     `json:"summaryList"`
	Request         int     `json:"requestList"`
	Retransmission  int     `json:"retransmissionList"`
	Retransmissions uint64  `json:"retransmissions"`
	Helping         bool    `json:"gracefulRestartHelper"`
	HelpLeft        float64 `json:"gracefulRestartLeft,omitempty"`
	HelpEnded       string  `json:"gracefulRestartEnded,omitempty"`
}

func neighborOf(id core.Identity, n *core.NeighborStatus) neighborJSON {
	role := strings.TrimSpace(role(n))
	if role == "-" {
		role = ""
	}
	return neighborJSON{RouterID: n.RouterID.String(), Address: addrText(n.Addr), Interface: n.Interface, Area: areaText(id, n.Area), State: upper(n.State), Role: role, Priority: n.Priority,
		DR: addrText(n.DR), BDR: addrText(n.BDR), Options: uint8(n.Options), Dead: n.Dead.Seconds(), Uptime: n.Uptime.Seconds(), Changes: n.Changes, LastChange: n.LastChange.Seconds(),
		Reason: n.Reason, Configured: n.Static && !n.Offered, Offered: n.Offered, Master: n.Master, Summary: n.Summary, Request: n.Request, Retransmission: n.Retransmission,
		Retransmissions: n.Retransmitted, Helping: n.Helping, HelpLeft: n.HelpLeft.Seconds(), HelpEnded: n.HelpEnded}
}

// role is what a neighbour is on its network, in the words and width of IOS.
func role(n *core.NeighborStatus) string {
	switch {
	case !n.Elects:
		return "  -"
	case n.Addr.IsValid() && n.DR == n.Addr:
		return "DR"
	case n.Addr.IsValid() && n.BDR == n.Addr:
		return "BDR"
	}
	return "DROTHER"
}

// chosenNeighbors are the neighbours that a command asks for.
func chosenNeighbors(all []core.NeighborStatus, a cli.Args) []*core.NeighborStatus {
	var out []*core.NeighborStatus
	for i := range all {
		if n := &all[i]; (!a.Has("ifname") || n.Interface == a.String("ifname")) && (!a.Has("router") || n.RouterID == packet.IDOf(a.Addr("router"))) {
			out = append(out, n)
		}
	}
	return out
}

// showNeighbors prints `show ip ospf neighbor`.
func showNeighbors(r *core.NeighborReport, a cli.Args) cli.Output {
	type instanceJSON struct {
		identityJSON
		Neighbors []neighborJSON `json:"neighbors"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i, in := range r.Instances {
		list[i] = instanceJSON{identityOf(in.Identity), []neighborJSON{}}
		for _, n := range chosenNeighbors(in.Neighbors, a) {
			list[i].Neighbors = append(list[i].Neighbors, neighborOf(in.Identity, n))
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, func(in *core.InstanceNeighbors) core.Identity { return in.Identity }, a, func(in *core.InstanceNeighbors) {
			chosen := chosenNeighbors(in.Neighbors, a)
			if a.Has("detail") || a.Has("router") {
				for _, n := range chosen {
					neighborDetail(w, in.Identity, n)
				}
				return
			}
			if len(chosen) == 0 {
				return
			}
			fmt.Fprintln(w, "\nNeighbor ID     Pri   State           Dead Time   Address         Interface")
			table := cli.Table{W: w, Format: "%-15v %3d   %-15s %-11s %-15s %s"}
			for _, n := range chosen {
				table.Row(n.RouterID, n.Priority, upper(n.State)+"/"+role(n), deadTime(n), addrText(n.Addr), n.Interface)
			}
		})
	}}
}

// deadTime is what is left of the dead interval; one that was never heard has none.
func deadTime(n *core.NeighborStatus) string {
	if n.Dead == 0 {
		return "-"
	}
	if n.Dead < 1e9 { // a dead interval of one second
		return fmt.Sprintf("%d msec", n.Dead.Milliseconds())
	}
	return cli.Duration(n.Dead)
}

func neighborDetail(w io.Writer, id core.Identity, n *core.NeighborStatus) {
	fmt.Fprintf(w, " Neighbor %v, interface address %s\n", n.RouterID, zeros(n.Addr))
	fmt.Fprintf(w, "    In the area %s via interface %s\n", areaText(id, n.Area), n.Interface)
	fmt.Fprintf(w, "    Neighbor priority is %d, State is %s, %d state changes\n", n.Priority, upper(n.State), n.Changes)
	fmt.Fprintf(w, "    DR is %s BDR is %s\n", zeros(n.DR), zeros(n.BDR))
	switch {
	case n.Offered:
		fmt.Fprintln(w, "    Neighbor is offered by NHRP")
	case n.Static:
		fmt.Fprintln(w, "    Neighbor is configured")
	}
	fmt.Fprintf(w, "    Options is 0x%X%s\n", uint8(n.Options), optionBits(n.Options))
	if n.Dead > 0 {
		fmt.Fprintf(w, "    Dead timer due in %s\n", deadTime(n))
	}
	if n.State == fsm.NeighborFull {
		fmt.Fprintf(w, "    Neighbor is up for %s\n", cli.Duration(n.Uptime))
	} else {
		fmt.Fprintf(w, "    Last state change %s ago\n", cli.Duration(n.LastChange))
	}
	if n.Reason != "" {
		fmt.Fprintf(w, "    Last down: %s\n", n.Reason)
	}
	if n.State >= fsm.NeighborExStart && n.State < fsm.NeighborFull {
		part := "slave"
		if n.Master {
			part = "master"
		}
		fmt.Fprintf(w, "    This router is %s, DD sequence number 0x%X, %d to describe, %d to request\n", part, n.Sequence, n.Summary, n.Request)
	}
	fmt.Fprintf(w, "    Retransmission queue length %d, number of retransmission %d\n", n.Retransmission, n.Retransmitted)
	switch {
	case n.Helping:
		fmt.Fprintf(w, "    Graceful restart helper, %s left, reason: %s\n", cli.Duration(n.HelpLeft), restartReason(n.RestartReason))
	case n.HelpEnded != "":
		fmt.Fprintf(w, "    Last graceful restart helper ended: %s\n", n.HelpEnded)
	}
}

// restartReason is the reason of a grace-LSA (RFC 3623 section A).
func restartReason(n uint8) string {
	names := [...]string{"unknown", "software restart", "software reload/upgrade", "switch to redundant control processor"}
	if int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprint(n)
}

// optionBits names options as IOS does: " (E-bit, L-bit)".
func optionBits(o packet.Options) string {
	var names []string
	for _, bit := range []struct {
		of   packet.Options
		name string
	}{{packet.OptionE, "E-bit"}, {packet.OptionMC, "MC-bit"}, {packet.OptionNP, "N-bit"}, {packet.OptionL, "L-bit"}, {packet.OptionDC, "DC-bit"}, {packet.OptionO, "O-bit"}, {packet.OptionDN, "DN-bit"}} {
		if o&bit.of != 0 {
			names = append(names, bit.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}
