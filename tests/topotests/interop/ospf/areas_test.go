package ospf

import (
	"fmt"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/ospfpeers"
)

// land is a backbone with areas.
type land struct {
	t       *testing.T
	tp      *harness.Topology
	routers []*router
	// lines of interfaces and of areas, by router
	devices map[*router]string
	areas   map[*router]map[int]string // BIRD's, by area
	process map[*router]string
	wires   []*harness.Capture // of all links with a router of ours
}

func newLand(t *testing.T) *land {
	return &land{t: t, tp: harness.New(t), devices: map[*router]string{}, areas: map[*router]map[int]string{}, process: map[*router]string{}}
}

// add adds a router, whose number is the last of its router ID's.
func (l *land) add(s ospfpeers.Suite, name string) *router {
	n := len(l.routers) + 1
	r := &router{Node: l.tp.Router(name), Suite: s, Links: links, ID: fmt.Sprintf("10.0.0.%d", n)}
	l.routers = append(l.routers, r)
	l.areas[r] = map[int]string{}
	return r
}

// join links two routers, in an area: 10.9.AREA.0/24.
func (l *land) join(a, b *router, area int) {
	subnet := area
	if area == 0 { // the backbone has several links
		subnet = 200 + len(l.wires)
	}
	toA, toB := "to-"+a.Name(), "to-"+b.Name()
	l.tp.Link(a.Node, toB, fmt.Sprintf("10.9.%d.1/24", subnet), b.Node, toA, fmt.Sprintf("10.9.%d.2/24", subnet))
	kind, birdKind := "point-to-point", "type ptp;"
	if area >= 10 { // BIRD finds the other end of a virtual link only on a network like this
		kind, birdKind = "broadcast", "type broadcast;"
	}
	for r, device := range map[*router]string{a: toB, b: toA} {
		l.run(r, device, fmt.Sprintf("10.9.%d.0", subnet), area, kind, birdKind)
	}
	if a.Suite == ours {
		l.wires = append(l.wires, a.Capture(toB))
	} else if b.Suite == ours {
		l.wires = append(l.wires, b.Capture(toA))
	}
}

// lan gives a router a network of its own in an area.
func (l *land) lan(r *router, network int, area int) {
	l.tp.Link(r.Node, "lan", fmt.Sprintf("10.10.%d.1/24", network), l.tp.Node(fmt.Sprintf("lan%d", network)), "eth0", "")
	l.run(r, "lan", fmt.Sprintf("10.10.%d.0", network), area, "point-to-point", "type ptp;")
}

func (l *land) run(r *router, device, subnet string, area int, kind, birdKind string) {
	switch r.Suite {
	case ours:
		l.devices[r] += "interface " + device + "\n" + ospfpeers.Quick + ospfpeers.Network(kind)
		l.process[r] += fmt.Sprintf(" network %s 0.0.0.255 area %d\n", subnet, area)
	case frr:
		l.devices[r] += "interface " + device + "\n" + ospfpeers.Quick + ospfpeers.Network(kind)
		l.process[r] += fmt.Sprintf(" network %s/24 area %d\n", subnet, area)
	case bird:
		l.areas[r][area] += ospfpeers.BIRDInterface(device, birdKind)
	}
}

// start starts all; static is what routers redistribute.
func (l *land) start(static map[*router]string) {
	l.t.Helper()
	for _, r := range l.routers {
		p := static[r]
		switch r.Suite {
		case ours:
			text := l.devices[r]
			if p != "" {
				text += "ip route " + p + " Null0\n"
				l.process[r] += " redistribute static subnets\n"
			}
			r.Zebra = r.LaunchWith(text + ospfpeers.RouterOurs(r.ID) + l.process[r])
			defer r.Zebra.WaitReady()
		case frr:
			text := l.devices[r]
			if p != "" {
				text += "ip route " + p + " blackhole\n"
				l.process[r] += " redistribute static\n"
			}
			r.Boot(text + ospfpeers.RouterFRR(r.ID) + l.process[r])
		case bird:
			text := ""
			for area, lines := range l.areas[r] { // unordered: BIRD sorts them
				text += fmt.Sprintf(" area %d {\n%s };\n", area, lines)
			}
			if p == "" {
				r.Boot(ospfpeers.BIRDConfig(r.ID, text))
			} else {
				r.Boot(ospfpeers.BIRDConfig(r.ID, text, p))
			}
		}
	}
}

