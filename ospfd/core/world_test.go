package core

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
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
	hellos  bool   // Hellos are printed
	silent  bool   // other packets are not
	bodies  bool   // of LSAs that are shown
	last    uint32 // the sequence number of the last Database Description that the core sent
}

func newWorld(t testing.TB) *world {
	w := &world{Stage: &scripttest.Stage[Input, Effect]{Tick: Tick{}}, t: t, links: map[string]rib.Interface{}}
	w.Effect = w.effect
	w.birth()
	return w
}

func (w *world) birth() {
	w.core = New(Options{Wall: rigWall})
	w.Machine = w.core
	w.core.Step(w.Now, Tracing{Packets: true, Adjacency: true})
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
		w.started = true
		w.Step(Attached{Stale: a.Number("stale", 0)})
		for _, name := range slices.Sorted(maps.Keys(w.links)) {
			w.Step(InterfaceChanged{Interface: w.links[name]})
		}
		w.Step(InterfacesKnown{})
		w.configure()
	case "advance":
		w.Advance(scripttest.Must(time.ParseDuration(a.Word(1))))
	case "hellos":
		w.hellos = a.Word(1) == "on"
	case "packets":
		w.silent = a.Word(1) == "off"
	case "rx":
		w.rx(a)
	case "area":
		w.area(a)
	case "abr": // abr cisco|ibm|standard|shortcut
		w.config.Instances[0].ABR = map[string]ABRType{"ibm": ABRIBM, "standard": ABRStandard, "shortcut": ABRShortcut}[a.Word(1)]
	case "redistribute":
		w.redistribute(a)
	case "route":
		w.route(a)
	case "tell":
		w.tell(a)
	case "full":
		w.full(a)
	case "originate", "flush":
		w.originate(a)
	case "show":
		w.bodies = a.Word(1) == "own" // LSAs of this router, with what they say
		w.Step(Query{ID: 1, Database: DatabaseFilter{Self: w.bodies}, Kind: map[string]ReportKind{"neighbors": ReportNeighbors, "interfaces": ReportInterfaces, "database": ReportDatabase, "own": ReportDatabase, "drops": ReportStatus, "routes": ReportRoutes}[a.Word(1)]})
	case "shutdown":
		w.Step(Shutdown{Restart: a.Has("restart")})
	default:
		panic("unknown command: " + line)
	}
}

func (w *world) configure() {
	cfg := w.config
	cfg.Interfaces = slices.Clone(cfg.Interfaces)
	w.Step(ConfigSet{Config: cfg})
}

// router describes process 1 anew:
//
//	router ID [area=A] [kind=stub|nssa] [neighbor=ADDR[,PRIORITY]]… [nsf]
func (w *world) router(a scripttest.Args) {
	area := id(a.Get("area", "0.0.0.0"))
	ic := InstanceConfig{Key: Key{Process: 1}, RouterID: netip.MustParseAddr(a.Word(1)), LogAdjacency: true, RFC1583: true,
		Networks: []Network{{policy.Wildcard{Bits: 0xffffffff}, area}}}
	ic.Restart.Enabled = a.Has("nsf")
	ic.Areas = []AreaConfig{{ID: area, Kind: areaKinds[a.Get("kind", "")]}}
	for _, v := range a.Pairs["neighbor"] {
		f := strings.Split(v+",1", ",")
		ic.Neighbors = append(ic.Neighbors, StaticNeighbor{Addr: netip.MustParseAddr(f[0]), Priority: uint8(scripttest.Must(strconv.Atoi(f[1])))})
	}
	w.config.Instances = []InstanceConfig{ic}
}

var networkTypes = map[string]fsm.NetworkType{"": 0, "broadcast": fsm.Broadcast, "nbma": fsm.NonBroadcast, "p2p": fsm.PointToPoint, "p2mp": fsm.PointToMultipoint}

