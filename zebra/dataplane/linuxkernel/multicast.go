package linuxkernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/replicate"
)

// A replicator is a BPF filter where packets leave a tunnel, before the clamp and
// before anybody who keeps to the usual numbers.
var copyPlace = place{priority: 5, handle: 0x6d6370 /* "mcp" */, prefix: "godmvpn-multicast-"}

func copyName() string { return fmt.Sprintf("%sv%d", copyPlace.prefix, replicate.Revision) }

// copier is the replicator of a device.
type copier struct {
	index int                   // of the device
	id    uint32                // of the program
	r     *replicate.Replicator // nil for a program of an earlier life: its table cannot be changed
	peers table                 // the program's
}

// probeCopier finds out whether the program can be loaded and attached.
func (p *Provider) probeCopier() error {
	return p.probeBPF(func() error {
		r, err := replicate.New(false)
		if err == nil {
			err = r.Close()
		}
		return err
	})
}

// copying returns the filter that copies on a device, nil if there is none.
func copying(fs []filter) *filter {
	for i, f := range fs {
		if f.own(copyPlace) && f.parent == tcEgress {
			return &fs[i]
		}
	}
	return nil
}

// copier returns what is known of the replicator on a device, whose filter is f if
// it has one: nil if nothing. It is called under copyMu.
func (p *Provider) copier(d dataplane.LinkInfo, f *filter) *copier {
	c := p.copiers[d.Name]
	if c != nil && c.index == d.Index {
		return c
	}
	if c != nil || f == nil {
		return nil
	}
	peers, ok := p.ledger.list(f.program, d.Index)
	if !ok {
		return nil
	}
	c = &copier{index: d.Index, id: f.program, peers: peers}
	p.copiers[d.Name] = c
	return c
}

// dropCopier forgets the replicator of a device. It is called under copyMu.
func (p *Provider) dropCopier(name string) {
	c := p.copiers[name]
	if c == nil {
		return
	}
	if c.r != nil {
		c.r.Close()
	}
	p.ledger.end(c.id)
	delete(p.copiers, name)
}

// replicated returns a multipoint tunnel and the filters on it.
func (p *Provider) replicated(name string) (d device, fs []filter, err error) {
	d, ok, err := p.device(name)
	switch {
	case err != nil:
		return d, nil, err
	case !ok:
		return d, nil, fmt.Errorf("%s: %w", name, dataplane.ErrNoDevice)
	case d.GRE == nil || d.GRE.Remote.IsValid():
		return d, nil, fmt.Errorf("%s is not a multipoint tunnel: %w", name, dataplane.ErrInvalid)
	}
	fs, err = p.filters(d.Index)
	return d, fs, err
}

func (p *Provider) putMulticast(m dataplane.Multicast) error {
	if m.Outdated {
		return fmt.Errorf("%v: %w", m.Key(), dataplane.ErrInvalid)
	}
	d, fs, err := p.replicated(m.Device)
	if err == nil {
		err = p.putBroadcast(d)
	}
	if err == nil && p.uncopied() != nil {
		err = fmt.Errorf("multicast cannot be copied to the peers: %w: %w", p.uncopied(), dataplane.ErrUnsupported)
	}
	if err == nil {
		err = p.attach(d, fs)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", m.Key(), err)
	}
	return nil
}

// attach brings the program into force, unless it is.
func (p *Provider) attach(d device, fs []filter) error {
	for _, f := range fs {
		if f.at(copyPlace) && !f.own(copyPlace) && f.parent == tcEgress {
			return fmt.Errorf("somebody's filter has priority %d and handle %#x", copyPlace.priority, copyPlace.handle)
		}
	}
	p.copyMu.Lock()
	defer p.copyMu.Unlock()
	if c := p.copiers[d.Name]; c != nil && c.index != d.Index { // another device of the name
		p.dropCopier(d.Name)
	}
	f := copying(fs)
	c := p.copier(d.LinkInfo, f)
	switch {
	case c == nil:
		return p.renew(d, nil)
	case f != nil && f.program == c.id && f.name == copyName():
		return nil
	case c.r == nil:
		return p.renew(d, c.peers)
	}
	if err := p.putClsact(d); err != nil { // somebody took the filter away
		return err
	}
	return p.putFilter(d, tcEgress, copyPlace, c.r.FD(), copyName())
}

// renew makes a program for peers and puts it in the place of the one that is in
// force: each packet meets one or the other. It is called under copyMu.
func (p *Provider) renew(d device, peers table) (err error) {
	r, err := replicate.New(d.Kind == kindGRE6)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	for nbma := range peers {
		if err := r.Add(nbma); err != nil {
			return err
		}
	}
	id, err := r.ID()
	if err != nil {
		return err
	}
	if err := p.putClsact(d); err != nil {
		return err
	}
	p.ledger.begin(id, d.Index, d.Name, peers)
	if err := p.putFilter(d, tcEgress, copyPlace, r.FD(), copyName()); err != nil {
		p.ledger.end(id)
		return err
	}
	p.dropCopier(d.Name)
	c := &copier{index: d.Index, id: id, r: r, peers: maps.Clone(peers)}
	if c.peers == nil {
		c.peers = table{}
	}
	p.copiers[d.Name] = c
	return nil
}

