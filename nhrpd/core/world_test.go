package core_test

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// world is a core under a script: it keeps time, remembers what the core wants
// remembered, and prints effects.
type world struct {
	*scripttest.Stage[core.Input, core.Effect]
	core          *core.Core
	config        core.Config
	saved         map[string]saved
	queries       uint64
	sent          [][]byte // all packets sent
	traces        bool
	full          bool                  // of the last show: print who was told of entries, and their trouble
	recovery      bool                  // reports of servers tell of redundancy
	registrations map[netip.Addr][]byte // the last request sent to each server
}

type saved struct {
	data []byte
	at   clock.Instant
}

func newWorld() *world {
	w := &world{Stage: &scripttest.Stage[core.Input, core.Effect]{Tick: core.Tick{}}, saved: map[string]saved{}, registrations: map[netip.Addr][]byte{}}
	w.Effect = w.effect
	w.birth(1, 100)
	return w
}

func (w *world) birth(seed uint64, requestID uint32) {
	w.core = core.New(core.Options{Source: rand.NewPCG(seed, seed), RequestID: requestID})
	w.Machine = w.core
	w.config = core.Config{}
}

// Command does a line of a script.
func (w *world) Command(line string) {
	a := scripttest.ParseArgs(line)
	switch a.Word(0) {
	case "config":
		w.configLine(a)
	case "policy":
		w.policy(a)
	case "link":
		w.link(a)
	case "attached":
		w.Step(core.Attached{Stale: a.Number("stale", 0)})
	case "interfaces-known":
		w.Step(core.InterfacesKnown{})
	case "start": // what a session says first where nothing is stale
		w.Step(core.Attached{})
		w.Step(core.InterfacesKnown{})
	case "advance":
		w.Advance(scripttest.Must(time.ParseDuration(a.Word(1))))
	case "rx":
		w.rx(a)
	case "accept":
		w.accept(a)
	case "show":
		w.show(a)
	case "miss":
		w.Step(core.NeighborMiss{Interface: a.Word(1), Addr: netip.MustParseAddr(a.Word(2))})
	case "route":
		w.route(a)
	case "hairpin": // hairpin IN OUT SRC DST
		w.Step(core.Hairpin{In: a.Word(1), Out: a.Word(2), Packet: ipPacket(a.Word(3), a.Word(4))})
	case "used": // used IF NBMA…
		in := core.PeersUsed{Interface: a.Word(1)}
		for _, s := range a.Words[2:] {
			in.NBMA = append(in.NBMA, netip.MustParseAddr(s))
		}
		w.Step(in)
	case "secured": // secured IF NBMA {ike|ipsec|up|lost|silent} [generation=N] [id=IDENTITY] [why=REASON] [outer=NBMA]
		in := core.PeerSecured{Interface: a.Word(1), NBMA: netip.MustParseAddr(a.Word(2))}
		in.State = protection.State{Generation: uint32(a.Number("generation", 1)), Identity: a.Get("id", ""), Reason: strings.ReplaceAll(a.Get("why", ""), "_", " ")}
		in.State.Security = map[string]protection.Security{"ike": protection.IKE, "ipsec": protection.IPsec, "up": protection.Up, "lost": protection.Lost}[a.Word(3)]
		if v := a.Get("outer", ""); v != "" {
			in.State.Outer = netip.MustParseAddr(v)
		}
		if in.State.Security == 0 {
			in.State = protection.State{}
		}
		w.Step(in)
	case "traces":
		w.traces = a.Word(1) == "on"
		w.Step(core.Tracing{On: w.traces})
	case "resolved":
		in := core.NameResolved{Name: a.Word(1), Error: a.Get("error", "")}
		for _, s := range a.Words[2:] {
			in.Addrs = append(in.Addrs, netip.MustParseAddr(s))
		}
		w.Step(in)
	case "clear":
		in := core.Clear{Entries: a.Has("entries"), Counters: a.Has("counters"), Interface: a.Get("if", ""),
			Sessions: a.Has("sessions"), Shortcuts: a.Has("shortcuts"), Static: a.Has("static"), VRF: a.Get("vrf", "")}
		if p := a.Get("tunnel", ""); p != "" {
			in.Tunnel = netip.MustParseAddr(p)
		}
		if p := a.Get("nbma", ""); p != "" {
			in.NBMA = netip.MustParseAddr(p)
		}
		if p := a.Get("target", ""); p != "" {
			in.Target = netip.MustParsePrefix(p)
		}
		w.Step(in)
	case "shutdown":
		w.Step(core.Shutdown{})
	case "restart":
		w.restart(a)
	default:
		panic("unknown command: " + line)
	}
}

