package memnet

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rawsock"
)

type packetConn struct {
	host   *Host
	device *Device
	cfg    rawsock.PacketConfig
	queue  *queue[netip.Addr]
}

// ListenPacket implements rawsock.Network.
func (h *Host) ListenPacket(cfg rawsock.PacketConfig) (rawsock.PacketConn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	d, err := h.device(cfg.Index)
	if err != nil {
		return nil, err
	}
	c := &packetConn{host: h, device: d, cfg: cfg, queue: newQueue[netip.Addr](0)}
	h.packets = append(h.packets, c)
	return c, nil
}

// over6 reports whether the socket is for a tunnel over IPv6.
func (c *packetConn) over6() bool { return c.cfg.GRE6.Local.IsValid() }

func (c *packetConn) ReadFrom(b []byte) (int, netip.Addr, error) { return c.queue.read(b) }

func (c *packetConn) WriteTo(b []byte, to netip.Addr) error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	d := c.device
	multipoint := d.spec.Link.IsValid()
	switch {
	case c.queue.isClosed():
		return net.ErrClosed
	case d.gone:
		return rawsock.ErrGone
	case !d.up:
		return rawsock.ErrDown
	case to.IsValid() && to.Unmap().Is6() != c.over6(), multipoint && d.spec.Link.Is6() != c.over6():
		return fmt.Errorf("%w: NBMA address %v", rawsock.ErrAddress, to)
	case multipoint && !to.IsValid():
		return fmt.Errorf("%w: no NBMA address on a multipoint device", rawsock.ErrAddress)
	}
	d.carry++
	for o := range d.others {
		if !multipoint || o.spec.Link == to.Unmap() {
			o.receivePacket(c.cfg.Protocol, b, d.spec.Link)
		}
	}
	return nil
}

func (c *packetConn) Close() error {
	c.host.net.mu.Lock()
	defer c.host.net.mu.Unlock()
	c.host.packets = slices.DeleteFunc(c.host.packets, func(o *packetConn) bool { return o == c })
	return c.queue.close()
}

func (d *Device) receivePacket(protocol uint16, b []byte, from netip.Addr) {
	for _, c := range d.host.packets {
		if c.device != d || c.cfg.Protocol != protocol || c.cfg.SendOnly {
			continue
		}
		if from.Is6() && !c.over6() {
			from = netip.Addr{} // as the kernel, which tells none
		}
		c.queue.put(b, from)
	}
}
