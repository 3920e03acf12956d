package core_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// secureMirror follows a core on protected tunnels: what ipsecd said last of each peer, and
// who is wanted.
type secureMirror struct {
	*mirror
	said      map[string]protection.Security
	silent    map[string]clock.Instant // since when nobody speaks for a peer that was up
	wanted    map[string]bool
	protected map[string]bool // tunnels
	open      map[string]bool // those of them that are not shut down
}

func newSecureMirror() *secureMirror {
	return &secureMirror{mirror: newMirror(0), said: map[string]protection.Security{}, silent: map[string]clock.Instant{}, wanted: map[string]bool{},
		protected: map[string]bool{}, open: map[string]bool{}}
}

// up reports whether packets may go to a peer: within some seconds of silence they may.
func (m *secureMirror) up(key string) bool {
	since, silent := m.silent[key]
	return m.said[key] == protection.Up || silent && m.now.Sub(since) <= 10*time.Second
}

func (m *secureMirror) step(t *rapid.T, in core.Input) {
	switch in := in.(type) {
	case core.InterfaceChanged:
		m.protected[in.Interface.Name] = in.Interface.Tunnel.Protection != ""
		m.open[in.Interface.Name] = in.Interface.Up
	case core.InterfaceGone:
		m.protected[in.Name] = false
	case core.PeerSecured:
		key := in.Interface + " " + in.NBMA.String()
		was := m.said[key]
		m.said[key] = in.State.Security
		if in.State.Security != 0 {
			delete(m.silent, key)
		} else if was == protection.Up {
			m.silent[key] = m.now
		}
	}
	m.core.Step(m.now, in)
	for _, e := range m.core.Drain(nil) {
		switch e := e.(type) {
		case core.TxPacket:
			if key := e.Interface + " " + e.NBMA.String(); m.protected[e.Interface] && !m.up(key) {
				t.Fatalf("a packet goes to %s, of which was said %v: after %T", key, m.said[key], in)
			}
			if packet.Type(e.Packet[17]).IsRequest() {
				m.asked = e
			}
		case core.WantPeer:
			m.want(t, e.Interface+" "+e.NBMA.String(), true)
		case core.UnwantPeer:
			m.want(t, e.Interface+" "+e.NBMA.String(), false)
		case core.WatchNextHop:
			m.hops[e.Addr] = true
		case core.UnwatchNextHop:
			delete(m.hops, e.Addr)
		case core.PutNeighbor:
			m.neighbors[e.Neighbor.Interface+" "+e.Neighbor.Addr.String()] = e.Neighbor.NBMA.String()
		case core.DelNeighbor:
			delete(m.neighbors, e.Key.Interface+" "+e.Key.Addr.String())
		case core.PutMulticastPeer:
			m.multicast[e.Peer.Interface+" "+e.Peer.NBMA.String()] = true
		case core.DelMulticastPeer:
			delete(m.multicast, e.Key.Interface+" "+e.Key.Addr.String())
		case core.PutShortcut:
			m.shortcuts[e.Override.Prefix] = e.Override.NextHop.Interface
		case core.DelShortcut:
			delete(m.shortcuts, e.Key.Prefix)
		case core.Answer:
			m.report = e.Report
		}
	}
}

func (m *secureMirror) want(t *rapid.T, key string, yes bool) {
	if m.wanted[key] == yes {
		t.Fatalf("%s is wanted %v again", key, yes)
	}
	m.wanted[key] = yes
}

