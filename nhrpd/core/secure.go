package core

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/protection"
)

const (
	// silenceLife is how long a peer that was secured counts as such after ipsecd took
	// back what it said of it. It did so because it ended for good, whose time for coming
	// back is over by then, or because it has no such peer any more, which it says before.
	silenceLife = 10 * time.Second
	// provenAfter is how long after packets pass to a peer by ipsecd's word they are taken to
	// arrive, if it did not answer a knock, which proves it. Who answers the other's IKE has
	// its associations first, by milliseconds, or by as long as it takes until IKE repeats what
	// was lost: what it sends in them meanwhile is lost, too.
	provenAfter = 2 * time.Second
	// knockAgain is after how long a peer is asked again that does not answer; later on it is
	// waited for as long again as all in all before, which makes six questions.
	knockAgain = 100 * time.Millisecond
	// maxPeers bounds the peers that ipsecd may tell of.
	maxPeers = 4 * MaxEntries
)

// peerKey is another end of a tunnel. The instances of both families share it.
type peerKey struct {
	name string // of the tunnel
	nbma netip.Addr
}

func (k peerKey) compare(o peerKey) int {
	return cmp.Or(cmp.Compare(k.name, o.name), k.nbma.Compare(o.nbma))
}

// peer is another end of a tunnel that something rests on, or that ipsecd tells of.
type peer struct {
	key     peerKey
	entries map[*entry]bool // that rest on it
	uses    int             // servers and Purge Requests that do
	wanted  bool            // WantPeer was emitted
	said    protection.State
	since   clock.Instant // of said.Security
	up      bool          // packets pass, by ipsecd's word
	heard   bool          // an NHRP packet came from there, since it is up or before ipsecd said so
	knock   uint32        // Request ID with which it is asked whether packets arrive; 0: it was not asked
	proven  bool          // they do: what was learnt may lead there
	// relied says that something may rest on its having been up, in this life or in an
	// earlier one, and generation since when.
	relied     bool
	generation uint32
	identity   string  // with which it was up last
	saved      session // in the memory, if inMemory
	inMemory   bool
	waiting    []waiting  // packets for it, until it is up
	arrived    []RxPacket // registrations of it, until its identity is known
}

// protected reports whether packets pass the tunnel encrypted only.
func (i *iface) protected() bool { return i.linked && i.link.Tunnel.Protection != "" }

// secured reports whether packets pass to another end of the tunnel. On a tunnel that
// is not protected they always do.
func (i *iface) secured(nbma netip.Addr) bool {
	if !i.protected() {
		return true
	}
	p := i.peers[nbma]
	return p != nil && p.up
}

// passes reports whether what was learnt may lead to another end of the tunnel: it is
// secured, and ready for what comes.
func (i *iface) passes(nbma netip.Addr) bool {
	if !i.protected() {
		return true
	}
	p := i.peers[nbma]
	return p != nil && p.up && p.proven
}

// secures reports whether the tunnel has other ends be secured: it is protected and not
// shut down.
func (i *iface) secures() bool { return i.protected() && (i.link.AdminUp || i.link.Up) }

// peersOf returns the other ends of a tunnel.
func (c *Core) peersOf(name string) map[netip.Addr]*peer {
	if c.peerTable[name] == nil {
		c.peerTable[name] = make(map[netip.Addr]*peer)
	}
	return c.peerTable[name]
}

// getPeer returns another end of a tunnel.
func (c *Core) getPeer(k peerKey) *peer {
	all := c.peersOf(k.name)
	p := all[k.nbma]
	if p == nil {
		p = &peer{key: k, entries: make(map[*entry]bool)}
		all[k.nbma] = p
		c.peerCount++
	}
	c.touch(p)
	return p
}

// touch has the present step decide whether a peer is wanted and remembered.
func (c *Core) touch(p *peer) { c.touched[p] = true }

// restingOn returns where packets have to pass for the sake of an entry; the zero Addr
// for nowhere. That a server is to be reached is the server's affair.
func (e *entry) restingOn() netip.Addr {
	i := e.iface
	to := e.nbma
	if !to.IsValid() && e.ask != nil {
		to = e.ask.via
	}
	switch {
	case !i.secures(), e.kind == EntryLocal, e.kind == EntryStatic && !i.configured(e.target), !i.station(to):
		return netip.Addr{}
	}
	return to
}

