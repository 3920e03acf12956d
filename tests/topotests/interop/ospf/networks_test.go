package ospf

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/ospfd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/ospfpeers"
)

// segment is a network of some type with ours, .1, and one or two others: FRR, .2, and
// BIRD, .3. Its lines are those of interfaces; "" for a suite that is not there.
type segment struct {
	name            string
	ours, frr, bird string
	neighbors       bool // configured at ours
	frrNeighbors    bool // configured at FRR
	apart           bool // FRR and BIRD do not speak with each other
	designated      int  // host that has to be the designated router; 0: whoever
	elects          bool // several may be
}

var segments = []segment{
	{name: "broadcast, ours designated", ours: ospfpeers.Network("broadcast"), frr: ospfpeers.Never, bird: "type broadcast; priority 0;", designated: 1},
	{name: "broadcast, FRR designated, MD5", ours: ospfpeers.Never + ospfpeers.MD5, frr: ospfpeers.MD5, bird: "type broadcast; priority 0;" + ospfpeers.BIRDMD5, designated: 2},
	{name: "broadcast, BIRD designated, password", ours: ospfpeers.Never + ospfpeers.Text, frr: ospfpeers.Never + ospfpeers.Text, bird: "type broadcast; priority 1;" + ospfpeers.BIRDText, designated: 3},
	{name: "broadcast, all may be, HMAC", ours: ospfpeers.HMAC, bird: "type broadcast; priority 1;" + ospfpeers.BIRDHMAC, elects: true},
	{name: "non-broadcast", ours: ospfpeers.Network("non-broadcast"), frr: ospfpeers.Network("non-broadcast"),
		bird: "type nbma; priority 1; poll 2; neighbors { 10.9.4.1 eligible; 10.9.4.2 eligible; };", neighbors: true, frrNeighbors: true, elects: true},
	{name: "point-to-point with FRR, MD5", ours: ospfpeers.Network("point-to-point") + ospfpeers.MD5, frr: ospfpeers.Network("point-to-point") + ospfpeers.MD5},
	{name: "point-to-point with BIRD, HMAC", ours: ospfpeers.Network("point-to-point") + ospfpeers.HMAC, bird: "type ptp;" + ospfpeers.BIRDHMAC},
	{name: "point-to-multipoint with FRR", ours: ospfpeers.Network("point-to-multipoint"), frr: ospfpeers.Network("point-to-multipoint")},
	{name: "point-to-multipoint with BIRD", ours: ospfpeers.Network("point-to-multipoint non-broadcast"),
		bird: "type ptmp; neighbors { 10.9.8.1; };", neighbors: true},
	// FRR sends to the group and hears what is sent to it alone; BIRD does neither hear nor send to the group.
	{name: "point-to-multipoint non-broadcast with both", ours: ospfpeers.Network("point-to-multipoint non-broadcast"), frr: ospfpeers.Network("point-to-multipoint"),
		bird: "type ptmp; neighbors { 10.9.9.1; };", neighbors: true, apart: true},
}

// world is all of it: a star with ours in the middle.
type world struct {
	t       *testing.T
	ours    *router
	others  []*router
	wires   []*harness.Capture // by segment
	segment map[*router]int
	host    map[*router]int
}

const ourStatic = "10.1.0.0/24"

// static is what another router redistributes.
func (w *world) static(r *router) string {
	return fmt.Sprintf("10.%d.%d.0/24", w.host[r], w.segment[r])
}

