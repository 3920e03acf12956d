package linuxkernel

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// espSocket is a socket by which the kernel takes ESP that comes in UDP. Nothing is ever
// read from it.
type espSocket struct {
	object dataplane.ESPinUDP
	index  int // of its device, 0 without one
	fd     int
}

// putESPinUDP opens the socket, also where there is one that is bound to an earlier device
// of the name.
func (p *Provider) putESPinUDP(o dataplane.ESPinUDP) error {
	s := espSocket{object: o}
	if o.Device != "" {
		d, ok, err := p.device(o.Device)
		switch {
		case err != nil:
			return err
		case !ok:
			return fmt.Errorf("%v: %w", o.Key(), dataplane.ErrNoDevice)
		}
		s.index = d.Index
	}
	p.espMu.Lock()
	defer p.espMu.Unlock()
	old, there := p.espIn[o.Key()]
	if there && old.index == s.index {
		return nil
	}
	if err := inNamespace(p.opt.Namespace, func() (err error) { s.fd, err = openESPinUDP(o); return err }); err != nil {
		return fmt.Errorf("%v: %w", o.Key(), err)
	}
	if there {
		unix.Close(old.fd)
	}
	p.espIn[o.Key()] = s
	return nil
}

// openESPinUDP opens a socket for all addresses. Whoever speaks IKE has one for each of its
// addresses, which the kernel prefers. Both share the port by SO_REUSEPORT, which others
// than this user cannot; sockets with other addresses are of other groups, between which
// nothing is balanced.
func openESPinUDP(o dataplane.ESPinUDP) (fd int, err error) {
	family, any := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: dataplane.PortESPinUDP})
	if o.IPv6 {
		family, any = unix.AF_INET6, &unix.SockaddrInet6{Port: dataplane.PortESPinUDP}
	}
	if fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	steps := []error{
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_ENCAP, unix.UDP_ENCAP_ESPINUDP),
		deafen(fd),
	}
	if o.IPv6 {
		steps = append(steps, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1))
	}
	if o.Device != "" {
		steps = append(steps, unix.BindToDevice(fd, o.Device))
	}
	if err = errors.Join(steps...); err == nil {
		err = unix.Bind(fd, any)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// deafen has what is left after the ESP be dropped: nobody reads it.
func deafen(fd int) error {
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(drop)), Filter: &drop[0]})
}

func (p *Provider) deleteESPinUDP(k dataplane.Key) error {
	p.espMu.Lock()
	defer p.espMu.Unlock()
	if s, ok := p.espIn[k]; ok {
		unix.Close(s.fd)
		delete(p.espIn, k)
	}
	return nil
}

// closeESPinUDP closes all sockets.
func (p *Provider) closeESPinUDP() {
	p.espMu.Lock()
	defer p.espMu.Unlock()
	for _, s := range p.espIn {
		unix.Close(s.fd)
	}
	clear(p.espIn)
}

// dumpESPinUDP yields the sockets that there are, but for those whose device is gone: those
// of an earlier life went with it.
func (p *Provider) dumpESPinUDP(ctx context.Context, yield func(dataplane.Object, error) bool) {
	if _, err := p.dumpLinks(ctx); err != nil {
		yield(nil, err)
		return
	}
	p.espMu.Lock()
	var all []dataplane.ESPinUDP
	for _, s := range p.espIn {
		if index, ok := p.names.index(s.object.Device); s.index == 0 || ok && index == s.index {
			all = append(all, s.object)
		}
	}
	p.espMu.Unlock()
	for _, o := range all {
		if !yield(o, nil) {
			return
		}
	}
}
