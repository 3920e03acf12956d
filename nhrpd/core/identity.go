package core

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// IdentityBinding ties protocol addresses to who may register them.
type IdentityBinding struct {
	Identity string // of the peer, as IKE authenticated it (RFC 7296 section 3.5)
	Prefix   netip.Prefix
}

// bound reports whether registrations of the instance depend on identities.
func (i *iface) bound() bool { return i.cfg.RequireIdentity || len(i.cfg.Identities) > 0 }

// misbound says why who is at an NBMA address may not register a protocol address; "" if
// it may. An address that is bound belongs to its identity, and to an identity that has
// addresses bound belong no others.
func (i *iface) misbound(nbma, client netip.Addr) string {
	if !i.bound() {
		return ""
	}
	identity := ""
	if p := i.peers[nbma]; p != nil && p.up && i.protected() {
		identity = p.said.Identity
	}
	address, other, mine := false, false, false
	for _, b := range i.cfg.Identities {
		same, covers := b.Identity == identity && identity != "", b.Prefix.Contains(client)
		address = address || same && covers
		mine = mine || same
		other = other || !same && covers
	}
	switch {
	case address:
		return ""
	case identity == "" && (other || i.cfg.RequireIdentity):
		return fmt.Sprintf("%v is to be registered by an identity, and the peer has none", client)
	case other:
		return fmt.Sprintf("%v is bound to another identity than %q", client, identity)
	case mine:
		return fmt.Sprintf("%q is bound to other addresses than %v", identity, client)
	case i.cfg.RequireIdentity:
		return fmt.Sprintf("%v is not bound to %q", client, identity)
	}
	return ""
}

// registrant returns the address by which a registration is judged: a link-local one
// comes with the address of its station.
func registrant(client, source netip.Addr) netip.Addr {
	if !client.IsValid() || client.Is6() && client.IsLinkLocalUnicast() && source.Is6() {
		return source
	}
	return client
}

// dropMisbound removes the registrations that would be refused by now.
func (c *Core) dropMisbound(now clock.Instant, i *iface) {
	if !i.bound() {
		return
	}
	for _, e := range i.cache.sorted() {
		if why := i.misboundEntry(e); why != "" {
			c.removeEntry(now, e, TraceEntryDeleted, why)
		}
	}
}

// misboundEntry says why the registration that an entry is would be refused by now; ""
// if it would not. As long as packets do not pass to the peer that is not known.
func (i *iface) misboundEntry(e *entry) string {
	if e.flags&FlagRegistered == 0 || i.protected() && !i.secured(e.nbma) {
		return ""
	}
	why := i.misbound(e.nbma, registrant(e.nextHop, e.requester))
	if why != "" {
		why = "Identity: " + why
	}
	return why
}

// unsecuredRegistration keeps a registration whose sender has to be known, or where that is,
// and is about to be: it was quicker than what ipsecd says. It reports false if there is no room.
func (c *Core) unsecuredRegistration(now clock.Instant, i *iface, in RxPacket) bool {
	p := c.getPeer(peerKey{i.key.name, in.NBMA})
	if len(p.arrived) >= maxHeld || c.peerCount >= maxPeers {
		return false
	}
	in.Packet = slices.Clone(in.Packet)
	p.arrived = append(p.arrived, in)
	c.timers.Set(timerKey{kind: timerHeld, peer: p}, now.Add(heldLife))
	return true
}

// identify takes the registrations of a peer whose identity is known by now.
func (c *Core) identify(now clock.Instant, p *peer) {
	arrived := p.arrived
	p.arrived = nil
	for _, in := range arrived {
		i := c.receiver(now, in)
		if err, faulty := c.parse(in.Packet); err != nil || faulty || i == nil || !i.ready || c.in.Type != packet.RegistrationRequest {
			continue
		}
		c.registrationRequest(now, i, in)
	}
}