// build makes all routers and starts them.
func build(t *testing.T) *world {
	tp := harness.New(t)
	w := &world{t: t, ours: &router{Node: tp.Router("ours"), ID: "1.1.1.1", Links: links}, segment: map[*router]int{}, host: map[*router]int{}}
	config, process := ospfpeers.HMACChain+"ip route "+ourStatic+" Null0\n", ospfpeers.RouterOurs("1.1.1.1")+" redistribute static subnets\n network 10.9.0.0 0.0.255.255 area 0\n"
	for i, s := range segments {
		device := fmt.Sprintf("eth%d", i)
		lan := tp.Node(fmt.Sprintf("lan%d", i))
		lan.Bridge("br", fmt.Sprintf("10.9.%d.254/24", i))
		join := func(n *harness.Node, port, device string, host int) {
			tp.Link(lan, port, "", n, device, fmt.Sprintf("10.9.%d.%d/24", i, host))
			lan.Enslave(port, "br")
		}
		join(w.ours.Node, "ours", device, 1)
		w.wires = append(w.wires, w.ours.Capture(device))
		config += "interface " + device + "\n" + ospfpeers.Quick + s.ours
		for host, lines := range map[int]string{2: s.frr, 3: s.bird} {
			if lines == "" {
				continue
			}
			r := &router{Suite: ospfpeers.Suite(host - 1), Links: links, ID: fmt.Sprintf("%[1]d.%[1]d.%[1]d.%d", host, i)}
			r.Node = tp.Router(fmt.Sprintf("%s%d", []string{2: "frr", 3: "bird"}[host], i))
			join(r.Node, fmt.Sprint("port", host), "eth0", host)
			w.others, w.segment[r], w.host[r] = append(w.others, r), i, host
			if s.neighbors {
				process += fmt.Sprintf(" neighbor 10.9.%d.%d\n", i, host)
			}
		}
	}
	slices.SortFunc(w.others, func(a, b *router) int { return strings.Compare(a.Name(), b.Name()) })
	w.ours.Boot(config + process)
	for _, r := range w.others {
		r.Boot(w.config(r, w.static(r)))
	}
	return w
}

// config is another router's, with these static routes.
func (w *world) config(r *router, static ...string) string {
	i := w.segment[r]
	s := segments[i]
	if r.Suite == bird {
		return ospfpeers.BIRDConfig(r.ID, " area 0 {\n"+ospfpeers.BIRDInterface("eth0", s.bird)+" };\n", static...)
	}
	text := "interface eth0\n" + ospfpeers.Quick + s.frr
	for _, p := range static {
		text += "ip route " + p + " blackhole\n"
	}
	text += ospfpeers.RouterFRR(r.ID) + fmt.Sprintf(" redistribute static\n network 10.9.%d.0/24 area 0\n", i)
	if s.frrNeighbors {
		text += fmt.Sprintf(" neighbor 10.9.%[1]d.1 poll-interval 2\n neighbor 10.9.%[1]d.3 poll-interval 2\n", i)
	}
	return text
}

// routes is what all kernels have while these routers redistribute nothing.
func (w *world) routes(silent ...*router) (all []func() error) {
	var here []string
	for _, r := range w.others {
		i := w.segment[r]
		if !slices.Contains(silent, r) {
			here = append(here, fmt.Sprintf("%s via 10.9.%d.%d dev eth%d", w.static(r), i, w.host[r], i))
		}
		us := fmt.Sprintf("10.9.%d.1", i)
		var there []string
		if !slices.Contains(silent, w.ours) {
			there = append(there, ourStatic+" via "+us+" dev eth0")
		}
		for _, q := range w.others {
			switch {
			case q == r || slices.Contains(silent, q):
			case w.segment[q] == i && !segments[i].apart:
				there = append(there, fmt.Sprintf("%s via 10.9.%d.%d dev eth0", w.static(q), i, w.host[q]))
			default:
				there = append(there, w.static(q)+" via "+us+" dev eth0")
			}
		}
		all = append(all, r.Knows(there...))
	}
	return append(all, w.ours.Knows(here...))
}

// same tells whether all have the same database.
func (w *world) same() func() error {
	return ospfpeers.SameDatabases(append([]*router{w.ours}, w.others...)...)
}