// TestAreas has areas of each kind with a border router of each suite. Ours is one of
// the border routers, and is behind those of the others.
//
//	frr2 (totally stubby) ─┐                  ┌─ frr0 ─┬─ in4 (NSSA)      ┌─ far8 (FRR)  virtual link, area 8
//	frr3, bird3 (NSSA) ────┼── ours ── area 0 ┤        └─ in5 (stub)      │
//	bird1 (stub) ──────────┘                  └─ bird0 ─┬─ in6 (NSSA)     └─ far10 (BIRD) virtual link, area 10
//	                                                    └─ in7 (totally stubby)
func TestAreas(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	core, frr0, bird0 := l.add(ours, "ours"), l.add(frr, "frr0"), l.add(bird, "bird0")
	bird1, frr2, frr3, bird3 := l.add(bird, "bird1"), l.add(frr, "frr2"), l.add(frr, "frr3"), l.add(bird, "bird3")
	in4, in5, in6, in7 := l.add(ours, "in4"), l.add(ours, "in5"), l.add(ours, "in6"), l.add(ours, "in7")
	far8, far10 := l.add(frr, "far8"), l.add(bird, "far10")
	l.join(core, frr0, 0)
	l.join(core, bird0, 0)
	l.join(core, bird1, 1)
	l.join(core, frr2, 2)
	l.join(core, frr3, 3)
	l.join(core, bird3, 13)
	l.join(frr0, in4, 4)
	l.join(frr0, in5, 5)
	l.join(bird0, in6, 6)
	l.join(bird0, in7, 7)
	l.join(core, far8, 8)
	l.join(core, far10, 10)
	l.lan(core, 0, 0)
	l.lan(far8, 9, 9)    // behind the virtual link
	l.lan(far10, 11, 11) // also

	l.process[core] += " area 1 stub\n area 2 stub no-summary\n area 3 nssa\n area 13 nssa\n" +
		" area 8 virtual-link " + far8.ID + " hello-interval 1 dead-interval 4\n area 10 virtual-link " + far10.ID + " hello-interval 1 dead-interval 4\n"
	l.process[frr0] += " area 4 nssa\n area 5 stub\n"
	l.process[frr2] += " area 2 stub\n"
	l.process[frr3] += " area 3 nssa\n"
	l.process[in4] += " area 4 nssa\n"
	l.process[in5] += " area 5 stub\n"
	l.process[in6] += " area 6 nssa\n"
	l.process[in7] += " area 7 stub\n"
	l.process[far8] += " area 8 virtual-link " + core.ID + " hello-interval 1 dead-interval 4\n"
	l.areas[bird1][1] += "  stub;\n"
	l.areas[bird3][13] += "  nssa;\n"
	l.areas[bird0][6] += "  nssa; summary yes; default nssa yes;\n"
	l.areas[bird0][7] += "  stub; summary no;\n"
	l.areas[far10][0] = ""
	l.areas[far10][10] += "  virtual link " + core.ID + " { hello 1; dead 4; };\n"

	static := map[*router]string{core: "10.1.0.0/24", frr0: "10.1.1.0/24", bird0: "10.1.2.0/24", frr3: "10.1.3.0/24", bird3: "10.1.13.0/24",
		in4: "10.1.4.0/24", in6: "10.1.6.0/24"}
	l.start(static)

	const anything = "0.0.0.0/0"
	lans := []string{"10.10.0.0/24", "10.10.9.0/24", "10.10.11.0/24"}
	all := func(except *router, more ...string) (want []string) {
		for r, p := range static { // unordered: compared as a set
			if r != except {
				want = append(want, p)
			}
		}
		return append(want, more...)
	}
	await(t,
		core.Knows(all(core, lans[1], lans[2])...),
		frr0.Knows(all(frr0, lans...)...),
		bird0.Knows(all(bird0, lans...)...),
		bird1.Knows(append(lans, anything)...),
		frr2.Knows(anything),
		frr3.Knows(append(lans, static[core])...),
		bird3.Knows(append(lans, static[core])...),
		in4.Knows(append(lans, static[frr0], anything)...), // FRR tells a default route into any NSSA
		in5.Knows(append(lans, anything)...),
		in6.Knows(append(lans, anything)...), // and BIRD no routes of its own
		in7.Knows(anything),
		far8.Knows(all(nil, lans[0], lans[2])...),
		far10.Knows(all(nil, lans[0], lans[1])...),
	)
	for _, to := range []string{"10.10.9.1", "10.10.11.1"} {
		// The answers take the routes to networks of links, which are not compared above.
		await(t, func() error { return in5.Reaches(to) }, func() error { return in7.Reaches(to) })
		in5.MustPing(to, 3)
		in7.MustPing(to, 3)
	}
	if err := harness.CheckDissected("ospf && !icmp", 20, l.wires...); err != nil {
		t.Error(err)
	}
}

// TestSubstitute has a border router of ours and one of FRR that tell another network in place of
// a range, whose parts an export-list permits.
//
//	area 1 ── ours ── area 0 ── frr0 ── area 2
func TestSubstitute(t *testing.T) {
	t.Parallel()
	l := newLand(t)
	core, frr0 := l.add(ours, "ours"), l.add(frr, "frr0")
	l.join(core, frr0, 0)
	l.lan(core, 1, 1)
	l.lan(frr0, 2, 2)
	l.process[core] += " area 1 range 10.10.1.0 255.255.255.0 substitute 172.16.1.0 255.255.255.0\n area 1 export-list 10\naccess-list 10 permit 10.10.1.0\n"
	l.process[frr0] += " area 2 range 10.10.2.0/24 substitute 172.16.2.0/24\n area 2 export-list LAN\nexit\naccess-list LAN permit 10.10.2.0/24\n"
	l.start(nil)
	await(t, core.Knows("172.16.2.0/24"), frr0.Knows("172.16.1.0/24"))
}
