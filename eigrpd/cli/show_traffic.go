package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// trafficJSON are the counters of an instance for programs. Every reason for which
// packets and routes are dropped has its key in "dropped".
type trafficJSON struct {
	identityJSON
	Sent     map[string]uint64 `json:"sent"` // by type of packet
	Received map[string]uint64 `json:"received"`
	Dropped  map[string]uint64 `json:"dropped"`
}

// Process is what is counted for the daemon as a whole, and not for an instance:
// packets that waited for the core, and those that nobody had the time to read.
type Process struct {
	ID           int    `json:"id"`
	QueueLimit   int    `json:"queueLimit"`
	QueueHighest int    `json:"queueHighest"`
	QueueDrops   uint64 `json:"queueDrops"`
	SocketDrops  uint64 `json:"socketDrops"`
}

// packetType is a line of the counters.
type packetType struct {
	title, key string
	of         func(*core.Counters) core.PacketCounter
}

// packetTypes are the types of packets in Cisco's order.
var packetTypes = []packetType{
	{"Hellos", "hello", func(c *core.Counters) core.PacketCounter { return c.Hello }},
	{"Updates", "update", func(c *core.Counters) core.PacketCounter { return c.Update }},
	{"Queries", "query", func(c *core.Counters) core.PacketCounter { return c.Query }},
	{"Replies", "reply", func(c *core.Counters) core.PacketCounter { return c.Reply }},
	{"Acks", "ack", func(c *core.Counters) core.PacketCounter { return c.Ack }},
	{"SIA-Queries", "siaQuery", func(c *core.Counters) core.PacketCounter { return c.SIAQuery }},
	{"SIA-Replies", "siaReply", func(c *core.Counters) core.PacketCounter { return c.SIAReply }},
}

// dropKey is a reason as a key of JSON: its words, joined.
func dropKey(r core.DropReason) string {
	words := strings.FieldsFunc(strings.ToLower(r.String()), func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9')
	})
	for i, w := range words[1:] {
		words[1+i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// dropped are all reasons and how often each came.
func dropped(c *core.Counters) map[string]uint64 {
	out := map[string]uint64{}
	for _, r := range core.DropReasons() {
		out[dropKey(r)] = c.Dropped[r]
	}
	return out
}

func trafficOf(in *core.InstanceStatus) trafficJSON {
	out := trafficJSON{identityOf(in.Identity), map[string]uint64{}, map[string]uint64{}, dropped(&in.Counters)}
	for _, t := range packetTypes {
		n := t.of(&in.Counters)
		out.Sent[t.key], out.Received[t.key] = n.Sent, n.Received
	}
	return out
}

// ShowTraffic prints the packets that were counted, and the reasons for which some were
// dropped: `show ip eigrp traffic`. The lines about the process are the same for each
// instance.
func ShowTraffic(r *core.StatusReport, p Process, v View) cli.Output {
	list := make([]trafficJSON, len(r.Instances))
	for i := range r.Instances {
		list[i] = trafficOf(&r.Instances[i])
	}
	return cli.Output{JSON: map[string]any{"instances": list, "process": p}, Text: func(w io.Writer) {
		v.each(w, len(r.Instances), func(i int) {
			in := &r.Instances[i]
			fmt.Fprintln(w, heading(in.Identity, "Traffic Statistics"))
			for _, t := range packetTypes {
				n := t.of(&in.Counters)
				fmt.Fprintf(w, "  %s sent/received: %d/%d\n", t.title, n.Sent, n.Received)
			}
			fmt.Fprintf(w, "  Hello Process ID: %d\n  PDM Process ID: %d\n", p.ID, p.ID)
			fmt.Fprintf(w, "  Socket Queue: -/-/-/%d (current/max/highest/drops)\n", p.SocketDrops)
			fmt.Fprintf(w, "  Input Queue: 0/%d/%d/%d (current/max/highest/drops)\n", p.QueueLimit, p.QueueHighest, p.QueueDrops)
			for _, d := range core.DropReasons() {
				if n := in.Counters.Dropped[d]; n > 0 {
					fmt.Fprintf(w, "  Dropped: %8d %s\n", n, d)
				}
			}
		})
	}}
}

// accountingJSON is what `maximum-prefix` counts, for programs.
type accountingJSON struct {
	identityJSON
	Prefixes  int           `json:"prefixes"`
	Restarts  int           `json:"restarts"` // of the whole instance
	RestartIn float64       `json:"restartIn"`
	Down      bool          `json:"down"`
	Sources   []accountJSON `json:"sources"`
}

type accountJSON struct {
	Address   string  `json:"address"` // "" for redistributed routes
	Interface string  `json:"interface"`
	State     string  `json:"state"` // adjacency, pending or down
	Prefixes  int     `json:"prefixes"`
	Restarts  int     `json:"restarts"`
	RestartIn float64 `json:"restartIn"`
}

// accounts are the sources of the routes of an instance: neighbours, those that their
// limit keeps away, and what is redistributed.
func accounts(in *core.InstanceStatus) []accountJSON {
	out := []accountJSON{}
	for _, n := range in.Neighbors {
		out = append(out, accountJSON{Address: text(n.Addr), Interface: n.Interface, State: "adjacency", Prefixes: n.Prefixes})
	}
	for _, p := range in.Penalties {
		state := "pending"
		if p.RestartIn == 0 {
			state = "down"
		}
		out = append(out, accountJSON{text(p.Addr), p.Interface, state, 0, p.Restarts, p.RestartIn.Seconds()})
	}
	if len(in.Config.Redistribute) > 0 {
		out = append(out, accountJSON{State: "adjacency", Prefixes: in.Redistributed})
	}
	return out
}

// ShowAccounting prints from whom the prefixes are, and who has to wait since they were
// too many: `show ip eigrp accounting`.
func ShowAccounting(r *core.StatusReport, v View) cli.Output {
	list := make([]accountingJSON, len(r.Instances))
	for i := range r.Instances {
		in := &r.Instances[i]
		list[i] = accountingJSON{identityOf(in.Identity), in.Prefixes, in.Restarts, in.RestartIn.Seconds(), in.Down, accounts(in)}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		v.each(w, len(r.Instances), func(i int) { accountingTable(w, &r.Instances[i]) })
	}}
}

func accountingTable(w io.Writer, in *core.InstanceStatus) {
	fmt.Fprintln(w, headingID(in.Identity, "Accounting")+inVRF(in.VRF))
	fmt.Fprintf(w, "Total Prefix Count: %d   States: A-Adjacency, P-Pending, D-Down\n", in.Prefixes)
	if in.Restarts > 0 {
		fmt.Fprintf(w, "Restarts of the whole instance: %d", in.Restarts)
		switch {
		case in.Down && in.RestartIn > 0:
			fmt.Fprintf(w, ", down, restarts in %d s", seconds(in.RestartIn))
		case in.Down:
			fmt.Fprint(w, ", down")
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "State  Address/Source   Interface        Prefix   Restart  Restart/")
	fmt.Fprintln(w, "                                         Count    Count    Reset(s)")
	table := cli.Table{W: w, Format: " %-5s %-16s %-16s %-8d %-8d %d"}
	for _, a := range accounts(in) {
		addr, ifname := a.Address, short(a.Interface)
		if addr == "" {
			addr, ifname = "Redistributed", "----"
		}
		table.Row(strings.ToUpper(a.State[:1]), addr, ifname, a.Prefixes, a.Restarts, seconds(time.Duration(a.RestartIn*float64(time.Second))))
	}
}
