package linuxkernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// A Policy is two policies of the kernel, for the packets that go out and those that
// come in. Each asks for ESP (a template that is not optional), so that the kernel
// drops what there is no SA for, be there a daemon to make one or not.

// directions are those of the policies of one Policy.
var directions = [...]uint8{xfrmOut, xfrmIn}

// guardPriority is the kernel's number for a policy about everybody; smaller numbers go
// first. It is small enough to go before what IKE daemons give their own.
const guardPriority = 1024

// priorityOf is the kernel's number for a policy: those about more of the address go
// first.
func priorityOf(p dataplane.Policy) uint32 { return uint32(guardPriority - p.Peer.Bits()) }

// exit6 is the kernel policy, out, that stands beside the guards of IPv6 addresses: for
// packets of multipoint tunnels over IPv6 the kernel asks for policies and SAs before it
// has their source, with the unspecified address in its place (seen with Linux 6.1).
var exit6 = dataplane.Policy{Policy: rib.Policy{Local: netip.IPv6Unspecified(), Peer: netip.PrefixFrom(netip.IPv6Unspecified(), 0)}}

// isGuard6 reports whether a policy is a guard that needs exit6.
func isGuard6(p dataplane.Policy) bool { return p.IsGuard() && p.Local.Is6() && p.Local != exit6.Local }

// parts are the kernel's policies for a Policy.
func parts(p dataplane.Policy) []half {
	all := []half{{p, xfrmOut}, {p, xfrmIn}}
	if isGuard6(p) {
		all = append(all, half{exit6, xfrmOut})
	}
	return all
}

// sources is the prefix of the sources that a policy is about.
func sources(local netip.Addr) netip.Prefix {
	if local == exit6.Local {
		return exit6.Peer
	}
	return hostPrefix(local)
}

// policySelector appends the selector of one direction.
func policySelector(e *encoder, local netip.Addr, peer netip.Prefix, dir uint8) {
	if dir == xfrmOut {
		xfrmSelector(e, sources(local), peer, protoGRE)
		return
	}
	xfrmSelector(e, peer, sources(local), protoGRE)
}

// policyMessage appends a struct xfrm_userpolicy_info and its attributes.
func policyMessage(e *encoder, p dataplane.Policy, dir uint8) {
	policySelector(e, p.Local, p.Peer, dir)
	limits(e, rib.Lifetime{})
	e.raw(make([]byte, 32)...) // what it counted
	e.raw32(priorityOf(p))
	e.raw32(0)          // the kernel gives the index
	e.raw(dir, 0, 0, 0) // XFRM_POLICY_ALLOW, for all users
	e.raw(make([]byte, 4)...)
	from, to, mode := templateEnds(p, dir)
	t := e.open(xfrmaTemplate)
	xfrmAddr(e, to) // struct xfrm_id: by any SPI
	e.raw32(0)
	e.raw(protoESP, 0, 0, 0)
	e.b = native.AppendUint16(e.b, uint16(family(p.Local)))
	e.raw(0, 0)
	xfrmAddr(e, from)
	e.raw32(reqid)
	e.raw(mode, 0, 0, 0) // not optional
	for range 3 {
		e.raw32(^uint32(0)) // all algorithms
	}
	e.shut(t)
}

// templateEnds returns the addresses and the mode of the associations that a policy asks
// for in one direction: those of the packet itself, whatever they are, or the ones that
// the peer's packets have in place of its alias.
func templateEnds(p dataplane.Policy, dir uint8) (from, to netip.Addr, mode uint8) {
	switch {
	case !p.Outer.IsValid():
		return netip.Addr{}, netip.Addr{}, xfrmTransport
	case dir == xfrmOut:
		return p.Local, p.Outer, xfrmBEET
	}
	return p.Outer, p.Local, xfrmBEET
}

