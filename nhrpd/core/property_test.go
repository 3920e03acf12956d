package core_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// mirror follows what a core states, as zebra and the keeper of memory would.
type mirror struct {
	core      *core.Core
	now       clock.Instant
	neighbors map[string]string
	multicast map[string]bool
	shapers   map[string]string // policy by tunnel and NBMA address
	config    core.Config
	sources   map[string]netip.Addr // own NBMA addresses, by tunnel
	saved     map[string]core.SaveEntry
	savedAt   map[string]clock.Instant
	trouble   []string
	report    core.Report
	asked     core.TxPacket // the last request
	servers   []core.NHSEntry
	watched   map[string]bool
	lines     map[string]bool // line protocols: whether they are down
	shortcuts map[netip.Prefix]string
	watches   map[string]bool     // of next hops, hairpins and use
	hops      map[netip.Addr]bool // next hops that are watched
	replayed  bool
	clients   map[string]bool // tunnels that have servers by the configuration
	log       []string        // all effects, for comparison of two runs
}

func newMirror(id uint32) *mirror {
	return &mirror{
		core:      core.New(core.Options{Source: rand.NewPCG(3, 4), RequestID: id}),
		neighbors: map[string]string{}, multicast: map[string]bool{}, watched: map[string]bool{}, shapers: map[string]string{}, sources: map[string]netip.Addr{},
		shortcuts: map[netip.Prefix]string{}, watches: map[string]bool{}, hops: map[netip.Addr]bool{}, lines: map[string]bool{}, saved: map[string]core.SaveEntry{}, savedAt: map[string]clock.Instant{},
	}
}

