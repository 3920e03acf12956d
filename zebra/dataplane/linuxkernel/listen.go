package linuxkernel

import (
	"context"
	"errors"
	"reflect"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// The groups of notifications that we listen to.
var groups = []int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_NEIGH, unix.RTNLGRP_TC,
}

// resubscribeDelay is the pause before another try when no socket can be opened.
const resubscribeDelay = time.Second

// listen tells everything, and passes on notifications until they overflow;
// then it begins anew with another socket, until Close.
func (p *Provider) listen(s *socket) {
	defer p.running.Done()
	for {
		err := p.follow(s)
		s.close()
		for s = nil; s == nil; {
			if p.isClosed() {
				return
			}
			p.opt.Logger.Warn("netlink notifications were lost, reading everything again", "error", err)
			if !errors.Is(err, unix.ENOBUFS) && !p.pause(resubscribeDelay) {
				return
			}
			s, err = p.subscribe()
		}
	}
}

func (p *Provider) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// pause waits; false means that the provider was closed.
func (p *Provider) pause(d time.Duration) bool {
	select {
	case <-p.closed:
		return false
	case <-time.After(d):
		return true
	}
}

// subscribe opens a socket that collects notifications from now on.
func (p *Provider) subscribe() (*socket, error) {
	s, err := openSocket(p.opt.Namespace, groups...)
	if err != nil {
		return nil, err
	}
	if err := s.dropOwn(p.w.sock.port); err != nil {
		s.close()
		return nil, err
	}
	p.subMu.Lock()
	p.sub = s
	p.subMu.Unlock()
	return s, nil
}

// follow tells everything and then what changes.
func (p *Provider) follow(s *socket) error {
	if p.isClosed() {
		return dataplane.ErrClosed
	}
	if err := p.tellAll(); err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := s.receive(buf, true)
		if err != nil {
			return err
		}
		for m := range messages(buf[:n]) {
			p.notify(m)
		}
	}
}

// tellAll tells everything that exists, framed by Resync and Known.
func (p *Provider) tellAll() error {
	ctx := context.Background()
	p.emit(dataplane.Resync{})
	links, err := p.dumpLinks(ctx)
	if err != nil {
		return err
	}
	there := map[int]bool{}
	for _, l := range links {
		there[l.Index] = true
	}
	for i := range p.told {
		if !there[i] {
			p.names.drop(i)
		}
	}
	clear(p.told)
	for _, l := range links {
		p.tellLink(l)
	}
	err = p.dump(unix.RTM_GETADDR, encodeNothing, p.notify)
	if err != nil {
		return err
	}
	for o, err := range p.Dump(ctx, dataplane.KindRoute) {
		if err != nil {
			return err
		}
		if !dataplane.Own(o) {
			p.emit(dataplane.RouteChanged{Route: o.(dataplane.Route)})
		}
	}
	p.emit(dataplane.Known{})
	return nil
}

// emit passes on an event. While the reader does not read, it waits; what then
// overflows in the kernel becomes a Resync.
func (p *Provider) emit(e dataplane.Event) {
	select {
	case p.events <- e:
	case <-p.closed:
	}
}

// notify makes events of a notification.
func (p *Provider) notify(m message) {
	switch m.typ {
	case unix.RTM_NEWLINK:
		if d, ok := parseLink(m); ok {
			p.linkChanged(d.LinkInfo)
		}
	case unix.RTM_DELLINK:
		if d, ok := parseLink(m); ok {
			p.names.drop(d.Index)
			delete(p.told, d.Index)
			p.dropHairpin(d.Index)
			p.emit(dataplane.LinkGone{Name: d.Name, Index: d.Index})
			if d.Name == carrier {
				p.encapChanged(carrier)
			}
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		p.addrChanged(m)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		p.routeChanged(m)
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH, unix.RTM_GETNEIGH:
		p.neighChanged(m)
	case unix.RTM_NEWTFILTER, unix.RTM_DELTFILTER, unix.RTM_DELQDISC:
		p.filterChanged(m)
		p.shapingChanged(m)
	case unix.RTM_NEWQDISC, unix.RTM_NEWTCLASS, unix.RTM_DELTCLASS:
		p.shapingChanged(m)
	}
}

func (p *Provider) linkChanged(l dataplane.LinkInfo) {
	if old := p.names.put(l); old != "" {
		p.emit(dataplane.LinkGone{Name: old, Index: l.Index})
	}
	p.tellLink(p.names.resolve(l))
}

// tellLink tells of a link unless it was told so before.
func (p *Provider) tellLink(l dataplane.LinkInfo) {
	if old, ok := p.told[l.Index]; ok && reflect.DeepEqual(old, l) {
		return
	}
	p.told[l.Index] = l
	p.emit(dataplane.LinkChanged{Link: l})
}

func (p *Provider) addrChanged(m message) {
	a, ok := parseAddr(m)
	if !ok {
		return
	}
	if a.Device = p.names.name(a.index); a.Device == "" {
		return // its device went first
	}
	a.Foreign = !a.own() && !p.isAdded(a.Key())
	gone := m.typ == unix.RTM_DELADDR
	p.emit(dataplane.AddrChanged{
		Addr: a.Addr, Index: a.index, Gone: gone,
		Secondary: a.flags&unix.IFA_F_SECONDARY != 0,
		Tentative: a.flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0,
	})
	if gone {
		// The kernel takes secondary addresses away with their primary one
		// in our name, so the port does not tell whose wish it was.
		p.emit(dataplane.ObjectGone{Key: a.Key()})
	}
}

func (p *Provider) routeChanged(m message) {
	r, ok := p.parseRoute(m)
	if !ok || r.Protocol == unix.RTPROT_KERNEL {
		return
	}
	gone := m.typ == unix.RTM_DELROUTE
	own := ownRoute(r.Protocol)
	if own || !gone && m.flags&unix.NLM_F_REPLACE != 0 {
		p.emit(dataplane.ObjectGone{Key: r.Key()})
	}
	if !own {
		p.emit(dataplane.RouteChanged{Route: r, Gone: gone})
	}
}

func (p *Provider) neighChanged(m message) {
	n, ok := parseNeighbor(m)
	if !ok {
		return
	}
	l, ok := p.names.link(n.index)
	if !ok || !multipoint(l) {
		return
	}
	n.Device = l.Name
	if m.typ == unix.RTM_GETNEIGH {
		p.emit(dataplane.NeighborMiss{Device: n.Device, Addr: n.Addr})
		return
	}
	p.emit(dataplane.ObjectGone{Key: n.Key()})
}
