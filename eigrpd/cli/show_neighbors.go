package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// neighborsJSON are the neighbours of an instance for programs. Times are in seconds.
type neighborsJSON struct {
	identityJSON
	MaxRemote int            `json:"maxRemoteNeighbors"` // 0: no limit
	Neighbors []neighborJSON `json:"neighbors"`
}

type neighborJSON struct {
	Handle          int      `json:"handle"`
	Address         string   `json:"address"`
	Interface       string   `json:"interface"`
	State           string   `json:"state"` // pending, up or restarting
	Static          bool     `json:"static"`
	Remote          bool     `json:"remote"`
	Hold            float64  `json:"hold"` // what is left
	HoldTime        float64  `json:"holdTime"`
	Uptime          float64  `json:"uptime"`
	LastUpdate      float64  `json:"lastUpdate"`
	SRTT            float64  `json:"srtt"`
	RTO             float64  `json:"rto"`
	Queue           int      `json:"queue"`
	Sequence        uint32   `json:"sequence"`
	Retransmissions uint64   `json:"retransmissions"`
	Retries         int      `json:"retries"`
	Version         string   `json:"version"`    // of its software
	TLVVersion      string   `json:"tlvVersion"` // 2.0: it reads wide metrics
	Prefixes        int      `json:"prefixes"`
	Stub            bool     `json:"stub"`
	StubRoutes      []string `json:"stubRoutes"` // words of `eigrp stub`
	RestartTime     float64  `json:"restartTime,omitempty"`
}

func neighborOf(n *core.NeighborStatus) neighborJSON {
	state := "up"
	switch {
	case n.Restarting:
		state = "restarting"
	case n.Pending:
		state = "pending"
	}
	stub := []string{}
	if n.IsStub {
		stub = append(stub, strings.Fields(n.Stub.String())...)
	}
	t := &n.Transport
	return neighborJSON{Handle: n.Handle, Address: text(n.Addr), Interface: n.Interface, State: state, Static: n.Static, Remote: n.Remote,
		Hold: n.Hold.Seconds(), HoldTime: n.HoldTime.Seconds(), Uptime: n.Uptime.Seconds(), LastUpdate: n.LastUpdate.Seconds(),
		SRTT: t.SRTT.Seconds(), RTO: t.RTO.Seconds(), Queue: t.Queue, Sequence: t.Sequence, Retransmissions: t.Retransmissions, Retries: t.Retries,
		Version: fmt.Sprintf("%d.%d", n.Software.OSMajor, n.Software.OSMinor), TLVVersion: fmt.Sprintf("%d.%d", n.Software.TLVMajor, n.Software.TLVMinor),
		Prefixes: n.Prefixes, Stub: n.IsStub, StubRoutes: stub, RestartTime: n.RestartTime.Seconds()}
}

// neighbors returns those of a list that are asked for.
func (v View) neighbors(all []core.NeighborStatus) []*core.NeighborStatus {
	var out []*core.NeighborStatus
	for i := range all {
		if v.ifname == "" || v.ifname == all[i].Interface {
			out = append(out, &all[i])
		}
	}
	return out
}

// ShowNeighbors prints the neighbours: `show ip eigrp neighbors`, with `detail` what
// they say of themselves.
func ShowNeighbors(r *core.NeighborReport, v View) cli.Output {
	list := make([]neighborsJSON, len(r.Instances))
	for i, in := range r.Instances {
		list[i] = neighborsJSON{identityOf(in.Identity), in.MaxRemote, []neighborJSON{}}
		for _, n := range v.neighbors(in.Neighbors) {
			list[i].Neighbors = append(list[i].Neighbors, neighborOf(n))
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		v.each(w, len(r.Instances), func(i int) {
			in := &r.Instances[i]
			fmt.Fprintln(w, heading(in.Identity, "Neighbors"))
			v.neighborTable(w, v.neighbors(in.Neighbors))
			if v.detail {
				fmt.Fprintf(w, "Max Nbrs: %d, Current Nbrs: %d\n", in.MaxRemote, remote(in.Neighbors))
			}
		})
	}}
}

// neighborTable prints neighbours in Cisco's columns; without one there are no titles.
func (v View) neighborTable(w io.Writer, list []*core.NeighborStatus) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, "H   Address                 Interface              Hold Uptime   SRTT   RTO  Q  Seq")
	fmt.Fprintln(w, "                                                   (sec)         (ms)       Cnt Num")
	table := cli.Table{W: w, Format: "%-3v %-23s %-22s %4d %-8s %4d %5d %2d  %d"}
	for _, n := range list {
		addr, below := text(n.Addr), ""
		if n.Addr.Is6() && n.Addr.IsLinkLocalUnicast() {
			addr, below = "Link-local address:", addr
		}
		table.Row(n.Handle, addr, short(n.Interface), seconds(n.Hold), cli.Duration(n.Uptime),
			roundTrip(n.Transport.SRTT), n.Transport.RTO.Milliseconds(), n.Transport.Queue, n.Transport.Sequence)
		if below != "" {
			fmt.Fprintf(w, "    %s\n", below)
		}
		if v.detail {
			neighborDetail(w, n)
		}
	}
}

// remote counts the neighbours that `remote-neighbors` let in.
func remote(list []core.NeighborStatus) int {
	n := 0
	for i := range list {
		if list[i].Remote && !list[i].Static {
			n++
		}
	}
	return n
}

// neighborDetail prints what is below the line of a neighbour. One that is pending waits
// for the packet that the other router has not answered yet (RFC 7868 section 5.3.5):
// that stays so where packets pass in one direction only.
func neighborDetail(w io.Writer, n *core.NeighborStatus) {
	if n.Restarting || n.RestartTime > 0 {
		fmt.Fprintf(w, "   Time since Restart %s\n", cli.Duration(n.RestartTime))
	}
	switch {
	case n.Remote && n.Static:
		fmt.Fprintln(w, "   Remote Static neighbor (static multihop)")
	case n.Remote:
		fmt.Fprintln(w, "   Remote Dynamic neighbor (unicast listen)")
	case n.Static:
		fmt.Fprintln(w, "   Static neighbor")
	}
	s := n.Software
	fmt.Fprintf(w, "   Version %d.%d/%d.%d, Retrans: %d, Retries: %d", s.OSMajor, s.OSMinor, s.TLVMajor, s.TLVMinor,
		n.Transport.Retransmissions, n.Transport.Retries)
	switch {
	case n.Pending && n.Transport.Sequence == 0:
		fmt.Fprint(w, ", Waiting for Init, Waiting for Init Ack")
	case n.Pending:
		fmt.Fprint(w, ", Waiting for Init Ack")
	case n.Prefixes > 0:
		fmt.Fprintf(w, ", Prefixes: %d", n.Prefixes)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "   Topology-ids from peer - 0")
	fmt.Fprintln(w, "   Topologies advertised to peer:   base")
	if !n.IsStub {
		return
	}
	fmt.Fprintln(w)
	if n.Stub&packet.StubReceiveOnly != 0 {
		fmt.Fprintln(w, "   Receive-Only Peer Advertising (No) Routes")
	} else {
		fmt.Fprintf(w, "   Stub Peer Advertising ( %s ) Routes\n", strings.ToUpper(n.Stub.String()))
	}
	fmt.Fprintln(w, "   Suppressing queries")
}

// seconds is a duration in whole seconds, as Cisco prints timers.
func seconds(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }

// roundTrip is a round-trip time in milliseconds, as tables have it: 0 is one that was not
// measured, so what was is at least 1.
func roundTrip(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }
