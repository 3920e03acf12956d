package cli

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ripd/core"
)

// seconds is a duration in whole seconds, as Cisco prints timers.
func seconds(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }

// ShowProtocols prints RIP's section of `show ip protocols` in Cisco's layout.
// Where RIP is not configured there is none.
func ShowProtocols(r *core.StatusReport) cli.Output {
	list := []statusJSON{}
	if r.Exists {
		list = append(list, statusOf(r))
	}
	return cli.Output{JSON: map[string]any{"protocols": list}, Text: func(w io.Writer) {
		if r.Exists {
			protocolSection(w, r)
		}
	}}
}

func protocolSection(w io.Writer, r *core.StatusReport) {
	c := &r.Config
	fmt.Fprintln(w, `Routing Protocol is "rip"`)
	filterLines(w, c.Filters)
	offsetLines(w, c.Offsets)
	fmt.Fprintf(w, "  Sending updates every %d seconds, next due in %d seconds\n", seconds(c.Timers.Update), seconds(r.NextUpdate))
	fmt.Fprintf(w, "  Invalid after %d seconds, hold down %d, flushed after %d\n",
		seconds(c.Timers.Invalid), seconds(c.Timers.Holddown), seconds(c.Timers.Flush))
	others := redistributed(c)
	if others != "" {
		others = "," + others
	}
	fmt.Fprintf(w, "  Redistributing: rip%s\n", others)
	if c.DefaultMetric != core.DefaultMetric {
		fmt.Fprintf(w, "  Default redistribution metric is %d\n", c.DefaultMetric)
	}
	fmt.Fprintf(w, "  Default version control: %s\n", versionControl(c.Version))
	table := cli.Table{W: w, Format: "    %-35s %-5s %-5s %-14s %s"}
	table.Row("Interface", "Send", "Recv", "Triggered RIP", "Key-chain")
	for i := range r.Interfaces {
		s := &r.Interfaces[i]
		if !s.Up || s.Passive { // as on IOS: passive ones are listed below
			continue
		}
		chain := s.KeyChain
		if chain == "" {
			chain = "none"
		}
		table.Row(s.Name, versionText(s.Send), versionText(s.Receive), "No", chain)
	}
	fmt.Fprintln(w, "  Automatic network summarization is not in effect")
	fmt.Fprintf(w, "  Maximum path: %d\n", c.MaximumPaths)
	networkLines(w, c)
	passiveLines(w, r)
	fmt.Fprintln(w, "  Routing Information Sources:")
	table.Format = "    %-15s %8v      %s"
	table.Row("Gateway", "Distance", "Last Update")
	for _, n := range r.Neighbors {
		table.Row(n.Addr.String(), n.Distance, heard(&n))
	}
	distanceLines(w, c)
}

// networkLines print where RIP runs.
func networkLines(w io.Writer, c *core.RouterConfig) {
	fmt.Fprintln(w, "  Routing for Networks:")
	for _, p := range c.Networks {
		fmt.Fprintf(w, "    %s\n", networkText(p))
	}
	for _, name := range c.NetworkInterfaces {
		fmt.Fprintf(w, "    %s\n", name)
	}
}

// passiveLines print the interfaces on which nothing is sent, if there are any.
func passiveLines(w io.Writer, r *core.StatusReport) {
	title := false
	for i := range r.Interfaces {
		if !r.Interfaces[i].Passive {
			continue
		}
		if !title {
			fmt.Fprintln(w, "  Passive Interface(s):")
			title = true
		}
		fmt.Fprintf(w, "    %s\n", r.Interfaces[i].Name)
	}
}

// filterLines print the distribute-lists, of sent updates first: that of all
// interfaces, then those of single ones.
func filterLines(w io.Writer, filters []core.Filter) {
	for _, out := range []bool{true, false} {
		name := map[bool]string{true: "Outgoing", false: "Incoming"}[out]
		var all string
		var single []core.Filter
		for _, f := range filters {
			switch {
			case f.Out != out:
			case f.Interface != "":
				single = append(single, f)
			case all != "":
				all += ", " + listText(f)
			default:
				all = listText(f)
			}
		}
		if all == "" {
			all = "not set"
		}
		fmt.Fprintf(w, "  %s update filter list for all interfaces is %s\n", name, all)
		slices.SortStableFunc(single, func(a, b core.Filter) int { return strings.Compare(a.Interface, b.Interface) })
		for _, f := range single {
			fmt.Fprintf(w, "    %s filtered by %s\n", f.Interface, listText(f))
		}
	}
}

// offsetLines print the offset-lists in the order in which they are asked.
func offsetLines(w io.Writer, offsets []core.OffsetList) {
	for _, o := range offsets {
		line := "Incoming"
		if o.Out {
			line = "Outgoing"
		}
		line += " routes"
		if o.Interface != "" {
			line += " in " + o.Interface
		}
		line += fmt.Sprintf(" will have %d added to metric", o.Offset)
		if o.List != "" {
			line += " if on list " + o.List
		}
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// distanceLines print the distances: the default one, then those of sources.
func distanceLines(w io.Writer, c *core.RouterConfig) {
	fmt.Fprintf(w, "  Distance: (default is %d)\n", c.Distance)
	if len(c.Distances) == 0 {
		return
	}
	table := cli.Table{W: w, Format: "    %-15s %-15s %8v  %s"}
	table.Row("Address", "Wild mask", "Distance", "List")
	for _, d := range c.Distances {
		table.Row(address(d.Source.Addr), address(d.Source.Bits), d.Distance, d.List)
	}
}

// address is a number as an IPv4 address.
func address(n uint32) string {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}).String()
}

func listText(f core.Filter) string {
	if f.Prefix {
		return "(prefix-list) " + f.List
	}
	return f.List
}
