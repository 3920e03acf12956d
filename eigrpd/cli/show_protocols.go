package cli

import (
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// ShowProtocols prints EIGRP's sections of `show ip protocols`, one for each instance of
// IPv4. Where there is none, there is nothing.
func ShowProtocols(r *core.StatusReport) cli.Output {
	list, instances := []protocolJSON{}, []*core.InstanceStatus{}
	for i := range r.Instances {
		if in := &r.Instances[i]; in.Family == rib.IPv4 {
			list, instances = append(list, protocolOf(in)), append(instances, in)
		}
	}
	return cli.Output{JSON: map[string]any{"protocols": list}, Text: func(w io.Writer) {
		for i, in := range instances {
			if i > 0 {
				fmt.Fprintln(w)
			}
			routingProtocol(w, in)
		}
	}}
}

// ShowEIGRPProtocols prints the parameters of instances: `show eigrp protocols`.
func ShowEIGRPProtocols(r *core.StatusReport, v View) cli.Output {
	list := make([]protocolJSON, len(r.Instances))
	for i := range r.Instances {
		list[i] = protocolOf(&r.Instances[i])
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		v.each(w, len(r.Instances), func(i int) {
			in := &r.Instances[i]
			parameters(w, "", in)
			if in.Family == rib.IPv6 {
				interfaceLines(w, in)
			}
		})
	}}
}

// routingProtocol prints a section of `show ip protocols` in Cisco's layout.
func routingProtocol(w io.Writer, in *core.InstanceStatus) {
	c := &in.Config
	fmt.Fprintf(w, "Routing Protocol is \"eigrp %d\"\n", in.AS)
	filterLines(w, c.Filters)
	offsetLines(w, c.Offsets)
	fmt.Fprintf(w, "  Default networks %sflagged in outgoing updates%s\n", not(c.DefaultOut.Deny), ifOnList(c.DefaultOut))
	fmt.Fprintf(w, "  Default networks %saccepted from incoming updates%s\n", not(c.DefaultIn.Deny), ifOnList(c.DefaultIn))
	if list := redistributed(c); len(list) > 0 {
		fmt.Fprintf(w, "  Redistributing: %s\n", strings.Join(list, ", "))
	}
	parameters(w, "  ", in)
	fmt.Fprintln(w)
	fmt.Fprintln(w, "  Automatic Summarization: disabled")
	summaryLines(w, c)
	fmt.Fprintf(w, "  Maximum path: %d\n", c.MaximumPaths)
	fmt.Fprintln(w, "  Routing for Networks:")
	for _, n := range c.Networks {
		fmt.Fprintf(w, "    %s\n", networkText(n))
	}
	if len(in.Passive) > 0 {
		fmt.Fprintln(w, "  Passive Interface(s):")
		for _, name := range in.Passive {
			fmt.Fprintf(w, "    %s\n", name)
		}
	}
	fmt.Fprintln(w, "  Routing Information Sources:")
	table := cli.Table{W: w, Format: "    %-15s %8v      %s"}
	table.Row("Gateway", "Distance", "Last Update")
	for _, n := range in.Neighbors {
		table.Row(text(n.Addr), distanceOf(c, n.Addr), cli.Duration(n.LastUpdate))
	}
	fmt.Fprintf(w, "  Distance: internal %d external %d\n", c.InternalDistance, c.ExternalDistance)
	distanceLines(w, c.Distances)
}