// TestNetworks has a network of each type, with FRR, with BIRD, and with both, and a
// designated router of each suite. Routes come, go and come back; daemons die, and are
// back; the link state databases of all are the same.
func TestNetworks(t *testing.T) {
	t.Parallel()
	w := build(t)
	await(t, append(w.routes(), w.same(), w.designated)...)
	for _, r := range w.others {
		if err := w.ours.Reaches(fmt.Sprintf("10.9.%d.%d", w.segment[r], w.host[r])); err != nil {
			t.Errorf("%s: %v", r.Name(), err)
		}
	}

	w.ours.Configure("no ip route " + ourStatic + " Null0")
	for _, r := range w.others {
		w.announce(r, false)
	}
	await(t, w.routes(append(w.others, w.ours)...)...)
	w.ours.Configure("ip route " + ourStatic + " Null0")
	for _, r := range w.others {
		w.announce(r, true)
	}
	await(t, append(w.routes(), w.same())...)

	for _, r := range w.others {
		r.Crash()
	}
	await(t, w.ours.Knows())
	w.revive()
	await(t, append(w.routes(), w.same())...)

	w.ours.Crash()
	var alone []func() error
	for _, r := range w.others { // they know by their timers
		alone = append(alone, r.Knows(w.neighborsOnly(r)...))
	}
	await(t, alone...)
	w.ours.Revive()
	await(t, append(w.routes(), w.same())...)
	w.decode()
}

// revive starts all others again. Those that need not be the designated router any more, and
// flush the network-LSA of their former lives, come first, one by one: FRR may pass such an LSA
// on to who begins beside it, and the flush within a second, which BIRD does not take (RFC 2328
// section 13 (5) (a)), and which FRR does not send again.
func (w *world) revive() {
	w.t.Helper()
	back := []*router{w.ours}
	for _, first := range []bool{true, false} {
		for _, r := range w.others {
			if segments[w.segment[r]].elects != first {
				continue
			}
			r.Revive()
			if back = append(back, r); first {
				await(w.t, ospfpeers.SameDatabases(back...))
			}
		}
	}
}

// announce has a router redistribute its route, or not.
func (w *world) announce(r *router, yes bool) {
	switch {
	case r.Suite == frr && yes:
		r.FRR.Configure("ip route " + w.static(r) + " blackhole")
	case r.Suite == frr:
		r.FRR.Configure("no ip route " + w.static(r) + " blackhole")
	case yes:
		r.BIRD.Reconfigure(w.config(r, w.static(r)))
	default:
		r.BIRD.Reconfigure(w.config(r))
	}
}

// neighborsOnly is what a router knows while ours is dead: without a designated router
// nothing.
func (w *world) neighborsOnly(r *router) (want []string) {
	i := w.segment[r]
	for _, q := range w.others {
		if q != r && w.segment[q] == i && !segments[i].apart && segments[i].designated != 1 {
			want = append(want, w.static(q))
		}
	}
	return want
}

// designated tells whether each network has the designated router that it has to have,
// as all of its routers say in their last Hello.
func (w *world) designated() error {
	for i, s := range segments {
		for host := 1; host <= 3 && s.designated > 0; host++ {
			frames := w.wires[i].Frames(harness.All(harness.IsProtocol(packet.Protocol), harness.Between(fmt.Sprintf("10.9.%d.%d", i, host), "224.0.0.5"), isType(packet.Hello)))
			if len(frames) == 0 {
				return fmt.Errorf("%s: no Hello of %d", s.name, host)
			}
			m, err := packet.Parse(frames[len(frames)-1].Payload)
			if want := fmt.Sprintf("10.9.%d.%d", i, s.designated); err != nil || m.HelloBody.Designated.String() != want {
				return fmt.Errorf("%s: for host %d the designated router is %v instead of %s, %v", s.name, host, m.HelloBody.Designated, want, err)
			}
		}
	}
	return nil
}

// isType matches OSPF packets of a type.
func isType(want packet.Type) harness.Match {
	return func(f harness.Frame) bool {
		m, err := packet.Parse(f.Payload)
		return err == nil && m.Type == want
	}
}

// decode has tshark look at all packets of OSPF.
func (w *world) decode() {
	w.t.Helper()
	for i, wire := range w.wires {
		wire.Stop()
		for _, kind := range []packet.Type{packet.Hello, packet.DatabaseDescription, packet.LinkStateRequest, packet.LinkStateUpdate, packet.LinkStateAck} {
			if wire.Count(harness.All(harness.IsProtocol(packet.Protocol), harness.Between(fmt.Sprintf("10.9.%d.1", i), ""), isType(kind))) == 0 {
				w.t.Errorf("%s: ours sent no packet of type %v", segments[i].name, kind)
			}
		}
	}
	if err := harness.CheckDissected("ospf && !icmp", 20, w.wires...); err != nil {
		w.t.Error(err)
	}
}
