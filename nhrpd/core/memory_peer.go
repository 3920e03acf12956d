package core

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/wire"
)

// session is what a later life has to know of a peer that is secured.
type session struct {
	generation uint32
	identity   string
}

func (k peerKey) saveKey() string { return fmt.Sprintf("peer/%s/%v", k.name, k.nbma) }

// savePeer has a later life know with which generation a peer is secured, as long as
// something rests on it. What an earlier life said stands until everything that it
// remembered is back.
func (c *Core) savePeer(p *peer, used bool) {
	is := session{p.generation, p.identity}
	switch {
	case p.up && used && !(p.inMemory && p.saved == is):
		p.inMemory, p.saved = true, is
		b := appendString([]byte{memoPeer}, p.key.name)
		b = append(append(b, byte(p.key.nbma.BitLen()/8)), p.key.nbma.AsSlice()...)
		b = wire.AppendU32(b, p.generation)
		c.emit(SaveEntry{Key: p.key.saveKey(), Data: append(wire.AppendU16(b, uint16(len(p.identity))), p.identity...)})
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
	was := session{generation: rd.U32()}
	was.identity = string(rd.Bytes(int(rd.U16())))
	if rd.Failed() || rd.Len() > 0 || !k.nbma.IsValid() || k.saveKey() != in.Key || r.ended || c.peerCount >= maxPeers {
		c.emit(ForgetEntry{in.Key})
		return
	}
	if r.peers == nil {
		r.peers = make(map[peerKey]uint32)
	}
	r.peers[k] = was.generation
	p := c.getPeer(k)
	p.inMemory, p.saved = true, was
	switch {
	case p.said.Security == 0:
		p.relied, p.generation, p.identity = true, was.generation, was.identity
	case p.up && p.generation == was.generation:
		if !p.proven {
			c.peerProven(now, p)
		}
		if p.identity == "" {
			p.identity, p.said.Identity = was.identity, was.identity
		}
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