// parameters prints what both commands have of an instance.
func parameters(w io.Writer, indent string, in *core.InstanceStatus) {
	c, k := &in.Config, in.Config.Weights
	line := func(format string, values ...any) { fmt.Fprintf(w, indent+format+"\n", values...) }
	line("%s", heading(in.Identity, "Protocol"))
	weights := fmt.Sprintf("K1=%d, K2=%d, K3=%d, K4=%d, K5=%d", k.K1, k.K2, k.K3, k.K4, k.K5)
	if in.Wide {
		weights += fmt.Sprintf(" K6=%d", k.K6)
	}
	line("  Metric weight %s", weights)
	if in.Wide {
		line("  Metric rib-scale %d", c.RIBScale)
		line("  Metric version 64bit")
	}
	line("  Soft SIA disabled")
	line("  NSF-aware route hold timer is %d", seconds(c.PurgeTime))
	line("  EIGRP NSF %s", enabled(!c.NoNSF))
	if in.RouterID.IsValid() {
		line("  Router-ID: %v", in.RouterID)
	} else {
		line("  Router-ID: none, EIGRP does not run: no interface has an IPv4 address")
	}
	if c.Stub != nil {
		line("  Stub, %s", strings.Join(stubWords(c.Stub), ", "))
	}
	switch {
	case c.Shutdown:
		line("  Shutdown")
	case in.Down && in.RestartIn > 0:
		line("  Down since maximum-prefix was exceeded, restarts in %d s", seconds(in.RestartIn))
	case in.Down && in.Restarts > 0:
		line("  Down since maximum-prefix was exceeded")
	}
	line("  Topology : 0 (base)")
	line("    Active Timer: %s", activeTimer(c.ActiveTime))
	line("    Distance: internal %d external %d", c.InternalDistance, c.ExternalDistance)
	line("    Maximum path: %d", c.MaximumPaths)
	line("    Maximum hopcount %d", c.MaximumHops)
	line("    Maximum metric variance %d", c.Variance)
	line("    Total Prefix Count: %d", in.Prefixes)
	line("    Total Redist Count: %d", in.Redistributed)
}

// interfaceLines print where EIGRP of IPv6 runs: it has no networks.
func interfaceLines(w io.Writer, in *core.InstanceStatus) {
	fmt.Fprintln(w)
	fmt.Fprintln(w, "  Interfaces:")
	for _, name := range in.Interfaces {
		if slices.Contains(in.Passive, name) {
			name += " (passive)"
		}
		fmt.Fprintf(w, "    %s\n", name)
	}
	list := redistributed(&in.Config)
	if len(list) == 0 {
		list = []string{"None"}
	}
	fmt.Fprintf(w, "  Redistribution:\n    %s\n", strings.Join(list, "\n    "))
}

// stubWords are the words of `eigrp stub`.
func stubWords(s *core.Stub) []string {
	var words []string
	for _, f := range []struct {
		on   bool
		word string
	}{{s.ReceiveOnly, "receive-only"}, {s.Connected, "connected"}, {s.Static, "static"}, {s.Summary, "summary"},
		{s.Redistributed, "redistributed"}, {s.LeakMap != "", "leak-map " + s.LeakMap}} {
		if f.on {
			words = append(words, f.word)
		}
	}
	return words
}

// activeTimer is how long a route may be ACTIVE.
func activeTimer(d time.Duration) string {
	switch {
	case d < 0:
		return "disabled"
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", seconds(d))
}

// summaryLines print the summaries, each with its interfaces.
func summaryLines(w io.Writer, c *core.InstanceConfig) {
	var order []netip.Prefix
	where := map[netip.Prefix][]string{}
	for _, i := range c.Interfaces {
		for _, s := range i.Summaries {
			if where[s.Prefix] == nil {
				order = append(order, s.Prefix)
			}
			where[s.Prefix] = append(where[s.Prefix], short(i.Name))
		}
	}
	if len(order) == 0 {
		return
	}
	fmt.Fprintln(w, "  Address Summarization:")
	for _, p := range order {
		fmt.Fprintf(w, "    %v for %s\n", p, strings.Join(where[p], ", "))
	}
}

// networkText is a `network` as Cisco shows it: without a length where the class says it.
func networkText(n policy.Wildcard) string {
	addr := address(n.Addr)
	length := bits.LeadingZeros32(n.Bits)
	if n.Bits&(n.Bits+1) != 0 { // ones that are not all at the end
		return fmt.Sprintf("%v %v", addr, address(n.Bits))
	}
	if class, ok := classLength(addr); ok && class == length {
		return addr.String()
	}
	return fmt.Sprintf("%v/%d", addr, length)
}

// address is a number as an IPv4 address.
func address(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func not(yes bool) string {
	if yes {
		return "not "
	}
	return ""
}

func ifOnList(d core.DefaultInformation) string {
	if d.Deny || d.List == "" {
		return ""
	}
	return " if on list " + d.List
}