// change puts a peer of a device into the table, or takes it out.
func (p *Provider) change(o dataplane.MulticastPeer, in bool) error {
	p.copyMu.Lock()
	defer p.copyMu.Unlock()
	c := p.copiers[o.Device]
	var d device
	if now, _ := p.names.index(o.Device); c == nil || c.r == nil || c.index != now {
		var fs []filter
		var err error
		if d, fs, err = p.replicated(o.Device); err != nil {
			return err
		}
		if c = p.copier(d.LinkInfo, copying(fs)); c == nil {
			return dataplane.ErrNoMulticast
		}
	}
	switch _, is := c.peers[o.NBMA]; {
	case is == in:
		return nil
	case c.r == nil:
		peers := maps.Clone(c.peers)
		if peers[o.NBMA] = 0; !in {
			delete(peers, o.NBMA)
		}
		return p.renew(d, peers)
	case in:
		p.ledger.add(c.id, o.NBMA, 0)
		if err := c.r.Add(o.NBMA); err != nil {
			p.ledger.remove(c.id, o.NBMA)
			return err
		}
		c.peers[o.NBMA] = 0
	default:
		if err := c.r.Remove(o.NBMA); err != nil {
			return err
		}
		p.ledger.remove(c.id, o.NBMA)
		delete(c.peers, o.NBMA)
	}
	p.w.writes++
	return nil
}

func (p *Provider) putPeer(o dataplane.MulticastPeer) error {
	if err := o.Check(); err != nil {
		return err
	}
	if p.uncopied() != nil {
		return fmt.Errorf("%v: %w: %w", o.Key(), p.uncopied(), dataplane.ErrUnsupported)
	}
	err := p.transport(o.Device, o.NBMA)
	if err == nil {
		err = p.change(o, true)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", o.Key(), err)
	}
	return nil
}

func (p *Provider) deletePeer(k dataplane.Key) error {
	err := p.change(dataplane.MulticastPeer{Device: k.Name, NBMA: k.Prefix.Addr()}, false)
	if errors.Is(err, dataplane.ErrNoMulticast) || errors.Is(err, dataplane.ErrNoDevice) || errors.Is(err, dataplane.ErrInvalid) {
		return nil // it went with them
	}
	if err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	return nil
}

func (p *Provider) deleteMulticast(k dataplane.Key) error {
	if err := p.deleteFilters(k.Name, copyPlace); err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	p.copyMu.Lock()
	defer p.copyMu.Unlock()
	p.dropCopier(k.Name)
	return nil
}

// dumpMulticast yields the replicators, or their peers.
func (p *Provider) dumpMulticast(ctx context.Context, kind dataplane.Kind, yield func(dataplane.Object, error) bool) {
	devices, err := p.dumpDevicesNow(ctx)
	if err != nil {
		yield(nil, err)
		return
	}
	links := make([]dataplane.LinkInfo, len(devices))
	broadcast := map[int]bool{}
	for i, d := range devices {
		links[i], broadcast[d.Index] = d.LinkInfo, d.broadcast == broadcastOf(d.Kind == kindGRE6)
	}
	err = p.filtered(links, func(l dataplane.LinkInfo, fs []filter) bool {
		f := copying(fs)
		if f == nil {
			return true
		}
		peers, known := p.listed(l, f)
		if kind == dataplane.KindMulticast {
			return yield(dataplane.Multicast{Device: l.Name, Outdated: !known || !broadcast[l.Index] || f.name != copyName()}, nil)
		}
		for nbma := range peers {
			if !yield(dataplane.MulticastPeer{Device: l.Name, NBMA: nbma}, nil) {
				return false
			}
		}
		return true
	})
	if err != nil {
		yield(nil, err)
	}
}

// listed returns the peers of the program that a filter runs.
func (p *Provider) listed(l dataplane.LinkInfo, f *filter) (peers table, known bool) {
	p.copyMu.Lock()
	defer p.copyMu.Unlock()
	c := p.copier(l, f)
	if c == nil || c.id != f.program {
		return nil, false
	}
	return maps.Clone(c.peers), true
}

// putBroadcast gives a multipoint tunnel the link-layer broadcast address by which
// the replicator knows what is for everybody, unless it has it.
func (p *Provider) putBroadcast(d device) error {
	want := broadcastOf(d.Kind == kindGRE6)
	if d.broadcast == want {
		return nil
	}
	return p.keepNeighbors(d.Index, func() error {
		err := p.w.do(unix.RTM_SETLINK, 0, func(e *encoder) {
			linkHeader(e, d.Index, 0, 0)
			e.addr(unix.IFLA_BROADCAST, want)
		})
		if err != nil {
			return fmt.Errorf("broadcast address of %s: %w", d.Name, err)
		}
		return nil
	})
}

// broadcastOf is the link-layer broadcast address of multipoint tunnels over IPv4 or
// IPv6.
func broadcastOf(six bool) netip.Addr {
	if six {
		return replicate.Broadcast6
	}
	return replicate.Broadcast
}

// keepNeighbors does what makes the kernel forget a device's neighbours, and puts
// the permanent ones back.
func (p *Provider) keepNeighbors(index int, do func() error) error {
	var kept []neighbor
	err := p.dump(unix.RTM_GETNEIGH, func(e *encoder) { e.raw(make([]byte, unix.SizeofNdMsg)...) }, func(m message) {
		if n, ok := parseNeighbor(m); ok && n.index == index && n.state == unix.NUD_PERMANENT && n.NBMA.IsValid() {
			kept = append(kept, n)
		}
	})
	if err != nil {
		return fmt.Errorf("reading neighbours: %w", err)
	}
	err = do()
	for _, n := range kept {
		err = errors.Join(err, p.w.do(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, func(e *encoder) {
			neighHeader(e, family(n.Addr), index, unix.NUD_PERMANENT)
			e.addr(unix.NDA_DST, n.Addr)
			e.addr(unix.NDA_LLADDR, n.NBMA)
		}))
	}
	return err
}
