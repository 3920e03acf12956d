package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// TableSize counts a table.
type TableSize struct{ Prefixes, Paths int }

// summaryJSON is `show ip bgp summary` for programs. Times are in seconds.
type summaryJSON struct {
	VRF       string         `json:"vrf"`
	RouterID  string         `json:"routerId"`
	AS        uint32         `json:"as"`
	Version   uint64         `json:"tableVersion"`
	Prefixes  int            `json:"prefixes"`
	Paths     int            `json:"paths"`
	Dynamic   int            `json:"dynamicNeighbors"`
	Neighbors []summaryEntry `json:"neighbors"`
}

type summaryEntry struct {
	Address  string  `json:"address"`
	AS       uint32  `json:"remoteAs"`
	State    string  `json:"state"`
	Received uint64  `json:"messagesReceived"`
	Sent     uint64  `json:"messagesSent"`
	Since    float64 `json:"upDown"` // since the state is the present one; 0: never
	Prefixes int     `json:"prefixesReceived"`
	Dynamic  bool    `json:"dynamic"`
	Group    string  `json:"peerGroup,omitempty"`
}

// ShowSummary prints `show ip bgp summary`: the neighbours that exchange the family.
func ShowSummary(in *Instance, size TableSize, v View) cli.Output {
	j := summaryJSON{VRF: v.VRF, RouterID: text(in.Config.Process.RouterID), AS: in.Config.Process.AS, Version: in.Version, Prefixes: size.Prefixes, Paths: size.Paths,
		Neighbors: []summaryEntry{}}
	var shown []*speaker.Status
	for i := range in.Statuses {
		s := &in.Statuses[i]
		if c := count(s, v.Family); c.Active {
			shown = append(shown, s)
			j.Neighbors = append(j.Neighbors, summaryEntry{Address: text(s.Address), AS: s.RemoteAS, State: stateWord(s), Received: s.Received.Total, Sent: s.Sent.Total,
				Since: since(s.Since, in.Now).Seconds(), Prefixes: c.Accepted, Dynamic: s.Group != "", Group: in.Group(s)})
			if s.Group != "" {
				j.Dynamic++
			}
		}
	}
	return cli.Output{JSON: j, Text: func(w io.Writer) {
		fmt.Fprintf(w, "BGP router identifier %v, local AS number %d\n", in.Config.Process.RouterID, in.Config.Process.AS)
		fmt.Fprintf(w, "BGP table version is %d, main routing table version %d\n", in.Version, in.Version)
		if size.Prefixes > 0 {
			fmt.Fprintf(w, "%d network entries\n%d path entries\n", size.Prefixes, size.Paths)
		}
		fmt.Fprintln(w)
		fmt.Fprintln(w, "Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd")
		for _, s := range shown {
			in.summaryRow(w, s, v)
		}
		in.dynamic(w, j.Dynamic)
	}}
}

// summaryRow prints a neighbour.
func (in *Instance) summaryRow(w io.Writer, s *speaker.Status, v View) {
	name := s.Address.String()
	if s.Group != "" {
		name = "*" + name
	}
	if len(name) > 15 {
		fmt.Fprintln(w, name)
		name = ""
	}
	age := "never"
	if !s.Since.IsZero() {
		age = cli.Duration(since(s.Since, in.Now))
	}
	version, last := uint64(1), fmt.Sprintf("%-8s %s", age, stateWord(s))
	if s.State == speaker.Established {
		version, last = in.Version, fmt.Sprintf("%8s %8d", age, count(s, v.Family).Accepted)
	}
	fmt.Fprintf(w, "%-15s 4 %12d %7d %7d %8d %4d %4d %s\n", name, s.RemoteAS, s.Received.Total, s.Sent.Total, version, 0, 0, last)
}

// stateWord is the state of a session as IOS shows it in the summary.
func stateWord(s *speaker.Status) string {
	switch {
	case s.Shutdown:
		return "Idle (Admin)"
	case s.OverLimit:
		return "Idle (PfxCt)"
	}
	return string(s.State)
}

// Group returns the peer-group of a neighbour, "" if it is in none.
func (in *Instance) Group(s *speaker.Status) string {
	if s.Group != "" {
		return s.Group
	}
	if p := in.Router.Peers[s.Address]; p != nil {
		return p.Group
	}
	return ""
}

// dynamic prints what concerns listen ranges.
func (in *Instance) dynamic(w io.Writer, n int) {
	if len(in.Config.Groups) == 0 {
		return
	}
	ranges := 0
	for _, g := range in.Config.Groups {
		ranges += len(g.Ranges)
	}
	fmt.Fprintf(w, "* Dynamically created based on a listen range command\nDynamically created neighbors: %d, Subnet ranges: %d\n", n, ranges)
	groups := slices.Clone(in.Config.Groups)
	slices.SortFunc(groups, func(a, b speaker.Group) int { return strings.Compare(a.Name, b.Name) })
	for _, g := range groups {
		fmt.Fprintf(w, "\nBGP peergroup %s listen range group members: \n", g.Name)
		for _, r := range g.Ranges {
			fmt.Fprintf(w, "  %v \n", r)
		}
	}
	fmt.Fprintf(w, "\nTotal dynamically created neighbors: %d/(%d max), Subnet ranges: %d\n", n, in.Config.ListenLimit, ranges)
}
