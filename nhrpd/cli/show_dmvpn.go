package cli

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

type peerJSON struct {
	NBMA       string  `json:"nbma"`
	Tunnel     string  `json:"tunnel"`
	Target     string  `json:"target"`
	State      string  `json:"state"`
	Since      float64 `json:"since"`
	Attributes string  `json:"attributes"`
	Group      string  `json:"group,omitempty"`
	Policy     string  `json:"outputPolicy,omitempty"`
}

type dmvpnJSON struct {
	Interface   string     `json:"interface"`
	Family      string     `json:"family"`
	Type        string     `json:"type"`
	Up          bool       `json:"up"`
	Address     string     `json:"address,omitempty"`
	VRF         string     `json:"vrf"`
	Source      string     `json:"tunnelSource,omitempty"`
	Destination string     `json:"tunnelDestination,omitempty"`
	NetworkID   uint32     `json:"networkId"`
	PeerCount   int        `json:"nbmaPeers"`
	Peers       []peerJSON `json:"peers"`
	Servers     []nhsJSON  `json:"servers"`
	Protection  string     `json:"protection,omitempty"`

	Sessions []sessionJSON `json:"cryptoSessions,omitempty"`
}

// PeerView selects what `show dmvpn` shows.
type PeerView struct {
	Detail  bool
	Static  bool         // only configured entries
	NBMA    netip.Addr   // only the peer there; the zero Addr: all
	Tunnel  netip.Addr   // only the peer with this tunnel address; the zero Addr: all
	Network netip.Prefix // only the entry for exactly this network; the zero Prefix: all

	Unmatched []rib.UnmatchedRow // GRE packets that came for no tunnel, for Detail
}

// PeersOf reads the arguments of `show dmvpn`.
func PeersOf(a cli.Args) PeerView {
	v := PeerView{Detail: a.Has("detail"), Static: a.Has("static"), NBMA: a.Addr("nbma"), Tunnel: a.Addr("tunnel")}
	v.Network = a.Prefix("prefix")
	if p, ok := a.MaskedPrefix("network", "mask"); ok {
		v.Network = p.Masked()
	}
	return v
}

// filtered reports whether some peers may be left out.
func (v PeerView) filtered() bool {
	return v.Static || v.NBMA.IsValid() || v.Tunnel.IsValid() || v.Network.IsValid()
}

func (v PeerView) shows(p core.Peer) bool {
	return (!v.Static || strings.HasPrefix(p.Attributes, "S")) && (!v.NBMA.IsValid() || p.NBMA == v.NBMA) &&
		(!v.Tunnel.IsValid() || p.Tunnel == v.Tunnel) && (!v.Network.IsValid() || p.Target == v.Network)
}

// choose returns the report with the peers that a view shows, and the interfaces
// that have any if not all are shown.
func (v PeerView) choose(r *core.PeerReport) []core.InterfacePeers {
	if !v.filtered() {
		return r.Interfaces
	}
	var out []core.InterfacePeers
	for _, i := range r.Interfaces {
		i.Peers = slices.DeleteFunc(slices.Clone(i.Peers), func(p core.Peer) bool { return !v.shows(p) })
		at := map[netip.Addr]bool{}
		for _, p := range i.Peers {
			if p.NBMA.IsValid() && !p.Local {
				at[p.NBMA] = true
			}
		}
		i.Sessions = slices.DeleteFunc(slices.Clone(i.Sessions), func(s core.Session) bool { return !at[s.NBMA] && s.NBMA != v.NBMA })
		if i.NBMAPeers = len(at); len(i.Peers)+len(i.Sessions) > 0 {
			out = append(out, i)
		}
	}
	return out
}

