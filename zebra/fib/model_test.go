package fib

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/fake"
)

// model drives a Core over a fake data plane in random order: wishes, failures,
// interference, lost events, restarts. want is what the data plane must show
// once all is quiet.
type model struct {
	c    *Core
	p    *fake.Provider
	now  clock.Instant
	want map[dataplane.Key]dataplane.Object
	lost bool // an event was lost, and only a dump can tell
}

var (
	modelDevices = []string{"eth0", "eth1", "Loopback0", "Tunnel0", "Tunnel1", "RED"}
	errBroken    = errors.New("broken")
)

// anyObject draws an object out of few keys and few values.
func anyObject(t *rapid.T) dataplane.Object {
	device := rapid.SampledFrom(modelDevices).Draw(t, "device")
	n := byte(rapid.IntRange(1, 3).Draw(t, "n"))
	addr := netip.AddrFrom4([4]byte{10, 0, 0, n})
	switch rapid.IntRange(0, 10).Draw(t, "kind") {
	case 0:
		return dataplane.Sysctl{Path: "ipv4/conf/" + device + "/rp_filter", Value: fmt.Sprint(n)}
	case 1:
		return dataplane.Link{Name: "Loopback0", Type: dataplane.LinkDummy, Attrs: anyAttrs(t)}
	case 2:
		return dataplane.Link{Name: "RED", Type: dataplane.LinkVRF, Table: 1000 + uint32(n),
			Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}}
	case 3:
		tun := dataplane.Tunnel{Name: rapid.SampledFrom([]string{"Tunnel0", "Tunnel1"}).Draw(t, "tunnel"), Local: addr, Attrs: anyAttrs(t)}
		if n == 1 {
			tun.Remote = netip.MustParseAddr("192.0.2.9")
		}
		return tun
	case 4:
		return dataplane.Addr{Device: device, Prefix: netip.PrefixFrom(addr, 24)}
	case 5:
		return dataplane.MSSClamp{Device: device, MSS: 1000 + uint16(n)}
	case 7:
		return dataplane.Multicast{Device: device}
	case 8:
		return dataplane.MulticastPeer{Device: device, NBMA: addr}
	case 9:
		return dataplane.Shaper{Device: device, NBMA: addr, Rate: 1e6 * uint64(n)}
	case 6:
		return dataplane.Neighbor{Device: device, Addr: addr, NBMA: netip.AddrFrom4([4]byte{192, 0, 2, byte(rapid.IntRange(1, 2).Draw(t, "nbma"))})}
	}
	r := dataplane.Route{Table: 254, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, n}), 32), Metric: 20,
		Protocol: rapid.SampledFrom([]uint8{196, 192, 188}).Draw(t, "protocol")}
	for _, d := range rapid.SliceOfNDistinct(rapid.SampledFrom(modelDevices[:5]), 1, 2, rapid.ID).Draw(t, "devices") {
		r.NextHops = append(r.NextHops, dataplane.NextHop{Device: d, Gateway: addr})
	}
	return r
}

func anyAttrs(t *rapid.T) dataplane.Attrs {
	return dataplane.Attrs{
		Admin:  rapid.SampledFrom([]dataplane.Admin{dataplane.AdminUp, dataplane.AdminDown}).Draw(t, "admin"),
		MTU:    rapid.SampledFrom([]int{1300, 1400}).Draw(t, "mtu"),
		Master: rapid.SampledFrom([]string{"", "", "RED"}).Draw(t, "master"),
	}
}

func (m *model) step(n int) bool {
	for _, ev := range m.p.Pending() {
		m.c.Event(m.now, ev)
		if _, ok := ev.(dataplane.Known); ok {
			m.compare(false)
		}
	}
	ops := m.c.Next(m.now, n)
	m.c.Done(m.now, m.p.Apply(context.Background(), ops))
	return len(ops) > 0
}

func (m *model) compare(adopt bool) {
	for _, k := range dataplane.Kinds() {
		m.c.BeginDump(k, adopt)
		for o := range m.p.Dump(context.Background(), k) {
			m.c.Dumped(o)
		}
		m.c.EndDump(m.now)
	}
}

func (m *model) put(t *rapid.T) {
	o := anyObject(t)
	m.want[o.Key()] = o
	m.c.Put(o)
}

func (m *model) delete(t *rapid.T) {
	k := anyObject(t).Key()
	delete(m.want, k)
	m.c.Delete(k)
}

// landing has wishes change while an operation is with the provider.
func (m *model) landing(t *rapid.T) {
	m.step(0)
	ops := m.c.Next(m.now, rapid.IntRange(1, 3).Draw(t, "batch"))
	m.put(t)
	m.delete(t)
	for _, ev := range m.p.Pending() {
		m.c.Event(m.now, ev)
		m.lost = m.lost || ev == dataplane.Known{}
	}
	m.c.Done(m.now, m.p.Apply(context.Background(), ops))
}

func (m *model) interfere(t *rapid.T) {
	o := anyObject(t)
	device := rapid.SampledFrom(modelDevices).Draw(t, "victim")
	switch rapid.IntRange(0, 5).Draw(t, "harm") {
	case 0:
		m.p.Steal(o.Key())
	case 1:
		m.p.SetUp(device, rapid.Bool().Draw(t, "up"))
	case 2:
		m.p.RemoveDevice(device)
	case 3:
		if device == "eth0" || device == "eth1" {
			m.p.AddDevice(device)
		}
	case 4:
		if r, ok := o.(dataplane.Route); ok && m.usable(r) {
			r.Protocol = 4
			m.p.PutForeign(r)
		}
	case 5:
		m.p.Forget(func() { m.p.Steal(o.Key()); m.p.SetUp(device, false) })
		m.lost = true
	}
}