// iface describes an interface anew:
//
//	interface NAME [area=A] [cost=N] [type=T] [no-broadcast] [hello=D] [dead=D] [priority=N] [chain=K] [password=P] [mtu-ignore] [filter=LIST]
func (w *world) iface(a scripttest.Args) {
	p := uint8(a.Number("priority", 1))
	i := InterfaceConfig{Name: a.Word(1), Type: networkTypes[a.Get("type", "")], NoBroadcast: a.Has("no-broadcast"), Hello: a.Duration("hello", 0), Dead: a.Duration("dead", 0),
		Priority: &p, MTUIgnore: a.Has("mtu-ignore")}
	i.Cost = uint16(a.Number("cost", 0))
	if v := a.Get("filter", ""); v != "" {
		i.NeighborFilters = []NeighborFilter{{List: v}}
	}
	if v := a.Get("area", ""); v != "" {
		i.HasArea, i.Process, i.Area = true, 1, id(v)
	}
	if v := a.Get("chain", ""); v != "" {
		i.Authentication, i.KeyChain = AuthenticationKeyChain, v
	}
	if v := a.Get("password", ""); v != "" {
		i.Authentication, i.Password = AuthenticationSimple, policy.NewSecret(v)
	}
	w.config.Interfaces = slices.DeleteFunc(slices.Clone(w.config.Interfaces), func(o InterfaceConfig) bool { return o.Name == i.Name })
	w.config.Interfaces = append(w.config.Interfaces, i)
}

// link describes an interface: link NAME up|down [addr=P]… [loopback|tunnel]
func (w *world) link(a scripttest.Args) {
	name := a.Word(1)
	i, ok := w.links[name]
	if !ok {
		i = rib.Interface{Name: name, KernelName: name, Index: len(w.links) + 2, AdminUp: true, Multicast: true, MTU: 1500, Bandwidth: 100_000}
	}
	i.Up = a.Has("up")
	switch {
	case a.Has("loopback"):
		i.Type = rib.TypeLoopback
	case a.Has("tunnel"):
		i.Type, i.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGREMultipoint}
	}
	for k, v := range a.Pairs["addr"] {
		i.Addresses = append(i.Addresses[:k:k], rib.Address{Prefix: netip.MustParsePrefix(v), Secondary: k > 0})
	}
	w.links[name] = i
	if w.started {
		w.Step(InterfaceChanged{Interface: i})
	}
}

// originate has the router say something in an opaque LSA of the first area: originate ID
// TEXT, flush ID
func (w *world) originate(a scripttest.Args) {
	in := w.core.order[0]
	s := in.order[0].scope
	if a.Word(0) == "flush" {
		in.flush(w.Now, s, packet.LSAKey{Type: packet.OpaqueAreaLSA, ID: id(a.Word(1)), Router: in.id})
	} else {
		in.originate(w.Now, s, lsdb.Statement{Type: packet.OpaqueAreaLSA, ID: id(a.Word(1)), Options: packet.OptionE, Body: []byte(a.Word(2))})
	}
	w.Step(Tick{})
}

// rx has a neighbour say something:
//
//	rx IF FROM ID hello|dd|request|update|ack [area=A] [mtu=N] [hello=N] [dead=N] [mask=M]
//	[priority=N] [dr=A] [bdr=A] [seen=R]… [seq=N|last|next] [init] [more] [master]
//	[lsa=TYPE,ID,ROUTER,SEQUENCE[,AGE]]… [options=N] [key=ID,SECRET] [password=P] [dest=A]
func (w *world) rx(a scripttest.Args) {
	m := packet.Message{Type: map[string]packet.Type{"hello": packet.Hello, "dd": packet.DatabaseDescription, "request": packet.LinkStateRequest,
		"update": packet.LinkStateUpdate, "ack": packet.LinkStateAck}[a.Word(4)], RouterID: id(a.Word(3)), AreaID: id(a.Get("area", "0.0.0.0"))}
	options := packet.Options(a.Number("options", int(packet.OptionE)))
	optional := func(key string) netip.Addr {
		if v := a.Get(key, ""); v != "" {
			return netip.MustParseAddr(v)
		}
		return netip.Addr{}
	}
	switch m.Type {
	case packet.Hello:
		m.HelloBody = packet.HelloBody{Mask: uint32(id(a.Get("mask", "255.255.255.0"))), Interval: uint16(a.Number("hello", 10)), DeadInterval: uint32(a.Number("dead", 40)),
			Options: options, Priority: uint8(a.Number("priority", 1)), Designated: optional("dr"), Backup: optional("bdr")}
		for _, v := range a.Pairs["seen"] {
			m.HelloBody.Neighbors = append(m.HelloBody.Neighbors, id(v))
		}
	case packet.DatabaseDescription:
		m.Description = packet.Description{MTU: uint16(a.Number("mtu", 1500)), Options: options | packet.OptionO}
		for word, flag := range map[string]packet.DDFlags{"init": packet.DDInit, "more": packet.DDMore, "master": packet.DDMaster} {
			if a.Has(word) {
				m.Description.Flags |= flag
			}
		}
		switch v := a.Get("seq", "last"); v {
		case "last":
			m.Description.Sequence = w.last
		case "next":
			m.Description.Sequence = w.last + 1
		default:
			m.Description.Sequence = uint32(scripttest.Must(strconv.Atoi(v)))
		}
	}
	for _, v := range a.Pairs["lsa"] {
		lsa := readLSA(v)
		m.Description.Headers = append(m.Description.Headers, lsa.LSAHeader)
		m.Requests = append(m.Requests, lsa.LSAKey)
		m.Updates = append(m.Updates, lsa)
		m.Acks = append(m.Acks, lsa.LSAHeader)
	}
	var key *packet.Key
	if k, secret, ok := strings.Cut(a.Get("key", ""), ","); ok {
		key = &packet.Key{ID: uint32(scripttest.Must(strconv.Atoi(k))), Algorithm: packet.HMACSHA256, Secret: []byte(secret)}
	}
	if v := a.Get("password", ""); v != "" {
		key = &packet.Key{Algorithm: packet.SimplePassword, Secret: []byte(v)}
	}
	src := netip.MustParseAddr(a.Word(2))
	w.Step(RxPacket{Interface: a.Word(1), Source: src, Dest: netip.MustParseAddr(a.Get("dest", "224.0.0.5")), Packet: scripttest.Must(m.Append(nil, key, uint64(a.Number("auth", 1)), src))})
}

