package core

import (
	"crypto/x509"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// authTask is IKE_AUTH (RFC 7296 section 1.2): both ends prove who they are, and make a
// first child SA.
type authTask struct{}

func (authTask) request(c *Core, now clock.Instant, sa *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	prof := c.profile(sa.profile)
	if prof == nil {
		c.fail(now, sa, "no IKEv2 profile")
		return 0, nil, false
	}
	own, why := c.prove(sa, prof, Identity{}, sa.nextID)
	if why != "" {
		c.log(SeverityWarning, "AUTHFAIL", sa.remote.Addr(), why)
		c.fail(now, sa, why)
		return 0, nil, false
	}
	ps := append([]packet.Payload{own.id}, own.certs...)
	if c.firstContact(sa) {
		ps = append(ps, notify(packet.InitialContact))
	}
	ps = append(append(ps, c.requestCerts(prof)...), own.auth)
	child, ok := c.offerChild(sa)
	if !ok {
		c.fail(now, sa, "no transform set")
		return 0, nil, false
	}
	return packet.IKEAuth, append(ps, child...), true
}

// ownIdentity is that of the profile, or our address.
func (c *Core) ownIdentity(sa *ikeSA, p *Profile) Identity {
	if p.Identity.Kind != IdentityNone && p.Identity.Kind != IdentityDN {
		return p.Identity
	}
	return addressIdentity(sa.local.Addr())
}

// firstContact reports whether no other IKE SA with the peer is known (RFC 7296 section
// 2.4). While GRE passes by what an earlier life left that is not said: the peer would end
// those SAs at once, before there are others. A peer that wants no second IKE SA is told
// all the same when it has refused one.
func (c *Core) firstContact(sa *ikeSA) bool {
	return (len(sa.peer.left) == 0 || sa.peer.insist) && !slices.ContainsFunc(c.order, func(o *ikeSA) bool { return o.peer == sa.peer && o.state >= StateReady })
}

// octets are what initiator or responder authenticate (RFC 7296 section 2.15). id is the
// Message ID of IKE_AUTH.
func (sa *ikeSA) octets(initiator bool, identity *packet.ID, id uint32) []byte {
	n := sa.nego
	message, nonce, skp := n.init[1], sa.nonces.Ni, sa.keys.Pr
	if initiator {
		message, nonce, skp = n.init[0], sa.nonces.Nr, sa.keys.Pi
	}
	if !n.intermedial {
		return suite.SignedOctets(sa.suite.PRF, message, nonce, skp, identity, nil, nil, id)
	}
	return suite.SignedOctets(sa.suite.PRF, message, nonce, skp, identity, n.intI, n.intR, id)
}

// proven is what the AUTH payload of the peer has shown.
type proven struct {
	who     Identity
	profile *Profile
	method  Method
	certs   []*x509.Certificate // of MethodPSK none
}

// verify returns who the peer is, if its AUTH payload is that of its key, or of the key of a
// certificate that is believed. Which profile it is, and by that what is accepted at all,
// follows from the identity before anything else is looked at. only is the profile that it
// must be, "" for any. To the peer all failures are the same.
func (c *Core) verify(now clock.Instant, sa *ikeSA, ps []packet.Payload, initiator bool, id uint32, only string) (out proven, why string) {
	kind := packet.TypeIDr
	if initiator {
		kind = packet.TypeIDi
	}
	p, _ := packet.Find(ps, kind).(*packet.ID)
	a, _ := packet.Find(ps, packet.TypeAuth).(*packet.Auth)
	if p == nil || a == nil {
		return out, "no identity"
	}
	who, ok := identityOf(p)
	t := c.tunnelAt(sa.domain())
	if !ok || t == nil {
		return out, "identity of a kind that is not supported"
	}
	prof := c.profileFor(t, who)
	if prof == nil || only != "" && prof.Name != only {
		return out, "no IKEv2 profile for " + who.String()
	}
	octets := sa.octets(initiator, p, id)
	if a.Method != packet.AuthSharedKey {
		certs, m, why := c.verifySignature(now, sa, prof, who, ps, octets)
		return proven{who, prof, m, certs}, why
	}
	if !slices.Contains(prof.RemoteMethods, MethodPSK) {
		return out, "IKEv2 profile " + prof.Name + " wants no pre-shared key"
	}
	_, key := c.keys(prof, sa.remote.Addr(), who)
	if !suite.VerifySharedKey(sa.suite.PRF, key, octets, a) {
		return out, "authentication failed"
	}
	return proven{who, prof, MethodPSK, nil}, ""
}

// accepts notes who the peer has shown to be.
func (sa *ikeSA) accepts(p proven) {
	sa.peerID, sa.profile, sa.peerMethod = p.who, p.profile.Name, p.method
	for _, one := range p.certs {
		sa.peerCerts = append(sa.peerCerts, one.Raw)
	}
}

// disown tells a responder that we do not believe who it is, once: to it the IKE SA is
// established, and it would soon send by its child SA (RFC 7296 section 2.21.2).
func (c *Core) disown(sa *ikeSA) {
	c.transmit(sa, c.compose(sa, packet.Informational, sa.nextID, 0, []packet.Payload{
		notify(packet.AuthenticationFailed), &packet.Delete{Protocol: packet.ProtocolIKE},
	}))
}

func (authTask) answered(c *Core, now clock.Instant, sa *ikeSA, ps []packet.Payload) {
	id := sa.nextID - 1
	if packet.Find(ps, packet.TypeAuth) == nil {
		reason := "malformed answer"
		if f := failure(ps); f != nil {
			reason = "refused: " + f.Kind.String()
			sa.peer.insist = len(sa.peer.left) > 0
		}
		c.fail(now, sa, reason)
		return
	}
	peer, why := c.verify(now, sa, ps, false, id, sa.profile)
	if why != "" {
		c.log(SeverityWarning, "AUTHFAIL", sa.remote.Addr(), why)
		c.disown(sa)
		c.fail(now, sa, why)
		return
	}
	sa.accepts(peer)
	n, p := sa.nego, sa.peer
	c.counters.Succeeded++
	c.established(now, sa)
	p.nego = nil
	c.recognize(p, peer.who)
	if why := c.childAnswered(now, sa, n, ps); why != "" {
		// One that was refused is asked for again by this IKE SA (RFC 7296 section 1.2);
		// not where another one goes on, or if the peer has what is not used here.
		if failure(ps) == nil || len(p.children) > 0 || p.kept() {
			sa.reason = why
			c.enqueue(now, sa, &deleteIKE{})
		}
		c.failedChild(now, p, why)
		return
	}
	c.reauthenticated(now, sa)
}

// authRequest answers IKE_AUTH.
func (c *Core) authRequest(now clock.Instant, sa *ikeSA, ps []packet.Payload) reply {
	refuse := func(why string) reply {
		c.log(SeverityWarning, "AUTHFAIL", sa.remote.Addr(), why)
		return reply{payloads: []packet.Payload{notify(packet.AuthenticationFailed)}, end: why}
	}
	if sa.nego.round < len(sa.additional) {
		return refuse("key exchanges are missing")
	}
	sa.nego.announced.note(c, ps)
	peer, why := c.verify(now, sa, ps, true, sa.expectedID, "")
	if why != "" {
		return refuse(why)
	}
	own, why := c.prove(sa, peer.profile, peer.who, sa.expectedID)
	if why != "" {
		return refuse(why)
	}
	if c.full() {
		return refuse("too many IKE SAs")
	}
	sa.accepts(peer)
	out := append(append([]packet.Payload{own.id}, own.certs...), own.auth)
	sa.peer = c.peerOf(now, sa)
	if c.besides(sa) == nil {
		c.recognize(sa.peer, peer.who)
	}
	c.counters.Accepted++
	c.established(now, sa)
	if packet.FindNotify(ps, packet.InitialContact) != nil {
		c.initialContact(now, sa)
	}
	c.doubtOthers(now, sa)
	c.thin(now, sa)
	if packet.Find(ps, packet.TypeSA) == nil { // RFC 6023
		return reply{payloads: out}
	}
	child, terms := c.respondChild(sa, ps, nil, nil)
	if terms != nil {
		c.responded(now, sa, terms)
	}
	return reply{payloads: append(out, child...)}
}

// initialContact ends what the peer says it does not have any more: IKE SAs with its
// identity that were there before this one began (RFC 7296 section 2.4). One that it
// began to answer meanwhile it cannot mean.
func (c *Core) initialContact(now clock.Instant, sa *ikeSA) {
	for _, o := range c.others(sa) {
		if o.state >= StateReady && o.up <= sa.born {
			c.end(now, o, "peer began anew")
		}
	}
	c.endLeftovers(now, sa.peer, true, "peer began anew")
}

// offerChild returns the payloads that offer a child SA in IKE_AUTH.
func (c *Core) offerChild(sa *ikeSA) ([]packet.Payload, bool) {
	t := c.tunnelAt(sa.domain())
	if t == nil || c.ipsec(t) == nil {
		return nil, false
	}
	policy := c.transforms(c.ipsec(t))
	if len(policy) == 0 {
		return nil, false
	}
	n := sa.nego
	n.childSPI = c.newChildSPI()
	n.childOffer = proposal.OfferESP(policy, n.childSPI, true)
	return []packet.Payload{notify(packet.UseTransportMode), n.childOffer, c.ownTS(sa, false), c.peerTS(sa, true)}, true
}