func (m *mirror) step(in core.Input) {
	if set, ok := in.(core.ConfigSet); ok {
		m.config = set.Config
		m.clients = map[string]bool{}
		for _, i := range set.Config.Interfaces {
			m.clients[i.Name] = m.clients[i.Name] || i.NetworkID != 0 && len(i.NHSs) > 0
		}
	}
	m.core.Step(m.now, in)
	for _, e := range m.core.Drain(nil) {
		m.log = append(m.log, fmt.Sprintf("%v %T %v", m.now, e, e))
		switch e := e.(type) {
		case core.PutNeighbor:
			key := e.Neighbor.Interface + " " + e.Neighbor.Addr.String()
			if m.neighbors[key] == e.Neighbor.NBMA.String() {
				m.trouble = append(m.trouble, "neighbour stated again: "+key)
			}
			m.neighbors[key] = e.Neighbor.NBMA.String()
		case core.DelNeighbor:
			key := e.Key.Interface + " " + e.Key.Addr.String()
			if _, ok := m.neighbors[key]; !ok {
				m.trouble = append(m.trouble, "neighbour withdrawn that was not stated: "+key)
			}
			delete(m.neighbors, key)
		case core.PutMulticastPeer:
			key := e.Peer.Interface + " " + e.Peer.NBMA.String()
			if m.multicast[key] {
				m.trouble = append(m.trouble, "multicast peer stated again: "+key)
			}
			m.multicast[key] = true
		case core.DelMulticastPeer:
			key := e.Key.Interface + " " + e.Key.Addr.String()
			if e.Key.Kind != rib.KindMulticastPeer || !m.multicast[key] {
				m.trouble = append(m.trouble, "multicast peer withdrawn that was not stated: "+key)
			}
			delete(m.multicast, key)
		case core.PutShortcut:
			o := fmt.Sprint(e.Override)
			if m.shortcuts[e.Override.Prefix] == o {
				m.trouble = append(m.trouble, "shortcut stated again: "+o)
			}
			m.shortcuts[e.Override.Prefix] = o
		case core.DelShortcut:
			if m.shortcuts[e.Key.Prefix] == "" {
				m.trouble = append(m.trouble, "shortcut withdrawn that was not stated: "+e.Key.Prefix.String())
			}
			delete(m.shortcuts, e.Key.Prefix)
		case core.Log: // up or down, each says why
			_, why, ok := strings.Cut(e.Text, ", Reason: ")
			if strings.HasPrefix(e.Mnemonic, "NHRP_N") && (!ok || why == "") {
				m.trouble = append(m.trouble, "no reason in "+e.Text)
			}
		case core.WatchNextHop:
			m.hops[e.Addr] = true
			m.watch(fmt.Sprint("next hop ", e.VRF, e.Addr), true)
		case core.UnwatchNextHop:
			delete(m.hops, e.Addr)
			m.watch(fmt.Sprint("next hop ", e.VRF, e.Addr), false)
		case core.WatchHairpins:
			m.watch(fmt.Sprint("hairpins ", e), true)
		case core.UnwatchHairpins:
			m.watch(fmt.Sprint("hairpins ", e), false)
		case core.WatchUse:
			m.watch("use "+e.Interface, true)
		case core.UnwatchUse:
			m.watch("use "+e.Interface, false)
		case core.PutShaper:
			key := e.Shaper.Interface + " " + e.Shaper.NBMA.String()
			if m.shapers[key] == e.Shaper.Policy {
				m.trouble = append(m.trouble, "shaper stated again: "+key)
			}
			m.shapers[key] = e.Shaper.Policy
		case core.DelShaper:
			key := e.Key.Interface + " " + e.Key.Addr.String()
			if e.Key.Kind != rib.KindShaper || m.shapers[key] == "" {
				m.trouble = append(m.trouble, "shaper withdrawn that was not stated: "+key)
			}
			delete(m.shapers, key)
		case core.WatchMisses:
			if m.watched[e.Interface] {
				m.trouble = append(m.trouble, "misses watched again: "+e.Interface)
			}
			m.watched[e.Interface] = true
		case core.UnwatchMisses:
			if !m.watched[e.Interface] {
				m.trouble = append(m.trouble, "misses unwatched that were not watched: "+e.Interface)
			}
			delete(m.watched, e.Interface)
		case core.PutLineProtocol:
			if was, ok := m.lines[e.Line.Interface]; ok && was == e.Line.Down {
				m.trouble = append(m.trouble, "line protocol stated again: "+e.Line.Interface)
			}
			m.lines[e.Line.Interface] = e.Line.Down
		case core.DelLineProtocol:
			if _, ok := m.lines[e.Key.Interface]; !ok {
				m.trouble = append(m.trouble, "line protocol withdrawn that was not stated: "+e.Key.Interface)
			}
			delete(m.lines, e.Key.Interface)
		case core.EndOfReplay:
			m.replayed = true
		case core.SaveEntry:
			m.saved[e.Key], m.savedAt[e.Key] = e, m.now
		case core.ForgetEntry:
			delete(m.saved, e.Key)
		case core.TxPacket:
			p, err := packet.Parse(e.Packet)
			if err != nil {
				m.trouble = append(m.trouble, "sent what cannot be parsed: "+err.Error())
			} else if p.Type.IsRequest() {
				m.asked = e
			}
		case core.Answer:
			m.report = e.Report
		}
	}
}

// watch notes that something is watched, or not any more.
func (m *mirror) watch(what string, on bool) {
	if m.watches[what] == on {
		m.trouble = append(m.trouble, fmt.Sprintf("%s: watched %v again", what, on))
	}
	m.watches[what] = on
}

// temporary checks that traffic goes by way of a server that responds.
func (m *mirror) temporary(t *rapid.T, e core.CacheEntry) {
	for _, s := range m.servers {
		if s.Interface == e.Interface && s.State == core.NHSResponding && s.NBMA == e.NBMA {
			return
		}
	}
	t.Fatalf("%v on %s outlives its server %v", e.Target, e.Interface, e.NBMA)
}

