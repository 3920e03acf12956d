package core_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// world is a core under a script: it keeps time, remembers what the core wants
// remembered, and prints effects.
type world struct {
	core    *core.Core
	now     clock.Instant
	config  core.Config
	saved   map[string]saved
	out     strings.Builder
	queries uint64
	sent    [][]byte // all packets sent
	traces  bool
}

type saved struct {
	data []byte
	at   clock.Instant
}

func newWorld() *world {
	w := &world{saved: map[string]saved{}}
	w.birth(1, 100)
	return w
}

func (w *world) birth(seed uint64, requestID uint32) {
	w.core = core.New(core.Options{Source: rand.NewPCG(seed, seed), RequestID: requestID})
	w.config = core.Config{}
}

func (w *world) output() string {
	s := w.out.String()
	w.out.Reset()
	return s
}

// step hands an input to the core and prints what comes of it.
func (w *world) step(in core.Input) {
	w.core.Step(w.now, in)
	for _, e := range w.core.Drain(nil) {
		w.effect(e)
	}
}

// advance lets time pass, from one deadline to the next.
func (w *world) advance(d time.Duration) {
	end := w.now.Add(d)
	for {
		at, ok := w.core.Wake()
		if !ok || at > end {
			break
		}
		w.now = max(at, w.now)
		w.step(core.Tick{})
	}
	w.now = end
}

func (w *world) printf(format string, v ...any) {
	fmt.Fprintf(&w.out, "%10.3fs  %s\n", time.Duration(w.now).Seconds(), fmt.Sprintf(format, v...))
}

func (w *world) command(line string) {
	a := parseArgs(line)
	switch a.word(0) {
	case "config":
		w.configLine(a)
	case "link":
		w.link(a)
	case "attached":
		n, _ := strconv.Atoi(a.get("stale", "0"))
		w.step(core.Attached{Stale: n})
	case "interfaces-known":
		w.step(core.InterfacesKnown{})
	case "start": // what a session says first where nothing is stale
		w.step(core.Attached{})
		w.step(core.InterfacesKnown{})
	case "advance":
		w.advance(must(time.ParseDuration(a.word(1))))
	case "rx":
		w.rx(a)
	case "show":
		w.show(a)
	case "traces":
		w.traces = a.word(1) == "on"
		w.step(core.Tracing{On: w.traces})
	case "resolved":
		in := core.NameResolved{Name: a.word(1), Error: a.get("error", "")}
		for _, s := range a.words[2:] {
			in.Addrs = append(in.Addrs, netip.MustParseAddr(s))
		}
		w.step(in)
	case "clear":
		in := core.Clear{Entries: a.has("entries"), Counters: a.has("counters"), Interface: a.get("if", "")}
		if p := a.get("target", ""); p != "" {
			in.Target = netip.MustParsePrefix(p)
		}
		w.step(in)
	case "shutdown":
		w.step(core.Shutdown{})
	case "restart":
		w.restart(a)
	default:
		panic("unknown command: " + line)
	}
}

// restart is the end of a daemon and the beginning of its next life.
func (w *world) restart(a args) {
	w.now = w.now.Add(must(time.ParseDuration(a.get("elapsed", "0s"))))
	w.birth(2, uint32(must(strconv.Atoi(a.get("id", "1000")))))
	for _, key := range sortedKeys(w.saved) {
		s := w.saved[key]
		w.step(core.RestoreEntry{Key: key, Data: s.data, Elapsed: w.now.Sub(s.at)})
	}
}

