package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// Question asks how an address of a VRF is reached.
type Question struct {
	VRF  string
	Addr netip.Addr
}

// Facts is what `diagnose dmvpn` judges by: reports of one moment, and what zebra
// says of routes.
type Facts struct {
	Peers   *core.PeerReport
	Cache   *core.CacheReport
	Traffic *core.TrafficReport
	Routes  map[Question]rib.NextHopChanged // a question that is not in it was not answered

	Unmatched []rib.UnmatchedRow // GRE packets that came for no tunnel
}

// Verdict is what is found of a layer.
type Verdict string

// The verdicts.
const (
	VerdictOK      Verdict = "ok"
	VerdictFails   Verdict = "fails"
	VerdictUnknown Verdict = "unknown" // nothing says so or so
	VerdictNone    Verdict = "none"    // there is no such layer here
)

// Layer is what is found of one layer, with the facts that say so.
type Layer struct {
	Name    string  `json:"layer"`
	Verdict Verdict `json:"verdict"`
	Text    string  `json:"text"`
}

// Diagnosis is what is found of the way to a peer over a tunnel, or of a tunnel
// that is no way to anybody.
type Diagnosis struct {
	Interface string  `json:"interface"`
	Peer      string  `json:"peer,omitempty"` // tunnel address
	NBMA      string  `json:"nbma,omitempty"`
	Failing   string  `json:"failing,omitempty"` // the lowest layer that fails
	Layers    []Layer `json:"layers"`
}

// maxDiagnosed bounds how many peers of a tunnel are looked at: servers, and those
// that are stuck, come first.
const maxDiagnosed = 32

// target is a peer to be looked at: by what is known of it.
type target struct {
	iface  *core.InterfacePeers
	tunnel netip.Addr       // zero: unknown
	nbma   netip.Addr       // zero: unknown
	server *core.NHSEntry   // nil: none of this router's
	entry  *core.CacheEntry // nil: it has none
	mute   bool             // nobody registers on this tunnel, neither this router nor others
}

// targets returns whom to look at: on each tunnel the servers, then the peers that are
// stuck; or, if peer is valid, everything that is known under that address, be it a
// tunnel's or an NBMA address. A tunnel without either is a target without peer.
func targets(f Facts, peer netip.Addr) []target {
	var all []target
	for k := range f.Peers.Interfaces {
		i := &f.Peers.Interfaces[k]
		found, mute := serversOf(i, peer), muteOn(f, i)
		for n := range f.Cache.Entries {
			e := &f.Cache.Entries[n]
			if e.Interface != i.Interface || e.Family != i.Family || e.Type == core.EntryLocal || !e.Target.IsSingleIP() {
				continue
			}
			t := target{iface: i, tunnel: e.Target.Addr(), nbma: e.NBMA, entry: e, mute: mute}
			if e.Flags&core.FlagTemporary != 0 {
				t.nbma = netip.Addr{} // it is the server's
			}
			same := func(s target) bool { return s.tunnel == t.tunnel }
			if at := slices.IndexFunc(found, same); at >= 0 {
				found[at].entry = e
			} else if peer.IsValid() && (t.tunnel == peer || t.nbma == peer) || !peer.IsValid() && (stuck(e) || mute || t.unsecured()) {
				found = append(found, t)
			}
		}
		if !peer.IsValid() {
			found = append(found, f.strangers(i, found)...)
		}
		if len(found) == 0 && (!peer.IsValid() || i.Subnet.Contains(peer)) {
			found = []target{{iface: i, tunnel: peer}}
		}
		all = append(all, found[:min(len(found), maxDiagnosed)]...)
	}
	if len(all) == 0 { // an NBMA address that nobody is known to have
		for k := range f.Peers.Interfaces {
			all = append(all, target{iface: &f.Peers.Interfaces[k], nbma: peer})
		}
	}
	return all
}

func serversOf(i *core.InterfacePeers, peer netip.Addr) []target {
	var found []target
	for n := range i.Servers {
		s := &i.Servers[n]
		if !peer.IsValid() || s.Addr == peer || s.NBMA == peer {
			found = append(found, target{iface: i, tunnel: s.Addr, nbma: s.NBMA, server: s})
		}
	}
	return found
}

// muteOn reports whether nobody registers on a tunnel: neither this router, since it has
// no server, nor others here.
func muteOn(f Facts, i *core.InterfacePeers) bool {
	return len(i.Servers) == 0 && !slices.ContainsFunc(f.Cache.Entries, func(e core.CacheEntry) bool {
		return e.Interface == i.Interface && e.Family == i.Family && e.Flags&core.FlagRegistered != 0
	})
}

// stuck reports whether an entry waits for what may not come.
func stuck(e *core.CacheEntry) bool {
	return e.Type == core.EntryIncomplete || e.Flags&(core.FlagTemporary|core.FlagNegative) != 0
}

// Questions returns what has to be asked of zebra for a diagnosis: how the peers' NBMA
// addresses and tunnel addresses are reached.
func Questions(f Facts, peer netip.Addr) []Question {
	var all []Question
	for _, t := range targets(f, peer) {
		for _, q := range []Question{{t.iface.TransportVRF, t.nbma}, {t.iface.VRF, t.tunnel}} {
			if q.Addr.IsValid() && !slices.Contains(all, q) {
				all = append(all, q)
			}
		}
	}
	return all
}

// Diagnose looks at the layers between this router and its peers, lowest first, or one
// peer, given by its tunnel or NBMA address. Each layer is judged by itself; the lowest
// that fails is the one to be mended first.
func Diagnose(f Facts, peer netip.Addr) []Diagnosis {
	out := []Diagnosis{}
	for _, t := range targets(f, peer) {
		d := Diagnosis{Interface: t.iface.Interface, Peer: text(t.tunnel), NBMA: text(t.nbma)}
		d.Layers = []Layer{t.interfaceLayer()}
		if t.tunnel.IsValid() || t.nbma.IsValid() {
			d.Layers = append(d.Layers, t.transportLayer(f))
			if t.iface.Protection != "" { // GRE passes in ESP
				d.Layers = append(d.Layers, t.ikeLayer(), t.ipsecLayer(), t.greLayer(f))
			} else {
				d.Layers = append(d.Layers, t.greLayer(f), Layer{"IPsec", VerdictNone, "not configured"})
			}
			d.Layers = append(d.Layers, t.nhrpLayer(f), t.routingLayer(f))
		} else if t.iface.Up {
			d.Layers = append(d.Layers, Layer{"NHRP", VerdictOK, t.quiet(f)})
		}
		for _, l := range d.Layers {
			if l.Verdict == VerdictFails {
				d.Failing = l.Name
				break
			}
		}
		out = append(out, d)
	}
	return out
}

// quiet says why there is nobody to look at.
func (t target) quiet(f Facts) string {
	said := fmt.Sprintf("no next hop servers, %d peers, none of them stuck", t.iface.NBMAPeers)
	if d := t.dropped(f); d != "" {
		said += "; " + d
	}
	return said
}

func (t target) interfaceLayer() Layer {
	i := t.iface
	fails := func(format string, args ...any) Layer {
		return Layer{"Interface", VerdictFails, fmt.Sprintf(format, args...)}
	}
	switch {
	case !i.Known:
		return fails("there is no tunnel %s: zebra has no such interface, or it has no tunnel source", i.Interface)
	case !i.AdminUp:
		return fails("%s is shut down", i.Interface)
	case !i.Source.IsValid() && i.SourceFrom != "":
		return fails("%s has no source address: %s, its tunnel source, has none", i.Interface, i.SourceFrom)
	case !i.Source.IsValid():
		return fails("%s has no tunnel source", i.Interface)
	case i.Mode == rib.TunnelGRE && !i.Destination.IsValid():
		return fails("%s is point-to-point and has no tunnel destination", i.Interface)
	case !i.Addr.IsValid():
		return fails("%s has no %s address", i.Interface, familyName(i.Family))
	case !i.LineUp && !i.Up:
		return fails("the line protocol of %s is down", i.Interface)
	}
	state := "up"
	if !i.LineUp {
		state = "held down by \"if-state nhrp\" until a server responds"
	}
	said := fmt.Sprintf("%s is %s, address %v, source %v", i.Interface, state, i.Subnet, i.Source)
	if i.SourceFrom != "" {
		said += " of " + i.SourceFrom
	}
	return Layer{"Interface", VerdictOK, said}
}

// in names a VRF behind a text.
func in(vrf string) string {
	if vrf == "" {
		return ""
	}
	return " in VRF " + vrf
}

func (t target) transportLayer(f Facts) Layer {
	const name = "Transport"
	if !t.nbma.IsValid() {
		if t.server != nil && t.server.Name != "" {
			return Layer{name, VerdictFails, fmt.Sprintf("the NBMA address of server %v is not known: %s", t.tunnel, orText(t.server.Trouble.Text, "the name "+t.server.Name+" is being resolved"))}
		}
		if t.server != nil {
			return Layer{name, VerdictFails, fmt.Sprintf("the NBMA address of server %v is not known: there is no \"nbma\" behind it and no map that covers it", t.tunnel)}
		}
		return Layer{name, VerdictUnknown, fmt.Sprintf("the NBMA address of %v is not known", t.tunnel)}
	}
	q := Question{t.iface.TransportVRF, t.nbma}
	r, answered := f.Routes[q]
	switch {
	case !answered:
		return Layer{name, VerdictUnknown, "zebra did not say how " + t.nbma.String() + " is reached"}
	case len(r.NextHops) == 0:
		return Layer{name, VerdictFails, fmt.Sprintf("there is no route to NBMA address %v%s", t.nbma, in(q.VRF))}
	}
	way := fmt.Sprintf("%v by %v %v%s, %s", t.nbma, r.Protocol, r.Prefix, in(q.VRF), hopsText(q.Addr, r.NextHops))
	for _, h := range r.NextHops {
		if h.Interface == t.iface.Interface {
			return Layer{name, VerdictFails, "recursion: " + way + ": packets of the tunnel must not go by the tunnel"}
		}
		if h.Discard {
			return Layer{name, VerdictFails, way + ": it is discarded"}
		}
	}
	return Layer{name, VerdictOK, way}
}

// hopsText prints by which next hop an address is reached, and how many more there are.
func hopsText(a netip.Addr, hops []rib.NextHop) string {
	h := hops[0]
	said := h.Interface
	switch {
	case h.Discard:
		said = "Null0"
	case h.Addr.IsValid() && h.Addr != a:
		said = fmt.Sprintf("%s via %v", h.Interface, h.Addr)
	}
	if len(hops) > 1 {
		said += fmt.Sprintf(" and %d more", len(hops)-1)
	}
	return said
}

// unmatched returns the packets of a peer that came for no tunnel, though the tunnel is
// where they were sent.
func (f Facts) unmatched(t target) (r rib.UnmatchedRow, ok bool) {
	at := slices.IndexFunc(f.Unmatched, func(r rib.UnmatchedRow) bool { return r.Source == t.nbma && r.Destination == t.iface.Source })
	if at < 0 {
		return r, false
	}
	return f.Unmatched[at], true
}

// strangers returns who sends GRE packets to a tunnel's source that are for no tunnel,
// and is not among those who were found.
func (f Facts) strangers(i *core.InterfacePeers, found []target) (all []target) {
	for _, r := range f.Unmatched {
		same := func(t target) bool { return t.nbma == r.Source }
		if r.Destination == i.Source && !slices.ContainsFunc(found, same) && !slices.ContainsFunc(all, same) {
			all = append(all, target{iface: i, nbma: r.Source})
		}
	}
	return all
}

// greKey says which key has to be the same.
func (t target) greKey() string {
	if t.iface.HasKey {
		return fmt.Sprintf("tunnel key %d", t.iface.Key)
	}
	return "no tunnel key"
}

// bare says what the other end must not have where this one sends in clear.
func (t target) bare() string {
	if t.iface.Protection != "" {
		return ""
	}
	return ", without \"tunnel protection\""
}

