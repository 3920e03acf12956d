package linuxkernel

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// xfrmGroups are the groups of notifications about SAs and policies.
var xfrmGroups = []int{xfrmGroupAcquire, xfrmGroupExpire, xfrmGroupSA, xfrmGroupPolicy, xfrmGroupMapping}

// subscribeXfrm opens a socket that collects notifications from now on.
func (p *Provider) subscribeXfrm() (*socket, error) {
	s, err := openSocketOf(p.opt.Namespace, unix.NETLINK_XFRM, xfrmGroups...)
	if err == nil {
		p.subMu.Lock()
		p.subX = s
		p.subMu.Unlock()
	}
	return s, err
}

// listenXfrm passes on notifications about SAs and policies, until Close. If they
// overflow it opens another socket, and says that some may have been lost.
func (p *Provider) listenXfrm(s *socket) {
	defer p.running.Done()
	buf := make([]byte, 64<<10)
	for {
		n, err := s.receive(buf, true)
		if err == nil {
			for m := range messages(buf[:n]) {
				p.notifyXfrm(m)
			}
			continue
		}
		s.close()
		for s = nil; s == nil; {
			if p.isClosed() {
				return
			}
			p.opt.Logger.Warn("notifications about security associations were lost", "error", err)
			if !errors.Is(err, unix.ENOBUFS) && !p.pause(resubscribeDelay) {
				return
			}
			s, err = p.subscribeXfrm()
		}
		p.emit(dataplane.Unsure{})
	}
}

// notifyXfrm makes events of a notification. What this Provider's writer did is not
// told.
func (p *Provider) notifyXfrm(m message) {
	own := m.port == p.x.sock.port
	switch m.typ {
	case xfrmAcquire:
		if a, ok := parseAcquire(m.data); ok {
			if guards := p.those(guardKey6); a.Source == exit6.Local && len(guards) == 1 {
				a.Source, _ = netip.ParseAddr(guards[0].Name)
			}
			p.sample(a)
		}
	case xfrmMapping:
		if c, ok := parseMapping(m.data); ok {
			p.sample(c)
		}
	case xfrmExpire:
		if len(m.data) >= expireLen {
			p.expired(m)
		}
	case xfrmDelSA, xfrmNewSA, xfrmUpdSA:
		if s, ok := changedState(m); ok && !own && (m.typ != xfrmNewSA || s.reqid != reqid) {
			p.emit(dataplane.ObjectGone{Key: s.Key()})
		}
	case xfrmDelPolicy, xfrmUpdPolicy, xfrmNewPolicy:
		if o, ok := changedPolicy(m); ok && !own {
			p.emit(dataplane.ObjectGone{Key: o.Key()})
			if o.Local == exit6.Local {
				p.lostPolicies(guardKey6)
			}
		}
	case xfrmFlushPolicy:
		p.lostPolicies(func(dataplane.Key) bool { return true })
	case xfrmFlushSA:
		p.emit(dataplane.Unsure{})
	}
}

// sample passes on an event, unless its reader does not keep up.
func (p *Provider) sample(e dataplane.Event) {
	select {
	case p.events <- e:
	default:
	}
}

// parseAcquire reads a struct xfrm_user_acquire. ok is false if it is not for a policy
// of ours. The addresses are those of the packet, so the peer's alias where it has one:
// the selector of the packet has the key of GRE where others have ports, which is of no
// meaning for an SA.
func parseAcquire(b []byte) (a dataplane.Acquire, ok bool) {
	if len(b) < acquireLen {
		return a, false
	}
	const selector, policy = 40, 96
	fam := native.Uint16(b[selector+40:])
	if fam != unix.AF_INET && fam != unix.AF_INET6 || b[20] != protoESP {
		return a, false
	}
	a.Destination, a.Source = getXfrmAddr(b, fam), getXfrmAddr(b[24:], fam)
	for typ, v := range attrs(b[acquireLen:]) {
		if typ == xfrmaTemplate {
			ok = len(v) == templateLen && native.Uint32(v[44:]) == reqid
			if ok && v[48] == xfrmBEET {
				a.Destination = getXfrmAddr(b[selector:], fam)
			}
		}
	}
	return a, ok
}

// parseMapping reads a struct xfrm_user_mapping.
func parseMapping(b []byte) (c dataplane.MappingChanged, ok bool) {
	if len(b) < mappingLen {
		return c, false
	}
	fam := native.Uint16(b[20:])
	if fam != unix.AF_INET && fam != unix.AF_INET6 || native.Uint32(b[24:]) != reqid {
		return c, false
	}
	c.Key = dataplane.Key{Kind: dataplane.KindSA, Table: getBE32(b[16:]), Prefix: hostPrefix(getXfrmAddr(b, fam))}
	c.Old = netip.AddrPortFrom(getXfrmAddr(b[28:], fam), getBE16(b[60:]))
	c.New = netip.AddrPortFrom(getXfrmAddr(b[44:], fam), getBE16(b[62:]))
	return c, true
}

// expired tells of a limit that was reached. m holds a struct xfrm_user_expire.
func (p *Provider) expired(m message) {
	hard := m.data[saLen] != 0
	// Attributes follow what follows the SA.
	s, ok := parseState(append(m.data[:saLen:saLen], m.data[expireLen:]...))
	if !ok || s.reqid != reqid {
		return
	}
	p.emit(dataplane.SAExpired{Key: s.Key(), Hard: hard})
	if hard {
		p.emit(dataplane.ObjectGone{Key: s.Key()})
	}
}

// changedState returns the SA that a notification is about.
func changedState(m message) (s xfrmState, ok bool) {
	if m.typ != xfrmDelSA {
		return parseState(m.data)
	}
	for typ, v := range attrs(m.body(saIDLen)) {
		if typ == xfrmaSA && len(v) >= saLen {
			s, ok = parseState(v[:saLen])
		}
	}
	return s, ok && s.reqid == reqid
}

// changedPolicy returns the policy that a notification is about, whoever's it is now.
func changedPolicy(m message) (o dataplane.Policy, ok bool) {
	b := m.data
	if m.typ == xfrmDelPolicy {
		b = nil
		for typ, v := range attrs(m.body(policyIDLen)) {
			if typ == xfrmaPolicy && len(v) >= policyLen {
				b = append(v[:policyLen:policyLen], m.body(policyIDLen)...)
			}
		}
	}
	o, _, own := parsePolicy(b)
	return o, own || o.Local.IsValid()
}

// guardKey6 reports whether a key is that of a guard of an IPv6 address.
func guardKey6(k dataplane.Key) bool {
	return k.Prefix == exit6.Peer && k.Name != exit6.Local.String()
}

// those returns the policies of ours that there are and for which f holds.
func (p *Provider) those(f func(dataplane.Key) bool) (all []dataplane.Key) {
	p.guardMu.Lock()
	defer p.guardMu.Unlock()
	for k := range p.guarded { // in any order
		if f(k) {
			all = append(all, k)
		}
	}
	return all
}

// lostPolicies tells that policies of ours are gone.
func (p *Provider) lostPolicies(which func(dataplane.Key) bool) {
	for _, k := range p.those(which) {
		p.emit(dataplane.ObjectGone{Key: k})
	}
}
