package core

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
)

// world is a core under a script: it keeps time, has the configuration and the
// interfaces, plays the neighbours, and prints effects.
type world struct {
	t testing.TB
	*scripttest.Stage[Input, Effect]
	core    *Core
	config  Config
	policy  string
	links   map[string]rib.Interface
	started bool   // links and configuration are handed over as they come
	hellos  bool   // regular Hellos are printed
	last    uint32 // the last sequence number that the core sent
}

func newWorld(t testing.TB) *world {
	w := &world{Stage: &scripttest.Stage[Input, Effect]{Tick: Tick{}}, t: t, links: map[string]rib.Interface{}}
	w.Effect = w.effect
	w.birth(1)
	return w
}

func (w *world) birth(seed uint64) {
	w.core = New(Options{Source: rand.NewPCG(seed, seed), Wall: rigWall})
	w.Machine = w.core
	w.core.Step(w.Now, Tracing{Packets: true})
	w.core.Drain(nil)
}

// Command does a line of a script.
func (w *world) Command(line string) {
	a := scripttest.ParseArgs(line)
	switch a.Word(0) {
	case "policy": // a line of it, with its indentation
		w.policy += strings.TrimPrefix(line, "policy ") + "\n"
		w.config.Policy = policytest.Parse(w.t, w.policy)
	case "router":
		w.router(a)
	case "interface":
		w.iface(a)
	case "link":
		w.link(a)
	case "config":
		w.configure()
	case "start":
		w.start(a)
	case "restart": // the next life of the daemon
		w.birth(2)
		w.start(a)
	case "advance":
		w.Advance(scripttest.Must(time.ParseDuration(a.Word(1))))
	case "wall":
		w.Step(WallClock{Now: scripttest.Must(time.Parse(time.RFC3339, a.Word(1)))})
	case "hellos":
		w.hellos = a.Word(1) == "on"
	case "rx":
		w.rx(a)
	case "peer": // peer IF ADDR {client|server|lost|withdrawn}
		w.Step(TunnelPeer{Peer: tunnelpeer.Peer{Tunnel: a.Word(1), Addr: netip.MustParseAddr(a.Word(2))},
			State: map[string]tunnelpeer.State{"client": tunnelpeer.Client, "server": tunnelpeer.Server, "lost": tunnelpeer.Lost, "withdrawn": 0}[a.Word(3)]})
	case "clear":
		c := Clear{Soft: a.Has("soft"), Counters: a.Has("counters"), Interface: a.Get("if", "")}
		if v := a.Get("addr", ""); v != "" {
			c.Addr = netip.MustParseAddr(v)
		}
		w.Step(c)
	case "show":
		w.Step(Query{ID: 1, Kind: map[string]ReportKind{"neighbors": ReportNeighbors, "interfaces": ReportInterfaces, "topology": ReportTopology,
			"drops": ReportStatus, "events": ReportEvents}[a.Word(1)], AllVRFs: true, Selected: SelectedAllLinks})
	case "shutdown":
		w.Step(Shutdown{})
	default:
		panic("unknown command: " + line)
	}
}

// start is what a session says first, and the configuration after it.
func (w *world) start(a scripttest.Args) {
	w.started = true
	w.Step(Attached{Stale: a.Number("stale", 0)})
	for _, name := range slices.Sorted(maps.Keys(w.links)) {
		w.Step(InterfaceChanged{Interface: w.links[name]})
	}
	w.Step(InterfacesKnown{})
	w.configure()
}

func (w *world) configure() {
	cfg := w.config
	cfg.Instances = slices.Clone(cfg.Instances)
	for k := range cfg.Instances {
		cfg.Instances[k].Interfaces = slices.Clone(cfg.Instances[k].Interfaces)
	}
	w.Step(ConfigSet{Config: cfg})
}