// check compares who is wanted with what rests on whom, and what was stated with who is
// secured. In a quiet core nobody else is wanted: no packet waits, no purge is repeated.
func (m *secureMirror) check(t *rapid.T, quiet bool) {
	m.step(t, core.Query{Kind: core.ReportPeers})
	peers := m.report.(*core.PeerReport)
	sources := map[string]netip.Addr{}
	rests := map[string]bool{}
	for _, i := range peers.Interfaces {
		sources[i.Interface] = i.Source
		for _, p := range i.Peers {
			if key := i.Interface + " " + p.NBMA.String(); p.State == core.PeerUp && !p.Local && m.protected[i.Interface] && m.said[key] != protection.Up {
				t.Fatalf("%v is shown UP, of which was said %v", key, m.said[key])
			}
		}
		for _, s := range i.Servers {
			if s.State != core.NHSWaiting && s.State != core.NHSStandby && s.NBMA != i.Source {
				rests[i.Interface+" "+s.NBMA.String()] = true
			}
			if s.State == core.NHSResponding && m.protected[i.Interface] && !m.up(i.Interface+" "+s.NBMA.String()) {
				t.Fatalf("server %v responds, of which was said %v", s.NBMA, m.said[i.Interface+" "+s.NBMA.String()])
			}
		}
	}
	m.step(t, core.Query{Kind: core.ReportCache})
	entries := m.report.(*core.CacheReport).Entries
	static := map[string]bool{} // neighbours that are stated in any case
	for _, e := range entries {
		key := e.Interface + " " + e.NBMA.String()
		if e.Type == core.EntryStatic {
			static[e.Interface+" "+e.NextHop.String()] = true
		}
		switch {
		case !e.NBMA.IsValid() || e.NBMA == sources[e.Interface] || e.Type == core.EntryLocal:
		case e.Type == core.EntryStatic:
			for _, c := range m.config.Interfaces {
				for _, p := range c.Maps {
					rests[key] = rests[key] || c.Name == e.Interface && p.Prefix.Masked() == e.Target
				}
			}
		default:
			rests[key] = true
		}
	}
	for key, yes := range rests {
		var name, nbma string
		fmt.Sscan(key, &name, &nbma)
		if yes && m.protected[name] && m.open[name] && !m.wanted[key] {
			t.Fatalf("something rests on %s, and it is not wanted", key)
		}
	}
	for key, yes := range m.wanted {
		var name, nbma string
		fmt.Sscan(key, &name, &nbma)
		if yes && (!m.protected[name] || quiet && !rests[key]) {
			t.Fatalf("%s is wanted, and nothing rests on it", key)
		}
	}
	for key, nbma := range m.neighbors {
		var name, a string
		fmt.Sscan(key, &name, &a)
		if to := name + " " + nbma; m.protected[name] && !static[key] && !m.up(to) {
			t.Fatalf("neighbour %s leads to %s, of which was said %v", key, to, m.said[to])
		}
	}
}

// pass lets time pass, with a step at each instant that the core wants one.
func (m *secureMirror) pass(t *rapid.T, d time.Duration) {
	for end := m.now.Add(d); ; {
		at, ok := m.core.Wake()
		if !ok || at > end {
			m.now = end
			return
		}
		m.now = max(m.now, at)
		m.step(t, core.Tick{})
	}
}

// drawSecured draws what ipsecd says.
func drawSecured(t *rapid.T) core.Input {
	in := core.PeerSecured{Interface: pick(t, "tunnel", "Tunnel0", "Tunnel0", "Tunnel1"), NBMA: drawNBMA(t)}
	if s := pick(t, "security", protection.Up, protection.Up, protection.Up, protection.IKE, protection.IPsec, protection.Lost, 0); s != 0 {
		in.State = protection.State{Security: s, Generation: pick[uint32](t, "generation", 1, 1, 1, 2), Reason: "drawn"}
	}
	return in
}

// TestSecured holds after any sequence of inputs on tunnels of which some are protected:
// nothing is sent to who is not secured, nothing leads there that has another way, whoever
// something rests on is wanted, and nobody else in the end.
func TestSecured(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newSecureMirror()
		input := func(in core.Input) {
			if set, ok := in.(core.ConfigSet); ok {
				m.config = set.Config
			}
			if up, ok := in.(core.InterfaceChanged); ok {
				tunnel := *up.Interface.Tunnel
				tunnel.Protection = pick(t, "protection", "P", "P", "P", "P", "")
				up.Interface.Tunnel = &tunnel
				in = up
			}
			m.step(t, in)
		}
		input(core.Attached{})
		input(core.InterfacesKnown{})
		input(drawConfig(t))
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			m.pass(t, time.Duration(pick(t, "pass", 0, 0, 1, 3, 9, 25))*time.Second)
			if pick(t, "secured", 0, 0, 1) == 1 {
				input(drawSecured(t))
			} else {
				input(m.draw(t))
			}
			m.check(t, false)
		}
		m.config = core.Config{Interfaces: slices.DeleteFunc(slices.Clone(m.config.Interfaces), func(c core.InterfaceConfig) bool { return len(c.NHSs) > 0 })}
		input(core.ConfigSet{Config: m.config}) // nobody goes on asking
		m.pass(t, 5*time.Minute)
		m.check(t, true)
	})
}
