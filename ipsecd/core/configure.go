package core

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// DefaultName is what the objects are called that exist without being configured.
const DefaultName = "default"

// WithDefaults returns the configuration with the objects named "default" and the values
// of Global that were not given.
func (c Config) WithDefaults() Config {
	if find(c.Proposals, func(p *Proposal) bool { return p.Name == DefaultName }) == nil {
		c.Proposals = append(slices.Clone(c.Proposals), Proposal{DefaultName, proposal.DefaultIKE()})
	}
	if find(c.Policies, func(p *Policy) bool { return p.Name == DefaultName }) == nil {
		c.Policies = append(slices.Clone(c.Policies), Policy{Name: DefaultName, AnyFVRF: true, Proposals: []string{DefaultName}})
	}
	if find(c.Transforms, func(t *Transform) bool { return t.Name == DefaultName }) == nil {
		c.Transforms = append(slices.Clone(c.Transforms), Transform{DefaultName, proposal.DefaultESP()})
	}
	if find(c.IPsec, func(p *IPsec) bool { return p.Name == DefaultName }) == nil {
		c.IPsec = append(slices.Clone(c.IPsec), IPsec{Name: DefaultName, Transforms: []string{DefaultName}})
	}
	g := &c.Global
	g.MaxIncoming = cmp.Or(g.MaxIncoming, DefaultIncoming)
	g.MaxOutgoing = cmp.Or(g.MaxOutgoing, DefaultOutgoing)
	g.CookieChallenge = cmp.Or(g.CookieChallenge, DefaultCookieChallenge)
	g.NATKeepalive = cmp.Or(g.NATKeepalive, DefaultNATKeepalive)
	g.Fragmentation = cmp.Or(g.Fragmentation, DefaultFragmentation)
	g.Lifetime = cmp.Or(g.Lifetime, DefaultSALifetime)
	g.LifetimeBytes = cmp.Or(g.LifetimeBytes, DefaultSALifetimeBytes)
	g.ReplayWindow = cmp.Or(g.ReplayWindow, DefaultReplayWindow)
	return c
}

// find returns the first element for which is holds, nil if there is none.
func find[T any](all []T, is func(*T) bool) *T {
	for i := range all {
		if is(&all[i]) {
			return &all[i]
		}
	}
	return nil
}

func (c *Core) configure(now clock.Instant, cfg Config) {
	cfg = cfg.WithDefaults()
	if reflect.DeepEqual(cfg, c.config) {
		return
	}
	before := c.config
	c.config = cfg
	c.warn(before)
	if !reflect.DeepEqual(cfg.Trustpoints, before.Trustpoints) {
		c.readTrustpoints()
	}
	c.reconcile(now)
	c.tryAnew(now)
	for _, sa := range c.order {
		if _, watched := c.timers.Deadline(timerKey{kind: timerLiveness, sa: sa}); !watched && sa.state == StateReady {
			c.watchLiveness(now, sa)
		}
	}
}

// tryAnew negotiates at once with those peers that wait for another try, or for an answer to
// what is not offered any more or has been in vain: what made the last one fail may be
// mended.
func (c *Core) tryAnew(now clock.Instant) {
	for _, p := range slices.Clone(c.listed) {
		if !p.needed(now) || len(p.children) > 0 || p.kept() {
			continue
		}
		k := timerKey{kind: timerTry, peer: p}
		_, armed := c.timers.Deadline(k)
		sa := p.nego
		switch {
		case sa == nil && armed && p.attempts > 0:
		case sa != nil && sa.state == StateInitSent && (sa.nego.hint != "" || sa.request != nil && sa.request.tries > 0 || c.outdated(sa)):
			p.nego = nil
			c.end(now, sa, "configuration changed")
		default:
			continue
		}
		c.timers.Clear(k)
		p.attempts = 0
		c.try(now, p)
	}
}

// outdated reports whether an IKE SA of which only an offer was sent would be offered
// otherwise now.
func (c *Core) outdated(sa *ikeSA) bool {
	return !reflect.DeepEqual(sa.nego.offer, proposal.OfferIKE(c.proposals(sa.domain()), 0))
}

// tunnel is an interface that is to be protected.
type tunnel struct {
	name string
	domain
	protection Protection
}

// reconcile brings tunnels and peers in line with configuration and interfaces. A tunnel
// whose interface has gone stays until its protection is no longer configured or its
// source is another.
func (c *Core) reconcile(now clock.Instant) {
	before := c.tunnels
	c.tunnels = nil
	for _, p := range c.config.Tunnels {
		i, ok := c.links[p.Interface]
		if ok && i.Tunnel != nil && i.Tunnel.Source.IsValid() {
			c.tunnels = append(c.tunnels, &tunnel{p.Interface, domain{i.Tunnel.VRF, i.Tunnel.Source.Unmap()}, p})
		} else if old := find(before, func(t **tunnel) bool { return (*t).name == p.Interface }); old != nil {
			c.tunnels = append(c.tunnels, &tunnel{p.Interface, (*old).domain, p})
		}
	}
	slices.SortFunc(c.tunnels, func(a, b *tunnel) int { return cmp.Compare(a.name, b.name) })
	want := map[domain]bool{}
	for _, t := range c.tunnels {
		if !want[t.domain] && !c.served[t.domain] {
			c.emit(Listen{t.vrf, t.local})
		}
		want[t.domain] = true
	}
	for _, d := range sortedDomains(c.served) {
		if !want[d] {
			c.leave(now, d)
			c.emit(Unlisten{d.vrf, d.local})
		}
	}
	c.served = want
	for _, p := range slices.Clone(c.listed) {
		elsewhere := func(n string) bool {
			t := c.tunnel(n)
			return t == nil || t.domain != p.domain()
		}
		p.wanted = slices.DeleteFunc(p.wanted, elsewhere)
		c.unpublish(p, elsewhere)
		c.settle(now, p)
	}
	for _, s := range c.wants {
		if t := c.tunnel(s.Tunnel); t != nil {
			if p := c.peers[peerKey{t.vrf, t.local, s.Peer}]; p == nil || !slices.Contains(p.wanted, s.Tunnel) {
				c.want(now, s)
			}
		}
	}
}