// router describes the instance anew:
//
//	router AS [name=N] [family=ipv6] [network=ADDR/LEN]… [router-id=A] [no-nsf] [shutdown]
//	[stub] [neighbor=ADDR,IF[,remote]]… [listen=IF]
func (w *world) router(a scripttest.Args) {
	ic := InstanceConfig{Key: Key{Family: rib.IPv4, AS: uint16(scripttest.Must(strconv.Atoi(a.Word(1))))}, Name: a.Get("name", ""), NoNSF: a.Has("no-nsf"), Shutdown: a.Has("shutdown")}
	if a.Get("family", "") == "ipv6" {
		ic.Family, ic.AllInterfaces = rib.IPv6, true
	}
	for _, v := range a.Pairs["network"] {
		p := netip.MustParsePrefix(v)
		b := p.Addr().As4()
		ic.Networks = append(ic.Networks, policy.Wildcard{Addr: uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), Bits: ^uint32(0) >> p.Bits()})
	}
	if v := a.Get("router-id", ""); v != "" {
		ic.RouterID = netip.MustParseAddr(v)
	}
	if a.Has("stub") {
		ic.Stub = &Stub{Connected: true, Summary: true}
	}
	for _, v := range a.Pairs["neighbor"] {
		f := strings.Split(v, ",")
		ic.Neighbors = append(ic.Neighbors, StaticNeighbor{Addr: netip.MustParseAddr(f[0]), Interface: f[1], Remote: len(f) > 2})
	}
	if v := a.Get("listen", ""); v != "" {
		ic.Listen = &RemoteListen{Interface: v}
	}
	if len(w.config.Instances) > 0 && w.config.Instances[0].Key == ic.Key {
		ic.Interfaces = w.config.Instances[0].Interfaces
	}
	w.config.Instances = []InstanceConfig{ic}
}

// iface describes an interface of the instance anew:
//
//	interface NAME [hello=D] [hold=D] [passive] [summary=P]… [auth=md5|sha256] [chain=K]
func (w *world) iface(a scripttest.Args) {
	i := InterfaceConfig{Name: a.Word(1), Hello: a.Duration("hello", 0), Hold: a.Duration("hold", 0), Passive: a.Has("passive"), KeyChain: a.Get("chain", ""),
		Authentication: map[string]Authentication{"": 0, "md5": AuthenticationMD5, "sha256": AuthenticationSHA256}[a.Get("auth", "")]}
	for _, v := range a.Pairs["summary"] {
		i.Summaries = append(i.Summaries, Summary{Prefix: netip.MustParsePrefix(v)})
	}
	ic := &w.config.Instances[0]
	ic.Interfaces = slices.DeleteFunc(slices.Clone(ic.Interfaces), func(o InterfaceConfig) bool { return o.Name == i.Name })
	ic.Interfaces = append(ic.Interfaces, i)
}

// link describes an interface: link NAME up|down [addr=P]… [loopback|tunnel]
func (w *world) link(a scripttest.Args) {
	name := a.Word(1)
	i, ok := w.links[name]
	if !ok {
		i = rib.Interface{Name: name, KernelName: name, Index: len(w.links) + 2, AdminUp: true, Multicast: true, MTU: 1500, Bandwidth: 100_000, Delay: 10}
	}
	i.Up = a.Has("up")
	switch {
	case a.Has("loopback"):
		i.Type = rib.TypeLoopback
	case a.Has("tunnel"):
		i.Type, i.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr("192.0.2.1")}
	}
	if len(a.Pairs["addr"]) > 0 {
		i.Addresses = nil
	}
	for k, v := range a.Pairs["addr"] {
		i.Addresses = append(i.Addresses, rib.Address{Prefix: netip.MustParsePrefix(v), Secondary: k > 0 && i.Addresses[0].Prefix.Addr().Is4()})
	}
	w.links[name] = i
	if w.started {
		w.Step(InterfaceChanged{Interface: i})
	}
}

