package linuxkernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// neighbor is an entry of a neighbour table as read from the kernel.
type neighbor struct {
	dataplane.Neighbor
	index int
	state uint16
}

// neighHeader appends a struct ndmsg.
func neighHeader(e *encoder, fam uint8, index int, state uint16) {
	e.raw(fam, 0, 0, 0)
	e.raw32(uint32(index))
	e.b = native.AppendUint16(e.b, state)
	e.raw(0, unix.RTN_UNICAST)
}

func (p *Provider) putNeighbor(tag int, n dataplane.Neighbor) error {
	if !n.Addr.IsValid() || !n.NBMA.IsValid() || n.NBMA.IsUnspecified() {
		return fmt.Errorf("neighbor %v at %v: %w", n.Addr, n.NBMA, dataplane.ErrInvalid)
	}
	index, err := p.index(n.Device)
	if err != nil {
		return err
	}
	if err := p.transport(n.Device, n.NBMA); err != nil {
		return fmt.Errorf("neighbor %v: %w", n.Addr, err)
	}
	e := p.w.begin(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_REPLACE)
	neighHeader(e, family(n.Addr), index, unix.NUD_PERMANENT)
	e.addr(unix.NDA_DST, n.Addr)
	e.addr(unix.NDA_LLADDR, n.NBMA)
	p.w.commit(tag)
	return nil
}

func (p *Provider) deleteNeighbor(tag int, k dataplane.Key) error {
	index, err := p.index(k.Name)
	if err != nil {
		return err
	}
	e := p.w.begin(unix.RTM_DELNEIGH, 0)
	neighHeader(e, family(k.Prefix.Addr()), index, 0)
	e.addr(unix.NDA_DST, k.Prefix.Addr())
	p.w.commit(tag)
	return nil
}

// transport refuses an NBMA address that is not of the family of a tunnel's transport:
// the kernel would take the beginning of a longer one.
func (p *Provider) transport(name string, nbma netip.Addr) error {
	i, _ := p.names.index(name)
	if l, ok := p.names.link(i); ok && l.GRE != nil && (l.Kind == kindGRE6) != nbma.Is6() {
		return fmt.Errorf("%v is not of the family of the transport of %s: %w", nbma, name, dataplane.ErrInvalid)
	}
	return nil
}

// parseNeighbor reads an RTM_NEWNEIGH, RTM_DELNEIGH or RTM_GETNEIGH.
func parseNeighbor(m message) (n neighbor, ok bool) {
	if len(m.data) < unix.SizeofNdMsg || m.data[0] != unix.AF_INET && m.data[0] != unix.AF_INET6 {
		return n, false
	}
	n.index = int(getU32(m.data[4:]))
	n.state = getU16(m.data[8:])
	for typ, v := range attrs(m.body(unix.SizeofNdMsg)) {
		switch typ {
		case unix.NDA_DST:
			n.Addr = getAddr(v)
		case unix.NDA_LLADDR:
			n.NBMA, _ = netip.AddrFromSlice(v)
		}
	}
	return n, n.Addr.IsValid()
}

// multipoint reports whether a device is a multipoint tunnel that carries our mark.
func multipoint(l dataplane.LinkInfo) bool { return l.Own && l.GRE != nil && !l.GRE.Remote.IsValid() }
