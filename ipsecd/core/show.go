package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// answer makes a report.
func (c *Core) answer(now clock.Instant, q Query) Report {
	switch q.Kind {
	case ReportSAs:
		return c.showSAs(now, q.Remote)
	case ReportPeers:
		return c.showPeers(now, q.Remote)
	case ReportConfig:
		return &ConfigReport{c.config}
	}
	return c.showStats()
}

func (c *Core) showSAs(now clock.Instant, of netip.Addr) *SAReport {
	out := &SAReport{}
	for _, sa := range c.order {
		if of.IsValid() && of != sa.remote.Addr() && of != sa.alias() {
			continue
		}
		s := SAStatus{
			Number: sa.number, State: sa.state, Initiator: sa.initiator, VRF: sa.vrf, Local: sa.local, Remote: sa.remote,
			SPI: sa.spi, PeerSPI: sa.peerSPI, Suite: sa.suite, Group: sa.group, Additional: slices.Clone(sa.additional),
			Profile: sa.profile, Identity: sa.id, Peer: sa.peerID, Age: now.Sub(sa.born),
			NATLocal: sa.natLocal, NATRemote: sa.natRemote, Fragmentation: sa.fragments, PeerWindow: 1, Alias: sa.alias(),
			NextRequest: sa.nextID, NextExpected: sa.expectedID, Childless: sa.childless,
		}
		if sa.state >= StateReady {
			s.LocalMethod, s.RemoteMethod, s.Lifetime, s.Age = sa.method, sa.peerMethod, sa.ends.Sub(sa.up), now.Sub(sa.up)
		}
		if d := c.dpd(sa); d != nil {
			copied := *d
			s.DPD = &copied
		}
		for _, ch := range sa.children {
			s.Children = append(s.Children, c.showChild(now, ch))
		}
		out.SAs = append(out.SAs, s)
	}
	return out
}

func keyless(e rib.ESP) rib.ESP {
	e.CipherKey, e.IntegrityKey = rib.Secret{}, rib.Secret{}
	return e
}

func (c *Core) showChild(now clock.Instant, ch *child) ChildStatus {
	s := ChildStatus{
		In: keyless(ch.in), Out: keyless(ch.out), InCount: ch.inCount, OutCount: ch.outCount, Group: ch.group, Additional: slices.Clone(ch.additional),
		Age: now.Sub(ch.up), Lifetime: ch.life, Rekeyed: ch.successor != nil,
		LocalTS: slices.Clone(ch.localTS), RemoteTS: slices.Clone(ch.remoteTS),
	}
	if t := c.tunnelAt(ch.sa.domain()); t != nil {
		s.Tunnel = t.name
	}
	s.RekeyIn = c.until(now, timerKey{kind: timerRekey, child: ch})
	return s
}

// until returns the time to a deadline, 0 if there is none.
func (c *Core) until(now clock.Instant, k timerKey) time.Duration {
	at, ok := c.timers.Deadline(k)
	if !ok {
		return 0
	}
	return at.Sub(now)
}

func (c *Core) showPeers(now clock.Instant, of netip.Addr) *PeerReport {
	out := &PeerReport{}
	for _, t := range c.tunnels {
		for _, p := range c.listed {
			if t.domain != p.domain() || of.IsValid() && of != p.remote && of != p.outer {
				continue
			}
			out.Peers = append(out.Peers, PeerStatus{
				Tunnel: t.name, Profile: t.protection.Profile, Local: p.local, Peer: p.remote, State: p.state, Since: now.Sub(p.since),
				Wanted: slices.Contains(p.wanted, t.name), Identity: p.identity(), Outer: p.outer, Reason: p.reason, Attempts: p.attempts,
				NextTry: c.until(now, timerKey{kind: timerTry, peer: p}),
			})
		}
	}
	return out
}

func (c *Core) showStats() *StatsReport {
	g := c.config.Global
	out := &StatsReport{
		Incoming: len(c.half), Outgoing: c.outgoing, Children: len(c.children), MaxIncoming: g.MaxIncoming, MaxOutgoing: g.MaxOutgoing,
		MaxSAs: g.MaxSAs, Cookies: c.wary(c.now), Counters: c.counters,
	}
	for _, sa := range c.order {
		if sa.state >= StateReady {
			out.Established++
		}
	}
	return out
}