// configured reports whether a map of the configuration is about a prefix.
func (i *iface) configured(target netip.Prefix) bool {
	return slices.ContainsFunc(i.cfg.Maps, func(m StaticMap) bool { return m.Prefix.Masked() == target })
}

// placePeer brings what an entry rests on in line with it; gone says that it has left
// the cache.
func (c *Core) placePeer(e *entry, gone bool) {
	var want netip.Addr
	if !gone {
		want = e.restingOn()
	}
	was := e.rests
	if want == was {
		return
	}
	e.rests = want
	if was.IsValid() {
		p := c.getPeer(peerKey{e.iface.key.name, was})
		delete(p.entries, e)
	}
	if want.IsValid() {
		c.getPeer(peerKey{e.iface.key.name, want}).entries[e] = true
	}
}

// usePeer moves what a server or a Purge Request rests on, to the zero Addr if that is
// nothing any more.
func (c *Core) usePeer(i *iface, held *netip.Addr, want netip.Addr) {
	if want.IsValid() && !(i.secures() && i.station(want)) {
		want = netip.Addr{}
	}
	was := *held
	if want == was {
		return
	}
	*held = want
	if was.IsValid() {
		c.getPeer(peerKey{i.key.name, was}).uses--
	}
	if want.IsValid() {
		c.getPeer(peerKey{i.key.name, want}).uses++
	}
}

// placeServers has those servers be secured that are registered with, or are to be.
func (c *Core) placeServers(i *iface) {
	for _, s := range i.servers {
		var want netip.Addr
		if s.state != NHSWaiting && s.state != NHSStandby {
			want = s.nbma
		}
		c.usePeer(i, &s.rests, want)
	}
}

// settlePeers ends a step: it states which peers are wanted, and remembers with which
// generation those are up that something rests on. What is neither wanted nor told of
// is forgotten.
func (c *Core) settlePeers(now clock.Instant) {
	if len(c.touched) == 0 {
		return
	}
	all := make([]*peer, 0, len(c.touched))
	for p := range c.touched {
		all = append(all, p)
	}
	clear(c.touched)
	slices.SortFunc(all, func(a, b *peer) int { return a.key.compare(b.key) })
	for _, p := range all {
		used := len(p.entries)+p.uses > 0
		if want := used || len(p.waiting) > 0; want != p.wanted {
			p.wanted = want
			if want {
				if p.said.Security == 0 {
					p.since = now
				}
				c.emit(WantPeer{Interface: p.key.name, NBMA: p.key.nbma})
			} else {
				c.emit(UnwantPeer{Interface: p.key.name, NBMA: p.key.nbma})
			}
		}
		c.savePeer(p, used)
		idle := !p.wanted && !p.inMemory && !p.up && !p.relied && p.said.Security == 0 && len(p.arrived) == 0
		if idle && c.peerTable[p.key.name][p.key.nbma] == p {
			c.timers.Clear(timerKey{kind: timerHeld, peer: p})
			delete(c.peerTable[p.key.name], p.key.nbma)
			c.peerCount--
		}
	}
}

// resting returns the entries that rest on a peer, sorted.
func (p *peer) resting() []*entry {
	all := make([]*entry, 0, len(p.entries))
	for e := range p.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *entry) int {
		return cmp.Or(a.iface.key.compare(b.iface.key), comparePrefix(a.target, b.target))
	})
	return all
}

// peerSecured takes what ipsecd says of a peer.
func (c *Core) peerSecured(now clock.Instant, in PeerSecured) {
	k := peerKey{in.Interface, in.NBMA.Unmap()}
	known := c.peerTable[k.name][k.nbma]
	if !k.nbma.IsValid() || known == nil && (in.State.Security == 0 || c.peerCount >= maxPeers) {
		return
	}
	p := c.getPeer(k)
	if p.said.Security != in.State.Security {
		p.since = now
	}
	if s := &in.State; s.Security == protection.Up && p.relied && s.Generation == p.generation && s.Identity == "" {
		s.Identity = p.identity // an ipsecd that began anew took the session over, and may not know whose it is
	}
	p.said = in.State
	if in.State.Security == protection.Up {
		p.identity = in.State.Identity
	}
	silence := timerKey{kind: timerSilence, peer: p}
	switch s := in.State; {
	case s.Security == 0:
		if _, armed := c.timers.Deadline(silence); p.up && !armed {
			c.timers.Set(silence, now.Add(silenceLife))
		}
		return
	case s.Security != protection.Up:
		c.timers.Clear(silence)
		if p.relied || s.Security == protection.Lost {
			c.peerLost(now, p, lostReason(s.Reason))
		}
	case p.up && p.generation == s.Generation: // a rekey, or said again
		c.timers.Clear(silence)
	default:
		c.timers.Clear(silence)
		if p.relied && p.generation != s.Generation {
			c.peerLost(now, p, lostReason("it came up anew"))
		}
		p.proven = p.relied || p.heard && p.askable() == nil // an earlier life had it up
		p.generation = s.Generation
		c.peerUp(now, p)
	}
}