func (w *world) configLine(a args) {
	if len(a.words) == 1 {
		w.config = core.Config{}
		w.step(core.ConfigSet{Config: w.config})
		return
	}
	c := core.DefaultInterfaceConfig(a.word(1), rib.IPv4)
	if a.has("ipv6") {
		c.Family = rib.IPv6
	}
	c.NetworkID = uint32(must(strconv.Atoi(a.get("network-id", "1"))))
	c.Authentication = a.get("auth", "")
	c.RegisterUnique = a.has("unique")
	c.MulticastDynamic = !a.has("no-dynamic")
	c.Holdtime = must(time.ParseDuration(a.get("holdtime", "600s")))
	c.RegistrationTimeout = must(time.ParseDuration(a.get("registration-timeout", "0s")))
	c.MaxSend = must(strconv.Atoi(a.get("max-send", "0")))
	for _, v := range a.pairs["multicast"] {
		c.MulticastMaps = append(c.MulticastMaps, netip.MustParseAddr(v))
	}
	for _, v := range a.pairs["map"] {
		target, nbma, _ := strings.Cut(v, ",")
		p, err := netip.ParsePrefix(target)
		if err != nil {
			addr := netip.MustParseAddr(target)
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		c.Maps = append(c.Maps, core.StaticMap{Prefix: p, NBMA: netip.MustParseAddr(nbma)})
	}
	for _, v := range a.pairs["nhs"] {
		c.NHSs = append(c.NHSs, parseNHS(v))
	}
	w.config.Interfaces = slices.DeleteFunc(slices.Clone(w.config.Interfaces), func(o core.InterfaceConfig) bool {
		return o.Name == c.Name && o.Family == c.Family
	})
	w.config.Interfaces = append(w.config.Interfaces, c)
	w.step(core.ConfigSet{Config: w.config})
}

// parseNHS reads ADDR[,nbma:ADDR][,name:NAME][,multicast][,priority:N].
func parseNHS(v string) core.NHSConfig {
	parts := strings.Split(v, ",")
	n := core.NHSConfig{Addr: netip.MustParseAddr(parts[0])}
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, ":")
		switch key {
		case "nbma":
			n.NBMA = netip.MustParseAddr(value)
		case "name":
			n.Name = value
		case "multicast":
			n.Multicast = true
		case "priority":
			n.Priority = uint8(must(strconv.Atoi(value)))
		}
	}
	return n
}

func (w *world) link(a args) {
	name := a.word(1)
	if a.has("gone") {
		w.step(core.InterfaceGone{Name: name})
		return
	}
	t := &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr(a.get("source", "192.0.2.1")), VRF: a.get("vrf", "")}
	if k := a.get("key", ""); k != "" {
		t.HasKey, t.Key = true, uint32(must(strconv.Atoi(k)))
	}
	if d := a.get("dest", ""); d != "" {
		t.Mode, t.Destination = rib.TunnelGRE, netip.MustParseAddr(d)
	}
	t.IPv6Transport = t.Source.Is6()
	i := rib.Interface{Name: name, Type: rib.TypeTunnel, AdminUp: true, Up: a.has("up"), MTU: 1472, Tunnel: t}
	for _, v := range a.pairs["addr"] {
		i.Addresses = append(i.Addresses, rib.Address{Prefix: netip.MustParsePrefix(v)})
	}
	w.step(core.InterfaceChanged{Interface: i})
}

// rx builds a packet and hands it in:
// rx IF TYPE from=NBMA src=A dst=A id=N [nbma=A] [hop=N] [unique] [no-reply]
// [auth=S] [cie=PREFIX[,nbma:A][,hold:N]]… [record=A] [ext=TYPE] [nat] [no-ext]
// [code=N] [about=N] and spoilers: [truncate=N] [version=N] [badsum] [pad=N]
func (w *world) rx(a args) {
	m := message(a)
	b, err := m.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	if v := a.get("version", ""); v != "" {
		b[16] = byte(must(strconv.Atoi(v)))
	}
	if a.has("badsum") {
		b[12] ^= 0x55
	}
	if v := a.get("size", ""); v != "" { // ar$pktsz that lies
		n := must(strconv.Atoi(v))
		b[10], b[11] = byte(n>>8), byte(n)
	}
	if v := a.get("truncate", ""); v != "" {
		b = b[:must(strconv.Atoi(v))]
	}
	var from netip.Addr
	if !a.has("no-link-layer") {
		from = netip.MustParseAddr(a.get("from", "198.51.100.1"))
	}
	w.step(core.RxPacket{Interface: a.word(1), NBMA: from, Packet: b})
}

