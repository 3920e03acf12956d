package cli

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// statusJSON is the state of RIP in a VRF for programs. Times are in seconds.
type statusJSON struct {
	Protocol      string                `json:"protocol"` // "rip"
	VRF           string                `json:"vrf"`
	Enabled       bool                  `json:"enabled"`
	Version       uint8                 `json:"version"` // 0: 1 is sent, both are received
	Timers        timersJSON            `json:"timers"`
	NextUpdate    float64               `json:"nextUpdate"`
	MaximumPaths  int                   `json:"maximumPaths"`
	Distance      uint8                 `json:"distance"`
	DefaultMetric uint8                 `json:"defaultMetric"`
	Default       bool                  `json:"defaultInformation"`
	Routes        int                   `json:"routes"`
	Networks      []string              `json:"networks"`
	NetworkIfs    []string              `json:"networkInterfaces"`
	Redistribute  []redistributeJSON    `json:"redistribute"`
	Filters       []filterJSON          `json:"filters"`
	Offsets       []offsetJSON          `json:"offsets"`
	Distances     []distanceJSON        `json:"sourceDistances"`
	Interfaces    []interfaceStatusJSON `json:"interfaces"`
	Neighbors     []neighborJSON        `json:"neighbors"`
	Counters      countersJSON          `json:"counters"`
}

type timersJSON struct {
	Update   float64 `json:"update"`
	Invalid  float64 `json:"invalid"`
	Holddown float64 `json:"holddown"`
	Flush    float64 `json:"flush"`
}

type redistributeJSON struct {
	Protocol    string `json:"protocol"`
	Instance    uint32 `json:"instance,omitempty"`
	Metric      uint8  `json:"metric,omitempty"`
	Transparent bool   `json:"transparent,omitempty"`
	RouteMap    string `json:"routeMap,omitempty"`
}

type filterJSON struct {
	Direction string `json:"direction"` // in or out
	Type      string `json:"type"`      // accessList or prefixList
	List      string `json:"list"`
	Interface string `json:"interface,omitempty"`
}

type offsetJSON struct {
	Direction string `json:"direction"` // in or out
	List      string `json:"list,omitempty"`
	Offset    uint8  `json:"offset"`
	Interface string `json:"interface,omitempty"`
}

type distanceJSON struct {
	Address  string `json:"address"`
	Wildcard string `json:"wildcard"`
	Distance uint8  `json:"distance"`
	List     string `json:"list,omitempty"`
}

type interfaceStatusJSON struct {
	Name           string       `json:"name"`
	Up             bool         `json:"up"`
	Passive        bool         `json:"passive"`
	Send           []int        `json:"sendVersions"`
	Receive        []int        `json:"receiveVersions"`
	SplitHorizon   string       `json:"splitHorizon"`
	Authentication string       `json:"authentication"`
	KeyChain       string       `json:"keyChain,omitempty"`
	Triggered      uint64       `json:"triggeredUpdates"`
	NextUpdate     float64      `json:"nextUpdate"`
	Counters       countersJSON `json:"counters"`
}

type neighborJSON struct {
	Address    string  `json:"address"`
	Interface  string  `json:"interface"`
	Version    uint8   `json:"version"`
	LastUpdate float64 `json:"lastUpdate"`
	Routes     int     `json:"routes"`
	BadPackets uint64  `json:"badPackets"`
	BadRoutes  uint64  `json:"badRoutes"`
	Distance   uint8   `json:"distance"`
	Configured bool    `json:"configured"`
}

type countersJSON struct {
	ReceivedRequests  uint64            `json:"receivedRequests"`
	ReceivedResponses uint64            `json:"receivedResponses"`
	SentRequests      uint64            `json:"sentRequests"`
	SentResponses     uint64            `json:"sentResponses"`
	SentEntries       uint64            `json:"sentEntries"`
	Dropped           map[string]uint64 `json:"dropped"`
}

func countersOf(c *core.Counters) countersJSON {
	out := countersJSON{c.ReceivedRequests, c.ReceivedResponses, c.SentRequests, c.SentResponses, c.SentEntries, map[string]uint64{}}
	for _, r := range core.DropReasons() {
		out.Dropped[key(r)] = c.Dropped[r]
	}
	return out
}