// lostReason says in messages why what rests on a peer goes.
func lostReason(why string) string {
	if why == "" {
		return "IPsec Session Lost"
	}
	return "IPsec Session Lost: " + why
}

// silenceDue serves timerSilence: nobody speaks for a peer that was secured.
func (c *Core) silenceDue(now clock.Instant, p *peer) {
	if p.said.Security == 0 {
		c.peerLost(now, p, lostReason("nobody secures it"))
	}
}

// peerUp follows a peer that packets pass to: servers are registered with at once, what
// waited is sent, and what was learnt leads there as soon as it is sure that packets arrive.
func (c *Core) peerUp(now clock.Instant, p *peer) {
	p.up, p.relied = true, true
	c.logPeerSecured(p, "UP", "")
	for _, i := range c.order {
		if i.key.name != p.key.name || !i.protected() {
			continue
		}
		for _, s := range i.servers {
			if s.nbma == p.key.nbma && (s.state == NHSExpecting || s.state == NHSDown || s.state == NHSResponding) {
				c.register(now, s)
			}
		}
	}
	if p.proven {
		c.peerProven(now, p)
	} else {
		c.timers.Set(timerKey{kind: timerProven, peer: p}, now.Add(provenAfter))
		c.knock(now, p)
	}
	c.release(now, p)
}

// askable returns the entry of the station that a knock asks, nil if there is none.
func (p *peer) askable() *entry {
	for _, e := range p.resting() {
		if i := e.iface; e.resolved() && e.flags&FlagNexthop != 0 && i.ready && i.resolves() {
			return e
		}
	}
	return nil
}

// knock asks a station for its own address as soon as packets pass to it by ipsecd's word,
// and again until it answers: that alone proves that they arrive. That the station is heard
// does not: where both ends began at once each has two pairs of associations for a while,
// and what came by the one does not say that the station has the other, by which packets go.
func (c *Core) knock(now clock.Instant, p *peer) {
	due, _ := c.timers.Deadline(timerKey{kind: timerProven, peer: p})
	waited := provenAfter - due.Sub(now)
	c.timers.Set(timerKey{kind: timerKnock, peer: p}, now.Add(max(waited, knockAgain)))
	e := p.askable()
	if e == nil {
		return
	}
	if p.knock == 0 {
		p.knock = c.resolutionID()
	}
	c.sendResolution(now, e, &asking{via: e.nbma, id: p.knock})
}

// knockAnswered takes the answer to a knock, whatever it says. It reports false if the packet in
// c.in is the answer to something else.
func (c *Core) knockAnswered(now clock.Instant, i *iface, in RxPacket) bool {
	p := i.peers[in.NBMA]
	if p == nil || p.knock == 0 || p.knock != c.in.RequestID {
		return false
	}
	if p.up && !p.proven { // else it is another answer
		c.peerProven(now, p)
	}
	return true
}

// peerHeard notes that a packet came from another end. Where nobody can be asked that has to
// do: who only asks or registers began alone. Who can be is asked at once, for it may have
// become ready just now.
func (c *Core) peerHeard(now clock.Instant, i *iface, nbma netip.Addr) {
	p := i.peers[nbma]
	if p == nil || p.heard || !i.protected() {
		return
	}
	p.heard = true
	switch {
	case !p.up || p.proven:
	case p.askable() == nil:
		c.peerProven(now, p)
	default:
		c.knock(now, p)
	}
}