// greLayer judges by what arrived: GRE itself answers nothing.
func (t target) greLayer(f Facts) Layer {
	const name = "GRE"
	r, lost := f.unmatched(t)
	switch s, e := t.server, t.entry; {
	case t.unsecured():
		return Layer{name, VerdictUnknown, "waits for IPsec: nothing is sent or taken in clear"}
	case lost && (s == nil || s.State != core.NHSResponding) && (e == nil || e.Flags&core.FlagRegistered == 0):
		return Layer{name, VerdictFails, fmt.Sprintf("packets come from %v with %s, for no tunnel: %s (%d so far)", r.Source, keyOf(r), r.Why, r.Packets)}
	case s != nil && s.LastHeard != core.NoExpiry && (s.State == core.NHSResponding || s.LastHeard <= min(s.Asked, recently)):
		return Layer{name, VerdictOK, fmt.Sprintf("NHRP packets come from %v, the last one %s ago", t.nbma, cli.Duration(s.LastHeard))}
	case s != nil && (s.State == core.NHSWaiting || s.State == core.NHSStandby):
		return Layer{name, VerdictUnknown, "nothing is sent"}
	case s != nil && s.State == core.NHSExpecting:
		return Layer{name, VerdictUnknown, fmt.Sprintf("no answer yet, for %s", cli.Duration(s.Since))}
	case s != nil:
		heard := "no packet came"
		if s.LastHeard != core.NoExpiry {
			heard = fmt.Sprintf("the last packet came %s ago", cli.Duration(s.LastHeard))
		}
		return Layer{name, VerdictFails, fmt.Sprintf("%s from %v: is %s let through both ways, has the other end %s, and does a tunnel with NHRP run there%s?",
			heard, t.nbma, t.carrier(), t.greKey(), t.bare())}
	case e != nil && e.Flags&core.FlagRegistered != 0:
		return Layer{name, VerdictOK, fmt.Sprintf("NHRP packets come from %v", t.nbma)}
	}
	return Layer{name, VerdictUnknown, "no NHRP packet is expected from there; a ping tells"}
}

// recently is how long ago a packet counts as one of now: twice the longest retry.
const recently = 130 * time.Second

func (t target) nhrpLayer(f Facts) Layer {
	switch {
	case t.server != nil:
		return t.registration(f)
	case t.entry != nil:
		return t.resolution()
	}
	who, said := t.tunnel, "no entry, no map and no next hop server"
	if !who.IsValid() {
		who = t.nbma
	}
	said = fmt.Sprintf("%v is not known on %s: %s", who, t.iface.Interface, said)
	if d := t.dropped(f); d != "" {
		said += "; " + d
	}
	return Layer{"NHRP", VerdictFails, said}
}

// registration judges a next hop server.
func (t target) registration(f Facts) Layer {
	const name = "NHRP"
	s := t.server
	fails := func(format string, args ...any) Layer {
		return Layer{name, VerdictFails, fmt.Sprintf(format, args...)}
	}
	since := cli.Duration(s.Trouble.Since)
	switch trouble := s.Trouble; {
	case s.State == core.NHSResponding:
		as := ""
		if s.Translated.IsValid() {
			as = fmt.Sprintf(", which sees this router as %v behind a NAT", s.Translated)
		}
		return Layer{name, VerdictOK, fmt.Sprintf("registered with %v for %s%s", s.Addr, cli.Duration(s.Since), as)}
	case t.unsecured() && s.State != core.NHSStandby && s.State != core.NHSWaiting:
		return Layer{name, VerdictUnknown, "registration waits for IPsec, and follows at once"}
	case s.State == core.NHSStandby:
		return Layer{name, VerdictNone, "not registered with: enough better servers of its cluster respond"}
	case trouble.Error && trouble.Code == uint16(packet.ErrAuthenticationFailure):
		return fails("authentication: the hub reports %s since %s: \"ip nhrp authentication\" must be the same on both ends", trouble.Text, since)
	case trouble.Error && (trouble.Code == uint16(packet.ErrProtocolUnreachable) || trouble.Code == uint16(packet.ErrProtocolError)):
		return fails("NHS %v is unknown at %v: it reports %s since %s", s.Addr, t.nbma, trouble.Text, since)
	case !trouble.Error && trouble.Code == uint16(packet.CodeAdministrativelyProhibited) && t.iface.Protection != "":
		return fails("%s since %s: has the hub a map for %v, or is that bound to another identity (\"ip nhrp registration identity\")?", trouble.Text, since, t.iface.Addr)
	case !trouble.Error && trouble.Code == uint16(packet.CodeUniqueAddressAlreadyPresent):
		return fails("unique: the hub has another NBMA address for %v: %s since %s", t.iface.Addr, trouble.Text, since)
	case trouble.Error:
		return fails("the hub reports %s since %s", trouble.Text, since)
	case trouble.Text != "":
		return fails("%s since %s", trouble.Text, since)
	case s.State == core.NHSWaiting:
		return fails("registration waits: %s", orText(s.Reason, "there is nothing to ask"))
	case s.State == core.NHSExpecting:
		return Layer{name, VerdictUnknown, fmt.Sprintf("registration was sent, %d requests so far", s.Sent)}
	}
	said := fmt.Sprintf("no answer of %v to registrations for %s: %d requests, %d replies", s.Addr, cli.Duration(s.Since), s.Sent, s.Received)
	if d := t.dropped(f); d != "" {
		said += "; " + d
	}
	return fails("%s", said)
}

