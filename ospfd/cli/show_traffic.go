package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
)

// countersSummary are the counters of packets for programs.
type countersSummary struct {
	Sent            packetsJSON       `json:"sent"`
	Received        packetsJSON       `json:"received"`
	Retransmissions uint64            `json:"retransmissions"` // LSAs
	Dropped         map[string]uint64 `json:"dropped"`         // by reason
}

type packetsJSON struct {
	Hello       uint64 `json:"hello"`
	Description uint64 `json:"databaseDescription"`
	Request     uint64 `json:"linkStateRequest"`
	Update      uint64 `json:"linkStateUpdate"`
	Ack         uint64 `json:"linkStateAck"`
}

func (p packetsJSON) total() uint64 { return p.Hello + p.Description + p.Request + p.Update + p.Ack }

func counted(c *core.Counters) countersSummary {
	out := countersSummary{
		Sent:            packetsJSON{c.Hello.Sent, c.Description.Sent, c.Request.Sent, c.Update.Sent, c.Ack.Sent},
		Received:        packetsJSON{c.Hello.Received, c.Description.Received, c.Request.Received, c.Update.Received, c.Ack.Received},
		Retransmissions: c.Retransmissions, Dropped: map[string]uint64{}}
	for _, why := range core.DropReasons() {
		out.Dropped[why.String()] = c.Dropped[why]
	}
	return out
}

// showTraffic prints `show ip ospf traffic`.
func showTraffic(r *core.StatusReport, a cli.Args) cli.Output {
	type instanceJSON struct {
		identityJSON
		countersSummary
	}
	list := make([]instanceJSON, len(r.Instances))
	for i := range r.Instances {
		list[i] = instanceJSON{identityOf(r.Instances[i].Identity), counted(&r.Instances[i].Counters)}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, statusIdentity, a, func(in *core.InstanceStatus) {
			title(w, in.Identity)
			fmt.Fprintf(w, "OSPF statistics for process ID %d:\n\n", in.Process)
			traffic(w, &in.Counters)
		})
	}}
}

// traffic prints the packets of a process or an interface.
func traffic(w io.Writer, c *core.Counters) {
	n := counted(c)
	for _, way := range []struct {
		name string
		packetsJSON
	}{{"Rcvd", n.Received}, {"Sent", n.Sent}} {
		fmt.Fprintf(w, "  %s: %d total\n", way.name, way.total())
		fmt.Fprintf(w, "        %d hello, %d database desc, %d link state req\n", way.Hello, way.Description, way.Request)
		fmt.Fprintf(w, "        %d link state updates, %d link state acks\n", way.Update, way.Ack)
	}
	fmt.Fprintf(w, "  LSAs retransmitted: %d\n", c.Retransmissions)
	fmt.Fprintln(w, "  Not taken:")
	for _, why := range core.DropReasons() {
		if c.Dropped[why] > 0 {
			fmt.Fprintf(w, "        %d %s\n", c.Dropped[why], why)
		}
	}
}

// showInterfaceTraffic prints `show ip ospf traffic IF`.
func showInterfaceTraffic(r *core.InterfaceReport, a cli.Args) cli.Output {
	type rowJSON struct {
		Interface string `json:"interface"`
		countersSummary
	}
	type instanceJSON struct {
		identityJSON
		Interfaces []rowJSON `json:"interfaces"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i, in := range r.Instances {
		list[i] = instanceJSON{identityOf(in.Identity), []rowJSON{}}
		for _, s := range chosenInterfaces(in.Interfaces, a) {
			list[i].Interfaces = append(list[i].Interfaces, rowJSON{s.Name, counted(&s.Counters)})
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, func(in *core.InstanceInterfaces) core.Identity { return in.Identity }, a, func(in *core.InstanceInterfaces) {
			for _, s := range chosenInterfaces(in.Interfaces, a) {
				title(w, in.Identity)
				fmt.Fprintf(w, "    Interface %s\n\n", s.Name)
				traffic(w, &s.Counters)
			}
		})
	}}
}