// peerProven states what rests on a peer that packets pass to.
func (c *Core) peerProven(now clock.Instant, p *peer) {
	p.proven = true
	c.timers.Clear(timerKey{kind: timerProven, peer: p})
	c.timers.Clear(timerKey{kind: timerKnock, peer: p})
	all := p.resting()
	slices.SortStableFunc(all, func(a, b *entry) int { return cmp.Compare(b.flags&FlagNexthop, a.flags&FlagNexthop) }) // stations before what is behind them
	for _, e := range all {
		if e.iface.cache.get(e.target) == e {
			c.entrySecured(now, e)
		}
	}
}

// entrySecured states what follows from an entry now that packets pass where it leads.
func (c *Core) entrySecured(now clock.Instant, e *entry) {
	if e.kind == EntryStatic {
		return
	}
	if why := e.iface.misboundEntry(e); why != "" {
		c.removeEntry(now, e, TraceEntryDeleted, why)
		return
	}
	c.wantNeighbor(e)
	c.placeMulticast(e, false)
	if !e.resolved() {
		return
	}
	c.stateShortcut(e)
	if e.unmet {
		c.peerFound(e, "Resolution")
	}
}

// peerLost follows a peer that packets do not pass to any more: everything that rests on
// it goes at once, so that traffic takes another way; others are told as always.
func (c *Core) peerLost(now clock.Instant, p *peer, reason string) {
	if p.up {
		c.logPeerSecured(p, "DOWN", reason)
	}
	p.up, p.heard, p.knock, p.proven = false, false, 0, false
	p.relied, p.generation = false, 0
	for _, kind := range [...]timerKind{timerSilence, timerProven, timerKnock} {
		c.timers.Clear(timerKey{kind: kind, peer: p})
	}
	c.touch(p)
	for _, e := range p.resting() {
		if e.kind == EntryStatic || e.iface.cache.get(e.target) != e {
			continue // or another one took it along
		}
		if e.ask == nil || e.asked.IsValid() { // the rest follows its server
			c.removeEntry(now, e, TraceEntryDeleted, reason)
		}
	}
	for _, i := range slices.Clone(c.order) {
		if i.key.name != p.key.name || !i.protected() {
			continue
		}
		lost := false
		for _, s := range i.servers {
			if s.nbma == p.key.nbma {
				lost = true
				c.serverLost(now, s, reason)
			}
		}
		if lost {
			c.serversChanged(now, i)
		}
	}
}

// serverLost is for a server that packets do not pass to any more. It is asked again when
// they do.
func (c *Core) serverLost(now clock.Instant, s *server, reason string) {
	if s.state != NHSResponding && s.state != NHSExpecting && s.state != NHSDown {
		return
	}
	s.registered, s.served = netip.Addr{}, false
	c.clearSurplus(s)
	if s.state == NHSResponding {
		c.serverDown(now, s, reason)
	}
	c.register(now, s)
}

// logPeerSecured logs that packets pass to a peer, or do not any more, in Cisco's words.
func (c *Core) logPeerSecured(p *peer, is, reason string) {
	link, ok := c.links[p.key.name]
	if !ok || link.Tunnel == nil {
		return
	}
	text := fmt.Sprintf("%s: local address : %s remote address : %v socket is %s", p.key.name, text(link.Tunnel.Source), p.key.nbma, is)
	if reason != "" {
		text += ", Reason: " + reason
	}
	c.emit(Log{SeverityNotice, "CRYPTO_SS", text})
}

// protectionChanged follows a tunnel that began to be protected, or is not any more. What
// was learnt in clear is worth nothing where only the authenticated may speak, and who was
// reached encrypted takes nothing in clear, unless the other end was changed as well: then
// it is learnt again.
func (c *Core) protectionChanged(now clock.Instant, i *iface, was *iface) {
	const reason = "Tunnel Protection Changed"
	if was.linked && i.linked && was.protected() != i.protected() {
		c.flush(now, i, reason)
	}
	if was.linked && !was.protected() && i.protected() {
		for _, s := range i.servers {
			c.serverLost(now, s, reason)
		}
	}
	for _, e := range i.cache.sorted() {
		c.placePeer(e, false)
	}
	// unordered: nothing is emitted before the step ends, and then it is sorted
	for _, x := range i.purges {
		c.usePeer(i, &x.rests, x.nbma)
	}
	if !i.secures() {
		c.unhold(i)
	}
}