// ShowDMVPN prints the DMVPN view: `show dmvpn`.
func ShowDMVPN(r *core.PeerReport, v PeerView) cli.Output {
	chosen := v.choose(r)
	list := []dmvpnJSON{}
	for _, i := range chosen {
		d := dmvpnJSON{Interface: i.Interface, Family: strings.ToLower(familyName(i.Family)), Type: i.Role.String(), Up: i.Up, Address: text(i.Addr), VRF: i.VRF,
			Source: text(i.Source), Destination: text(i.Destination), NetworkID: i.NetworkID, PeerCount: i.NBMAPeers,
			Peers: []peerJSON{}, Servers: []nhsJSON{}, Protection: i.Protection, Sessions: sessionsOf(i.Sessions)}
		for _, p := range i.Peers {
			d.Peers = append(d.Peers, peerJSON{text(p.NBMA), text(p.Tunnel), p.Target.String(), p.State.String(), p.Since.Seconds(), p.Attributes, p.Group, p.Policy})
		}
		for _, s := range i.Servers {
			d.Servers = append(d.Servers, nhsOf(s))
		}
		list = append(list, d)
	}
	unmatched := slices.DeleteFunc(slices.Clone(v.Unmatched), func(r rib.UnmatchedRow) bool {
		return !v.Detail || v.filtered() && r.Source != v.NBMA
	})
	out := map[string]any{"interfaces": list}
	if len(unmatched) > 0 {
		out["unmatched"] = unmatchedOf(unmatched)
	}
	return cli.Output{JSON: out, Text: func(w io.Writer) {
		legend(w)
		for _, i := range chosen {
			if v.Detail {
				detailHead(w, i)
				printPeers(w, i.Family, i.Peers, true)
				fmt.Fprintln(w)
				continue
			}
			// What this router told others of itself is no peer.
			peers := slices.DeleteFunc(slices.Clone(i.Peers), func(p core.Peer) bool { return p.Local })
			if len(peers) == 0 {
				continue
			}
			fmt.Fprintf(w, "Interface: %s, %s NHRP Details \n", i.Interface, familyName(i.Family))
			fmt.Fprintf(w, "Type:%s, NHRP Peers:%d, \n\n", i.Role, i.NBMAPeers)
			printPeers(w, i.Family, peers, false)
			fmt.Fprintln(w)
		}
		if v.Detail {
			printSessions(w, chosen)
			printUnmatched(w, unmatched)
		}
	}}
}

type unmatchedJSON struct {
	Source      string  `json:"source"`
	Destination string  `json:"destination"`
	Key         *uint32 `json:"key"` // null: none
	Packets     uint64  `json:"packets"`
	Why         string  `json:"why"`
}

func unmatchedOf(rows []rib.UnmatchedRow) (list []unmatchedJSON) {
	for _, r := range rows {
		j := unmatchedJSON{Source: text(r.Source), Destination: text(r.Destination), Packets: r.Packets, Why: r.Why}
		if r.HasKey {
			j.Key = &r.Key
		}
		list = append(list, j)
	}
	return list
}

// printUnmatched prints who sends GRE packets that are for no tunnel.
func printUnmatched(w io.Writer, rows []rib.UnmatchedRow) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(w, "GRE packets for no tunnel:")
	for _, r := range rows {
		fmt.Fprintf(w, "  %v to %v, %s: %d packets, %s\n", r.Source, r.Destination, keyOf(r), r.Packets, r.Why)
	}
	fmt.Fprintln(w)
}

// keyOf says which GRE key packets have.
func keyOf(r rib.UnmatchedRow) string {
	if !r.HasKey {
		return "no key"
	}
	return fmt.Sprintf("key %d", r.Key)
}

func printPeers(w io.Writer, family rib.Family, peers []core.Peer, detail bool) {
	if family == rib.IPv6 {
		peerBlocks(w, peers)
	} else {
		peerRows(w, peers, detail)
	}
}

func legend(w io.Writer) {
	fmt.Fprint(w, `Legend: Attrb: S - static, D - dynamic, I - incomplete,
	N - behind a NAT, L - local, X - no socket,
	T1 - route installed, T2 - next hop overridden, B - BGP, C - CTS capable,
	I2 - temporary
	# Ent: NHRP entries that share an NBMA peer
	NHS status: E - expecting replies, R - responding, W - waiting
	UpDn Tm: time in the present state
`)
	fmt.Fprintln(w, strings.Repeat("=", 74))
	fmt.Fprintln(w)
}

func familyName(f rib.Family) string { return fmt.Sprintf("IPv%d", f) }

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

func vrfName(vrf string) string {
	if vrf == "" {
		return "global"
	}
	return vrf
}

func detailHead(w io.Writer, i core.InterfacePeers) {
	fmt.Fprintf(w, "Interface %s is %s/%s, Addr. is %s, VRF %q\n", i.Interface, upDown(i.AdminUp), upDown(i.LineUp), text(i.Addr), vrfName(i.VRF))
	destination, protocol := "Multipoint", "multi-GRE/IP"
	if i.Mode == rib.TunnelGRE {
		destination, protocol = text(i.Destination), "GRE/IP"
	}
	if i.Source.Is6() {
		protocol += "v6"
	}
	fmt.Fprintf(w, "   Tunnel Src./Dest. addr: %s/%s, Tunnel VRF %q\n", text(i.Source), destination, vrfName(i.TransportVRF))
	protect := `""`
	if i.Protection != "" {
		protect = strconv.Quote(i.Protection) + " "
	}
	fmt.Fprintf(w, "   Protocol/Transport: %q, Protect %s\n", protocol, protect)
	control := "Disabled"
	if i.LineControl {
		control = "Enabled"
	}
	fmt.Fprintf(w, "   Interface State Control: %s\n", control)
	fmt.Fprintln(w, "   nhrp event-publisher : Disabled")
	fmt.Fprintln(w)
	if len(i.Servers) > 0 {
		fmt.Fprintf(w, "%s NHS:\n", familyName(i.Family))
		for _, s := range i.Servers {
			fmt.Fprintln(w, nhsLine(s, false))
		}
	}
	fmt.Fprintf(w, "Type:%s, Total NBMA Peers (v4/v6): %d\n\n", i.Role, i.NBMAPeers)
}

