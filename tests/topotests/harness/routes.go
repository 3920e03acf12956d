package harness

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Route is a route of a node's kernel.
type Route struct {
	Prefix   netip.Prefix
	Table    int
	Protocol int // rtnetlink's: 2 kernel, 3 boot, 191 NHRP, 196 static …
	Metric   int // the kernel's preference, no protocol's metric; 0 for none
	Type     int // 1 unicast, 6 blackhole …
	Hops     []Hop
}

// Hop is where a route sends a packet: to a gateway, over a device. Either may be
// absent.
type Hop struct {
	Gateway netip.Addr
	Device  string
	Weight  int // share of the traffic; 1 where there is one hop
}

// Kernel tables (RT_TABLE_*).
const (
	MainTable  = 254
	localTable = 255 // the kernel's own addresses
)

// Protocols by which the kernel tells who put a route (RTPROT_*). BIRD has one
// number for all of its protocols; FRR's differ by protocol, and are the same as
// ours for those that both have.
const (
	ProtocolKernel = unix.RTPROT_KERNEL
	ProtocolBIRD   = unix.RTPROT_BIRD
)

// ProtocolNumber is the number with which a protocol's routes are in the kernel,
// ours and FRR's.
func ProtocolNumber(p rib.Protocol) int { return int(p.KernelNumber()) }

// Metrics with which other routing suites put routes; ours is
// dataplane.MetricDefault, which is FRR's too.
const (
	MetricFRR  = 20
	MetricBIRD = 32
)

// Routes returns the routes of both families in all tables but the local one,
// sorted.
func (n *Node) Routes() []Route {
	n.t.Helper()
	names := n.deviceNames()
	var out []Route
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := dump(func() ([]netlink.Route, error) {
			return n.nl.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_TABLE)
		})
		n.check("routes", err)
		for i := range routes {
			if routes[i].Table != localTable {
				out = append(out, routeOf(&routes[i], family, names))
			}
		}
	}
	sortRoutes(out)
	return out
}

func sortRoutes(rs []Route) {
	slices.SortFunc(rs, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), a.Prefix.Addr().Compare(b.Prefix.Addr()),
			cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()), cmp.Compare(a.Metric, b.Metric))
	})
}

func routeOf(r *netlink.Route, family int, names map[int]string) Route {
	out := Route{Table: r.Table, Protocol: int(r.Protocol), Metric: r.Priority, Type: r.Type}
	if r.Dst != nil {
		out.Prefix = prefixOf(r.Dst.IP, r.Dst.Mask)
	} else if family == netlink.FAMILY_V4 {
		out.Prefix = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	} else {
		out.Prefix = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	hop := func(gw []byte, index, weight int) {
		a, _ := netip.AddrFromSlice(gw)
		if a.IsValid() || index != 0 {
			out.Hops = append(out.Hops, Hop{Gateway: a.Unmap(), Device: names[index], Weight: weight})
		}
	}
	if len(r.MultiPath) == 0 {
		hop(r.Gw, r.LinkIndex, 1)
	}
	for _, h := range r.MultiPath {
		hop(h.Gw, h.LinkIndex, h.Hops+1)
	}
	slices.SortFunc(out.Hops, func(a, b Hop) int {
		return cmp.Or(a.Gateway.Compare(b.Gateway), cmp.Compare(a.Device, b.Device))
	})
	return out
}

// RoutesOf returns the main table's routes of one protocol number.
func (n *Node) RoutesOf(protocol int) []Route {
	n.t.Helper()
	return n.RoutesIn(MainTable, protocol)
}

// RoutesIn returns one table's routes of one protocol number.
func (n *Node) RoutesIn(table, protocol int) []Route {
	n.t.Helper()
	return slices.DeleteFunc(n.Routes(), func(r Route) bool { return r.Protocol != protocol || r.Table != table })
}

// String prints the route as ip route does, with the next hops sorted:
//
//	10.1.0.0/24 via 192.0.2.1 dev eth0 weight 3 via 192.0.2.5 dev eth1 metric 20
//	blackhole 10.2.0.0/24
func (r Route) String() string { return r.text(true, true) }

// text prints the route with or without next hops and metric.
func (r Route) text(hops, metric bool) string {
	var b strings.Builder
	if kind := map[int]string{unix.RTN_BLACKHOLE: "blackhole ", unix.RTN_UNREACHABLE: "unreachable ",
		unix.RTN_PROHIBIT: "prohibit "}[r.Type]; kind != "" {
		b.WriteString(kind)
	}
	b.WriteString(r.Prefix.String())
	if hops {
		for _, h := range r.Hops {
			if h.Gateway.IsValid() {
				fmt.Fprintf(&b, " via %v", h.Gateway)
			}
			if h.Device != "" {
				fmt.Fprintf(&b, " dev %s", h.Device)
			}
			if h.Weight > 1 {
				fmt.Fprintf(&b, " weight %d", h.Weight)
			}
		}
	}
	if metric && r.Metric != 0 {
		fmt.Fprintf(&b, " metric %d", r.Metric)
	}
	return b.String()
}

// HasRoutes tells whether the routes of one protocol number in the node's main
// table are exactly these, in any order, each written as by [Route.String]. A line
// may leave out the metric, or the metric and the next hops, which are then not
// compared. Next hops are in ascending order.
func (n *Node) HasRoutes(protocol int, want ...string) error {
	n.t.Helper()
	return n.HasRoutesIn(MainTable, protocol, want...)
}

// HasRoutesIn is HasRoutes for another table, such as a VRF's.
func (n *Node) HasRoutesIn(table, protocol int, want ...string) error {
	n.t.Helper()
	if err := compareRoutes(n.RoutesIn(table, protocol), want); err != nil {
		return fmt.Errorf("%s: routes of protocol %d in the kernel's table %d: %w", n.name, protocol, table, err)
	}
	return nil
}

// WaitRoutes waits until HasRoutes holds; after the limit the test ends.
func (n *Node) WaitRoutes(limit time.Duration, protocol int, want ...string) {
	n.t.Helper()
	Eventually(n.t, limit, func() error { return n.HasRoutes(protocol, want...) })
}

// longestDiff bounds what a comparison of tables prints.
const longestDiff = 4000

// compareRoutes compares routes with lines as of HasRoutes.
func compareRoutes(got []Route, want []string) error {
	type key struct{ prefix, metric string }
	asked := map[key]string{} // by prefix, and by metric where it is asked for
	split := func(line string) (k key) {
		text, metric, _ := strings.Cut(line, " metric ")
		fields := strings.Fields(text)
		for i, f := range fields {
			if f == "via" || f == "dev" {
				fields = fields[:i]
				break
			}
		}
		return key{strings.Join(fields, " "), metric}
	}
	wants := slices.Clone(want)
	for i, line := range wants {
		wants[i] = strings.Join(strings.Fields(line), " ")
		asked[split(wants[i])] = wants[i]
	}
	var have []string
	for _, r := range got {
		full := r.String()
		k := split(full)
		line, ok := asked[k]
		if !ok {
			line, ok = asked[key{k.prefix, ""}]
		}
		if ok {
			full = r.text(strings.Contains(line, " via ") || strings.Contains(line, " dev "), strings.Contains(line, " metric "))
		}
		have = append(have, full)
	}
	slices.Sort(wants)
	slices.Sort(have)
	diff := gocmp.Diff(wants, have)
	if diff == "" {
		return nil
	}
	if len(diff) > longestDiff {
		diff = diff[:longestDiff] + "\n…"
	}
	return errors.New("(-want +got)\n" + diff)
}