var typeNames = map[string]packet.Type{
	"resolution-request": packet.ResolutionRequest, "resolution-reply": packet.ResolutionReply,
	"registration-request": packet.RegistrationRequest, "registration-reply": packet.RegistrationReply,
	"purge-request": packet.PurgeRequest, "purge-reply": packet.PurgeReply,
	"error": packet.ErrorIndication, "traffic-indication": packet.TrafficIndication,
}

func message(a args) *packet.Message {
	m := &packet.Message{
		NBMA: packet.AFNIPv4, Protocol: packet.ProtocolIPv4, HopCount: uint8(must(strconv.Atoi(a.get("hop", "255")))),
		Type: typeNames[a.word(2)], SrcNBMA: netip.MustParseAddr(a.get("nbma", a.get("from", "198.51.100.1"))),
		SrcProtocol: netip.MustParseAddr(a.get("src", "172.31.0.11")), DstProtocol: netip.MustParseAddr(a.get("dst", "172.31.0.1")),
	}
	if m.SrcProtocol.Is6() {
		m.Protocol = packet.ProtocolIPv6
	}
	if m.SrcNBMA.Is6() {
		m.NBMA = packet.AFNIPv6
	}
	if m.Type.IsIndication() {
		m.ErrorCode = packet.ErrorCode(must(strconv.Atoi(a.get("code", "0"))))
		about := parseArgs("rx " + a.word(1) + " registration-request src=" + m.DstProtocol.String() + " dst=" + m.SrcProtocol.String())
		about.pairs["id"] = []string{a.get("about", "0")}
		m.Payload, _ = message(about).AppendBinary(nil)
		return m
	}
	m.RequestID = uint32(must(strconv.Atoi(a.get("id", "7"))))
	if a.has("unique") || a.has("no-reply") {
		m.Flags |= 0x8000
	}
	for _, v := range a.pairs["cie"] {
		m.CIEs = append(m.CIEs, parseCIE(v))
	}
	if len(m.CIEs) == 0 {
		m.CIEs = []packet.CIE{{PrefixLength: uint8(m.SrcProtocol.BitLen()), HoldingTime: 600, MTU: 1472}}
	}
	if a.has("unique") {
		m.CIEs[0].PrefixLength = packet.PrefixHost
	}
	if !a.has("no-ext") {
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
			c.HoldingTime = uint16(must(strconv.Atoi(value)))
		case "code":
			c.Code = packet.CIECode(must(strconv.Atoi(value)))
		}
	}
	return c
}

func extensions(a args, m *packet.Message) []packet.Extension {
	exts := []packet.Extension{{Type: packet.ResponderAddress, Compulsory: true}}
	forward := packet.Extension{Type: packet.ForwardTransitNHS, Compulsory: true}
	for _, v := range a.pairs["record"] {
		forward.CIEs = append(forward.CIEs, packet.CIE{Protocol: netip.MustParseAddr(v)})
	}
	exts = append(exts, forward, packet.Extension{Type: packet.ReverseTransitNHS, Compulsory: true})
	if s := a.get("auth", ""); s != "" {
		exts = append(exts, must(packet.ClearTextAuthentication(s)))
	}
	for _, v := range a.pairs["ext"] {
		n := must(strconv.ParseUint(v, 0, 16))
		exts = append(exts, packet.Extension{
			Type: packet.ExtensionType(n & 0x3fff), Compulsory: n&0x8000 != 0, Value: []byte{1, 2, 3, 4},
		})
	}
	if a.has("nat") {
		nat := packet.Extension{Type: packet.NATAddress, CIEs: []packet.CIE{{
			PrefixLength: 32, NBMA: netip.MustParseAddr("192.0.2.1"), Protocol: m.DstProtocol,
		}}}
		if v := a.get("seen", ""); v != "" {
			nat.CIEs = append(nat.CIEs, packet.CIE{PrefixLength: 32, NBMA: netip.MustParseAddr(v), Protocol: m.SrcProtocol})
		}
		exts = append(exts, nat)
	}
	return exts
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
