package core

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// Times of peers.
const (
	firstTry    = 2 * time.Second
	maxTry      = 16 * time.Second
	stalled     = time.Minute     // a CREATE_CHILD_SA that was begun came to nothing
	acquireLife = time.Minute     // how long a packet that was held back has a peer secured
	reapDelay   = 5 * time.Second // until one of two IKE SAs that crossed is deleted
)

type peerKey struct {
	vrf           string
	local, remote netip.Addr
}

func (k peerKey) domain() domain { return domain{k.vrf, k.local} }

// peer is another end that is to be secured, or is.
type peer struct {
	peerKey
	outer  netip.Addr    // where the peer is, if remote is an alias and that is known
	placed bool          // its alias is stated
	wanted []string      // by nhrpd, for these tunnels; sorted
	told   []string      // tunnels for which its state was published
	until  clock.Instant // an Acquire wants it
	// renew has what an earlier life left be replaced even if nobody wants the peer, which
	// may have none of it any more, while packets go on by it.
	renew    bool
	nego     *ikeSA // that we began for it
	children []*child
	left     []*leftover
	insist   bool // the peer refused us while there were leftovers: say INITIAL_CONTACT
	state    Security
	since    clock.Instant
	who      Identity // of the peer, once it was authenticated
	reason   string
	attempts int
	// shortLived counts child SAs, one after the other, that went as soon as they came.
	shortLived int
}

func (c *Core) getPeer(now clock.Instant, k peerKey) *peer {
	p := c.peers[k]
	if p == nil {
		p = &peer{peerKey: k, since: now}
		c.peers[k] = p
		i, _ := slices.BinarySearchFunc(c.listed, p, func(a, b *peer) int {
			return cmp.Or(cmp.Compare(a.vrf, b.vrf), a.local.Compare(b.local), a.remote.Compare(b.remote))
		})
		c.listed = slices.Insert(c.listed, i, p)
	}
	return p
}

func (c *Core) secure(now clock.Instant, in Secure) {
	in.Peer = in.Peer.Unmap()
	if !in.Peer.IsValid() {
		return
	}
	if !slices.Contains(c.wants, in) {
		c.wants = append(c.wants, in)
	}
	c.want(now, in)
}

// want has a peer be wanted for a tunnel, if that has a source yet.
func (c *Core) want(now clock.Instant, in Secure) {
	t := c.tunnel(in.Tunnel)
	if t == nil {
		return
	}
	p := c.getPeer(now, peerKey{t.vrf, t.local, in.Peer})
	if !slices.Contains(p.wanted, in.Tunnel) {
		p.wanted = append(p.wanted, in.Tunnel)
		slices.Sort(p.wanted)
	}
	c.trace(c.tracing.Socket, Trace{Event: TraceAcquired, Text: in.Tunnel + " " + in.Peer.String()})
	c.publish(p)
	c.settle(now, p)
}

func (c *Core) unsecure(now clock.Instant, in Unsecure) {
	c.wants = slices.DeleteFunc(c.wants, func(s Secure) bool { return s.Tunnel == in.Tunnel && s.Peer == in.Peer.Unmap() })
	for _, p := range slices.Clone(c.listed) {
		if p.remote == in.Peer.Unmap() {
			p.wanted = slices.DeleteFunc(p.wanted, func(n string) bool { return n == in.Tunnel })
			c.settle(now, p)
		}
	}
}

func (c *Core) acquire(now clock.Instant, in Acquire) {
	in.Local = in.Local.Unmap()
	for _, t := range c.tunnels {
		// The source of a multipoint tunnel over IPv6 is not told.
		if t.local != in.Local && !(in.Local.IsUnspecified() && t.local.Is6() && in.Remote.Is6()) {
			continue
		}
		p := c.getPeer(now, peerKey{t.vrf, t.local, in.Remote.Unmap()})
		p.until = now.Add(acquireLife)
		c.trace(c.tracing.Socket, Trace{Event: TraceAcquired, Text: t.name + " " + p.remote.String()})
		c.settle(now, p)
		return
	}
}

// needed reports whether a child SA is to be made.
func (p *peer) needed(now clock.Instant) bool {
	return len(p.wanted) > 0 || p.until > now || p.renew && p.kept()
}