// restart is the end of a daemon and the beginning of its next life.
func (w *world) restart(a scripttest.Args) {
	w.Now = w.Now.Add(a.Duration("elapsed", 0))
	w.birth(2, uint32(a.Number("id", 1000)))
	for _, key := range slices.Sorted(maps.Keys(w.saved)) {
		s := w.saved[key]
		w.Step(core.RestoreEntry{Key: key, Data: s.data, Elapsed: w.Now.Sub(s.at)})
	}
}

func (w *world) configLine(a scripttest.Args) {
	if len(a.Words) == 1 {
		w.config = core.Config{}
		w.Step(core.ConfigSet{Config: w.config})
		return
	}
	c := core.DefaultInterfaceConfig(a.Word(1), rib.IPv4)
	if a.Has("ipv6") {
		c.Family = rib.IPv6
	}
	c.NetworkID = uint32(a.Number("network-id", 1))
	c.Authentication = a.Get("auth", "")
	c.RegisterUnique = a.Has("unique")
	c.NoRecord = a.Has("no-record")
	c.Responder = a.Get("responder", "")
	c.MulticastDynamic = !a.Has("no-dynamic")
	c.Holdtime = a.Duration("holdtime", c.Holdtime)
	c.RegistrationTimeout = a.Duration("registration-timeout", 0)
	c.MaxSend = a.Number("max-send", 0)
	c.Group = a.Get("group", "")
	c.Redirect, c.RedirectTimeout = a.Has("redirect"), a.Duration("redirect-timeout", 0)
	c.Shortcut, c.Keepalive = !a.Has("no-shortcut"), a.Duration("keepalive", 0)
	c.MinPrefix = a.Number("min-prefix", c.MinPrefix)
	for _, v := range a.Pairs["map-group"] { // GROUP,POLICY
		group, policy, _ := strings.Cut(v, ",")
		c.GroupMaps = append(c.GroupMaps, core.GroupMap{Group: group, Policy: policy})
	}
	for _, v := range a.Pairs["identity"] { // IDENTITY,PREFIX
		identity, prefix, _ := strings.Cut(v, ",")
		c.Identities = append(c.Identities, core.IdentityBinding{Identity: identity, Prefix: netip.MustParsePrefix(prefix)})
	}
	c.RequireIdentity = a.Has("require-identity")
	for _, v := range a.Pairs["multicast"] {
		c.MulticastMaps = append(c.MulticastMaps, netip.MustParseAddr(v))
	}
	for _, v := range a.Pairs["summary"] {
		target, nbma, _ := strings.Cut(v, ",")
		c.SummaryMaps = append(c.SummaryMaps, core.StaticMap{Prefix: netip.MustParsePrefix(target), NBMA: netip.MustParseAddr(nbma)})
	}
	for _, v := range a.Pairs["map"] {
		target, nbma, _ := strings.Cut(v, ",")
		p, err := netip.ParsePrefix(target)
		if err != nil {
			addr := netip.MustParseAddr(target)
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		c.Maps = append(c.Maps, core.StaticMap{Prefix: p, NBMA: netip.MustParseAddr(nbma)})
	}
	for _, v := range a.Pairs["cluster"] { // NUMBER,MAX-CONNECTIONS
		number, most, _ := strings.Cut(v, ",")
		c.Clusters = append(c.Clusters, core.ClusterConfig{Number: uint8(scripttest.Must(strconv.Atoi(number))),
			MaxConnections: uint8(scripttest.Must(strconv.Atoi(most)))})
	}
	c.Fallback, c.ServerOnly, c.IfState = a.Duration("fallback", 0), a.Has("server-only"), a.Has("if-state")
	for _, v := range a.Pairs["nhs"] {
		c.NHSs = append(c.NHSs, parseNHS(v))
	}
	w.config.Interfaces = slices.DeleteFunc(slices.Clone(w.config.Interfaces), func(o core.InterfaceConfig) bool {
		return o.Name == c.Name && o.Family == c.Family
	})
	w.config.Interfaces = append(w.config.Interfaces, c)
	w.Step(core.ConfigSet{Config: w.config})
}

// route is what zebra answers about an address: route ADDR [by=PREFIX] [proto=P] [metric=N]
// [vrf=V] [hop=IF[,GATEWAY]]… [discard].
func (w *world) route(a scripttest.Args) {
	in := core.NextHopChanged{VRF: a.Get("vrf", ""), Addr: netip.MustParseAddr(a.Word(1)), Metric: uint32(a.Number("metric", 0))}
	if p := a.Get("by", ""); p != "" {
		in.Prefix = netip.MustParsePrefix(p)
		in.Protocol, _ = rib.ParseProtocol(a.Get("proto", "rip"))
	}
	for _, v := range a.Pairs["hop"] {
		name, gateway, _ := strings.Cut(v, ",")
		h := rib.NextHop{Interface: name, Addr: in.Addr}
		if gateway != "" {
			h.Addr = netip.MustParseAddr(gateway)
		}
		in.NextHops = append(in.NextHops, h)
	}
	if a.Has("discard") {
		in.NextHops = append(in.NextHops, rib.NextHop{Discard: true})
	}
	w.Step(in)
}

// ipPacket returns the header of an IP packet.
func ipPacket(src, dst string) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	if s.Is4() {
		b := append(make([]byte, 12), s.AsSlice()...)
		b[0], b[3], b[8], b[9] = 0x45, 84, 63, 1
		return append(append(b, d.AsSlice()...), make([]byte, 64)...)
	}
	b := append(make([]byte, 8), s.AsSlice()...)
	b[0], b[6], b[7] = 0x60, 58, 63
	return append(append(b, d.AsSlice()...), make([]byte, 64)...)
}

