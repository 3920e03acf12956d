package memnet

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rawsock"
)

type ipConn struct {
	host   *Host
	cfg    rawsock.IPConfig
	joined map[membership]bool
	queue  *queue[rawsock.Meta]
}

type membership struct {
	group netip.Addr
	index int
}

// ListenIP implements rawsock.Network.
func (h *Host) ListenIP(cfg rawsock.IPConfig) (rawsock.IPConn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if cfg.Port != 0 && cfg.Protocol == 0 {
		cfg.Protocol = 17
	}
	if cfg.TTL == 0 {
		cfg.TTL = 1
	}
	switch {
	case cfg.Protocol < 1 || cfg.Protocol > 255:
		return nil, fmt.Errorf("no IP protocol: %d", cfg.Protocol)
	case cfg.ESPinUDP && cfg.Port == 0:
		return nil, errors.New("ESP in UDP needs a port")
	case cfg.Port != 0 && cfg.Protocol != 17:
		return nil, fmt.Errorf("IP protocol %d has no ports here", cfg.Protocol)
	case cfg.Local.IsValid() && (cfg.Port == 0 || cfg.Local.Is4() == cfg.IPv6):
		return nil, fmt.Errorf("%w: local address %v", rawsock.ErrAddress, cfg.Local)
	case cfg.Device != "" && !slices.ContainsFunc(h.devices, func(d *Device) bool { return d.bound(cfg.Device) }):
		return nil, rawsock.ErrGone
	}
	c := &ipConn{host: h, cfg: cfg, joined: map[membership]bool{}, queue: newQueue[rawsock.Meta](cfg.ReceiveBuffer / packetCost)}
	h.ips = append(h.ips, c)
	return c, nil
}

// bound reports whether a socket that is bound to name has to do with d.
func (d *Device) bound(name string) bool {
	if name == "" {
		return d.spec.VRF == ""
	}
	return d.spec.Name == name || d.spec.VRF == name
}

func (c *ipConn) ReadFrom(b []byte) (int, rawsock.Meta, error) { return c.queue.read(b) }

func (c *ipConn) WriteTo(b []byte, m rawsock.Meta) error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	dst := m.Dst.Addr().Unmap()
	if c.queue.isClosed() {
		return net.ErrClosed
	}
	if src := m.Src.Addr().Unmap(); dst.Is4() == c.cfg.IPv6 || !dst.IsValid() || src.IsValid() && src.Is4() != dst.Is4() {
		return fmt.Errorf("%w: from %v to %v", rawsock.ErrAddress, src, dst)
	}
	d, err := c.out(dst, m.Index)
	if err != nil {
		return err
	}
	src := m.Src.Addr().Unmap()
	if !src.IsValid() {
		i := slices.IndexFunc(d.spec.Addrs, func(a netip.Addr) bool { return a.Is6() == c.cfg.IPv6 })
		if i < 0 {
			return fmt.Errorf("%w: device %d has no address", rawsock.ErrAddress, d.spec.Index)
		}
		src = d.spec.Addrs[i]
	}
	sent := c.cfg
	if m.TTL != 0 {
		sent.TTL = m.TTL
	}
	d.carry++
	from := netip.AddrPortFrom(src, c.cfg.Port)
	for o := range d.others {
		if dst.IsMulticast() || dst == broadcast || slices.Contains(o.spec.Addrs, dst) {
			o.receiveIP(sent, b, from, m.Dst)
		}
	}
	if dst == broadcast { // the kernel hands these to the sender's host as well
		d.receiveIP(sent, b, from, m.Dst)
	}
	return nil
}

// broadcast reaches all on a wire.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// out returns the device by which a packet goes: the one asked for, or the one
// on whose wire the destination is.
func (c *ipConn) out(dst netip.Addr, index int) (*Device, error) {
	if index != 0 {
		d, err := c.host.device(index)
		if err == nil && !d.up {
			err = rawsock.ErrDown
		}
		return d, err
	}
	for _, d := range c.host.devices {
		if !d.up || !d.bound(c.cfg.Device) {
			continue
		}
		if dst.IsMulticast() || dst == broadcast {
			return d, nil
		}
		for o := range d.others {
			if slices.Contains(o.spec.Addrs, dst) {
				return d, nil
			}
		}
	}
	return nil, errors.New("network is unreachable")
}

func (d *Device) receiveIP(sent rawsock.IPConfig, b []byte, src, dst netip.AddrPort) {
	for _, c := range d.host.ips {
		group := dst.Addr().IsMulticast()
		switch {
		case c.cfg.IPv6 != sent.IPv6, c.cfg.Protocol != sent.Protocol, c.cfg.Port != 0 && c.cfg.Port != dst.Port(),
			!d.bound(c.cfg.Device), c.cfg.Local != d.taker(dst, sent), c.cfg.ESPinUDP && kernels(b), group && !c.joined[membership{dst.Addr(), d.spec.Index}]:
			continue
		}
		c.queue.put(b, rawsock.Meta{
			Src: src, Dst: netip.AddrPortFrom(dst.Addr(), 0), Index: d.spec.Index, TTL: sent.TTL,
		})
	}
}

// taker returns the local address of the sockets that get a datagram: its own, if there is
// one for it, or the zero Addr.
func (d *Device) taker(dst netip.AddrPort, sent rawsock.IPConfig) (local netip.Addr) {
	for _, c := range d.host.ips {
		if c.cfg.Local == dst.Addr() && c.cfg.Port == dst.Port() && c.cfg.Protocol == sent.Protocol && d.bound(c.cfg.Device) {
			return c.cfg.Local
		}
	}
	return local
}

// kernels reports whether a datagram to a port for ESP in UDP is a keepalive or ESP,
// which begins with an SPI and has a sequence number after it.
func kernels(b []byte) bool {
	return len(b) == 1 && b[0] == 0xff || len(b) > 8 && !bytes.Equal(b[:4], make([]byte, 4))
}

func (c *ipConn) Join(group netip.Addr, index int) error  { return c.change(group, index, true) }
func (c *ipConn) Leave(group netip.Addr, index int) error { return c.change(group, index, false) }

func (c *ipConn) change(group netip.Addr, index int, join bool) error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	if group.Is4() == c.cfg.IPv6 || !group.IsMulticast() {
		return fmt.Errorf("%w: group %v", rawsock.ErrAddress, group)
	}
	if c.queue.isClosed() {
		return net.ErrClosed
	}
	key := membership{group, index}
	if !join {
		delete(c.joined, key)
		return nil
	}
	if _, err := c.host.device(index); err != nil {
		return err
	}
	c.joined[key] = true
	return nil
}

func (c *ipConn) Close() error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	c.host.ips = slices.DeleteFunc(c.host.ips, func(o *ipConn) bool { return o == c })
	return c.queue.close()
}