// leave ends all that goes on at an address, and what packets asked for there.
func (c *Core) leave(now clock.Instant, d domain) {
	for _, sa := range slices.Clone(c.order) {
		if sa.domain() == d {
			c.farewell(now, sa, "protection removed")
		}
	}
	for _, p := range slices.Clone(c.listed) {
		if p.domain() == d {
			p.until = 0
			c.endLeftovers(now, p, true, "protection removed")
		}
	}
}

func (c *Core) tunnel(name string) *tunnel {
	if t := find(c.tunnels, func(t **tunnel) bool { return (*t).name == name }); t != nil {
		return *t
	}
	return nil
}

// tunnelAt returns the first tunnel with an address as its source, nil if there is none.
func (c *Core) tunnelAt(d domain) *tunnel {
	if t := find(c.tunnels, func(t **tunnel) bool { return (*t).domain == d }); t != nil {
		return *t
	}
	return nil
}

func sortedDomains(m map[domain]bool) (out []domain) {
	for d := range m { // unordered: sorted below
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b domain) int { return cmp.Or(cmp.Compare(a.vrf, b.vrf), a.local.Compare(b.local)) })
	return out
}

// proposals returns what may be used for IKE SAs at an address: that of the first policy
// that matches.
func (c *Core) proposals(d domain) (out []proposal.IKE) {
	p := find(c.config.Policies, func(p *Policy) bool {
		return p.Name != DefaultName && p.matches(d)
	})
	if p == nil {
		p = find(c.config.Policies, func(p *Policy) bool { return p.Name == DefaultName && p.matches(d) })
	}
	if p == nil {
		return nil
	}
	for _, name := range p.Proposals {
		if q := find(c.config.Proposals, func(q *Proposal) bool { return q.Name == name }); q != nil {
			out = append(out, q.complete())
		}
	}
	return out
}

func (p *Policy) matches(d domain) bool {
	return (p.AnyFVRF || p.FVRF == d.vrf) && (len(p.Locals) == 0 || slices.Contains(p.Locals, d.local))
}

// prfs are the PRFs that go with algorithms of integrity.
var prfs = map[uint16]uint16{
	packet.AuthHMACSHA1: packet.PRFHMACSHA1, packet.AuthHMACSHA256: packet.PRFHMACSHA2256,
	packet.AuthHMACSHA384: packet.PRFHMACSHA2384, packet.AuthHMACSHA512: packet.PRFHMACSHA2512,
}

// complete fills in the PRFs where none is configured.
func (p *Proposal) complete() proposal.IKE {
	out := p.IKE
	if len(out.PRF) == 0 {
		for _, i := range out.Integrity {
			if f, ok := prfs[i]; ok {
				out.PRF = append(out.PRF, f)
			}
		}
	}
	return out
}

// ipsec returns the IPsec profile of a tunnel, nil if there is no such.
func (c *Core) ipsec(t *tunnel) *IPsec {
	return find(c.config.IPsec, func(p *IPsec) bool { return p.Name == t.protection.Profile })
}

// transforms returns what may be used for child SAs.
func (c *Core) transforms(p *IPsec) (out []proposal.ESP) {
	for _, name := range p.Transforms {
		if t := find(c.config.Transforms, func(t *Transform) bool { return t.Name == name }); t != nil {
			e := t.ESP
			if e.Groups, e.Additional = p.PFS, nil; len(p.PFS) > 0 {
				e.Additional = p.Additional
			}
			out = append(out, e)
		}
	}
	return out
}

// profileName returns the name of the IKEv2 profile that a tunnel insists on, "" if any
// will do.
func (c *Core) profileName(t *tunnel) string {
	if t.protection.IKEv2 != "" {
		return t.protection.IKEv2
	}
	if p := c.ipsec(t); p != nil {
		return p.Profile
	}
	return ""
}

// usable reports whether a profile is complete.
func (p *Profile) usable() bool {
	return len(p.Matches) > 0 && p.LocalMethod != MethodNone && len(p.RemoteMethods) > 0
}

// profileFor returns the profile for a tunnel and an identity of a peer: the first that
// matches.
func (c *Core) profileFor(t *tunnel, id Identity) *Profile {
	name := c.profileName(t)
	return find(c.config.Profiles, func(p *Profile) bool {
		return p.usable() && (name == "" || p.Name == name) && (p.AnyFVRF || p.FVRF == t.vrf) &&
			slices.ContainsFunc(p.Matches, func(m Identity) bool { return m.matches(id) })
	})
}

// profileTowards returns the profile to begin with, when the identity of the peer is not
// known yet: the one that the tunnel insists on, or the first that could match.
func (c *Core) profileTowards(t *tunnel, remote netip.Addr) *Profile {
	if name := c.profileName(t); name != "" {
		return find(c.config.Profiles, func(p *Profile) bool { return p.usable() && p.Name == name })
	}
	if p := c.profileFor(t, addressIdentity(remote)); p != nil {
		return p
	}
	return find(c.config.Profiles, func(p *Profile) bool { return p.usable() && (p.AnyFVRF || p.FVRF == t.vrf) })
}

// profile returns the profile of a name, nil if there is none.
func (c *Core) profile(name string) *Profile {
	return find(c.config.Profiles, func(p *Profile) bool { return p.Name == name && p.usable() })
}