// settle has a peer be as its child SAs, its IKE SAs and those who want it have it.
func (c *Core) settle(now clock.Instant, p *peer) {
	c.placeAlias(p)
	k := timerKey{kind: timerTry, peer: p}
	_, armed := c.timers.Deadline(k)
	switch {
	case len(p.children) > 0:
		c.timers.Clear(k)
		p.attempts, p.reason, p.insist, p.renew = 0, "", false, false
		c.become(now, p, SecurityUp)
		l := timerKey{kind: timerLeave, peer: p}
		if _, armed := c.timers.Deadline(l); !armed && len(p.left) > 0 {
			c.timers.Set(l, now.Add(leaveAfter))
		}
	case p.kept():
		c.become(now, p, SecurityUp)
		if p.needed(now) && p.nego == nil && !armed {
			c.timers.Set(k, now.Add(c.spread()))
		}
	case p.state == SecurityUp:
		c.become(now, p, SecurityLost)
		c.timers.Set(k, now.Add(c.jitter(firstTry)))
		c.settle(now, p)
	case p.nego != nil || armed && p.needed(now):
	case p.needed(now):
		c.try(now, p)
	case len(p.left) == 0 && !slices.ContainsFunc(c.order, func(sa *ikeSA) bool { return sa.peer == p }):
		c.forget(p)
	}
}

func (c *Core) forget(p *peer) {
	c.timers.Clear(timerKey{kind: timerTry, peer: p})
	c.timers.Clear(timerKey{kind: timerLeave, peer: p})
	delete(c.peers, p.peerKey)
	c.unpublish(p, func(string) bool { return true })
	c.listed = slices.DeleteFunc(c.listed, func(o *peer) bool { return o == p })
}

// become changes the state of a peer and says so.
func (c *Core) become(now clock.Instant, p *peer, s Security) {
	if p.state == s {
		return
	}
	p.state, p.since = s, now
	c.publish(p)
}

// publish tells nhrpd of a peer, for each tunnel that it can be behind. What an earlier
// life told of it holds until it is known what that left.
func (c *Core) publish(p *peer) {
	if c.waiting {
		return
	}
	for _, t := range c.tunnels {
		if t.domain == p.domain() {
			c.emit(PeerState{t.name, p.remote, p.state, p.identity(), p.reason, p.outer})
			if !slices.Contains(p.told, t.name) {
				p.told = append(p.told, t.name)
			}
			c.trace(c.tracing.Socket, Trace{Event: TracePublished, Text: t.name + " " + p.remote.String()})
		}
	}
}

// unpublish takes back what was told of a peer, for the tunnels that it is not behind.
func (c *Core) unpublish(p *peer, gone func(tunnel string) bool) {
	p.told = slices.DeleteFunc(p.told, func(name string) bool {
		out := gone(name)
		if out {
			c.emit(PeerGone{name, p.remote})
		}
		return out
	})
}

// try negotiates with a peer that has no child SA: by an IKE SA that there is, or by a new
// one.
func (c *Core) try(now clock.Instant, p *peer) {
	t := c.tunnelAt(p.domain())
	switch {
	case c.stopped || c.waiting || len(p.children) > 0 || p.nego != nil || t == nil:
		return
	case !p.needed(now):
		c.settle(now, p)
		return
	case c.ipsec(t) == nil:
		c.failed(now, p, "no IPsec profile")
		return
	case c.ipsec(t).ResponderOnly:
		p.reason = "responder only"
		return
	}
	if sa := c.readySA(p); sa != nil {
		c.timers.Set(timerKey{kind: timerTry, peer: p}, now.Add(stalled)) // should it come to nothing
		c.enqueue(now, sa, &createTask{})
		return
	}
	if p.aliased() {
		c.attend(now, p)
		return
	}
	c.begin(now, p)
}

// readySA returns an IKE SA with a peer that can have child SAs.
func (c *Core) readySA(p *peer) *ikeSA {
	if sa := find(c.order, func(sa **ikeSA) bool { return (*sa).peer == p && (*sa).state == StateReady && (*sa).reason == "" }); sa != nil {
		return *sa
	}
	return nil
}

// failed notes that an attempt to secure a peer failed, and tries again later.
func (c *Core) failed(now clock.Instant, p *peer, reason string) {
	c.failedAs(now, p, SecurityIKE, reason)
}

// failedChild notes that there is an IKE SA with a peer, and no child SA.
func (c *Core) failedChild(now clock.Instant, p *peer, reason string) {
	c.failedAs(now, p, SecurityIPsec, reason)
}

func (c *Core) failedAs(now clock.Instant, p *peer, s Security, reason string) {
	if len(p.children) > 0 || c.peers[p.peerKey] != p {
		return
	}
	c.doubtLeftovers(now, p)
	c.stuck(now, p, s, reason)
	p.attempts++
	wait := min(firstTry<<min(p.attempts-1, 10), maxTry)
	c.timers.Set(timerKey{kind: timerTry, peer: p}, now.Add(c.jitter(wait)))
}

// stuck says why a peer that has no child SA gets none.
func (c *Core) stuck(now clock.Instant, p *peer, s Security, reason string) {
	if p.reason == reason && p.state == s || p.kept() || len(p.children) > 0 {
		return
	}
	p.reason = reason
	if p.state != s {
		p.state, p.since = s, now
	}
	c.publish(p)
}