// rx has a neighbour say something:
//
//	rx IF FROM hello|ack|update|query|reply|… [as=N] [hold=N] [k=K1,K2,K3,K4,K5] [wide]
//	[stub] [goodbye] [terminated=A]… [listed=A]… [next=N] [seq=N] [ack=N|last] [init]
//	[eot] [rs] [cr] [multicast] [route=P,DELAY]… [dead=P]… [key=ID,ALGORITHM,SECRET]
func (w *world) rx(a scripttest.Args) {
	ifname, from := a.Word(1), a.Word(2)
	m := packet.Message{AS: uint16(a.Number("as", 100)), Sequence: uint32(a.Number("seq", 0))}
	unicast := !a.Has("multicast")
	switch a.Word(3) {
	case "hello":
		m.Opcode, unicast = packet.Hello, a.Has("unicast")
		m.Parameters = &packet.Parameters{Weights: metric.DefaultWeights, HoldTime: uint16(a.Number("hold", 15))}
		m.Software = &packet.Software{OSMajor: 15, OSMinor: 9, TLVMajor: 1, TLVMinor: 2}
	case "ack":
		m.Opcode = packet.Hello
	default:
		m.Opcode = map[string]packet.Opcode{"update": packet.Update, "query": packet.Query, "reply": packet.Reply, "siaquery": packet.SIAQuery, "siareply": packet.SIAReply}[a.Word(3)]
	}
	w.rxDetails(a, &m)
	if v := a.Get("ack", ""); v == "last" {
		m.Ack = w.last
	} else if v != "" {
		m.Ack = uint32(scripttest.Must(strconv.Atoi(v)))
	}
	var key *packet.Key
	if v := a.Get("key", ""); v != "" {
		f := strings.Split(v, ",")
		key = &packet.Key{ID: uint32(scripttest.Must(strconv.Atoi(f[0]))), Secret: []byte(f[2]),
			Algorithm: map[string]packet.Algorithm{"md5": packet.KeyedMD5, "sha256": packet.HMACSHA256}[f[1]]}
	}
	src := netip.MustParseAddr(from)
	to := packet.GroupIPv4
	if src.Is6() {
		to = packet.GroupIPv6
	}
	if unicast {
		for _, x := range w.links[ifname].Addresses {
			if x.Prefix.Addr().Is4() == src.Is4() {
				to = x.Prefix.Addr()
				break
			}
		}
	}
	w.Step(RxPacket{Interface: ifname, Source: src, Dest: to, Packet: scripttest.Must(m.Append(nil, key, src))})
}

// rxDetails fills in what the words of an rx line say of the contents.
func (w *world) rxDetails(a scripttest.Args, m *packet.Message) {
	for word, flag := range map[string]packet.Flags{"init": packet.FlagInit, "eot": packet.FlagEndOfTable, "rs": packet.FlagRestart, "cr": packet.FlagConditionalReceive} {
		if a.Has(word) {
			m.Flags |= flag
		}
	}
	if a.Has("wide") {
		m.Software.TLVMajor, m.Software.TLVMinor, m.TIDs = 2, 0, []uint16{0}
	}
	if v := a.Get("k", ""); v != "" {
		f := strings.Split(v, ",")
		k := func(n int) uint8 { return uint8(scripttest.Must(strconv.Atoi(f[n]))) }
		m.Parameters.Weights = metric.Weights{K1: k(0), K2: k(1), K3: k(2), K4: k(3), K5: k(4)}
	}
	if a.Has("stub") {
		m.Stub = packet.StubConnected | packet.StubSummary
	}
	if a.Has("goodbye") {
		m.Parameters = packet.Goodbye(15)
	}
	for _, v := range a.Pairs["terminated"] {
		m.Terminated = append(m.Terminated, netip.MustParseAddr(v))
	}
	for _, v := range a.Pairs["listed"] {
		m.SequenceAddrs = append(m.SequenceAddrs, netip.MustParseAddr(v))
	}
	m.MulticastSequence = uint32(a.Number("next", 0))
	route := func(p string, delay uint32) {
		m.Routes = append(m.Routes, packet.Route{Type: packet.TypeIPv4Internal, Destinations: []netip.Prefix{netip.MustParsePrefix(p)},
			Classic: metric.Classic{Delay: delay, Bandwidth: 25600, MTU: 1500, Reliability: 255, Load: 1}})
	}
	for _, v := range a.Pairs["route"] {
		p, delay, _ := strings.Cut(v, ",")
		route(p, uint32(scripttest.Must(strconv.Atoi(delay))))
	}
	for _, p := range a.Pairs["dead"] {
		route(p, metric.ClassicUnreachable)
	}
}