// nbmaColumn is the width of the column of NBMA addresses.
const nbmaColumn = 15

// peerRows prints the table. Further entries of an NBMA address stand below its
// first one, which has the count.
func peerRows(w io.Writer, peers []core.Peer, detail bool) {
	if len(peers) == 0 {
		return
	}
	table := cli.Table{W: w, Format: " %5s %-15s %15s %5s %8s %5s"}
	head := cli.Table{W: w, Format: " %5s %15s %15s %5s %8s %5s"}
	titles := []string{"# Ent", "Peer NBMA Addr", "Peer Tunnel Add", "State", "UpDn Tm", "Attrb"}
	widths := []int{5, 15, 15, 5, 8, 5}
	if detail {
		table.Format = "%5s %-15s %15s %5s %8s %5s %18s"
		head.Format = "%5s %15s %15s %5s %8s %5s %17s"
		titles, widths = append(titles, "Target Network"), append(widths, 17)
	}
	row, rule := make([]any, len(titles)), make([]any, len(titles))
	for i, t := range titles {
		row[i], rule[i] = t, strings.Repeat("-", widths[i])
	}
	head.Row(row...)
	head.Row(rule...)
	for i, p := range peers {
		first := i == 0 || peers[i-1].NBMA != p.NBMA || !p.NBMA.IsValid()
		nbma := text(p.NBMA)
		if nbma == "" {
			nbma = "UNKNOWN"
		}
		count, shown := fmt.Sprint(entries(peers[i:])), nbma
		if !first {
			count = ""
			if !detail {
				shown = ""
			}
		}
		if len(shown) > nbmaColumn { // an IPv6 address stands alone
			fmt.Fprintf(w, strings.SplitAfter(table.Format, "s ")[0]+"%s\n", count, shown)
			count, shown = "", ""
		}
		values := []any{count, shown, text(p.Tunnel), p.State.String(), cli.Duration(p.Since), p.Attributes}
		if detail {
			values = append(values, p.Target.String())
		}
		table.Row(values...)
		if detail && p.Group != "" {
			fmt.Fprintf(w, "NHRP group: %s\n", p.Group)
		}
		if detail && p.Policy != "" {
			fmt.Fprintf(w, " Output QoS service-policy applied: %s\n", p.Policy)
		}
	}
}

// peerBlocks prints what peerRows does about IPv6, whose addresses fit in no table:
// a numbered block for each NBMA address, and in it one for each of its entries.
func peerBlocks(w io.Writer, peers []core.Peer) {
	number := 0
	for i, p := range peers {
		count := 0
		if i == 0 || peers[i-1].NBMA != p.NBMA || !p.NBMA.IsValid() {
			number++
			count = entries(peers[i:])
			nbma := text(p.NBMA)
			if nbma == "" {
				nbma = "UNKNOWN"
			}
			fmt.Fprintf(w, "%5d.Peer NBMA Address: %s\n", number, nbma)
		}
		fmt.Fprintf(w, "        Tunnel IPv6 Address: %s\n", text(p.Tunnel))
		fmt.Fprintf(w, "        IPv6 Target Network: %v\n", p.Target)
		fmt.Fprintf(w, "        # Ent: %d, Status: %s, UpDn Time: %s, Cache Attrib: %s\n", count, p.State, cli.Duration(p.Since), p.Attributes)
		if p.Group != "" {
			fmt.Fprintf(w, "        NHRP group: %s\n", p.Group)
		}
		if p.Policy != "" {
			fmt.Fprintf(w, "         Output QoS service-policy applied: %s\n", p.Policy)
		}
	}
}

// entries counts how many peers at the beginning share the first one's NBMA address.
func entries(peers []core.Peer) int {
	n := 1
	for n < len(peers) && peers[0].NBMA.IsValid() && peers[n].NBMA == peers[0].NBMA {
		n++
	}
	return n
}