// parseTemplate takes in the template of a policy. sound is false if it is not as we make
// it.
func parseTemplate(p *dataplane.Policy, dir uint8, v []byte) (sound bool) {
	to, from := getXfrmAddr(v, unix.AF_INET), getXfrmAddr(v[28:], unix.AF_INET)
	if v[48] == xfrmBEET {
		p.Outer = to
		if dir == xfrmIn {
			p.Outer = from
		}
	}
	wantFrom, wantTo, mode := templateEnds(*p, dir)
	ends := mode == xfrmTransport || from == wantFrom && to == wantTo
	// Not optional, ESP, by any SPI.
	return ends && v[48] == mode && v[50] == 0 && v[20] == protoESP && native.Uint32(v[16:]) == 0
}

// policyID appends a struct xfrm_userpolicy_id.
func policyID(e *encoder, p dataplane.Policy, dir uint8) {
	policySelector(e, p.Local, p.Peer, dir)
	e.raw32(0)
	e.raw(dir, 0, 0, 0)
}

// parsePolicy reads a struct xfrm_userpolicy_info and the attributes behind it. ok is
// false if it is not ours.
func parsePolicy(b []byte) (p dataplane.Policy, dir uint8, ok bool) {
	if len(b) < policyLen {
		return p, 0, false
	}
	fam, dir := native.Uint16(b[40:]), b[160]
	if fam != unix.AF_INET && fam != unix.AF_INET6 || dir != xfrmOut && dir != xfrmIn || b[44] != protoGRE {
		return p, 0, false
	}
	dst := netip.PrefixFrom(getXfrmAddr(b, fam), int(b[42]))
	src := netip.PrefixFrom(getXfrmAddr(b[16:], fam), int(b[43]))
	if dir == xfrmIn {
		src, dst = dst, src
	}
	if !src.IsValid() || !dst.IsValid() || !src.IsSingleIP() && (src != exit6.Peer || dst != exit6.Peer || dir != xfrmOut) {
		return p, 0, false
	}
	p.Local, p.Peer = src.Addr(), dst.Masked()
	sound := false
	for typ, v := range attrs(b[policyLen:]) {
		if typ == xfrmaTemplate {
			ok = len(v) == templateLen && native.Uint32(v[44:]) == reqid
			sound = ok && parseTemplate(&p, dir, v)
		}
	}
	const allow = 0
	p.Outdated = !sound || b[161] != allow || native.Uint32(b[152:]) != priorityOf(p)
	return p, dir, ok
}

// sound reports whether one direction of a policy is there, as Put makes it.
func (p *Provider) sound(o dataplane.Policy, dir uint8) (sound bool, err error) {
	err = p.x.get(xfrmGetPolicy, 0, func(e *encoder) { policyID(e, o, dir) }, func(m message) {
		if have, d, ok := parsePolicy(m.data); ok && m.typ == xfrmNewPolicy && d == dir {
			sound = have.Equal(o)
		}
	})
	if is(err, unix.ENOENT) {
		err = nil
	}
	return sound, err
}

func (p *Provider) putPolicy(o dataplane.Policy) error {
	if err := o.Check(); err != nil {
		return err
	}
	if p.noPolicy != nil {
		return fmt.Errorf("%v: %w: %w", o.Key(), p.noPolicy, dataplane.ErrUnsupported)
	}
	for _, h := range parts(o) {
		sound, err := p.sound(h.Policy, h.dir)
		if err == nil && !sound {
			err = p.x.do(xfrmUpdPolicy, 0, func(e *encoder) { policyMessage(e, h.Policy, h.dir) })
		}
		if err != nil {
			return fmt.Errorf("%v: %w", o.Key(), err)
		}
	}
	p.setGuarded(o.Key(), true)
	return nil
}

