package core

import (
	"cmp"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// serversChanged follows whatever happened to the servers of an instance: others
// take their places, multicast and the line protocol follow, and so do the entries
// that lead by way of one.
func (c *Core) serversChanged(now clock.Instant, i *iface) {
	c.elect(now, i)
	c.placeServers(i)
	c.touchServers(i)
	c.syncMulticast(i)
	c.syncShapers(i)
	c.placeLine(i.key.name)
	c.askAgain(now, i)
	c.restateWays(i)
}

// elect decides which servers are registered with: all of a cluster, or of one with
// max-connections so many, the best first. Of those that follow, one takes the place
// of each that is down; one that is down goes on to be asked as long as there are
// not enough better ones. One that is connected gives way when enough better ones
// are, after the time of `ip nhrp nhs fallback`.
func (c *Core) elect(now clock.Instant, i *iface) {
	var chosen []*server
	for _, cluster := range i.clusters() {
		most := i.maxConnections(cluster[0].cfg.Cluster)
		asked, connected := 0, 0 // of those that are better
		for _, s := range cluster {
			switch s.state {
			case NHSWaiting: // cannot be asked
			case NHSResponding:
				if connected >= most {
					c.giveWay(now, s)
				} else {
					c.clearSurplus(s)
				}
			default:
				if asked >= most {
					c.standBy(now, s, "Enough Better Servers")
				} else if s.state == NHSStandby {
					c.setServerState(now, s, NHSExpecting, "Reply Expected")
					chosen = append(chosen, s)
				}
			}
			if s.state == NHSResponding {
				connected++
			}
			if s.state == NHSResponding || s.state == NHSExpecting {
				asked++
			}
		}
	}
	for _, s := range i.servers {
		if slices.Contains(chosen, s) {
			c.register(now, s)
		}
	}
}

// clusters returns the servers by cluster, each with the best first: by priority;
// of equals those that are connected, then those that may be about to be, then those
// that did not fail, so that a server that works is not left for its equal.
func (i *iface) clusters() [][]*server {
	all := slices.Clone(i.servers)
	rank := map[NHSState]int{NHSResponding: 0, NHSExpecting: 1, NHSStandby: 2, NHSWaiting: 3, NHSDown: 4}
	slices.SortStableFunc(all, func(a, b *server) int {
		return cmp.Or(cmp.Compare(a.cfg.Cluster, b.cfg.Cluster), cmp.Compare(a.cfg.Priority, b.cfg.Priority), cmp.Compare(rank[a.state], rank[b.state]))
	})
	var out [][]*server
	for len(all) > 0 {
		n := slices.IndexFunc(all, func(s *server) bool { return s.cfg.Cluster != all[0].cfg.Cluster })
		if n < 0 {
			n = len(all)
		}
		out = append(out, all[:n])
		all = all[n:]
	}
	return out
}

// maxConnections returns how many servers of a cluster are registered with at most.
func (i *iface) maxConnections(cluster uint8) int {
	for _, k := range i.cfg.Clusters {
		if k.Number == cluster {
			return int(k.MaxConnections)
		}
	}
	return len(i.servers)
}

// limited reports whether a cluster has a limit of connections.
func (i *iface) limited(cluster uint8) bool {
	return slices.ContainsFunc(i.cfg.Clusters, func(k ClusterConfig) bool { return k.Number == cluster })
}

// hears reports whether multicast goes to a server: while it is connected; and where
// none takes its place also while it is silent, for it may be its NHRP alone that is
// dead, and routing protocols need not suffer by that.
func (s *server) hears() bool {
	return s.served && (s.state == NHSResponding || !s.iface.limited(s.cfg.Cluster))
}

// giveWay takes the connection to a server back that better ones make needless, at
// once or when the time for that has passed.
func (c *Core) giveWay(now clock.Instant, s *server) {
	fallback := s.iface.cfg.Fallback
	if !s.surplus {
		s.surplus, s.surplusAt = true, now
	}
	if left := s.surplusAt.Add(fallback).Sub(now); left > 0 {
		c.timers.Set(timerKey{kind: timerFallback, server: s}, now.Add(left))
		return
	}
	const reason = "Fallback to Better Servers"
	c.trace(Trace{Event: TraceNHSDown, Interface: s.iface.key.name, Peer: s.addr, NBMA: s.nbma, RequestID: s.requestID, Reason: reason})
	c.logServer(s, "NHRP_NHS_DOWN", "is DOWN", reason)
	c.standBy(now, s, reason)
}

// clearSurplus says that a server is not, or is no more, one too many.
func (c *Core) clearSurplus(s *server) {
	if s.surplus {
		s.surplus = false
		c.timers.Clear(timerKey{kind: timerFallback, server: s})
	}
}

// standBy has a server not be registered with.
func (c *Core) standBy(now clock.Instant, s *server, reason string) {
	if s.state == NHSStandby {
		s.reason = reason
		return
	}
	if s.pending && s.iface.ready {
		s.registered = s.iface.addr.Addr() // it may be, by now
	}
	c.deregister(now, s)
	c.clearSurplus(s)
	c.timers.Clear(timerKey{kind: timerSend, server: s})
	s.pending, s.retry, s.announced, s.served = false, 0, false, false
	c.setServerState(now, s, NHSStandby, reason)
	c.unlearn(now, s)
}

// fallbackDue serves timerFallback.
func (c *Core) fallbackDue(now clock.Instant, s *server) { c.serversChanged(now, s.iface) }