// secured reports whether GRE passed both ways before an instant, by what is still there.
func (p *peer) secured(before clock.Instant) bool {
	return p.kept() || slices.ContainsFunc(p.children, func(ch *child) bool { return ch.sa.up <= before })
}

// reached reports whether there is a child SA that this end began: the peer has that, while it
// may not have yet what it began itself at the same time.
func (p *peer) reached() bool {
	return slices.ContainsFunc(p.children, func(ch *child) bool { return ch.began })
}

// maxPerPeer bounds the IKE SAs that a peer may begin and keep: what crosses, is replaced or
// begins anew makes a few of them.
const maxPerPeer = 8

// thin ends the oldest IKE SAs of a peer that begins ever more of them.
func (c *Core) thin(now clock.Instant, sa *ikeSA) {
	var same []*ikeSA
	for _, o := range c.order {
		if o.peer == sa.peer && o.peerID == sa.peerID && o.state >= StateReady {
			same = append(same, o)
		}
	}
	for _, o := range same[:max(0, len(same)-maxPerPeer)] {
		c.farewell(now, o, "another was begun by the peer")
	}
}

// farewell ends an IKE SA and tells the peer, if it can be told at once; its answer is not
// waited for.
func (c *Core) farewell(now clock.Instant, sa *ikeSA, reason string) {
	if sa.state >= StateReady && sa.request == nil {
		c.transmit(sa, c.compose(sa, packet.Informational, sa.nextID, 0, []packet.Payload{&packet.Delete{Protocol: packet.ProtocolIKE}}))
	}
	c.end(now, sa, reason)
}

// crossed settles which of two IKE SAs stays where both ends began one at once: the one
// with the higher SPI of its initiator. Who began the other deletes it, late, so that
// packets that are on their way still arrive; meanwhile the peer does not begin to send
// by it.
func (c *Core) crossed(now clock.Instant, ch *child) {
	for _, o := range ch.peer.children {
		a, b := ch.sa, o.sa
		if a == b || a.initiator == b.initiator || a.replaces == b || b.replaces == a || a.state != StateReady || b.state != StateReady || a.peerID != b.peerID {
			continue
		}
		if a.nonces.SPIi > b.nonces.SPIi {
			a = b
		}
		a.spare = !a.initiator
		if a.initiator {
			a.reason = "another was begun by the peer"
			c.timers.Set(timerKey{kind: timerReap, sa: a}, now.Add(reapDelay))
		}
	}
}

// reapDue deletes an IKE SA that is one too many. What is sent goes by the child SAs of the
// other first, since the peer takes nothing by these any more once it has the DELETE.
func (c *Core) reapDue(now clock.Instant, sa *ikeSA) {
	for _, ch := range sa.children {
		other := func(o *child) bool { return o.sa != sa && o.sending }
		if ch.sending && slices.ContainsFunc(ch.peer.children, other) {
			ch.sending = false
			c.timers.Clear(timerKey{kind: timerOutbound, child: ch})
			c.emit(DelSA{ch.out.Destination, ch.out.SPI})
		}
	}
	c.enqueue(now, sa, &deleteIKE{})
}

// besides returns the IKE SA of another peer that has a child SA and is behind the same
// address as this one's, nil if there is none. GRE to the two could not be told apart: it
// has no ports (RFC 7296 section 2.23.1), so the second one gets no child SA while the
// first has one. With aliases that is so where there is none: of IPv6, or if all are in use.
func (c *Core) besides(sa *ikeSA) *ikeSA {
	if !sa.natRemote {
		return nil
	}
	for _, ch := range sa.peer.children {
		if o := ch.sa; o.natRemote && o.peerID != sa.peerID && o.remote.Port() != sa.remote.Port() {
			return o
		}
	}
	return nil
}

// sameAddress tells the operator, and sees whether the first peer is still there.
func (c *Core) sameAddress(sa, first *ikeSA) {
	c.log(SeverityWarning, "SAMEADDRESS", sa.remote.Addr(), sa.peerID.String()+" is behind the same NAT address as "+first.peerID.String()+": one of them is served")
	if first.state == StateReady && first.nextHint <= c.now {
		c.doubt(c.now, first)
	}
}

// identity returns who the peer is in words, "" if that is not known.
func (p *peer) identity() string {
	if p.who == (Identity{}) {
		return ""
	}
	return p.who.String()
}

// recognize notes who a peer is. Of one that is up by what an earlier life left that was not
// known.
func (c *Core) recognize(p *peer, who Identity) {
	if p.who == who {
		return
	}
	if p.who = who; p.state == SecurityUp {
		c.publish(p)
	}
}
