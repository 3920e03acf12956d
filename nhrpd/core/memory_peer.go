package core

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/wire"
)

func (k peerKey) saveKey() string { return fmt.Sprintf("peer/%s/%v", k.name, k.nbma) }

// savePeer has a later life know with which generation a peer is secured, as long as
// something rests on it. What an earlier life said stands until everything that it
// remembered is back.
func (c *Core) savePeer(p *peer, used bool) {
	switch {
	case p.up && used && !(p.inMemory && p.saved == p.generation):
		p.inMemory, p.saved = true, p.generation
		b := appendString([]byte{memoPeer}, p.key.name)
		b = append(append(b, byte(p.key.nbma.BitLen()/8)), p.key.nbma.AsSlice()...)
		c.emit(SaveEntry{Key: p.key.saveKey(), Data: wire.AppendU32(b, p.generation)})
	case p.inMemory && (!p.relied || !used && c.replay.ended):
		p.inMemory, p.relied = false, p.up
		c.emit(ForgetEntry{p.key.saveKey()})
	}
}

// restorePeer takes what an earlier life said of a peer. If that was lost meanwhile, what
// rests on it goes.
func (c *Core) restorePeer(now clock.Instant, in RestoreEntry) {
	r := &c.replay
	rd := wire.NewReader(in.Data)
	rd.U8()
	k := peerKey{name: string(rd.Bytes(int(rd.U8())))}
	k.nbma, _ = netip.AddrFromSlice(rd.Bytes(int(rd.U8())))
	generation := rd.U32()
	if rd.Failed() || rd.Len() > 0 || !k.nbma.IsValid() || k.saveKey() != in.Key || r.ended || c.peerCount >= maxPeers {
		c.emit(ForgetEntry{in.Key})
		return
	}
	if r.peers == nil {
		r.peers = make(map[peerKey]uint32)
	}
	r.peers[k] = generation
	p := c.getPeer(k)
	p.inMemory, p.saved = true, generation
	switch {
	case p.said.Security == 0:
		p.relied, p.generation = true, generation
	case p.up && p.generation == generation:
	default: // it came up meanwhile, or is down
		c.peerLost(now, p, lostReason(p.said.Reason))
		if p.said.Security == protection.Up {
			p.generation = p.said.Generation
			c.peerUp(now, p)
		}
	}
}

// outlived reports whether the session with a peer on which an entry of an earlier life
// rests was lost meanwhile, as far as is known.
func (c *Core) outlived(i *iface, nbma netip.Addr) bool {
	was, known := c.replay.peers[peerKey{i.key.name, nbma}]
	p := i.peers[nbma]
	if !known || p == nil || p.said.Security == 0 || !i.protected() {
		return false
	}
	return p.said.Security != protection.Up || p.said.Generation != was
}

// touchPeers has the present step decide about all peers.
func (c *Core) touchPeers() {
	// unordered: the step sorts them
	for _, all := range c.peerTable {
		// unordered: as above
		for _, p := range all {
			c.touch(p)
		}
	}
}