// check compares what was stated with what the core says it has.
func (m *mirror) check(t *rapid.T) {
	if len(m.trouble) > 0 {
		t.Fatalf("%v", m.trouble)
	}
	m.step(core.Query{Kind: core.ReportPeers})
	multipoint := map[string]bool{}
	m.checkLines(t)
	for _, i := range m.report.(*core.PeerReport).Interfaces {
		multipoint[i.Interface], m.sources[i.Interface] = i.Mode == rib.TunnelGREMultipoint, i.Source
	}
	m.step(core.Query{Kind: core.ReportMulticast})
	multicast := map[string]bool{}
	for _, e := range m.report.(*core.MulticastReport).Entries {
		if multipoint[e.Interface] {
			multicast[e.Interface+" "+e.NBMA.String()] = true
		}
	}
	if d := cmp.Diff(multicast, m.multicast); d != "" {
		t.Fatalf("multicast (-shown +stated):\n%s", d)
	}
	m.step(core.Query{Kind: core.ReportNHS})
	m.servers = m.report.(*core.NHSReport).Servers
	m.checkRecovery(t)
	m.step(core.Query{Kind: core.ReportCache})
	m.checkShapers(t, m.report.(*core.CacheReport), multipoint)
	neighbors, saved, shortcuts, resolved := map[string]string{}, map[string]bool{}, map[netip.Prefix]bool{}, map[string]bool{}
	for _, e := range m.report.(*core.CacheReport).Entries {
		if e.Expires != core.NoExpiry && e.Expires <= 0 {
			t.Fatalf("%v is over since %v and still there", e.Target, -e.Expires)
		}
		if a := e.Target.Addr(); multipoint[e.Interface] && e.NBMA.IsValid() && e.Type != core.EntryLocal {
			if !e.Target.IsSingleIP() && e.Type == core.EntryStatic {
				a = e.NextHop
			}
			behind := e.Type == core.EntryDynamic && lan.Contains(a) && e.NextHop != a
			if a.IsValid() && !behind && (e.Target.IsSingleIP() || e.Type == core.EntryStatic) {
				neighbors[e.Interface+" "+a.String()] = e.NBMA.String()
			}
		}
		if e.Flags&core.FlagTemporary != 0 {
			m.temporary(t, e)
		}
		if e.Flags&core.FlagRIB != 0 {
			shortcuts[e.Target] = true
		}
		if e.Type == core.EntryDynamic && e.Flags&(core.FlagTemporary|core.FlagRegistered) == 0 {
			resolved[e.Interface] = true
		}
		if e.Type == core.EntryDynamic && e.Flags&core.FlagTemporary == 0 {
			saved[fmt.Sprintf("%s/%d/%v", e.Interface, e.Family, e.Target)] = true
		}
	}
	for name, want := range multipoint {
		if m.watched[name] != want {
			t.Fatalf("misses of %s are watched: %v", name, m.watched[name])
		}
	}
	if d := cmp.Diff(neighbors, m.neighbors); d != "" {
		t.Fatalf("neighbours (-cache +stated):\n%s", d)
	}
	for p := range m.shortcuts {
		if !shortcuts[p] {
			t.Fatalf("shortcut for %v, and no entry", p)
		}
	}
	for p := range shortcuts {
		if m.shortcuts[p] == "" {
			t.Fatalf("entry for %v, and no shortcut", p)
		}
	}
	for _, name := range []string{"Tunnel0", "Tunnel1"} {
		if m.watches["use "+name] != (resolved[name] || multipoint[name] && m.clients[name]) {
			t.Fatalf("use of %s is watched: %v", name, m.watches["use "+name])
		}
	}
	keys := map[string]bool{}
	for k := range m.saved {
		if !strings.HasPrefix(k, "told/") && !strings.HasPrefix(k, "relay/") {
			keys[k] = true
		}
	}
	if d := cmp.Diff(saved, keys); d != "" {
		t.Fatalf("memory (-cache +saved):\n%s", d)
	}
}

// checkShapers compares the shapers that were stated with what groups and policies ask
// for: of several entries for an NBMA address the first one counts.
func (m *mirror) checkShapers(t *rapid.T, r *core.CacheReport, multipoint map[string]bool) {
	policies := map[string]string{} // by tunnel and group
	for _, c := range m.config.Interfaces {
		for _, g := range c.GroupMaps {
			if slices.ContainsFunc(m.config.Policies, func(p core.Policy) bool { return p.Name == g.Policy && p.Rate > 0 }) {
				policies[c.Name+" "+g.Group] = g.Policy
			}
		}
	}
	want := map[string]string{}
	for _, e := range r.Entries {
		key, policy := e.Interface+" "+e.NBMA.String(), policies[e.Interface+" "+e.Group]
		if policy != "" && want[key] == "" && multipoint[e.Interface] && e.Flags&core.FlagRegistered != 0 && e.NBMA != m.sources[e.Interface] {
			want[key] = policy
		}
	}
	if d := cmp.Diff(want, m.shapers); d != "" {
		t.Fatalf("shapers (-groups +stated):\n%s", d)
	}
}

func pick[T any](t *rapid.T, label string, of ...T) T { return rapid.SampledFrom(of).Draw(t, label) }

