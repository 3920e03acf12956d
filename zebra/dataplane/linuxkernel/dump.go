package linuxkernel

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// A dump that the kernel interrupts, since the table changed under it, is tried
// again this often.
const dumpTries = 30

// dumpTimeout bounds the waiting for the next part of a dump.
const dumpTimeout = 30 * time.Second

var errInterrupted = errors.New("dump was interrupted by changes")

// dump sends a dump request and hands every message of a complete answer to f.
func (p *Provider) dump(typ uint16, encode func(*encoder), f func(message)) error {
	chunks, err := p.dumpRaw(context.Background(), unix.NETLINK_ROUTE, typ, encode)
	for _, c := range chunks {
		for m := range messages(c) {
			f(m)
		}
	}
	return err
}

// dumpRaw returns the datagrams of a consistent dump.
func (p *Provider) dumpRaw(ctx context.Context, protocol int, typ uint16, encode func(*encoder)) ([][]byte, error) {
	s, err := openSocketOf(p.opt.Namespace, protocol)
	if err != nil {
		return nil, err
	}
	defer s.close()
	buf := make([]byte, 64<<10) // the kernel fills 32 KiB at most
	for try := uint32(1); try <= dumpTries; try++ {
		chunks, err := dumpOnce(ctx, s, buf, try, typ, encode)
		if !errors.Is(err, errInterrupted) {
			return chunks, err
		}
	}
	return nil, errInterrupted
}

func dumpOnce(ctx context.Context, s *socket, buf []byte, seq uint32, typ uint16, encode func(*encoder)) ([][]byte, error) {
	var e encoder
	start := e.begin(typ, unix.NLM_F_DUMP, seq)
	encode(&e)
	e.end(start)
	if err := s.send(e.b); err != nil {
		return nil, err
	}
	var chunks [][]byte
	interrupted := false
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.setDeadline(time.Now().Add(dumpTimeout))
		n, err := s.receive(buf, true)
		if err != nil {
			return nil, fmt.Errorf("dump: %w", err)
		}
		for m := range messages(buf[:n]) {
			if m.seq != seq {
				continue
			}
			interrupted = interrupted || m.flags&unix.NLM_F_DUMP_INTR != 0
			switch {
			case m.typ == unix.NLMSG_ERROR:
				return nil, verdict(m)
			case m.typ != unix.NLMSG_DONE:
			case len(m.data) >= 4 && int32(native.Uint32(m.data)) < 0:
				return nil, &kernelError{errno: unix.Errno(-int32(native.Uint32(m.data)))}
			case interrupted:
				return nil, errInterrupted
			default:
				return append(chunks, slices.Clone(buf[:n])), nil
			}
		}
		chunks = append(chunks, slices.Clone(buf[:n]))
	}
}

// Dump implements dataplane.Provider.
func (p *Provider) Dump(ctx context.Context, kind dataplane.Kind) iter.Seq2[dataplane.Object, error] {
	switch kind {
	case dataplane.KindSysctl:
		return p.dumpSysctls
	case dataplane.KindPolicy:
		return func(yield func(dataplane.Object, error) bool) { p.dumpPolicies(ctx, yield) }
	case dataplane.KindSA:
		return func(yield func(dataplane.Object, error) bool) { p.dumpSAs(ctx, yield) }
	case dataplane.KindLink, dataplane.KindTunnel:
		return func(yield func(dataplane.Object, error) bool) { p.dumpDevices(ctx, kind, yield) }
	case dataplane.KindMSSClamp:
		return func(yield func(dataplane.Object, error) bool) { p.dumpClamps(ctx, yield) }
	case dataplane.KindMulticast, dataplane.KindMulticastPeer:
		return func(yield func(dataplane.Object, error) bool) { p.dumpMulticast(ctx, kind, yield) }
	case dataplane.KindHairpin:
		return func(yield func(dataplane.Object, error) bool) { p.dumpHairpins(ctx, yield) }
	case dataplane.KindPeerUse:
		return func(yield func(dataplane.Object, error) bool) { p.dumpUse(ctx, yield) }
	case dataplane.KindUnmatched:
		return func(yield func(dataplane.Object, error) bool) { p.dumpNomatch(ctx, yield) }
	case dataplane.KindESPinUDP:
		return func(yield func(dataplane.Object, error) bool) { p.dumpESPinUDP(ctx, yield) }
	case dataplane.KindShaper:
		return func(yield func(dataplane.Object, error) bool) { p.dumpShapers(ctx, yield) }
	case dataplane.KindAddr:
		return p.dumpObjects(ctx, unix.RTM_GETADDR, unix.SizeofIfAddrmsg, unix.AF_UNSPEC, p.addrObject)
	case dataplane.KindRoute:
		return p.dumpRoutes(ctx)
	case dataplane.KindNeighbor:
		return p.dumpObjects(ctx, unix.RTM_GETNEIGH, unix.SizeofNdMsg, unix.AF_UNSPEC, p.neighborObject)
	}
	return func(func(dataplane.Object, error) bool) {}
}