// resolution judges a peer that is no server.
func (t target) resolution() Layer {
	const name = "NHRP"
	e := t.entry
	switch said := ""; {
	case e.Type == core.EntryIncomplete, e.Flags&(core.FlagTemporary|core.FlagNegative) != 0:
		said = fmt.Sprintf("%v is not resolved, asked for %s ago", e.Target, cli.Duration(e.Age))
		if e.Trouble.Text != "" {
			said += ": " + e.Trouble.Text
		}
		if e.NBMA.IsValid() {
			said += fmt.Sprintf("; packets go by way of %v", e.NBMA)
		}
		return Layer{name, VerdictFails, said}
	case e.Type == core.EntryStatic && t.mute:
		return Layer{name, VerdictFails, fmt.Sprintf("a map says where %v is, but there is no \"ip nhrp nhs\": this router registers nowhere, and nobody here", t.tunnel)}
	case e.Type == core.EntryStatic:
		return Layer{name, VerdictUnknown, "a map says where it is; this router does not register there"}
	case e.Flags&core.FlagRegistered != 0:
		said = fmt.Sprintf("registered %d times, for %s, expires in %s", e.Refreshed, cli.Duration(e.Age), duration(e.Expires))
		if e.Trouble.Text != "" {
			said += fmt.Sprintf("; refused %s ago: %s", cli.Duration(e.Trouble.Last), e.Trouble.Text)
		}
		return Layer{name, VerdictOK, said}
	default:
		return Layer{name, VerdictOK, fmt.Sprintf("resolved %s ago, expires in %s", cli.Duration(e.Age), duration(e.Expires))}
	}
}

// telling are the reasons for drops that tell of a mistake in somebody's configuration.
var telling = []core.DropReason{core.DropNoNetworkID, core.DropAuthentication, core.DropProtocol, core.DropVersion, core.DropChecksum,
	core.DropUnreachable, core.DropNotAllowed, core.DropMaxSend}

// dropped says what this router dropped on the tunnel, and may have been the peer's.
func (t target) dropped(f Facts) string {
	said := ""
	add := func(n uint64, r core.DropReason, where string) {
		if n == 0 {
			return
		}
		if said != "" {
			said += ", "
		}
		said += fmt.Sprintf("%d packets%s: %v", n, where, r)
	}
	for k := range f.Traffic.Interfaces {
		c := &f.Traffic.Interfaces[k]
		if c.Interface != t.iface.Interface || c.Family != t.iface.Family {
			continue
		}
		for _, r := range telling {
			add(c.Counters.Drop(r), r, "")
		}
	}
	add(f.Traffic.Other.Drop(core.DropNoNetworkID), core.DropNoNetworkID, " of other tunnels")
	if said == "" {
		return ""
	}
	return "this router dropped " + said
}

func (t target) routingLayer(f Facts) Layer {
	const name = "Routing"
	if !t.tunnel.IsValid() {
		return Layer{name, VerdictUnknown, "the tunnel address is not known"}
	}
	q := Question{t.iface.VRF, t.tunnel}
	r, answered := f.Routes[q]
	switch {
	case !answered:
		return Layer{name, VerdictUnknown, "zebra did not say how " + t.tunnel.String() + " is reached"}
	case len(r.NextHops) == 0:
		return Layer{name, VerdictFails, fmt.Sprintf("there is no route to %v%s", t.tunnel, in(q.VRF))}
	}
	way := fmt.Sprintf("%v by %v %v%s, %s", t.tunnel, r.Protocol, r.Prefix, in(q.VRF), hopsText(q.Addr, r.NextHops))
	for _, h := range r.NextHops {
		if h.Interface != t.iface.Interface {
			return Layer{name, VerdictFails, way + ": it does not go by " + t.iface.Interface}
		}
	}
	behind := ""
	for _, e := range f.Cache.Entries {
		if e.Interface == t.iface.Interface && e.NextHop == t.tunnel && e.Flags&(core.FlagRIB|core.FlagNHO) != 0 && !e.Target.IsSingleIP() {
			behind += ", " + e.Target.String()
		}
	}
	if behind != "" {
		way += "; shortcuts to" + behind[1:]
	}
	return Layer{name, VerdictOK, way}
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