// effect prints an effect on one line.
func (w *world) effect(e Effect) {
	switch e := e.(type) {
	case Listen:
		w.Printf("listen %q vrf=%q IPv%d group=%v", e.Interface, e.VRF, e.Family, e.Group)
	case Unlisten:
		w.Printf("unlisten %q IPv%d", e.Interface, e.Family)
	case TxPacket:
		w.tx(e)
	case PutRoute:
		s := fmt.Sprintf("put %v [%d/%d]", e.Route.Prefix, e.Route.Distance, e.Route.Metric)
		for _, h := range e.Route.NextHops {
			if h.Discard {
				s += " Null0"
			} else {
				s += fmt.Sprintf(" via %v %s", h.Addr, h.Interface)
			}
		}
		w.Printf("%s", s)
	case DelRoute:
		w.Printf("del %v", e.Key.Prefix)
	case EndOfReplay:
		w.Printf("end of replay")
	case Log:
		w.Printf("%%%s-%d-%s: %s", e.Facility, e.Severity, e.Mnemonic, e.Text)
	case Trace:
		if e.Event == TraceDropped {
			w.Printf("dropped: %v", e.Drop)
		}
	case Answer:
		w.report(e.Report)
	default:
		w.Printf("%T", e)
	}
}

// tx prints a packet, a regular Hello only if that is wanted.
func (w *world) tx(e TxPacket) {
	m, err := packet.Parse(e.Packet)
	if err != nil {
		w.Printf("tx of what nobody reads: %v", err)
		return
	}
	if m.Sequence != 0 {
		w.last = m.Sequence
	}
	s := describe(m)
	if !w.hellos && m.Opcode == packet.Hello && (m.Parameters == nil || !m.Parameters.Goodbye()) && s == w.ordinary(m) {
		return
	}
	name := e.Interface
	if name == "" {
		name = fmt.Sprintf("anywhere ttl=%d", e.TTL)
	}
	w.Printf("tx %s %v > %v: %s", name, e.Source, e.Dest, s)
}

// ordinary is a Hello without anything that is of interest.
func (w *world) ordinary(m *packet.Message) string {
	return describe(&packet.Message{Opcode: packet.Hello, AS: m.AS, Auth: m.Auth, Parameters: m.Parameters, Software: m.Software, TIDs: m.TIDs, Stub: m.Stub})
}

