package fake

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// These methods act as somebody else on the machine.

// Lose has events get lost, as in a socket that overflowed, while on is set.
// When it ends, a Resync is told.
func (p *Provider) Lose(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = on
	if !on {
		p.resync()
	}
}

// Forget loses the events of f and tells no Resync: only an audit can find out.
func (p *Provider) Forget(f func()) {
	p.mu.Lock()
	p.silent = true
	p.mu.Unlock()
	f()
	p.mu.Lock()
	p.silent = false
	p.mu.Unlock()
}

// Steal removes an SA, policy, address, route, neighbour, clamp, replicator, detector or watch of ours, or all shapers of a device, and tells so.
func (p *Provider) Steal(k dataplane.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.objects[k]
	if !ok {
		return
	}
	delete(p.objects, k)
	if k.Kind == dataplane.KindShaper { // with its queueing discipline
		for other := range p.objects {
			if other.Kind == k.Kind && other.Name == k.Name {
				delete(p.objects, other)
				p.emit(dataplane.ObjectGone{Key: other})
			}
		}
	}
	if a, ok := o.(dataplane.Addr); ok {
		p.emit(dataplane.AddrChanged{Addr: a, Index: p.devices[a.Device].info.Index, Gone: true})
	}
	p.emit(dataplane.ObjectGone{Key: k})
}

// PutForeign adds a route that is not ours, in the place of one of ours with
// the same key.
func (p *Provider) PutForeign(r dataplane.Route) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.objects[r.Key()]; ok {
		delete(p.objects, r.Key())
		p.emit(dataplane.ObjectGone{Key: r.Key()})
	}
	p.foreign[r.Key()] = r
	p.emit(dataplane.RouteChanged{Route: r})
}

// SetUp changes the administrative state of a device.
func (p *Provider) SetUp(name string, up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.devices[name]; d != nil && d.info.Up != up {
		p.setUp(d, up)
		p.emit(dataplane.LinkChanged{Link: d.told()})
	}
}

// AddDevice adds a device that is up, if there is none of that name.
func (p *Provider) AddDevice(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.devices[name] == nil {
		d := p.addDevice(name, "")
		d.info.Up = true
		p.emit(dataplane.LinkChanged{Link: d.told()})
	}
}

// RemoveDevice removes a device, whosever it is.
func (p *Provider) RemoveDevice(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.devices[name]; d != nil {
		p.removeDevice(d)
	}
}

// Miss tells of packets for an unknown neighbour.
func (p *Provider) Miss(ev dataplane.NeighborMiss) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.emit(ev)
}

// Expire has an SA reach a limit: a hard one takes it away.
func (p *Provider) Expire(k dataplane.Key, hard bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.objects[k] == nil {
		return
	}
	p.emit(dataplane.SAExpired{Key: k, Hard: hard})
	if hard {
		delete(p.objects, k)
		p.emit(dataplane.ObjectGone{Key: k})
	}
}

// Tell tells of something that happened, such as an Acquire.
func (p *Provider) Tell(ev dataplane.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.emit(ev)
}

// Forward forwards a packet: it is told of if it makes a hairpin.
func (p *Provider) Forward(in, out string, packet []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, iok := p.objects[dataplane.Hairpin{Device: in}.Key()].(dataplane.Hairpin)
	o, ook := p.objects[dataplane.Hairpin{Device: out}.Key()].(dataplane.Hairpin)
	if iok && ook && (in == out || i.Group == o.Group && o.Group != 0) {
		p.emit(dataplane.HairpinFound{In: in, Out: out, Packet: packet})
	}
}

// Send sends a data packet to a neighbour: it is told if its use is watched; one that
// there is not is missed on a tunnel with Resolve.
func (p *Provider) Send(device string, to netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.objects[dataplane.Neighbor{Device: device, Addr: to}.Key()].(dataplane.Neighbor)
	if d := p.devices[device]; !ok && d != nil && d.tunnel != nil && d.tunnel.Resolve {
		p.emit(dataplane.NeighborMiss{Device: device, Addr: to})
	}
	if ok && p.objects[dataplane.PeerUse{Device: device}.Key()] != nil {
		p.emit(dataplane.PeersUsed{Device: device, NBMA: []netip.Addr{n.NBMA}})
	}
}
