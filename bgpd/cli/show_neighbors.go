package cli

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// neighborJSON is a neighbour for programs. Times are in seconds.
type neighborJSON struct {
	Address      string               `json:"address"`
	AS           uint32               `json:"remoteAs"`
	LocalAS      uint32               `json:"localAs"`
	Link         string               `json:"link"` // internal or external
	Description  string               `json:"description,omitempty"`
	Group        string               `json:"peerGroup,omitempty"`
	Dynamic      bool                 `json:"dynamic"`
	RouterID     string               `json:"routerId,omitempty"`
	State        string               `json:"state"`
	Since        float64              `json:"upDown"`
	Hold         float64              `json:"holdTime"`
	Keepalive    float64              `json:"keepalive"`
	Local        string               `json:"local,omitempty"`
	Remote       string               `json:"remote,omitempty"`
	Capabilities []string             `json:"capabilities"`
	Families     map[string]countJSON `json:"families"`
	Received     speaker.Messages     `json:"received"`
	Sent         speaker.Messages     `json:"sent"`
	Resets       int                  `json:"resets"`
	Reason       string               `json:"lastReset,omitempty"`
	Stale        bool                 `json:"stale"`
}

type countJSON struct {
	Received   int `json:"received"`
	Accepted   int `json:"accepted"`
	Advertised int `json:"advertised"`
}

// capabilities are the names of capabilities, in IOS's words.
var capabilities = []struct {
	code speaker.Capability
	word string
	json string
}{
	{speaker.CapabilityRefresh, "Route refresh", "route-refresh"},
	{speaker.CapabilityFourOctet, "Four-octets ASN Capability", "four-octet-as"},
	{speaker.CapabilityAddPath, "Additional paths Capability", "additional-paths"},
	{speaker.CapabilityGraceful, "Graceful Restart Capability", "graceful-restart"},
	{speaker.CapabilityLongLived, "Long-lived Graceful Restart Capability", "long-lived-graceful-restart"},
	{speaker.CapabilityExtended, "Extended Message Capability", "extended-message"},
}

func (in *Instance) neighborOf(s *speaker.Status) neighborJSON {
	j := neighborJSON{Address: text(s.Address), AS: s.RemoteAS, LocalAS: s.LocalAS, Link: in.link(s), Group: in.Group(s), Dynamic: s.Group != "", RouterID: text(s.RouterID), State: stateWord(s),
		Since: since(s.Since, in.Now).Seconds(), Hold: s.Hold.Seconds(), Keepalive: s.Keepalive.Seconds(), Capabilities: []string{}, Families: map[string]countJSON{},
		Received: s.Received, Sent: s.Sent, Resets: s.Resets, Reason: s.Reason, Stale: s.Stale, Local: endpoint(s.Local), Remote: endpoint(s.Remote)}
	if p := in.peer(s); p != nil {
		j.Description = p.Description
	}
	for _, c := range capabilities {
		if slices.Contains(s.Capabilities, c.code) {
			j.Capabilities = append(j.Capabilities, c.json)
		}
	}
	for f, name := range map[rib.Family]string{rib.IPv4: "ipv4Unicast", rib.IPv6: "ipv6Unicast"} { // unordered: into a map
		if c := count(s, f); c.Active {
			j.Families[name] = countJSON{c.Received, c.Accepted, c.Advertised}
		}
	}
	return j
}