// readLSA makes an LSA of TYPE,ID,ROUTER,SEQUENCE[,AGE]; sequence 1 is the initial one.
func readLSA(v string) packet.LSA {
	f := strings.Split(v+",1", ",")
	n := func(k int) int { return scripttest.Must(strconv.Atoi(f[k])) }
	h := packet.LSAHeader{Age: uint16(n(4)), Options: packet.OptionE, Sequence: packet.InitialSequence + int32(n(3)) - 1,
		LSAKey: packet.LSAKey{Type: packet.LSType(n(0)), ID: id(f[1]), Router: id(f[2])}}
	body := []byte("text")
	switch h.Type {
	case packet.OpaqueLinkLSA: // a grace-LSA: two minutes, software restart
		body = packet.AppendTLVs(nil, []packet.TLV{{Type: gracePeriod, Value: []byte{0, 0, 0, 120}}, {Type: graceReason, Value: []byte{1}}})
	case packet.RouterLSA:
		body = packet.Router{}.Append(nil)
	case packet.ExternalLSA, packet.NSSALSA:
		body = packet.External{Mask: 0xffffff00, Metric: 20}.Append(nil)
	}
	return scripttest.Must(packet.NewLSA(h, body))
}

// effect prints an effect on one line.
func (w *world) effect(e Effect) {
	switch e := e.(type) {
	case Listen:
		w.Printf("listen %q group=%v designated=%v", e.Interface, e.Group, e.Designated)
	case Unlisten:
		w.Printf("unlisten %q", e.Interface)
	case TxPacket:
		w.tx(e)
	case PutRoute:
		w.Printf("put %v [%d/%d]", e.Route.Prefix, e.Route.Distance, e.Route.Metric)
	case WatchRoutes:
		w.Printf("watch %v", e.Watch.Protocol)
	case DelRoute:
		w.Printf("del %v", e.Key.Prefix)
	case EndOfReplay:
		w.Printf("end of replay")
	case Remember:
		w.Printf("remember router %v restart=%v", e.Value.RouterID, !e.Value.Restart.IsZero())
	case Log:
		w.Printf("%%OSPF-%d-%s: %s", e.Severity, e.Mnemonic, e.Text)
	case Trace:
		switch e.Event {
		case TraceDropped:
			w.Printf("dropped: %v", e.Drop)
		case TraceInterface:
			w.Printf("%s %s", e.Interface, e.Text)
		case TraceNeighbor:
			_, text, _ := strings.Cut(e.Text, "Nbr ")
			w.Printf("neighbor %s", text)
		}
	case Answer:
		w.report(e.Report)
	default:
		w.Printf("%T", e)
	}
}

