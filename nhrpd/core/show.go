package core

import (
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/protection"
)

// answer makes the report that a query asks for.
func (c *Core) answer(now clock.Instant, q Query) Report {
	var chosen []*iface
	for _, i := range c.order {
		if i.key.matches(q.Interface, q.Family) && (q.VRF == "" || q.VRF == i.link.VRF) {
			chosen = append(chosen, i)
		}
	}
	switch q.Kind {
	case ReportNHS:
		r := new(NHSReport)
		for _, i := range chosen {
			r.Servers = append(r.Servers, c.serverEntries(now, i)...)
		}
		return r
	case ReportTraffic:
		r := &TrafficReport{Other: c.other}
		for _, i := range chosen {
			r.Interfaces = append(r.Interfaces, InterfaceTraffic{
				Interface: i.key.name, Family: i.key.family, VRF: i.link.VRF, MaxSend: i.cfg.MaxSend,
				MaxSendInterval: i.cfg.MaxSendInterval, Usage: i.usage(now), Counters: i.counters,
			})
		}
		return r
	case ReportMulticast:
		r := new(MulticastReport)
		for _, i := range chosen {
			r.Entries = append(r.Entries, i.multicastTable()...)
		}
		return r
	case ReportRedirects:
		r := new(RedirectReport)
		for _, i := range chosen {
			r.Entries = append(r.Entries, c.redirectTable(now, i)...)
		}
		return r
	case ReportPeers:
		r := new(PeerReport)
		for _, i := range chosen {
			r.Interfaces = append(r.Interfaces, c.peers(now, i))
		}
		return r
	case ReportGroups:
		return groupReport(chosen)
	case ReportPolicies:
		return c.policyReport()
	}
	r := new(CacheReport)
	for _, i := range chosen {
		for _, e := range i.cache.sorted() {
			r.Entries = append(r.Entries, e.report(now))
		}
	}
	return r
}

func (e *entry) report(now clock.Instant) CacheEntry {
	r := CacheEntry{
		Interface: e.iface.key.name, Family: e.iface.key.family, Target: e.target, NextHop: e.nextHop, NBMA: e.nbma,
		Claimed: e.claimed, Type: e.kind, Flags: e.flags, Age: now.Sub(e.created), Expires: NoExpiry, Holdtime: e.holdtime,
		Preference: e.preference, MTU: e.mtu, Group: e.group, Requester: e.requester, RequestID: e.requestID,
		Refreshed: e.refreshed, Trouble: e.trouble.report(now), VRF: e.iface.link.VRF, Told: e.toldReport(now),
	}
	if e.ask != nil {
		r.Hits = e.ask.hits
	}
	if e.expires != clock.Never {
		r.Expires = e.expires.Sub(now)
	}
	if s := e.iface.serverAt(e.nextHop); s != nil && e.kind == EntryStatic {
		r.Flags |= FlagUsed
	}
	return r
}

// toldReport lists who was told of an entry and still may believe it.
func (e *entry) toldReport(now clock.Instant) []ToldStation {
	var all []ToldStation
	// unordered: sorted below
	for station, t := range e.told {
		if t.until > now {
			all = append(all, ToldStation{Station: station, NBMA: t.nbma, RequestID: t.id, Ends: t.until.Sub(now)})
		}
	}
	slices.SortFunc(all, func(a, b ToldStation) int { return a.Station.Compare(b.Station) })
	return all
}

// serverAt returns the server with a protocol address, or nil.
func (i *iface) serverAt(a netip.Addr) *server {
	for _, s := range i.servers {
		if s.addr == a && a.IsValid() {
			return s
		}
	}
	return nil
}

func (c *Core) serverEntries(now clock.Instant, i *iface) []NHSEntry {
	var all []NHSEntry
	for _, s := range i.servers {
		r := NHSEntry{
			Interface: i.key.name, Family: i.key.family, Addr: s.addr, NBMA: s.nbma, Name: s.cfg.Name,
			Dynamic: s.cfg.Dynamic, Reason: s.reason, MaxConnections: -1, Fallback: NoExpiry,
			State: s.state, Since: now.Sub(s.since), Priority: s.cfg.Priority, Cluster: s.cfg.Cluster,
			Sent: s.sent, Failed: s.failed, Received: s.received, LastReply: NoExpiry,
			Pending: s.retry > 0, RequestID: s.requestID, Retry: s.retry, NextSend: NoExpiry, Trouble: s.trouble.report(now), VRF: i.link.VRF,
			Translated: s.translated,
		}
		if r.Asked = NoExpiry; s.asking {
			r.Asked = now.Sub(s.asked)
		}
		if r.LastHeard = NoExpiry; s.hearing {
			r.LastHeard = now.Sub(s.heard)
		}
		if s.received > 0 {
			r.LastReply = now.Sub(s.lastReply)
		}
		if at, ok := c.timers.Deadline(timerKey{kind: timerSend, server: s}); ok {
			r.NextSend = at.Sub(now)
		}
		for _, k := range i.cfg.Clusters {
			if k.Number == s.cfg.Cluster {
				r.MaxConnections = int(k.MaxConnections)
			}
		}
		if at, ok := c.timers.Deadline(timerKey{kind: timerFallback, server: s}); ok {
			r.Fallback = at.Sub(now)
		}
		all = append(all, r)
	}
	return all
}