func endpoint(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// peer returns what is configured of a neighbour.
func (in *Instance) peer(s *speaker.Status) *Peer {
	if s.Group != "" {
		return in.Router.Groups[s.Group]
	}
	return in.Router.Peers[s.Address]
}

func (in *Instance) link(s *speaker.Status) string {
	if s.RemoteAS == in.Config.Process.AS {
		return "internal"
	}
	return "external"
}

// ShowNeighbors prints `show ip bgp neighbors`.
func ShowNeighbors(in *Instance, v View) cli.Output {
	list := []neighborJSON{}
	var shown []*speaker.Status
	for i := range in.Statuses {
		if s := &in.Statuses[i]; !v.Addr.IsValid() || s.Address == v.Addr {
			list, shown = append(list, in.neighborOf(s)), append(shown, s)
		}
	}
	return cli.Output{JSON: map[string]any{"neighbors": list}, Text: func(w io.Writer) {
		if len(shown) == 0 && v.Addr.IsValid() {
			fmt.Fprintln(w, "% No such neighbor or address family")
		}
		for i, s := range shown {
			if i > 0 {
				fmt.Fprintln(w)
			}
			in.neighbor(w, s, v)
		}
	}}
}

// neighbor prints a neighbour in full.
func (in *Instance) neighbor(w io.Writer, s *speaker.Status, v View) {
	name := s.Address.String()
	if s.Group != "" {
		name = "*" + name
	}
	vrf := ""
	if v.VRF != "" {
		vrf = "  vrf " + v.VRF + ","
	}
	fmt.Fprintf(w, "BGP neighbor is %s,%s  remote AS %d, %s link\n", name, vrf, s.RemoteAS, in.link(s))
	if p := in.peer(s); p != nil && p.Description != "" {
		fmt.Fprintf(w, " Description: %s\n", p.Description)
	}
	if g := in.Group(s); g != "" {
		fmt.Fprintf(w, " Member of peer-group %s for session parameters\n", g)
	}
	for _, g := range in.Config.Groups {
		if g.Name == s.Group {
			fmt.Fprintf(w, " Belongs to the subnet range group: %s\n", prefixList(g.Ranges))
		}
	}
	id := s.RouterID
	if !id.IsValid() {
		id = netip.IPv4Unspecified()
	}
	fmt.Fprintf(w, "  BGP version 4, remote router ID %v\n", id)
	state := "  BGP state = " + stateWord(s)
	if !s.Since.IsZero() {
		word := "down for"
		if s.State == speaker.Established {
			word = "up for"
		}
		state += fmt.Sprintf(", %s %s", word, cli.Duration(since(s.Since, in.Now)))
	}
	fmt.Fprintln(w, state)
	if s.State == speaker.Established {
		fmt.Fprintf(w, "  Hold time is %d, keepalive interval is %d seconds\n", int(s.Hold.Seconds()), int(s.Keepalive.Seconds()))
		in.capabilities(w, s)
	}
	messages(w, s)
	for _, f := range []rib.Family{rib.IPv4, rib.IPv6} {
		if c := count(s, f); c.Active {
			fmt.Fprintf(w, "\n For address family: %s\n", familyName(f))
			fmt.Fprintf(w, "                                 Sent       Rcvd\n  Prefix activity:               ----       ----\n")
			fmt.Fprintf(w, "    Prefixes Current:      %10d %10d\n    Prefixes accepted:     %10s %10d\n", c.Advertised, c.Received, "n/a", c.Accepted)
		}
	}
	fmt.Fprintf(w, "\n  Connections dropped %d\n", s.Resets)
	if s.Reason != "" {
		fmt.Fprintf(w, "  Last reset due to %s\n", s.Reason)
	} else {
		fmt.Fprintln(w, "  Last reset never")
	}
	if s.Stale {
		fmt.Fprintln(w, "  The neighbor restarts; its routes are kept")
	}
	if s.Local.IsValid() {
		fmt.Fprintf(w, "Local host: %v, Local port: %d\nForeign host: %v, Foreign port: %d\n", s.Local.Addr(), s.Local.Port(), s.Remote.Addr(), s.Remote.Port())
	}
}

func prefixList(list []netip.Prefix) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = p.String()
	}
	return strings.Join(words, ", ")
}

// capabilities prints what the neighbour announced.
func (in *Instance) capabilities(w io.Writer, s *speaker.Status) {
	fmt.Fprintln(w, "  Neighbor capabilities:")
	for _, c := range capabilities {
		if slices.Contains(s.Capabilities, c.code) {
			fmt.Fprintf(w, "    %s: received\n", c.word)
		}
	}
	for _, f := range []rib.Family{rib.IPv4, rib.IPv6} {
		if count(s, f).Active {
			fmt.Fprintf(w, "    Address family %s: advertised\n", familyName(f))
		}
	}
}