// dumpObjects dumps one kind, parsed by parse. Names of devices are brought up
// to date first.
func (p *Provider) dumpObjects(ctx context.Context, typ uint16, header int, fam uint8,
	parse func(message) (dataplane.Object, bool)) iter.Seq2[dataplane.Object, error] {
	return func(yield func(dataplane.Object, error) bool) {
		if _, err := p.dumpLinks(ctx); err != nil {
			yield(nil, err)
			return
		}
		p.yieldDump(ctx, typ, header, fam, parse, yield)
	}
}

func (p *Provider) yieldDump(ctx context.Context, typ uint16, header int, fam uint8,
	parse func(message) (dataplane.Object, bool), yield func(dataplane.Object, error) bool) bool {
	chunks, err := p.dumpRaw(ctx, unix.NETLINK_ROUTE, typ, func(e *encoder) {
		e.raw(fam)
		e.raw(make([]byte, header-1)...)
	})
	if err != nil {
		yield(nil, fmt.Errorf("reading the kernel's tables: %w", err))
		return false
	}
	for i, c := range chunks {
		chunks[i] = nil
		for m := range messages(c) {
			if o, ok := parse(m); ok && !yield(o, nil) {
				return false
			}
		}
	}
	return true
}

func (p *Provider) dumpRoutes(ctx context.Context) iter.Seq2[dataplane.Object, error] {
	parse := func(m message) (dataplane.Object, bool) {
		if m.typ != unix.RTM_NEWROUTE {
			return nil, false
		}
		r, ok := p.parseRoute(m)
		return r, ok && r.Protocol != unix.RTPROT_KERNEL
	}
	return func(yield func(dataplane.Object, error) bool) {
		if _, err := p.dumpLinks(ctx); err != nil {
			yield(nil, err)
			return
		}
		if !p.yieldDump(ctx, unix.RTM_GETROUTE, unix.SizeofRtMsg, unix.AF_INET, parse, yield) || !p.caps.IPv6 {
			return
		}
		p.yieldDump(ctx, unix.RTM_GETROUTE, unix.SizeofRtMsg, unix.AF_INET6, parse, yield)
	}
}

func (p *Provider) addrObject(m message) (dataplane.Object, bool) {
	a, ok := parseAddr(m)
	if !ok || m.typ != unix.RTM_NEWADDR {
		return nil, false
	}
	a.Device = p.names.name(a.index)
	a.Foreign = !a.own() && !p.isAdded(a.Key())
	return a.Addr, a.Device != ""
}

func (p *Provider) neighborObject(m message) (dataplane.Object, bool) {
	n, ok := parseNeighbor(m)
	if !ok || m.typ != unix.RTM_NEWNEIGH || n.state != unix.NUD_PERMANENT || n.Addr.IsMulticast() {
		return nil, false
	}
	l, ok := p.names.link(n.index)
	n.Device = l.Name
	return n.Neighbor, ok && multipoint(l)
}

// dumpLinks reads all devices and brings the names up to date.
func (p *Provider) dumpLinks(ctx context.Context) ([]dataplane.LinkInfo, error) {
	devices, err := p.dumpDevicesNow(ctx)
	links := make([]dataplane.LinkInfo, len(devices))
	for i, d := range devices {
		links[i] = d.LinkInfo
	}
	return links, err
}