// policy sets a policy, or removes it: policy NAME [rate=N] [burst=N] [gone].
func (w *world) policy(a scripttest.Args) {
	p := core.Policy{Name: a.Word(1), Rate: uint64(a.Number("rate", 0)), Burst: uint32(a.Number("burst", 0))}
	w.config.Policies = slices.DeleteFunc(slices.Clone(w.config.Policies), func(o core.Policy) bool { return o.Name == p.Name })
	if !a.Has("gone") {
		w.config.Policies = append(w.config.Policies, p)
	}
	w.Step(core.ConfigSet{Config: w.config})
}

// parseNHS reads {ADDR|dynamic}[,nbma:ADDR][,name:NAME][,multicast][,priority:N].
func parseNHS(v string) core.NHSConfig {
	parts := strings.Split(v, ",")
	var n core.NHSConfig
	if parts[0] == "dynamic" {
		n.Dynamic = true
	} else {
		n.Addr = netip.MustParseAddr(parts[0])
	}
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, ":")
		switch key {
		case "nbma":
			n.NBMA = netip.MustParseAddr(value)
		case "name":
			n.Name = value
		case "multicast":
			n.Multicast = true
		case "cluster":
			n.Cluster = uint8(scripttest.Must(strconv.Atoi(value)))
		case "priority":
			n.Priority = uint8(scripttest.Must(strconv.Atoi(value)))
		}
	}
	return n
}

func (w *world) link(a scripttest.Args) {
	name := a.Word(1)
	if a.Has("gone") {
		w.Step(core.InterfaceGone{Name: name})
		return
	}
	if !strings.HasPrefix(name, "Tunnel") {
		i := rib.Interface{Name: name, AdminUp: true, Up: a.Has("up"), MTU: 1500}
		for _, v := range a.Pairs["addr"] {
			i.Addresses = append(i.Addresses, rib.Address{Prefix: netip.MustParsePrefix(v)})
		}
		w.Step(core.InterfaceChanged{Interface: i})
		return
	}
	t := &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr(a.Get("source", "192.0.2.1")), VRF: a.Get("vrf", "")}
	if k := a.Get("key", ""); k != "" {
		t.HasKey, t.Key = true, uint32(scripttest.Must(strconv.Atoi(k)))
	}
	t.Protection = a.Get("protect", "")
	if d := a.Get("dest", ""); d != "" {
		t.Mode, t.Destination = rib.TunnelGRE, netip.MustParseAddr(d)
	}
	t.IPv6Transport = t.Source.Is6()
	i := rib.Interface{Name: name, Type: rib.TypeTunnel, VRF: a.Get("in-vrf", ""), AdminUp: true, Up: a.Has("up"), HeldDown: a.Has("held"), MTU: 1472, Tunnel: t}
	for _, v := range a.Pairs["addr"] {
		i.Addresses = append(i.Addresses, rib.Address{Prefix: netip.MustParsePrefix(v)})
	}
	w.Step(core.InterfaceChanged{Interface: i})
}

