package cli

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// sessionJSON is a peer at a tunnel with what there is between it and this router.
type sessionJSON struct {
	Interface string   `json:"interface"`
	Profile   string   `json:"profile"`
	Status    string   `json:"status"`
	Peer      string   `json:"peer"`
	Port      uint16   `json:"port"`
	Alias     string   `json:"alias"` // by which nhrpd knows the peer, if not by its address
	Uptime    int64    `json:"uptimeSeconds"`
	Identity  string   `json:"peerId"`
	Reason    string   `json:"reason"` // why it is not up
	IKE       []saJSON `json:"ikeSas"`
	Active    int      `json:"activeEspSas"`
	local     netip.Addr
	sas       []*core.SAStatus
}

// sessions gathers the peers that are wanted or there, and their IKE SAs; IKE SAs that
// belong to none of them come last.
func sessions(r *core.SAReport, peers *core.PeerReport, a cli.Args) []*sessionJSON {
	out, used := []*sessionJSON{}, map[*core.SAStatus]bool{}
	for _, p := range peers.Peers {
		at, alias := p.Peer, netip.Addr{}
		if p.Outer.IsValid() {
			at, alias = p.Outer, p.Peer
		}
		if !of(a, at, alias) {
			continue
		}
		s := &sessionJSON{Interface: p.Tunnel, Peer: at.String(), Port: packet.Port, Alias: aliasText(alias), Identity: printable(p.Identity), Reason: printable(p.Reason), Uptime: seconds64(p.Since), local: p.Local}
		for i := range r.SAs {
			if sa := &r.SAs[i]; sa.Remote.Addr() == at && sa.Alias == alias && sa.Local.Addr() == p.Local {
				used[sa] = true
				s.add(sa, p.Tunnel)
			}
		}
		s.settle(p.State)
		out = append(out, s)
	}
	for i := range r.SAs {
		sa := &r.SAs[i]
		if used[sa] || !of(a, sa.Remote.Addr(), sa.Alias) {
			continue
		}
		s := &sessionJSON{Peer: sa.Remote.Addr().String(), Alias: aliasText(sa.Alias), Uptime: seconds64(sa.Age), Identity: sa.Peer.String(), local: sa.Local.Addr()}
		for _, c := range sa.Children {
			s.Interface = c.Tunnel
		}
		s.add(sa, s.Interface)
		s.settle(core.SecurityIKE)
		out = append(out, s)
	}
	return out
}

// add adds an IKE SA. Of its child SAs those of the tunnel count.
func (s *sessionJSON) add(sa *core.SAStatus, tunnel string) {
	s.sas, s.IKE = append(s.sas, sa), append(s.IKE, saOf(sa))
	s.Port, s.Profile = sa.Remote.Port(), sa.Profile
	for _, c := range sa.Children {
		if c.Tunnel == tunnel {
			s.Active += 2
		}
	}
}

// settle finds the status.
func (s *sessionJSON) settle(state core.Security) {
	ready, begun := false, false
	for _, sa := range s.sas {
		ready, begun = ready || sa.State == core.StateReady, begun || sa.State < core.StateReady
	}
	switch {
	case s.Active > 0 && ready:
		s.Status = "UP-ACTIVE"
	case s.Active > 0 || state == core.SecurityUp:
		s.Status = "UP-NO-IKE"
	case ready:
		s.Status = "UP-IDLE"
	case begun:
		s.Status = "DOWN-NEGOTIATING"
	default:
		s.Status = "DOWN"
	}
	if !strings.HasPrefix(s.Status, "UP") {
		s.Uptime = 0
	}
	if s.IKE == nil {
		s.IKE = []saJSON{}
	}
}

// showSession is `show crypto session`.
func showSession(r *core.SAReport, peers *core.PeerReport, a cli.Args) cli.Output {
	list, detail := sessions(r, peers, a), a.Has("detail")
	return cli.Output{JSON: map[string]any{"sessions": list}, Text: func(w io.Writer) {
		fmt.Fprint(w, "Crypto session current status\n\n")
		if detail {
			fmt.Fprint(w, "Code: C - IKE Configuration mode, D - Dead Peer Detection\nK - Keepalives, N - NAT-traversal, T - cTCP encapsulation\n"+
				"X - IKE Extended Authentication, F - IKE Fragmentation\nR - IKE Auto Reconnect, U - IKE Dynamic Route Update\nS - SIP VPN, Q - Quantum Resistant\n\n")
		}
		for _, s := range list {
			s.write(w, detail)
		}
	}}
}