// dumpDevicesNow is dumpLinks with all that is read.
func (p *Provider) dumpDevicesNow(ctx context.Context) ([]device, error) {
	chunks, err := p.dumpRaw(ctx, unix.NETLINK_ROUTE, unix.RTM_GETLINK, func(e *encoder) { linkHeader(e, 0, 0, 0) })
	if err != nil {
		return nil, fmt.Errorf("reading the kernel's links: %w", err)
	}
	var links []device
	for _, c := range chunks {
		for m := range messages(c) {
			if d, ok := parseLink(m); ok && m.typ == unix.RTM_NEWLINK {
				p.names.put(d.LinkInfo)
				links = append(links, d)
			}
		}
	}
	// Only by what was dumped: a tunnel goes on with the index of an underlay
	// that is gone, whose name may still be remembered.
	here := newNames()
	for _, l := range links {
		here.put(l.LinkInfo)
	}
	for i := range links {
		links[i].LinkInfo = here.resolve(links[i].LinkInfo)
	}
	return links, nil
}

func (p *Provider) dumpDevices(ctx context.Context, kind dataplane.Kind, yield func(dataplane.Object, error) bool) {
	links, err := p.dumpLinks(ctx)
	guards := map[netip.Addr]bool{}
	if err == nil && kind == dataplane.KindTunnel {
		guards, err = p.guards(ctx)
	}
	if err != nil {
		yield(nil, err)
		return
	}
	for _, l := range links {
		tunnel := l.Own && l.GRE != nil
		if tunnel != (kind == dataplane.KindTunnel) {
			continue
		}
		if !tunnel {
			if !yield(p.linkObject(l), nil) {
				return
			}
			continue
		}
		t, err := p.tunnelObject(l)
		t.Guarded = guards[t.Local]
		if !yield(t, err) || err != nil {
			return
		}
	}
}

func (p *Provider) attrsOf(l dataplane.LinkInfo) dataplane.Attrs {
	a := dataplane.Attrs{Admin: dataplane.AdminDown, MTU: l.MTU}
	if l.Up {
		a.Admin = dataplane.AdminUp
	}
	if m, ok := p.names.link(l.MasterIndex); ok && m.Kind == "vrf" {
		a.Master = m.Name
	}
	return a
}

func (p *Provider) linkObject(l dataplane.LinkInfo) dataplane.Link {
	o := dataplane.Link{Name: l.Name, Attrs: p.attrsOf(l)}
	switch {
	case l.Own && l.Kind == "dummy":
		o.Type = dataplane.LinkDummy
	case l.Own && l.Kind == "vrf":
		o.Type, o.Table = dataplane.LinkVRF, l.Table
	}
	return o
}

func (p *Provider) tunnelObject(l dataplane.LinkInfo) (dataplane.Tunnel, error) {
	g := l.GRE
	t := dataplane.Tunnel{
		Name: l.Name, Local: g.Local, Remote: g.Remote, HasKey: g.HasKey, GREKey: g.Key, TTL: g.TTL, TOS: g.TOS,
		PathMTUDiscovery: g.PathMTUDiscovery, Underlay: g.Underlay, Dormant: l.Dormant, Attrs: p.attrsOf(l),
	}
	if !t.Multipoint() {
		return t, nil
	}
	if t.IPv6() {
		sends, err := p.encaps(l)
		if err != nil {
			return t, err
		}
		t.Outdated = !sends
	}
	pr, err := p.probes(l.Index)
	t.Resolve = pr[unix.AF_INET] == probesResolve
	return t, err
}

// dumpSysctls yields the switches that we changed.
func (p *Provider) dumpSysctls(yield func(dataplane.Object, error) bool) {
	p.savedMu.Lock()
	var paths []string
	for path := range p.saved.Sysctls {
		paths = append(paths, path)
	}
	p.savedMu.Unlock()
	slices.Sort(paths)
	for _, path := range paths {
		v, err := p.readSysctl(path)
		if errors.Is(err, dataplane.ErrNoDevice) {
			continue
		}
		if !yield(dataplane.Sysctl{Path: path, Value: v}, err) || err != nil {
			return
		}
	}
}