// describe is a packet in a line.
func describe(m *packet.Message) string {
	s := m.Opcode.String()
	if m.IsAck() {
		s = "Ack"
	}
	if m.AS != 100 {
		s += fmt.Sprintf(" as=%d", m.AS)
	}
	if m.Flags != 0 {
		s += fmt.Sprintf(" {%v}", m.Flags)
	}
	if m.Sequence != 0 {
		s += fmt.Sprintf(" seq=%d", m.Sequence)
	}
	if m.Ack != 0 {
		s += fmt.Sprintf(" ack=%d", m.Ack)
	}
	if m.Auth.Algorithm != 0 {
		s += fmt.Sprintf(" %v key %d", m.Auth.Algorithm, m.Auth.KeyID)
	}
	if p := m.Parameters; p != nil {
		k := p.Weights
		s += fmt.Sprintf(" K=%d,%d,%d,%d,%d,%d hold=%d", k.K1, k.K2, k.K3, k.K4, k.K5, k.K6, p.HoldTime)
	}
	if v := m.Software; v != nil {
		s += fmt.Sprintf(" version=%d.%d/%d.%d", v.OSMajor, v.OSMinor, v.TLVMajor, v.TLVMinor)
	}
	if m.Stub != 0 {
		s += fmt.Sprintf(" stub={%v}", m.Stub)
	}
	for _, x := range [...]struct {
		name  string
		addrs []netip.Addr
	}{{"sequence", m.SequenceAddrs}, {"terminated", m.Terminated}} {
		if len(x.addrs) > 0 {
			s += fmt.Sprintf(" %s=%v", x.name, x.addrs)
		}
	}
	if m.MulticastSequence != 0 {
		s += fmt.Sprintf(" next=%d", m.MulticastSequence)
	}
	if len(m.TIDs) > 0 {
		s += fmt.Sprintf(" topologies=%v", m.TIDs)
	}
	for k := range m.Routes {
		r := &m.Routes[k]
		for _, p := range r.Destinations {
			switch {
			case r.Unreachable():
				s += fmt.Sprintf(" %v=inf", p)
			case r.Type.Wide():
				s += fmt.Sprintf(" %v=%d", p, r.Wide.Delay)
			default:
				s += fmt.Sprintf(" %v=%d", p, r.Classic.Delay)
			}
		}
	}
	return s
}

func (w *world) report(r Report) {
	switch r := r.(type) {
	case *NeighborReport:
		for _, in := range r.Instances {
			w.Printf("IPv%d AS %d router ID %v, %d neighbors", in.Family, in.AS, in.RouterID, len(in.Neighbors))
			for _, n := range in.Neighbors {
				w.Printf("%d %v %s hold %v of %v uptime %v SRTT %v RTO %v Q %d seq %d version %d.%d/%d.%d prefixes %d pending=%v stub=%v restarting=%v static=%v remote=%v",
					n.Handle, n.Addr, n.Interface, n.Hold, n.HoldTime, n.Uptime, n.Transport.SRTT, n.Transport.RTO, n.Transport.Queue, n.Transport.Sequence,
					n.Software.OSMajor, n.Software.OSMinor, n.Software.TLVMajor, n.Software.TLVMinor, n.Prefixes, n.Pending, n.IsStub, n.Restarting, n.Static, n.Remote)
			}
		}
	case *InterfaceReport:
		for _, in := range r.Instances {
			for _, i := range in.Interfaces {
				w.Printf("%s up=%v passive=%v peers %d hello %v hold %v next hello %v key %d", i.Config.Name, i.Up, i.Config.Passive, i.Peers, i.Config.Hello, i.Config.Hold, i.NextHello, i.SendKey)
			}
		}
	case *TopologyReport:
		for _, in := range r.Instances {
			for _, e := range in.Entries {
				w.Printf("%v %v, %d successors, FD is %d", e.Prefix, e.State, e.Successors, e.Feasible)
				for _, p := range e.Paths {
					w.Printf("  via %v %s (%d/%d)", p.Neighbor, p.Interface, p.Distance, p.Reported)
				}
			}
		}
	case *StatusReport:
		for _, in := range r.Instances {
			for _, d := range DropReasons() {
				if n := in.Counters.Dropped[d]; n > 0 {
					w.Printf("%v: %d", d, n)
				}
			}
		}
	case *EventReport:
		for _, in := range r.Instances {
			for _, e := range in.Events {
				w.Printf("event %d, %v ago: %d %v %s %v %s", e.Number, e.Age, e.Trace.Event, e.Trace.Peer, e.Trace.Interface, e.Trace.Prefix, e.Trace.Text)
			}
		}
	}
}
