package core

import (
	"crypto/sha256"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/protection"
)

// Bounds of aliases.
const (
	maxAliases = 4096 // in use at once
	aliasTries = 8    // addresses that are tried for a peer
)

// waitsForPeer is why a peer with an alias is not negotiated with: its NAT lets nobody in.
const waitsForPeer = "waits for the peer, which is behind a NAT address with others"

// aliased reports whether a peer goes by an alias here.
func (p *peer) aliased() bool { return protection.IsAlias(p.remote) }

// address returns what packets of a peer have in the underlay, as they are seen here.
func (p *peer) address() netip.Addr {
	if p.outer.IsValid() {
		return p.outer
	}
	return p.remote
}

// alias returns the alias of the peer, the zero Addr if it has none.
func (sa *ikeSA) alias() netip.Addr {
	if sa.peer != nil && sa.peer.aliased() {
		return sa.peer.remote
	}
	return netip.Addr{}
}

// peerOf returns the peer that an IKE SA is with, which that began and whose identity is
// known. The first one behind a NAT address is known by that. GRE to others could not be
// told apart from what goes to the first, since it has no ports (RFC 7296 section 2.23.1):
// they get aliases. One that comes again has the address that it had: by its identity; by
// its port, where an earlier life left SAs whose identity nobody knows, or where a router
// has another identity now.
func (c *Core) peerOf(now clock.Instant, sa *ikeSA) *peer {
	k := peerKey{sa.vrf, sa.local.Addr(), sa.remote.Addr()}
	if !sa.natRemote || !k.remote.Is4() {
		return c.getPeer(now, k)
	}
	var behind []*peer
	for _, p := range c.listed {
		if p.domain() == sa.domain() && p.address() == k.remote {
			behind = append(behind, p)
		}
	}
	if p := find(behind, func(p **peer) bool { return (*p).who == sa.peerID }); p != nil {
		return *p
	}
	if p := c.atPort(sa, behind); p != nil {
		return p
	}
	p := c.getPeer(now, k)
	if !c.taken(p) {
		return p
	}
	a := c.newAlias(sa)
	if !a.IsValid() {
		return p
	}
	c.log(SeverityInfo, "ALIAS", k.remote, sa.peerID.String()+" is behind the same NAT address as others: it goes by "+a.String()+" here")
	p = c.getPeer(now, peerKey{sa.vrf, sa.local.Addr(), a})
	p.outer = k.remote
	return p
}

// taken reports whether there are SAs with a peer.
func (c *Core) taken(p *peer) bool {
	return len(p.children)+len(p.left) > 0 || slices.ContainsFunc(c.order, func(o *ikeSA) bool { return o.peer == p && o.state >= StateReady })
}

// atPort returns the one of the peers behind a NAT address that has the port of an IKE SA.
func (c *Core) atPort(sa *ikeSA, behind []*peer) *peer {
	for _, o := range c.order {
		if o.state >= StateReady && o.natRemote && o.remote == sa.remote && o.domain() == sa.domain() {
			return o.peer
		}
	}
	port := sa.remote.Port()
	for _, p := range behind {
		if slices.ContainsFunc(p.left, func(l *leftover) bool {
			return l.inbound && l.UDP.Source == port || !l.inbound && l.UDP.Destination == port
		}) {
			return p
		}
	}
	return nil
}

// newAlias returns the address by which the peer of an IKE SA goes here, the zero Addr if none
// is to be had. It follows from who the peer is and where, so that it is mostly the same
// one each time.
func (c *Core) newAlias(sa *ikeSA) netip.Addr {
	n := 0
	for _, p := range c.listed {
		if p.aliased() && c.taken(p) {
			n++
		}
	}
	for try := range byte(aliasTries) {
		if a := sa.candidate(try); n < maxAliases && protection.IsAlias(a) && c.free(sa, a) {
			return a
		}
	}
	return netip.Addr{}
}

// candidate is one of the aliases that a peer may get.
func (sa *ikeSA) candidate(try byte) netip.Addr {
	id := sa.peerID.payload(false)
	b := append([]byte(sa.vrf), 0)
	b = append(append(b, sa.local.Addr().AsSlice()...), sa.remote.Addr().AsSlice()...)
	b = append(append(b, byte(id.Kind), try), id.Data...)
	h := sha256.Sum256(b)
	h[0] |= 0xf0
	return netip.AddrFrom4([4]byte(h[:4]))
}

// free reports whether nobody else goes by an alias. Whoever an earlier life left there,
// behind the same address, is the one: there was no other reason for it.
func (c *Core) free(sa *ikeSA, a netip.Addr) bool {
	for _, p := range c.listed {
		if p.remote != a {
			continue
		}
		own := p.who == Identity{} && p.outer == sa.remote.Addr()
		if p.domain() != sa.domain() || c.taken(p) && !own {
			return false
		}
	}
	return true
}

// placeAlias has GRE of a peer with an alias pass by its SAs as long as there are some.
func (c *Core) placeAlias(p *peer) {
	want := p.aliased() && len(p.children)+len(p.left) > 0
	if want == p.placed {
		return
	}
	p.placed = want
	a := Alias{p.vrf, p.local, p.remote, p.outer}
	if want {
		c.emit(PutAlias{a})
	} else {
		c.emit(DelAlias{a})
	}
}

// attend has a peer be as it is until it begins.
func (c *Core) attend(now clock.Instant, p *peer) {
	c.timers.Set(timerKey{kind: timerTry, peer: p}, now.Add(maxTry))
	c.stuck(now, p, SecurityIKE, waitsForPeer)
}