func (m *model) usable(r dataplane.Route) bool {
	for o := range m.p.Dump(context.Background(), dataplane.KindRoute) {
		if o.Key() == r.Key() {
			return true
		}
	}
	return false
}

// restart is a crash of zebra: everything is forgotten, adopted, wished again
// and swept.
func (m *model) restart(*rapid.T) {
	m.p.Lose(true)
	m.p.Lose(false) // a new provider begins with a Resync
	m.c = NewCore()
	m.compare(true)
	for _, e := range sorted(m.want) {
		m.c.Put(e)
	}
	m.c.Sweep(nil)
}

func sorted(want map[dataplane.Key]dataplane.Object) (os []dataplane.Object) {
	c := NewCore()
	for k, o := range want {
		c.entry(k).want = o
	}
	for _, e := range c.pick(func(*entry) bool { return true }) {
		os = append(os, e.want)
	}
	return os
}

// settle heals the world, lets time pass, and checks that the data plane is as
// it is wanted.
func (m *model) settle(t *rapid.T) {
	m.p.FailWith(nil)
	for _, d := range []string{"eth0", "eth1"} {
		m.p.AddDevice(d)
		m.p.SetUp(d, true)
	}
	if m.lost {
		m.step(100)
		m.compare(false)
		m.lost = false
	}
	for range 300 {
		for m.step(7) {
		}
		m.now = m.now.Add(RetryMin)
	}
	m.check(t)
}

func (m *model) check(t *rapid.T) {
	shown := map[dataplane.Key]dataplane.Object{}
	for _, k := range dataplane.Kinds() {
		for o := range m.p.Dump(context.Background(), k) {
			shown[o.Key()] = o
		}
	}
	possible := m.possible(shown)
	for k, o := range m.want {
		have := shown[k]
		if ok := have != nil && dataplane.Satisfied(o, have); ok != possible(o) {
			t.Errorf("wanted %+v (possible: %v), in force %+v", o, possible(o), have)
		}
	}
	for k, have := range shown {
		if m.want[k] == nil && dataplane.Own(have) {
			t.Errorf("nobody wants %+v", have)
		}
	}
	s := m.c.Stats()
	if s.Queued != 0 || s.Wanted != len(m.want) || s.Installed+s.Failed != s.Wanted {
		t.Errorf("with %d wishes: %+v", len(m.want), s)
	}
}

// possible tells which objects the data plane can take, by its devices.
func (m *model) possible(shown map[dataplane.Key]dataplane.Object) func(dataplane.Object) bool {
	up := func(name string) (there, up bool) {
		o := shown[dataplane.Key{Kind: dataplane.KindLink, Name: name}]
		if l, ok := o.(dataplane.Link); ok {
			return true, l.Admin == dataplane.AdminUp
		}
		o = shown[dataplane.Key{Kind: dataplane.KindTunnel, Name: name}]
		if t, ok := o.(dataplane.Tunnel); ok {
			return true, t.Admin == dataplane.AdminUp
		}
		return false, false
	}
	return func(o dataplane.Object) bool {
		switch o := o.(type) {
		case dataplane.Route:
			for _, n := range o.NextHops {
				if _, up := up(n.Device); !up {
					return false
				}
			}
			return true
		case dataplane.Link:
			there, _ := up(o.Master)
			return o.Master == "" || there
		case dataplane.Tunnel:
			there, _ := up(o.Master)
			return o.Master == "" || there
		case dataplane.Multicast, dataplane.Shaper:
			t, ok := shown[dataplane.Key{Kind: dataplane.KindTunnel, Name: o.Key().Name}].(dataplane.Tunnel)
			return ok && t.Multipoint()
		case dataplane.MulticastPeer:
			return shown[dataplane.Multicast{Device: o.Device}.Key()] != nil
		}
		there, _ := up(o.Key().Device())
		return there
	}
}

func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{c: NewCore(), p: fake.New("eth0", "eth1"), want: map[dataplane.Key]dataplane.Object{}}
		t.Repeat(map[string]func(*rapid.T){
			"put":       m.put,
			"put too":   m.put,
			"delete":    m.delete,
			"step":      func(t *rapid.T) { m.step(rapid.IntRange(1, 5).Draw(t, "batch")) },
			"landing":   m.landing,
			"interfere": m.interfere,
			"time": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond)
			},
			"fail": func(t *rapid.T) {
				kind := rapid.SampledFrom(dataplane.Kinds()).Draw(t, "kind")
				m.p.FailWith(func(op dataplane.Op) error {
					if op.Key.Kind == kind {
						return errBroken
					}
					return nil
				})
			},
			"heal":    func(*rapid.T) { m.p.FailWith(nil) },
			"resync":  func(*rapid.T) { m.p.Lose(true); m.p.SetUp("eth0", false); m.p.Lose(false) },
			"restart": m.restart,
			"audit":   func(*rapid.T) { m.step(2); m.compare(false) },
			"quiet":   m.settle,
		})
		m.settle(t)
	})
}
