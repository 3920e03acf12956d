// Package fake is a data plane in memory for tests. It obeys the rules of the
// kernel that matter to whoever writes to it: objects need their devices,
// routes need them up, and what a device loses when it goes down or away is
// lost without a word. A test can act as somebody else on it, lose events, and
// have operations fail.
package fake

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// eventLimit is how many events wait for their reader; more become a Resync.
const eventLimit = 1024

// Provider is the data plane. All methods may be called by any goroutine.
type Provider struct {
	mu      sync.Mutex
	fail    func(dataplane.Op) error
	next    int
	devices map[string]*device
	objects map[dataplane.Key]dataplane.Object // all but links and tunnels
	foreign map[dataplane.Key]dataplane.Route  // routes that are not ours
	log     []dataplane.Op
	pending []dataplane.Event
	lossy   bool // events were lost
	silent  bool // events get lost
	events  chan dataplane.Event
	ready   chan struct{}
	closed  chan struct{}
	pumps   sync.WaitGroup
	once    sync.Once
}

// device is a link or a tunnel.
type device struct {
	info   dataplane.LinkInfo
	link   dataplane.Link
	tunnel *dataplane.Tunnel
	before *dataplane.Attrs // attributes before ours, of a device that is not ours
}

var _ dataplane.Provider = (*Provider)(nil)

// New returns a data plane with a loopback and the given devices, which are up.
func New(devices ...string) *Provider {
	p := &Provider{
		devices: map[string]*device{}, objects: map[dataplane.Key]dataplane.Object{},
		foreign: map[dataplane.Key]dataplane.Route{},
		ready:   make(chan struct{}, 1), closed: make(chan struct{}),
	}
	for _, name := range append([]string{"lo"}, devices...) {
		p.addDevice(name, "")
		p.devices[name].info.Up = true
	}
	p.resync()
	return p
}

// Caps implements dataplane.Provider.
func (p *Provider) Caps() dataplane.Caps {
	return dataplane.Caps{Name: "fake", GRE: true, VRF: true, Dummy: true, IPv6: true, AddressOwner: true, NeighborMiss: true, MSSClamp: true, Multicast: true, Hairpin: true, PeerUse: true, Shaper: true, Unmatched: true, Policy: true, ESP: true, IPv6Transport: true, MaxNextHops: 64}
}

// Apply implements dataplane.Provider.
func (p *Provider) Apply(ctx context.Context, ops []dataplane.Op) []dataplane.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	results := make([]dataplane.Result, len(ops))
	for i, op := range ops {
		err := ctx.Err()
		if err == nil && p.fail != nil {
			err = p.fail(op)
		}
		if err == nil {
			err = p.apply(op)
		}
		results[i].Err = err
	}
	return results
}

// FailWith has every operation fail for which f returns an error. nil ends it.
func (p *Provider) FailWith(f func(dataplane.Op) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = f
}

// Changes returns the operations that changed something since the last call.
func (p *Provider) Changes() []dataplane.Op {
	p.mu.Lock()
	defer p.mu.Unlock()
	log := p.log
	p.log = nil
	return log
}

// Dump implements dataplane.Provider; objects come in the order of their keys.
func (p *Provider) Dump(ctx context.Context, kind dataplane.Kind) iter.Seq2[dataplane.Object, error] {
	return func(yield func(dataplane.Object, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		for _, o := range p.snapshot(kind) {
			if !yield(o, nil) {
				return
			}
		}
	}
}

func (p *Provider) snapshot(kind dataplane.Kind) (all []dataplane.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch kind {
	case dataplane.KindLink, dataplane.KindTunnel:
		for _, d := range p.devices {
			o := d.object()
			if t, ok := o.(dataplane.Tunnel); ok && t.Local.IsValid() {
				t.Guarded = p.objects[dataplane.Guard(t.Local).Key()] != nil
				o = t
			}
			if o.Key().Kind == kind {
				all = append(all, o)
			}
		}
	default:
		for k, o := range p.objects {
			if k.Kind == kind {
				all = append(all, o)
			}
		}
		for _, r := range p.foreign {
			if kind == dataplane.KindRoute {
				all = append(all, r)
			}
		}
	}
	slices.SortFunc(all, func(a, b dataplane.Object) int { return strings.Compare(a.Key().String(), b.Key().String()) })
	return all
}

func (d *device) object() dataplane.Object {
	a := dataplane.Attrs{Admin: dataplane.AdminDown, MTU: d.info.MTU, Master: d.info.Master}
	if d.info.Up {
		a.Admin = dataplane.AdminUp
	}
	if d.tunnel != nil {
		t := *d.tunnel
		t.Attrs = a
		return t
	}
	l := d.link
	l.Attrs = a
	return l
}

// Close implements dataplane.Provider.
func (p *Provider) Close() error {
	p.once.Do(func() {
		close(p.closed)
		p.pumps.Wait()
	})
	return nil
}

// Events implements dataplane.Provider. A test that uses Pending does not call it.
func (p *Provider) Events() <-chan dataplane.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.events == nil {
		p.events = make(chan dataplane.Event)
		p.pumps.Add(1)
		go p.pump()
	}
	return p.events
}

// pump hands out events one by one.
func (p *Provider) pump() {
	defer p.pumps.Done()
	defer close(p.events)
	for {
		for _, ev := range p.Pending() {
			select {
			case p.events <- ev:
			case <-p.closed:
				return
			}
		}
		select {
		case <-p.ready:
		case <-p.closed:
			return
		}
	}
}

// Pending returns the events that nobody has read yet.
func (p *Provider) Pending() []dataplane.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lossy {
		p.lossy = false
		p.resync()
	}
	evs := p.pending
	p.pending = nil
	return evs
}

func (p *Provider) emit(ev dataplane.Event) {
	switch {
	case p.silent:
		return
	case len(p.pending) >= eventLimit:
		p.pending, p.lossy = nil, true
	}
	if !p.lossy {
		p.pending = append(p.pending, ev)
	}
	p.signal()
}

func (p *Provider) signal() {
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

// resync tells everything anew.
func (p *Provider) resync() {
	p.pending = []dataplane.Event{dataplane.Resync{}}
	var names []string
	for name := range p.devices {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		p.pending = append(p.pending, dataplane.LinkChanged{Link: p.devices[name].told()})
	}
	var routes []dataplane.Event
	for _, r := range p.foreign {
		routes = append(routes, dataplane.RouteChanged{Route: r})
	}
	slices.SortFunc(routes, func(a, b dataplane.Event) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	p.pending = append(p.pending, routes...)
	for _, o := range p.objects {
		if a, ok := o.(dataplane.Addr); ok {
			p.pending = append(p.pending, dataplane.AddrChanged{Addr: a, Index: p.devices[a.Device].info.Index})
		}
	}
	p.pending = append(p.pending, dataplane.Known{})
	p.signal()
}