// tx prints a packet, Hellos only if that is wanted.
func (w *world) tx(e TxPacket) {
	m, err := packet.Parse(e.Packet)
	if err != nil {
		w.Printf("tx of what nobody reads: %v", err)
		return
	}
	if w.silent && m.Type != packet.Hello {
		if m.Type == packet.DatabaseDescription {
			w.last = m.Description.Sequence
		}
		return
	}
	s := ""
	switch m.Type {
	case packet.Hello:
		if !w.hellos {
			return
		}
		h := &m.HelloBody
		s = fmt.Sprintf("mask=%v hello=%d dead=%d options=%v priority=%d", packet.ID(h.Mask), h.Interval, h.DeadInterval, h.Options, h.Priority)
		if h.Designated.IsValid() || h.Backup.IsValid() {
			s += fmt.Sprintf(" dr=%v bdr=%v", h.Designated, h.Backup)
		}
		if len(h.Neighbors) > 0 {
			s += fmt.Sprintf(" seen=%v", h.Neighbors)
		}
	case packet.DatabaseDescription:
		d := &m.Description
		w.last = d.Sequence
		s = fmt.Sprintf("mtu=%d options=%v", d.MTU, d.Options)
		for k, word := range [...]string{"master", "more", "init"} {
			if d.Flags&(1<<k) != 0 {
				s += " " + word
			}
		}
		s += headersText(d.Headers)
	case packet.LinkStateRequest:
		s = fmt.Sprint(m.Requests)
	case packet.LinkStateUpdate:
		for _, l := range m.Updates {
			s += headersText([]packet.LSAHeader{l.LSAHeader})
		}
	default:
		s = headersText(m.Acks)
	}
	name := e.Interface
	if m.Auth.Type != packet.AuthNull {
		s += fmt.Sprintf(" {auth %d key %d}", m.Auth.Type, m.Auth.KeyID)
	}
	w.Printf("tx %s %v > %v: %v %s", name, e.Source, e.Dest, m.Type, strings.TrimSpace(s))
}

func headersText(all []packet.LSAHeader) (s string) {
	for _, h := range all {
		s += fmt.Sprintf(" [%v seq=%d age=%d]", h.LSAKey, int64(h.Sequence)-int64(packet.InitialSequence)+1, h.Age)
	}
	return s
}

func (w *world) report(r Report) {
	switch r := r.(type) {
	case *NeighborReport:
		for _, n := range r.Instances[0].Neighbors {
			w.Printf("%v %v %s %v priority %d dr %v bdr %v dead %v master=%v lists %d/%d/%d helping=%v static=%v",
				n.RouterID, n.Addr, n.Interface, n.State, n.Priority, n.DR, n.BDR, n.Dead, n.Master, n.Summary, n.Request, n.Retransmission, n.Helping, n.Static)
		}
	case *InterfaceReport:
		for _, i := range r.Instances[0].Interfaces {
			w.Printf("%s area %v %v cost %d dr %v bdr %v neighbors %d adjacent %d keys %v mismatch %q", i.Name, i.Area, i.State, i.Cost, i.DR, i.BDR, i.Neighbors, i.Adjacent, i.AuthKeys, i.Mismatch)
		}
	case *DatabaseReport:
		for _, a := range r.Instances[0].Areas {
			for _, l := range a.LSAs {
				if w.bodies {
					flushed := ""
					if l.IsMaxAge() {
						flushed = " MaxAge"
					}
					w.Printf("area %v %v options %v%s: %s", a.Area, l.LSAKey, l.Options, flushed, says(l))
					continue
				}
				w.Printf("area %v%s", a.Area, headersText([]packet.LSAHeader{l.LSAHeader}))
			}
			for _, x := range a.Links {
				for _, l := range x.LSAs {
					w.Printf("%s%s", x.Interface, headersText([]packet.LSAHeader{l.LSAHeader}))
				}
			}
		}
		for _, l := range r.Instances[0].AS {
			if w.bodies {
				w.Printf("AS %v options %v: %s", l.LSAKey, l.Options, says(l))
				continue
			}
			w.Printf("AS%s", headersText([]packet.LSAHeader{l.LSAHeader}))
		}
	case *RouteReport:
		w.table(r.Instances[0])
	case *StatusReport:
		for _, d := range DropReasons() {
			if n := r.Instances[0].Counters.Dropped[d]; n > 0 {
				w.Printf("%v: %d", d, n)
			}
		}
	}
}