// needGuard takes a tunnel down whose source has no guard, and says so.
func (p *Provider) needGuard(t dataplane.Tunnel) error {
	guard, err := dataplane.Guard(t.Local), p.noPolicy
	for _, h := range parts(guard) {
		if err == nil {
			var sound bool
			if sound, err = p.sound(h.Policy, h.dir); err == nil && !sound {
				err = fmt.Errorf("no %v", guard.Key())
			}
		}
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("tunnel %s: %w: %w", t.Name, err, dataplane.ErrNoGuard)
	d, ok, derr := p.device(t.Name)
	if derr == nil && ok && d.Up {
		derr = p.setFlags(d.Index, 0, unix.IFF_UP)
	}
	return errors.Join(err, derr)
}

// guards returns the addresses whose guard is in force.
func (p *Provider) guards(ctx context.Context) (map[netip.Addr]bool, error) {
	there := map[netip.Addr]bool{}
	var failed error
	p.dumpPolicies(ctx, func(o dataplane.Object, err error) bool {
		if failed = err; err == nil {
			if g := o.(dataplane.Policy); g.IsGuard() && !g.Outdated {
				there[g.Local] = true
			}
		}
		return err == nil
	})
	return there, failed
}

func (p *Provider) deletePolicy(k dataplane.Key) error {
	if p.noPolicy != nil {
		return nil
	}
	all, err := p.policies(context.Background())
	if err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	others := slices.ContainsFunc(all, func(h half) bool { return isGuard6(h.Policy) && h.Key() != k })
	for _, h := range all {
		if h.Key() != k && (h.Key() != exit6.Key() || others) {
			continue
		}
		err := p.x.do(xfrmDelPolicy, 0, func(e *encoder) { policyID(e, h.Policy, h.dir) })
		if err != nil && !is(err, unix.ENOENT) {
			return fmt.Errorf("%v: %w", k, err)
		}
	}
	p.setGuarded(k, false)
	return nil
}

// half is one direction of a policy that is in force.
type half struct {
	dataplane.Policy
	dir uint8
}

// policies reads the policies of ours, each direction by itself.
func (p *Provider) policies(ctx context.Context) (all []half, err error) {
	chunks, err := p.dumpRaw(ctx, unix.NETLINK_XFRM, xfrmGetPolicy, encodeNothing)
	for _, c := range chunks {
		for m := range messages(c) {
			if o, dir, ok := parsePolicy(m.data); ok && m.typ == xfrmNewPolicy {
				all = append(all, half{o, dir})
			}
		}
	}
	return all, err
}

// dumpPolicies yields the policies, of which half is Outdated.
func (p *Provider) dumpPolicies(ctx context.Context, yield func(dataplane.Object, error) bool) {
	if p.noPolicy != nil {
		return
	}
	all, err := p.policies(ctx)
	if err != nil {
		yield(nil, fmt.Errorf("reading policies: %w", err))
		return
	}
	found := map[dataplane.Key]dataplane.Policy{}
	var order []dataplane.Key
	halves := map[dataplane.Key]int{}
	for _, h := range all {
		k := h.Key()
		if _, ok := found[k]; !ok {
			order = append(order, k)
		} else {
			h.Outdated = h.Outdated || found[k].Outdated || h.Outer != found[k].Outer
		}
		found[k] = h.Policy
		halves[k]++
	}
	open, guard6 := halves[exit6.Key()] == 0 || found[exit6.Key()].Outdated, false
	for _, k := range order {
		o := found[k]
		guard6 = guard6 || isGuard6(o)
		o.Outdated = o.Outdated || open && isGuard6(o)
		found[k] = o
	}
	for _, k := range order {
		if k == exit6.Key() && guard6 {
			continue
		}
		o := found[k]
		o.Outdated = o.Outdated || halves[k] != len(directions)
		p.setGuarded(k, true)
		if !yield(o, nil) {
			return
		}
	}
}

// setGuarded notes which policies there are, so that it can be told which ones went
// when all go at once.
func (p *Provider) setGuarded(k dataplane.Key, on bool) {
	p.guardMu.Lock()
	defer p.guardMu.Unlock()
	if on {
		p.guarded[k] = true
	} else {
		delete(p.guarded, k)
	}
}