// key is a reason as a key of JSON: its words, joined.
func key(r core.DropReason) string {
	words := strings.FieldsFunc(strings.ToLower(r.String()), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	for i, w := range words[1:] {
		words[1+i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// algorithmWord is the word of `ip rip authentication mode`.
func algorithmWord(a packet.Algorithm) string {
	for word, algorithm := range algorithms {
		if algorithm == a {
			return word
		}
	}
	return "none"
}

// horizonWords name the kinds of split horizon.
var horizonWords = map[core.SplitHorizon]string{
	core.SplitHorizonSimple: "on", core.SplitHorizonPoison: "poisoned-reverse", core.SplitHorizonOff: "off",
}

func versionList(v core.Versions) []int {
	out := []int{}
	if v&core.Version1 != 0 {
		out = append(out, 1)
	}
	if v&core.Version2 != 0 {
		out = append(out, 2)
	}
	return out
}

// versionText is "1", "2", "1 2" or "-".
func versionText(v core.Versions) string {
	if v == 0 {
		return "-"
	}
	return strings.Trim(fmt.Sprint(versionList(v)), "[]")
}

// networkText is a network as it was configured: its address alone where that
// says it.
func networkText(p netip.Prefix) string {
	if c, ok := classful(p.Addr()); ok && c == p {
		return p.Addr().String()
	}
	return p.String()
}

func statusOf(r *core.StatusReport) statusJSON {
	c := &r.Config
	out := statusJSON{Protocol: "rip", VRF: r.VRF, Enabled: r.Exists, Version: c.Version, NextUpdate: r.NextUpdate.Seconds(),
		Timers:  timersJSON{c.Timers.Update.Seconds(), c.Timers.Invalid.Seconds(), c.Timers.Holddown.Seconds(), c.Timers.Flush.Seconds()},
		Offsets: []offsetJSON{}, Distances: []distanceJSON{},
		MaximumPaths: c.MaximumPaths, Distance: c.Distance, DefaultMetric: c.DefaultMetric, Default: c.DefaultOriginate, Routes: r.Routes,
		Networks: []string{}, NetworkIfs: append([]string{}, c.NetworkInterfaces...), Redistribute: []redistributeJSON{}, Filters: []filterJSON{},
		Interfaces: []interfaceStatusJSON{}, Neighbors: []neighborJSON{}, Counters: countersOf(&r.Counters)}
	out.settings(c)
	for i := range r.Interfaces {
		s := &r.Interfaces[i]
		out.Interfaces = append(out.Interfaces, interfaceStatusJSON{s.Name, s.Up, s.Passive, versionList(s.Send), versionList(s.Receive),
			horizonWords[s.SplitHorizon], algorithmWord(s.Authentication), s.KeyChain, s.Triggered, s.NextUpdate.Seconds(), countersOf(&s.Counters)})
	}
	for _, n := range r.Neighbors {
		out.Neighbors = append(out.Neighbors, neighborJSON{n.Addr.String(), n.Interface, n.Version, n.LastUpdate.Seconds(), n.Routes,
			n.BadPackets, n.BadRoutes, n.Distance, n.Configured})
	}
	return out
}

// settings fills in what is configured as lists.
func (s *statusJSON) settings(c *core.RouterConfig) {
	for _, p := range c.Networks {
		s.Networks = append(s.Networks, p.String())
	}
	for _, d := range c.Redistribute {
		s.Redistribute = append(s.Redistribute, redistributeJSON{d.Protocol.String(), d.Instance, d.Metric, d.Transparent, d.RouteMap})
	}
	for _, f := range c.Filters {
		kind := "accessList"
		if f.Prefix {
			kind = "prefixList"
		}
		s.Filters = append(s.Filters, filterJSON{direction(f.Out), kind, f.List, f.Interface})
	}
	for _, o := range c.Offsets {
		s.Offsets = append(s.Offsets, offsetJSON{direction(o.Out), o.List, o.Offset, o.Interface})
	}
	for _, d := range c.Distances {
		s.Distances = append(s.Distances, distanceJSON{address(d.Source.Addr), address(d.Source.Bits), d.Distance, d.List})
	}
}

func direction(out bool) string {
	if out {
		return "out"
	}
	return "in"
}

// ShowStatus prints the state of the protocol with all that was counted: `show
// ip rip status`.
func ShowStatus(r *core.StatusReport) cli.Output {
	return cli.Output{JSON: statusOf(r), Text: func(w io.Writer) {
		if missing(w, r.Exists, r.VRF, false) {
			return
		}
		c := &r.Config
		fmt.Fprintln(w, `Routing Protocol is "rip"`)
		fmt.Fprintf(w, "  Sending updates every %d seconds, next due in %d seconds\n", seconds(c.Timers.Update), seconds(r.NextUpdate))
		fmt.Fprintf(w, "  Timeout after %d seconds, garbage collect after %d seconds, hold down %d seconds\n",
			seconds(c.Timers.Invalid), seconds(c.Timers.Flush-c.Timers.Invalid), seconds(c.Timers.Holddown))
		filterLines(w, c.Filters)
		offsetLines(w, c.Offsets)
		fmt.Fprintf(w, "  Default redistribution metric is %d\n", c.DefaultMetric)
		fmt.Fprintf(w, "  Redistributing:%s\n", redistributed(c))
		fmt.Fprintf(w, "  Default version control: %s\n", versionControl(c.Version))
		statusInterfaces(w, r.Interfaces)
		networkLines(w, c)
		fmt.Fprintln(w, "  Routing Information Sources:")
		table := cli.Table{W: w, Format: "    %-15s %-16s %7v %6v %10v %9v %8v  %s"}
		table.Row("Gateway", "Interface", "Version", "Routes", "BadPackets", "BadRoutes", "Distance", "Last Update")
		for _, n := range r.Neighbors {
			table.Row(n.Addr.String(), n.Interface, version(n.Version), n.Routes, n.BadPackets, n.BadRoutes, n.Distance, heard(&n))
		}
		distanceLines(w, c)
		fmt.Fprintf(w, "  Routes in the table: %d\n", r.Routes)
		fmt.Fprintln(w, "  Packets in all:")
		counterLines(w, &r.Counters)
	}}
}

// heard is when a neighbour was last heard; a configured one may never have been.
func heard(n *core.NeighborStatus) string {
	if n.Version == 0 {
		return cli.Never
	}
	return cli.Duration(n.LastUpdate)
}

// version is the version of a neighbour's packets, "-" before the first.
func version(v uint8) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprint(v)
}

func statusInterfaces(w io.Writer, list []core.InterfaceStatus) {
	table := cli.Table{W: w, Format: "    %-16s %-8s %-5s %-5s %-16s %-14s %s"}
	table.Row("Interface", "State", "Send", "Recv", "Split horizon", "Authentication", "Key-chain")
	for i := range list {
		s := &list[i]
		chain := s.KeyChain
		if chain == "" {
			chain = "none"
		}
		table.Row(s.Name, state(s), versionText(s.Send), versionText(s.Receive), horizonWords[s.SplitHorizon], algorithmWord(s.Authentication), chain)
		if s.Up && !s.Passive {
			fmt.Fprintf(w, "      Next update in %s, %d triggered updates\n", cli.Duration(s.NextUpdate), s.Triggered)
		}
		counterLines(w, &s.Counters)
	}
}

func state(s *core.InterfaceStatus) string {
	switch {
	case !s.Up:
		return "down"
	case s.Passive:
		return "passive"
	}
	return "up"
}

// counterLines print what was counted; reasons for which nothing was dropped are
// left out.
func counterLines(w io.Writer, c *core.Counters) {
	fmt.Fprintf(w, "      Sent %d responses with %d routes, %d requests; received %d responses, %d requests\n",
		c.SentResponses, c.SentEntries, c.SentRequests, c.ReceivedResponses, c.ReceivedRequests)
	for _, r := range core.DropReasons() {
		if n := c.Dropped[r]; n > 0 {
			fmt.Fprintf(w, "      Dropped: %8d %s\n", n, r)
		}
	}
}

// versionControl says what is sent and received where the interface does not.
func versionControl(v uint8) string {
	if v == 0 {
		return "send version 1, receive any version"
	}
	return fmt.Sprintf("send version %d, receive version %d", v, v)
}

// redistributed lists the protocols, each once, in the order of their names.
func redistributed(c *core.RouterConfig) string {
	var words []string
	for _, d := range c.Redistribute {
		word := d.Protocol.String()
		if d.Instance != 0 {
			word += fmt.Sprintf(" %d", d.Instance)
		}
		words = append(words, word)
	}
	slices.Sort(words)
	out := strings.Join(slices.Compact(words), ", ")
	if out != "" {
		out = " " + out
	}
	return out
}