// messages prints the counters.
func messages(w io.Writer, s *speaker.Status) {
	fmt.Fprintln(w, "  Message statistics:")
	fmt.Fprintln(w, "                         Sent       Rcvd")
	for _, m := range []struct {
		name       string
		sent, rcvd uint64
	}{
		{"Opens", s.Sent.Open, s.Received.Open}, {"Notifications", s.Sent.Notification, s.Received.Notification}, {"Updates", s.Sent.Update, s.Received.Update},
		{"Keepalives", s.Sent.Keepalive, s.Received.Keepalive}, {"Route Refresh", s.Sent.Refresh, s.Received.Refresh}, {"Total", s.Sent.Total, s.Received.Total},
	} {
		fmt.Fprintf(w, "    %-15s %10d %10d\n", m.name+":", m.sent, m.rcvd)
	}
	if n := s.Received.Withdrawn; n > 0 {
		fmt.Fprintf(w, "    Updates treated as withdrawals (RFC 7606): %d\n", n)
	}
}

// ShowGroups prints `show ip bgp peer-group`.
func ShowGroups(in *Instance, v View) cli.Output {
	type groupJSON struct {
		Name    string   `json:"name"`
		Ranges  []string `json:"ranges"`
		Members []string `json:"members"`
	}
	at := map[string]*groupJSON{}
	get := func(name string) *groupJSON {
		if at[name] == nil {
			at[name] = &groupJSON{Name: name, Ranges: []string{}, Members: []string{}}
		}
		return at[name]
	}
	for _, g := range in.Config.Groups {
		for _, r := range g.Ranges {
			x := get(g.Name)
			x.Ranges = append(x.Ranges, r.String())
		}
	}
	for i := range in.Statuses {
		if g := in.Group(&in.Statuses[i]); g != "" {
			x := get(g)
			x.Members = append(x.Members, in.Statuses[i].Address.String())
		}
	}
	list := []*groupJSON{}
	for _, name := range sortedKeys(at, strings.Compare) {
		if v.Group == "" || v.Group == name {
			list = append(list, at[name])
		}
	}
	return cli.Output{JSON: map[string]any{"peerGroups": list}, Text: func(w io.Writer) {
		for _, g := range list {
			fmt.Fprintf(w, "BGP peer-group is %s\n", g.Name)
			if len(g.Ranges) > 0 {
				fmt.Fprintf(w, "  Listen ranges: %s\n", strings.Join(g.Ranges, ", "))
			}
			fmt.Fprintf(w, "  Members: %s\n", strings.Join(g.Members, ", "))
		}
	}}
}

// ShowNextHops prints `show ip bgp nexthops`.
func ShowNextHops(r core.Report, v View) cli.Output {
	type hopJSON struct {
		Addr      string `json:"address"`
		Reachable bool   `json:"reachable"`
		Prefix    string `json:"prefix,omitempty"`
		Metric    uint32 `json:"metric"`
	}
	list := []hopJSON{}
	for _, h := range r.NextHops {
		if rib.FamilyOf(h.Addr) != v.Family {
			continue
		}
		j := hopJSON{Addr: h.Addr.String(), Reachable: h.Prefix.IsValid(), Metric: h.Metric}
		if j.Reachable {
			j.Prefix = h.Prefix.String()
		}
		list = append(list, j)
	}
	return cli.Output{JSON: map[string]any{"nextHops": list}, Text: func(w io.Writer) {
		for _, h := range list {
			if h.Reachable {
				fmt.Fprintf(w, "%-15s by %s, metric %d\n", h.Addr, h.Prefix, h.Metric)
			} else {
				fmt.Fprintf(w, "%-15s inaccessible\n", h.Addr)
			}
		}
	}}
}