var (
	overlays = []string{"172.31.0.1", "172.31.0.2", "172.31.0.3", "172.31.0.4"}
	nbmas    = []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"}
)

var lan = netip.MustParsePrefix("10.0.0.0/8")

// drawTarget draws an address that is asked for: of a station, or behind one.
func drawTarget(t *rapid.T) netip.Addr {
	return netip.MustParseAddr(pick(t, "target", append(overlays, "10.1.0.5", "10.1.0.6", "10.2.0.5")...))
}

func drawOverlay(t *rapid.T) netip.Addr { return netip.MustParseAddr(pick(t, "overlay", overlays...)) }
func drawNBMA(t *rapid.T) netip.Addr    { return netip.MustParseAddr(pick(t, "nbma", nbmas...)) }

func drawConfig(t *rapid.T) core.ConfigSet {
	var cfg core.Config
	for _, name := range []string{"Tunnel0", "Tunnel1"} {
		if pick(t, "configured", 0, 1, 1, 1) == 0 {
			continue
		}
		c := core.DefaultInterfaceConfig(name, rib.IPv4)
		c.NetworkID = uint32(pick(t, "network-id", 0, 1, 1, 1, 1))
		c.Holdtime = time.Duration(pick(t, "holdtime", 30, 60)) * time.Second
		for range pick(t, "maps", 0, 0, 1, 2) {
			p := netip.PrefixFrom(drawOverlay(t), pick(t, "bits", 32, 32, 30, 31))
			c.Maps = append(c.Maps, core.StaticMap{Prefix: p, NBMA: drawNBMA(t)})
		}
		for range pick(t, "servers", 0, 1, 2, 4) {
			n := core.NHSConfig{Addr: drawOverlay(t), Multicast: pick(t, "to multicast", true, false),
				Priority: pick[uint8](t, "priority", 0, 0, 1, 2), Cluster: pick[uint8](t, "cluster", 0, 0, 1)}
			switch pick(t, "server by", 0, 1, 2) {
			case 0:
				n.NBMA = drawNBMA(t)
			case 1:
				n.Name = pick(t, "name", "a.example", "b.example")
			}
			if n.Dynamic = pick(t, "dynamic", false, false, true) && (n.NBMA.IsValid() || n.Name != ""); n.Dynamic {
				n.Addr = netip.Addr{}
			}
			c.NHSs = append(c.NHSs, n)
		}
		if most := pick[uint8](t, "max-connections", 9, 9, 2, 1, 0); most < 9 {
			c.Clusters = []core.ClusterConfig{{Number: 0, MaxConnections: most}}
		}
		c.Fallback = time.Duration(pick(t, "fallback", 0, 0, 20)) * time.Second
		c.IfState = pick(t, "if-state", false, true)
		c.Shortcut, c.Redirect = pick(t, "shortcut", true, true, false), pick(t, "redirect", true, false)
		c.Keepalive = time.Duration(pick(t, "keepalive", 0, 0, 5)) * time.Second
		if pick(t, "groups", 0, 1) == 1 {
			c.GroupMaps = []core.GroupMap{{Group: "GOLD", Policy: pick(t, "gold", "P", "Q")}, {Group: "SILVER", Policy: pick(t, "silver", "P", "Q")}}
		}
		cfg.Interfaces = append(cfg.Interfaces, c)
	}
	for _, name := range []string{"P", "Q"} {
		if rate := uint64(pick(t, "rate", 0, 1e6, 1e6)); rate > 0 || pick(t, "made", 0, 1) == 1 {
			cfg.Policies = append(cfg.Policies, core.Policy{Name: name, Rate: rate})
		}
	}
	return core.ConfigSet{Config: cfg}
}

func drawLink(t *rapid.T) core.Input {
	name := pick(t, "link", "Tunnel0", "Tunnel1")
	if pick(t, "gone", 0, 0, 0, 1) == 1 {
		return core.InterfaceGone{Name: name}
	}
	tunnel := &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: drawNBMA(t)}
	if pick(t, "p2p", 0, 0, 0, 1) == 1 {
		tunnel.Mode, tunnel.Destination = rib.TunnelGRE, drawNBMA(t)
	}
	return core.InterfaceChanged{Interface: rib.Interface{
		Name: name, Type: rib.TypeTunnel, Up: pick(t, "up", true, true, true, false), MTU: 1400, Tunnel: tunnel,
		Addresses: []rib.Address{{Prefix: netip.PrefixFrom(drawOverlay(t), 24)}},
	}}
}

