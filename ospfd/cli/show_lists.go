package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// headerJSON is an LSA on a list, for programs.
type headerJSON struct {
	Type      string `json:"type"`
	LinkState string `json:"linkStateId"`
	Router    string `json:"advertisingRouter"`
	Sequence  string `json:"sequence"`
	Age       uint16 `json:"age"` // when it came on the list, in seconds
	Checksum  uint16 `json:"checksum"`
}

type listJSON struct {
	RouterID  string       `json:"routerId"`
	Address   string       `json:"address"`
	Interface string       `json:"interface"`
	Due       float64      `json:"retransmissionDue,omitempty"` // seconds
	LSAs      []headerJSON `json:"lsas"`
}

// listOf is one of the lists of a neighbour.
func listOf(n *core.NeighborStatus, requests bool) []packet.LSAHeader {
	switch {
	case n.Lists == nil:
		return nil
	case requests:
		return n.Lists.Request
	}
	return n.Lists.Retransmission
}

// showLists prints `show ip ospf request-list` or `retransmission-list`: of each neighbour
// that has something on it.
func showLists(r *core.NeighborReport, a cli.Args, requests bool) cli.Output {
	type instanceJSON struct {
		identityJSON
		Neighbors []listJSON `json:"neighbors"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i, in := range r.Instances {
		list[i] = instanceJSON{identityOf(in.Identity), []listJSON{}}
		for _, n := range chosenNeighbors(in.Neighbors, a) {
			if all := listOf(n, requests); len(all) > 0 {
				list[i].Neighbors = append(list[i].Neighbors, headersOf(n, all, requests))
			}
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, func(in *core.InstanceNeighbors) core.Identity { return in.Identity }, a, func(in *core.InstanceNeighbors) {
			title(w, in.Identity)
			for _, n := range chosenNeighbors(in.Neighbors, a) {
				if all := listOf(n, requests); len(all) > 0 {
					printList(w, n, all, requests)
				}
			}
		})
	}}
}

func headersOf(n *core.NeighborStatus, all []packet.LSAHeader, requests bool) listJSON {
	out := listJSON{RouterID: n.RouterID.String(), Address: addrText(n.Addr), Interface: n.Interface, LSAs: []headerJSON{}}
	if !requests {
		out.Due = n.Lists.Due.Seconds()
	}
	for _, h := range all {
		out.LSAs = append(out.LSAs, headerJSON{typeWord(h.Type), h.ID.String(), h.LSAKey.Router.String(), fmt.Sprintf("0x%08X", uint32(h.Sequence)), h.Age &^ packet.DoNotAge, h.Checksum})
	}
	return out
}

func printList(w io.Writer, n *core.NeighborStatus, all []packet.LSAHeader, requests bool) {
	fmt.Fprintf(w, " Neighbor %v, interface %s address %s\n", n.RouterID, n.Interface, zeros(n.Addr))
	if !requests {
		fmt.Fprintf(w, " Link state retransmission due in %d msec, Queue length %d\n", n.Lists.Due.Milliseconds(), len(all))
	}
	fmt.Fprintln(w, "\n Type  LS ID           ADV RTR         Seq NO      Age    Checksum")
	table := cli.Table{W: w, Format: "%5d  %-15v %-15v %-11s %-6d %s"}
	for _, h := range all {
		table.Row(uint8(h.Type), h.ID, h.LSAKey.Router, fmt.Sprintf("0x%08X", uint32(h.Sequence)), h.Age&^packet.DoNotAge, fmt.Sprintf("0x%04X", h.Checksum))
	}
	fmt.Fprintln(w)
}
