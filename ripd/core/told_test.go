package core_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// listeners are what routers on each interface know from the updates to the
// group alone: prefix to metric, tag and next hop.
type listeners map[string]map[netip.Prefix]string

// hear takes in what is sent to the group, as if all were regular and triggered
// updates of version 2.
func (l listeners) hear(tx core.TxPacket) {
	m, err := packet.Parse(tx.Packet)
	if err != nil || m.Command != packet.Response || m.Version != packet.Version2 || tx.Dest.Addr() != packet.Group {
		return
	}
	if l[tx.Interface] == nil {
		l[tx.Interface] = map[netip.Prefix]string{}
	}
	believe(l[tx.Interface], m)
}

// believe notes the entries of a response. What is unreachable is forgotten.
func believe(known map[netip.Prefix]string, m *packet.Message) {
	for _, e := range m.Entries {
		p, _ := e.Prefix(netip.Prefix{})
		if e.Metric == packet.Infinity {
			delete(known, p)
			continue
		}
		known[p] = fmt.Sprintf("metric %d tag %d via %v", e.Metric, e.Tag, e.NextHop)
	}
}

// pending reports whether a triggered update waits for the end of the hold.
func (m *mirror) pending() bool {
	table := m.ask(core.ReportRoutes, "").(*core.RouteReport)
	return slices.ContainsFunc(table.Routes, func(e core.RouteEntry) bool { return e.Changed })
}

// TestTold: when the hold of triggered updates is over, whoever listens on an
// interface knows what the answer to a request for the whole table would be (RFC
// 2453 section 3.10.1): every change is told, as it is in the end. What split
// horizon has come to hide may be known still, until its timeout.
func TestTold(t *testing.T) {
	set := propertyPolicy(t)
	rapid.Check(t, func(t *rapid.T) {
		m := newMirror(11)
		all := listeners{}
		step := func(in core.Input) {
			m.core.Step(m.now, in)
			for _, e := range m.core.Drain(nil) {
				m.effect(e)
				if tx, ok := e.(core.TxPacket); ok {
					all.hear(tx)
				}
			}
		}
		run := func(d time.Duration) {
			for end := m.now.Add(d); ; {
				at, ok := m.core.Wake()
				if !ok || at > end {
					m.now = end
					return
				}
				m.now = max(at, m.now)
				step(core.Tick{})
			}
		}
		ready(m, func(cfg *core.Config) {
			drawn := drawConfig(t, set).Config
			cfg.Policy = set
			for _, r := range drawn.Routers {
				if r.VRF == "" {
					r.Version, r.Networks, r.PassiveDefault, r.Neighbors = 2, cfg.Routers[0].Networks, false, nil
					cfg.Routers = []core.RouterConfig{r}
				}
			}
			cfg.Interfaces = drawn.Interfaces
			for k := range cfg.Interfaces {
				i := &cfg.Interfaces[k]
				i.Send, i.Receive, i.Authentication = core.Version2, core.Version1|core.Version2, packet.NoAlgorithm
			}
		})
		run(10 * time.Second)
		for _, name := range linkNames { // what was told before the first step was not heard
			all[name] = map[netip.Prefix]string{}
		}
		run(40 * time.Second)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			for range pick(t, "at once", 1, 1, 2, 5) {
				switch pick(t, "input", 0, 0, 0, 1) {
				case 0:
					step(drawPacket(t))
				case 1:
					step(drawRoute(t))
				}
			}
			run(pick(t, "pass", 6*time.Second, 6*time.Second, 20*time.Second, 100*time.Second))
			if m.pending() { // a path timed out just now
				continue
			}
			for k, name := range linkNames {
				want := map[netip.Prefix]string{}
				from := netip.AddrFrom4([4]byte{10, 0, byte(k), 77})
				m.core.Step(m.now, core.RxPacket{Interface: name, Source: netip.AddrPortFrom(from, 520), Dest: packet.Group, Packet: encode(1, 2, []packet.Entry{{Metric: 16}})})
				for _, e := range m.core.Drain(nil) {
					if tx, ok := e.(core.TxPacket); ok {
						answer, _ := packet.Parse(tx.Packet)
						believe(want, answer)
					}
				}
				for p, what := range want { // unordered: any is trouble
					if got := all[name][p]; got != what {
						t.Fatalf("%v: listeners on %s know of %v %q, and are told %q if they ask", m.now, name, p, got, what)
					}
				}
			}
			if len(m.trouble) > 0 {
				t.Fatal(m.trouble)
			}
		}
	})
}