func drawPacket(t *rapid.T) core.Input {
	m := packet.Message{
		NBMA: packet.AFNIPv4, Protocol: packet.ProtocolIPv4, HopCount: uint8(pick(t, "hops", 0, 2, 255)),
		Type:    packet.Type(rapid.IntRange(1, 8).Draw(t, "type")),
		SrcNBMA: drawNBMA(t), SrcProtocol: drawOverlay(t), DstProtocol: drawOverlay(t),
	}
	switch pick(t, "likely", 0, 1, 1, 2, 3) {
	case 1:
		m.Type = packet.RegistrationRequest
	case 2:
		m.Type, m.DstProtocol = packet.ResolutionRequest, drawTarget(t)
	case 3:
		m.Type, m.Payload = packet.TrafficIndication, ipPacket(drawTarget(t).String(), drawTarget(t).String())
	}
	if !m.Type.IsIndication() {
		m.RequestID = uint32(rapid.IntRange(0, 20).Draw(t, "id"))
		m.Flags = packet.Flags(pick(t, "flags", 0, 0, 0x8000, 2))
		for range pick(t, "cies", 1, 1, 2) {
			c := packet.CIE{HoldingTime: uint16(pick(t, "hold", 10, 40, 0)), PrefixLength: uint8(pick(t, "length", 0, 32, 31, 255))}
			if pick(t, "address", 0, 1) == 1 {
				c.Protocol = drawOverlay(t)
			}
			m.CIEs = append(m.CIEs, c)
		}
	}
	if group := pick(t, "group", "", "GOLD", "SILVER", "LEAD"); group != "" && m.Type == packet.RegistrationRequest {
		e, err := packet.NewGroup(group)
		if err != nil {
			t.Fatal(err)
		}
		m.Extensions = append(m.Extensions, e)
	}
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return core.RxPacket{Interface: pick(t, "rx", "Tunnel0", "Tunnel1"), NBMA: drawNBMA(t), Packet: b}
}

// draw draws an input; often enough it is the answer to what the core asked last.
func (m *mirror) draw(t *rapid.T) core.Input {
	if len(m.hops) > 0 && pick(t, "route", 0, 0, 0, 1) == 1 {
		return m.drawRoute(t)
	}
	if m.asked.Packet == nil || pick(t, "answer", 0, 1) == 0 {
		return drawInput(t)
	}
	p, err := packet.Parse(m.asked.Packet)
	if err != nil {
		t.Fatal(err)
	}
	in := core.RxPacket{Interface: m.asked.Interface, NBMA: m.asked.NBMA}
	m.asked = core.TxPacket{}
	cie := packet.CIE{PrefixLength: uint8(pick(t, "length", 32, 32, 24, 8)), HoldingTime: uint16(pick(t, "hold", 10, 40)), NBMA: drawNBMA(t), Protocol: p.DstProtocol}
	if lan.Contains(p.DstProtocol) {
		cie.Protocol = drawOverlay(t)
		in.NBMA = cie.NBMA
	}
	switch {
	case pick(t, "refuse", 0, 0, 0, 1) == 1:
		cie = packet.CIE{Code: packet.CIECode(pick(t, "code", 4, 5, 12, 13))}
	case p.Type == packet.PurgeRequest:
		cie = p.CIEs[0]
	}
	p.Type, p.CIEs = p.Type.Reply(), []packet.CIE{cie}
	if in.Packet, err = p.AppendBinary(nil); err != nil {
		t.Fatal(err)
	}
	return in
}

// drawRoute draws what zebra says of an address that is watched.
func (m *mirror) drawRoute(t *rapid.T) core.Input {
	all := slices.SortedFunc(maps.Keys(m.hops), netip.Addr.Compare)
	a := rapid.SampledFrom(all).Draw(t, "watched")
	in := core.NextHopChanged{Addr: a, Metric: uint32(pick(t, "metric", 1, 2)), Protocol: rib.RIP}
	in.Prefix = netip.PrefixFrom(a, pick(t, "by", 24, 8)).Masked()
	hop := rib.NextHop{Interface: pick(t, "by way of", "Tunnel0", "Tunnel0", "Tunnel1", "eth1"), Addr: drawOverlay(t)}
	if pick(t, "reachable", 1, 1, 1, 0) == 0 {
		return core.NextHopChanged{Addr: a}
	}
	in.NextHops = []rib.NextHop{hop}
	return in
}