// peers makes the `show dmvpn` part of an instance.
func (c *Core) peers(now clock.Instant, i *iface) InterfacePeers {
	r := InterfacePeers{
		Interface: i.key.name, Family: i.key.family, NetworkID: i.cfg.NetworkID, Known: i.linked, Up: i.ready, Subnet: i.addr,
		AdminUp: i.link.AdminUp, LineUp: i.link.Up, LineControl: i.cfg.IfState, Addr: i.addr.Addr(), VRF: i.link.VRF,
		Source: i.source, Destination: i.dest, Servers: c.serverEntries(now, i), Sessions: i.sessions(now),
	}
	if t := i.link.Tunnel; t != nil {
		r.Protection = t.Protection
		r.Mode, r.TransportVRF, r.SourceFrom, r.HasKey, r.Key = t.Mode, t.VRF, t.SourceInterface, t.HasKey, t.Key
	}
	registered := false
	nbmas := make(map[netip.Addr]bool)
	for _, e := range i.cache.sorted() {
		registered = registered || e.flags&FlagRegistered != 0
		if e.nbma.IsValid() && e.kind != EntryLocal {
			nbmas[e.nbma] = true
		}
		p := i.peer(now, e)
		p.Policy = c.applied(e)
		r.Peers = append(r.Peers, p)
	}
	r.NBMAPeers = len(nbmas)
	slices.SortStableFunc(r.Peers, func(a, b Peer) int { return a.NBMA.Compare(b.NBMA) })
	switch {
	case len(i.servers) > 0 && registered:
		r.Role = RoleHubSpoke
	case len(i.servers) > 0:
		r.Role = RoleSpoke
	case registered || i.multipoint:
		r.Role = RoleHub
	}
	return r
}

func (i *iface) peer(now clock.Instant, e *entry) Peer {
	p := Peer{NBMA: e.nbma, Tunnel: e.nextHop, Target: e.target, State: PeerUp, Since: now.Sub(e.since), Group: e.group}
	if !p.Tunnel.IsValid() {
		p.Tunnel = e.target.Addr()
	}
	switch e.kind {
	case EntryStatic:
		p.Attributes = "S"
		p.State = PeerNHRP // a map alone says nothing of whether the peer answers
		if s := i.serverAt(e.nextHop); s != nil {
			p.Since = now.Sub(s.since)
			if s.state == NHSResponding {
				p.State = PeerUp
			}
		}
	case EntryDynamic:
		p.Attributes = "D"
		if e.flags&FlagTemporary != 0 {
			p.Attributes, p.State = "DI2", PeerNHRP // packets go by way of the server
		}
	case EntryIncomplete:
		p.Attributes, p.State = "IX", PeerNHRP
	case EntryLocal:
		p.Attributes, p.Local = "DLX", true
	}
	if e.flags&FlagNAT != 0 {
		p.Attributes += "N"
	}
	switch {
	case e.flags&FlagNHO != 0: // printed together with rib
		p.Attributes += "T2"
	case e.flags&FlagRIB != 0:
		p.Attributes += "T1"
	}
	i.secureState(now, e, &p)
	if !i.ready {
		p.State = PeerInterface
	}
	p.Since = max(p.Since, time.Duration(0))
	return p
}

// secureState has a row name the layer below NHRP that is stuck, where one is.
func (i *iface) secureState(now clock.Instant, e *entry, row *Peer) {
	if !i.protected() || e.kind == EntryLocal {
		return
	}
	p := i.peers[e.nbma]
	switch {
	case p == nil || p.said.Security == 0:
		row.State = PeerIKE
	case p.said.Security == protection.Up && p.up:
		return
	case p.said.Security == protection.IPsec:
		row.State, row.Since = PeerIPsec, now.Sub(p.since)
	default:
		row.State, row.Since = PeerIKE, now.Sub(p.since)
	}
}

// sessions lists the other ends of a protected tunnel.
func (i *iface) sessions(now clock.Instant) []Session {
	if !i.protected() {
		return nil
	}
	var all []Session
	// unordered: sorted below
	for _, p := range i.peers {
		if p.wanted || p.said.Security != 0 {
			all = append(all, Session{NBMA: p.key.nbma, Security: p.said.Security, Since: now.Sub(p.since), Generation: p.said.Generation,
				Identity: p.said.Identity, Reason: p.said.Reason, Wanted: p.wanted, Held: len(p.waiting)})
		}
	}
	slices.SortFunc(all, func(a, b Session) int { return a.NBMA.Compare(b.NBMA) })
	return all
}