// accept has the server at an NBMA address accept the last request that it was sent:
// accept IF NBMA [dst=A] [responder=A].
func (w *world) accept(a scripttest.Args) {
	nbma := netip.MustParseAddr(a.Word(2))
	m := scripttest.Must(packet.Parse(w.registrations[nbma]))
	m.Type = packet.RegistrationReply
	if v := a.Get("dst", ""); v != "" {
		m.DstProtocol = netip.MustParseAddr(v)
	}
	if v := a.Get("responder", ""); v != "" {
		m.Extension(packet.ResponderAddress).CIEs = []packet.CIE{{NBMA: nbma, Protocol: netip.MustParseAddr(v)}}
	}
	w.Step(core.RxPacket{Interface: a.Word(1), NBMA: nbma, Packet: scripttest.Must(m.AppendBinary(nil))})
}

// rx builds a packet and hands it in:
// rx IF TYPE from=NBMA src=A dst=A id=N [nbma=A] [hop=N] [unique] [no-reply]
// [auth=S] [group=S] [cie=PREFIX[,nbma:A][,hold:N]]… [record=A] [ext=TYPE] [nat] [no-ext]
// [code=N] [about=N] [flags=N] [reverse=A] [responder=A] and spoilers: [truncate=N] [version=N] [badsum] [pad=N]
func (w *world) rx(a scripttest.Args) {
	m := message(a)
	b, err := m.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	if v := a.Get("version", ""); v != "" {
		b[16] = byte(scripttest.Must(strconv.Atoi(v)))
	}
	if a.Has("badsum") {
		b[12] ^= 0x55
	}
	if v := a.Get("size", ""); v != "" { // ar$pktsz that lies
		n := scripttest.Must(strconv.Atoi(v))
		b[10], b[11] = byte(n>>8), byte(n)
	}
	if v := a.Get("truncate", ""); v != "" {
		b = b[:scripttest.Must(strconv.Atoi(v))]
	}
	var from netip.Addr
	if !a.Has("no-link-layer") {
		from = netip.MustParseAddr(a.Get("from", "198.51.100.1"))
	}
	w.Step(core.RxPacket{Interface: a.Word(1), NBMA: from, Packet: b})
}

var typeNames = map[string]packet.Type{
	"resolution-request": packet.ResolutionRequest, "resolution-reply": packet.ResolutionReply,
	"registration-request": packet.RegistrationRequest, "registration-reply": packet.RegistrationReply,
	"purge-request": packet.PurgeRequest, "purge-reply": packet.PurgeReply,
	"error": packet.ErrorIndication, "traffic-indication": packet.TrafficIndication,
}

func message(a scripttest.Args) *packet.Message {
	m := &packet.Message{
		NBMA: packet.AFNIPv4, Protocol: packet.ProtocolIPv4, HopCount: uint8(a.Number("hop", 255)),
		Type: typeNames[a.Word(2)], SrcNBMA: netip.MustParseAddr(a.Get("nbma", a.Get("from", "198.51.100.1"))),
		SrcProtocol: netip.MustParseAddr(a.Get("src", "172.31.0.11")), DstProtocol: netip.MustParseAddr(a.Get("dst", "172.31.0.1")),
	}
	if m.SrcProtocol.Is6() {
		m.Protocol = packet.ProtocolIPv6
	}
	if m.SrcNBMA.Is6() {
		m.NBMA = packet.AFNIPv6
	}
	if m.Type == packet.TrafficIndication {
		src, dst, _ := strings.Cut(a.Get("inner", "10.11.0.10,10.12.0.10"), ",")
		m.Payload = ipPacket(src, dst)[:28]
		if s := a.Get("auth", ""); s != "" {
			m.Extensions = []packet.Extension{scripttest.Must(packet.ClearTextAuthentication(s))}
		}
		return m
	}
	if m.Type.IsIndication() {
		m.ErrorCode = packet.ErrorCode(a.Number("code", 0))
		about := scripttest.ParseArgs("rx " + a.Word(1) + " registration-request src=" + m.DstProtocol.String() + " dst=" + m.SrcProtocol.String())
		about.Pairs["id"] = []string{a.Get("about", "0")}
		m.Payload, _ = message(about).AppendBinary(nil)
		return m
	}
	m.RequestID = uint32(a.Number("id", 7))
	if a.Has("unique") || a.Has("no-reply") {
		m.Flags |= 0x8000
	}
	if v := a.Get("flags", ""); v != "" {
		m.Flags = packet.Flags(scripttest.Must(strconv.ParseUint(v, 0, 16)))
	}
	for _, v := range a.Pairs["cie"] {
		m.CIEs = append(m.CIEs, parseCIE(v))
	}
	if len(m.CIEs) == 0 {
		m.CIEs = []packet.CIE{{PrefixLength: uint8(m.SrcProtocol.BitLen()), HoldingTime: 600, MTU: 1472}}
	}
	if a.Has("unique") {
		m.CIEs[0].PrefixLength = packet.PrefixHost
	}
	if !a.Has("no-ext") {
		m.Extensions = extensions(a, m)
	}
	return m
}