func drawInput(t *rapid.T) core.Input {
	switch rapid.IntRange(0, 16).Draw(t, "input") {
	case 15:
		return core.Hairpin{In: pick(t, "in", "Tunnel0", "Tunnel1"), Out: pick(t, "out", "Tunnel0", "Tunnel1"),
			Packet: ipPacket(drawTarget(t).String(), drawTarget(t).String())}
	case 16:
		return core.PeersUsed{Interface: pick(t, "used", "Tunnel0", "Tunnel1"), NBMA: []netip.Addr{drawNBMA(t)}}
	case 0:
		return drawConfig(t)
	case 1, 2:
		return drawLink(t)
	case 3:
		in := core.NameResolved{Name: pick(t, "name", "a.example", "b.example")}
		for range pick(t, "addresses", 0, 1, 2) {
			in.Addrs = append(in.Addrs, drawNBMA(t))
		}
		return in
	case 4:
		in := core.Clear{Entries: true, Counters: true, Interface: pick(t, "clear", "", "Tunnel0")}
		switch pick(t, "of", "all", "all", "shortcuts", "sessions", "a session") {
		case "shortcuts":
			in.Shortcuts = true
		case "sessions":
			in.Entries, in.Sessions, in.Static = false, true, true
		case "a session":
			in.Entries, in.Sessions, in.Tunnel = false, true, netip.MustParseAddr("172.31.0.1")
		}
		return in
	case 5:
		return core.Attached{Stale: pick(t, "stale", 0, 3)}
	case 6:
		return core.InterfacesKnown{}
	case 7, 8:
		return core.NeighborMiss{Interface: pick(t, "miss", "Tunnel0", "Tunnel1"), Addr: drawOverlay(t)}
	}
	return drawPacket(t)
}

// TestStatedIsCached holds after any sequence of inputs: the neighbours that were
// stated are those of the cache, what is remembered are its dynamic entries, and
// nothing outlives its holding time.
func TestStatedIsCached(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMirror(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			m.now = m.now.Add(time.Duration(pick(t, "pass", 0, 0, 1, 9, 25)) * time.Second)
			m.step(m.draw(t))
			if pick(t, "restart", 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) == 1 {
				m = m.restart()
			}
		}
		// Everything that waits for its interface is settled by the end of the replay.
		m.step(core.Attached{})
		m.step(core.InterfacesKnown{})
		m.step(drawConfig(t))
		m.now = m.now.Add(2 * time.Hour)
		m.step(drawInput(t))
		m.check(t)
	})
}

// restart is the next life of the core; zebra's neighbours are then its stale ones.
func (m *mirror) restart() *mirror {
	next := newMirror(1000)
	next.now = m.now
	maps.Copy(next.saved, m.saved)
	maps.Copy(next.savedAt, m.savedAt)
	for _, key := range slices.Sorted(maps.Keys(m.saved)) {
		next.step(core.RestoreEntry{Key: key, Data: m.saved[key].Data, Elapsed: m.now.Sub(m.savedAt[key])})
	}
	return next
}

// TestStatedWhileRunning is TestStatedIsCached at each step of one life.
func TestStatedWhileRunning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMirror(0)
		m.step(core.Attached{})
		m.step(core.InterfacesKnown{})
		m.step(drawConfig(t))
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			m.now = m.now.Add(time.Duration(pick(t, "pass", 0, 0, 1, 9, 25)) * time.Second)
			m.step(m.draw(t))
			m.step(core.Tick{})
			m.check(t)
		}
	})
}

// TestSameInputsSameEffects runs the same inputs through two cores.
func TestSameInputsSameEffects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := newMirror(5), newMirror(5)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			pass := time.Duration(pick(t, "pass", 0, 1, 9, 25)) * time.Second
			in := drawInput(t)
			for _, m := range []*mirror{a, b} {
				m.now = m.now.Add(pass)
				m.step(in)
			}
		}
		if d := cmp.Diff(a.log, b.log); d != "" {
			t.Fatalf("two runs differ:\n%s", d)
		}
	})
}