func (s *sessionJSON) write(w io.Writer, detail bool) {
	fmt.Fprintf(w, "Interface: %s\n", nameOr(s.Interface, "none"))
	if s.Profile != "" {
		fmt.Fprintln(w, "Profile: "+s.Profile)
	}
	if detail && s.Uptime > 0 {
		fmt.Fprintln(w, "Uptime: "+cli.Duration(time.Duration(s.Uptime)*time.Second))
	}
	fmt.Fprintf(w, "Session status: %s\nPeer: %s port %d", s.Status, s.Peer, s.Port)
	if detail {
		vrf := ""
		if len(s.IKE) > 0 {
			vrf = s.IKE[0].VRF
		}
		fmt.Fprintf(w, " fvrf: %s ivrf: (none)\n      Phase1_id: %s\n      Desc: %s", nameOr(vrf, "(none)"), nameOr(s.Identity, "(none)"), nameOr(s.Reason, "(none)"))
	}
	fmt.Fprintln(w)
	if s.Alias != "" {
		fmt.Fprintln(w, "Alias: "+s.Alias)
	}
	for i, sa := range s.sas {
		word := map[bool]string{true: "Active", false: "Inactive"}[sa.State == core.StateReady]
		fmt.Fprintf(w, "  Session ID: %d\n  IKEv2 SA: local %s remote %s %s\n", sa.Number, endpoint(sa.Local), endpoint(sa.Remote), word)
		if detail {
			fmt.Fprintf(w, "          Capabilities:%s connid:%d lifetime:%s\n", capabilities(s.IKE[i]), sa.Number, clock(remaining(sa.Lifetime, sa.Age)))
		}
	}
	fmt.Fprintf(w, "  IPSEC FLOW: permit 47 host %v host %s\n        Active SAs: %d, origin: crypto map\n", s.local, s.Peer, s.Active)
	if detail {
		s.writeFlow(w)
	}
	fmt.Fprintln(w)
}

// capabilities are the letters of the legend.
func capabilities(j saJSON) string {
	out := ""
	for _, c := range []struct {
		on     bool
		letter string
	}{{j.DPDInterval > 0, "D"}, {j.NATLocal || j.NATRemote, "N"}, {j.Fragmentation, "F"}, {len(j.Additional) > 0, "Q"}} {
		if c.on {
			out += c.letter
		}
	}
	return nameOr(out, "(none)")
}

// writeFlow writes what passed and what is left of the child SA in use.
func (s *sessionJSON) writeFlow(w io.Writer) {
	var in, out rib.SACount
	var current *core.ChildStatus
	for _, sa := range s.sas {
		for i := range sa.Children {
			c := &sa.Children[i]
			if c.Tunnel != s.Interface {
				continue
			}
			in.Packets, out.Packets = in.Packets+c.InCount.Packets, out.Packets+c.OutCount.Packets
			in.Failed += c.InCount.Failed + c.InCount.Replayed + c.InCount.Late
			if !c.Rekeyed {
				current = c
			}
		}
	}
	var inLeft, outLeft espJSON
	if current != nil {
		inLeft, outLeft = espOf(current, current.In, current.InCount), espOf(current, current.Out, current.OutCount)
	}
	fmt.Fprintf(w, "        Inbound:  #pkts dec'ed %d drop %d life (KB/Sec) %d/%d\n", in.Packets, in.Failed, inLeft.Kilobytes, inLeft.Seconds)
	fmt.Fprintf(w, "        Outbound: #pkts enc'ed %d drop 0 life (KB/Sec) %d/%d\n", out.Packets, outLeft.Kilobytes, outLeft.Seconds)
}

// showSocket is `show crypto socket`.
func showSocket(peers *core.PeerReport, config *core.ConfigReport) cli.Output {
	type socketJSON struct {
		Interface string `json:"interface"`
		Local     string `json:"local"`
		Remote    string `json:"remote"`
		Profile   string `json:"ipsecProfile"`
		Open      bool   `json:"open"`
		Wanted    bool   `json:"wanted"`
		Reason    string `json:"reason"` // why it is not open
		Attempts  int    `json:"attempts"`
		NextTry   int64  `json:"nextTrySeconds"`
	}
	type listenJSON struct {
		Interface string `json:"interface"`
		Profile   string `json:"ipsecProfile"`
	}
	list, listening := []socketJSON{}, []listenJSON{}
	for _, p := range peers.Peers {
		list = append(list, socketJSON{p.Tunnel, p.Local.String(), p.Peer.String(), p.Profile, p.State == core.SecurityUp, p.Wanted, printable(p.Reason), p.Attempts, seconds64(p.NextTry)})
	}
	for _, t := range config.Config.Tunnels {
		listening = append(listening, listenJSON{t.Interface, t.Profile})
	}
	return cli.Output{JSON: map[string]any{"sockets": list, "listening": listening}, Text: func(w io.Writer) {
		fmt.Fprintf(w, "\nNumber of Crypto Socket connections %d\n\n", len(list))
		for _, s := range list {
			fmt.Fprintf(w, "   %s Peers (local/remote): %s/%s\n", cli.ShortInterfaceName(s.Interface), s.Local, s.Remote)
			fmt.Fprintf(w, "       Local Ident  (addr/mask/port/prot): (%s)\n       Remote Ident (addr/mask/port/prot): (%s)\n", portIdent(s.Local), portIdent(s.Remote))
			state := map[bool]string{true: "Open", false: "Closed"}[s.Open]
			if s.Reason != "" && !s.Open {
				state += ", " + s.Reason
			}
			fmt.Fprintf(w, "       IPSec Profile: %q\n       Socket State: %s\n", s.Profile, state)
			fmt.Fprintf(w, "       Client: \"TUNNEL SEC\" (Client State: %s)\n", map[bool]string{true: "Active", false: "Passive"}[s.Wanted])
		}
		fmt.Fprintln(w, "\nCrypto Sockets in Listen state:")
		for _, l := range listening {
			fmt.Fprintf(w, "Client: \"TUNNEL SEC\" Profile: %q Map-name: \"%s-head-0\"\n", l.Profile, l.Interface)
		}
	}}
}

// portIdent is a host and GRE as the listing of sockets has it.
func portIdent(addr string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.Replace(ident(addr), "/47/0)", "/0/47)", 1), "("), ")")
}
