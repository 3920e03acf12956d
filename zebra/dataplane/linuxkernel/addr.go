package linuxkernel

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// address is an address as read from the kernel.
type address struct {
	dataplane.Addr
	index int
	flags uint32
	proto uint8
}

func (a address) own() bool { return a.proto == addrMark }

func (a address) linkLocal() bool {
	return a.Prefix.Addr().Is6() && a.Prefix.Addr().IsLinkLocalUnicast()
}

// encodeAddr appends the body of an RTM_NEWADDR or RTM_DELADDR. IFA_LOCAL is
// the address itself, IFA_ADDRESS the far side's if there is one.
func encodeAddr(e *encoder, a dataplane.Addr, index int, proto uint8) {
	local, far, bits := a.Prefix.Addr(), a.Prefix.Addr(), a.Prefix.Bits()
	if a.Peer.IsValid() {
		far, bits = a.Peer.Addr(), a.Peer.Bits()
	}
	e.raw(family(local), uint8(bits), 0, unix.RT_SCOPE_UNIVERSE)
	e.raw32(uint32(index))
	e.addr(unix.IFA_LOCAL, local)
	e.addr(unix.IFA_ADDRESS, far)
	if local.Is4() && !a.Peer.IsValid() && bits < 31 {
		e.addr(unix.IFA_BROADCAST, broadcast(a.Prefix))
	}
	if proto != 0 {
		e.u8(ifaProto, proto)
	}
}

// broadcast returns the directed broadcast address of an IPv4 prefix.
func broadcast(p netip.Prefix) netip.Addr {
	v := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		v[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(v)
}

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// parseAddr reads an RTM_NEWADDR or RTM_DELADDR.
func parseAddr(m message) (a address, ok bool) {
	if len(m.data) < unix.SizeofIfAddrmsg {
		return a, false
	}
	bits := int(m.data[1])
	a.flags = uint32(m.data[2])
	a.index = int(getU32(m.data[4:]))
	var local, far netip.Addr
	for typ, v := range attrs(m.body(unix.SizeofIfAddrmsg)) {
		switch typ {
		case unix.IFA_LOCAL:
			local = getAddr(v)
		case unix.IFA_ADDRESS:
			far = getAddr(v)
		case unix.IFA_FLAGS:
			a.flags = getU32(v)
		case ifaProto:
			a.proto = getU8(v)
		}
	}
	switch {
	case !local.IsValid(): // IPv6 without a peer
		local = far
	case far.IsValid() && far != local:
		a.Peer = netip.PrefixFrom(far, bits)
	}
	a.Prefix = netip.PrefixFrom(local, bits)
	if a.Peer.IsValid() {
		// A peer has the length of the subnet; the address itself is alone.
		a.Prefix = netip.PrefixFrom(local, local.BitLen())
	}
	return a, a.Prefix.IsValid()
}

// checkAddr refuses what the kernel would misunderstand.
func checkAddr(a dataplane.Addr) error {
	if !a.Prefix.IsValid() || a.Peer.IsValid() && (a.Peer.Addr().Is4() != a.Prefix.Addr().Is4() || !a.Prefix.IsSingleIP()) {
		return fmt.Errorf("address %v peer %v: %w", a.Prefix, a.Peer, dataplane.ErrInvalid)
	}
	return nil
}

// putAddr puts an address into the batch, unless it is there. The kernel would
// hold the same address with two peers: the other one is removed.
func (p *Provider) putAddr(tag int, a dataplane.Addr) (done bool, err error) {
	if err := checkAddr(a); err != nil {
		return true, err
	}
	index, err := p.index(a.Device)
	if err != nil {
		return true, err
	}
	have, err := p.presentAddrs()
	if err != nil {
		return true, err
	}
	for _, h := range have {
		switch {
		case h.index != index || h.Prefix != a.Prefix:
		case h.Peer == a.Peer:
			return true, nil
		default:
			if err := p.removeAddr(h); err != nil {
				return true, err
			}
		}
	}
	e := p.w.begin(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	encodeAddr(e, a, index, addrMark)
	p.present = append(p.present, address{Addr: a, index: index, proto: addrMark})
	p.w.commit(tag)
	return false, nil
}

// deleteAddr removes an address, unless it was there before us.
func (p *Provider) deleteAddr(k dataplane.Key) error {
	index, err := p.index(k.Name)
	if err != nil {
		return ignoreGone(err)
	}
	have, err := p.presentAddrs()
	if err != nil {
		return err
	}
	for _, h := range have {
		if h.index == index && h.Prefix == k.Prefix && (h.own() || p.isAdded(k)) {
			if err := p.removeAddr(h); err != nil {
				return ignoreGone(err)
			}
		}
	}
	p.setAdded(k, false)
	return nil
}

// removeAddr removes an address that was seen.
func (p *Provider) removeAddr(h address) error {
	err := p.w.do(unix.RTM_DELADDR, 0, func(e *encoder) { encodeAddr(e, h.Addr, h.index, 0) })
	p.present = nil // secondary addresses may have gone with it
	if is(err, unix.EADDRNOTAVAIL) {
		return nil
	}
	return err
}

// presentAddrs lists all addresses, once for as many operations as nothing
// happens to devices in between.
func (p *Provider) presentAddrs() ([]address, error) {
	if p.present != nil {
		return p.present, nil
	}
	p.w.flush()
	have := []address{}
	err := p.dump(unix.RTM_GETADDR, encodeNothing, func(m message) {
		if a, ok := parseAddr(m); ok {
			have = append(have, a)
		}
	})
	if err != nil {
		return nil, err
	}
	p.present = have
	return have, nil
}

// encodeNothing appends a struct ifaddrmsg that asks for everything.
func encodeNothing(e *encoder) {
	e.raw(unix.AF_UNSPEC, 0, 0, 0)
	e.raw32(0)
}

// addrsOf lists the addresses of a device.
func (p *Provider) addrsOf(index int) ([]address, error) {
	var have []address
	err := p.dump(unix.RTM_GETADDR, encodeNothing, func(m message) {
		if a, ok := parseAddr(m); ok && a.index == index {
			a.Device = p.names.name(index)
			have = append(have, a)
		}
	})
	return have, err
}

// ignoreGone makes success of the failure to delete from a device that is gone.
func ignoreGone(err error) error {
	if errors.Is(err, dataplane.ErrNoDevice) {
		return nil
	}
	return err
}