// parseCIE reads PREFIX[,nbma:A][,hold:N][,code:N]; a PREFIX of - is no address.
func parseCIE(v string) packet.CIE {
	parts := strings.Split(v, ",")
	c := packet.CIE{HoldingTime: 600}
	if parts[0] != "-" {
		p := netip.MustParsePrefix(parts[0])
		c.Protocol, c.PrefixLength = p.Addr(), uint8(p.Bits())
	}
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, ":")
		switch key {
		case "nbma":
			c.NBMA = netip.MustParseAddr(value)
		case "hold":
			c.HoldingTime = uint16(scripttest.Must(strconv.Atoi(value)))
		case "pref":
			c.Preference = uint8(scripttest.Must(strconv.Atoi(value)))
		case "code":
			c.Code = packet.CIECode(scripttest.Must(strconv.Atoi(value)))
		}
	}
	return c
}

func extensions(a scripttest.Args, m *packet.Message) []packet.Extension {
	exts := []packet.Extension{{Type: packet.ResponderAddress, Compulsory: true}}
	forward := packet.Extension{Type: packet.ForwardTransitNHS, Compulsory: true}
	for _, v := range a.Pairs["record"] {
		forward.CIEs = append(forward.CIEs, packet.CIE{Protocol: netip.MustParseAddr(v)})
	}
	reverse := packet.Extension{Type: packet.ReverseTransitNHS, Compulsory: true}
	for _, v := range a.Pairs["reverse"] {
		reverse.CIEs = append(reverse.CIEs, packet.CIE{Protocol: netip.MustParseAddr(v)})
	}
	if v := a.Get("responder", ""); v != "" {
		exts[0].CIEs = []packet.CIE{{Protocol: netip.MustParseAddr(v)}}
	}
	exts = append(exts, forward, reverse)
	if s := a.Get("auth", ""); s != "" {
		exts = append(exts, scripttest.Must(packet.ClearTextAuthentication(s)))
	}
	if v := a.Get("group", ""); v != "" {
		exts = append(exts, scripttest.Must(packet.NewGroup(v)))
	}
	for _, v := range a.Pairs["ext"] {
		n := scripttest.Must(strconv.ParseUint(v, 0, 16))
		exts = append(exts, packet.Extension{
			Type: packet.ExtensionType(n & 0x3fff), Compulsory: n&0x8000 != 0, Value: []byte{1, 2, 3, 4},
		})
	}
	if a.Has("nat") {
		nat := packet.Extension{Type: packet.NATAddress, CIEs: []packet.CIE{{
			PrefixLength: 32, NBMA: netip.MustParseAddr("192.0.2.1"), Protocol: m.DstProtocol,
		}}}
		if v := a.Get("seen", ""); v != "" {
			nat.CIEs = append(nat.CIEs, packet.CIE{PrefixLength: 32, NBMA: netip.MustParseAddr(v), Protocol: m.SrcProtocol})
		}
		if v := a.Get("behind", ""); v != "" { // STATION,NBMA
			station, nbma, _ := strings.Cut(v, ",")
			nat.CIEs = []packet.CIE{{PrefixLength: 32, NBMA: netip.MustParseAddr(nbma), Protocol: netip.MustParseAddr(station)}}
		}
		exts = append(exts, nat)
	}
	return exts
}
