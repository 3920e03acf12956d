// Package memnet is the twin in memory of package rawsock: hosts, devices and
// wires without a kernel, for testing the edges of daemons.
//
// A Host is a rawsock.Network. Its devices are joined by a Wire, which carries
// packets at once, in order and without loss between the devices that are up;
// see package simnet for worse networks. A device has a link-layer address, as
// the NBMA address of a multipoint tunnel, and IP addresses; hosts do not
// forward. A socket holds at most 256 packets that were not read, as a kernel's
// socket buffer would, or one for each 1,024 octets of the buffer that was asked
// for, and drops what comes then.
package memnet

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/godmvpn/godmvpn/lib/rawsock"
)

// Net holds hosts and wires.
type Net struct {
	mu sync.Mutex // guards everything in the net, but for the queues of sockets
}

// Wire joins devices.
type Wire struct {
	net     *Net
	devices []*Device
}

// Host is a machine. It implements rawsock.Network.
type Host struct {
	net     *Net
	devices []*Device
	packets []*packetConn
	ips     []*ipConn
}

// Device is a host's end of a wire.
type Device struct {
	host  *Host
	wire  *Wire
	spec  Spec
	up    bool
	gone  bool
	carry int // packets that it sent
}

// Spec describes a device.
type Spec struct {
	Index int
	Name  string       // kernel name
	VRF   string       // kernel name of its VRF
	Link  netip.Addr   // link-layer address of a multipoint device; the zero Addr on a point-to-point one
	Addrs []netip.Addr // IP addresses
}

// New returns an empty net.
func New() *Net { return &Net{} }

// Wire adds a wire.
func (n *Net) Wire() *Wire { return &Wire{net: n} }

// Host adds a host.
func (n *Net) Host() *Host { return &Host{net: n} }

// Add gives the host a device on a wire; it is up.
func (h *Host) Add(w *Wire, s Spec) *Device {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	d := &Device{host: h, wire: w, spec: s, up: true}
	h.devices = append(h.devices, d)
	w.devices = append(w.devices, d)
	return d
}

// SetUp brings a device up or down. Packet sockets on a device that goes down
// fail once with rawsock.ErrDown and work again when it is up.
func (d *Device) SetUp(up bool) {
	d.host.net.mu.Lock()
	defer d.host.net.mu.Unlock()
	if d.up && !up {
		d.breakSockets(rawsock.ErrDown, false)
	}
	d.up = up
}

// Remove removes a device. Packet sockets on it fail from then on with
// rawsock.ErrGone; group memberships on it are gone too.
func (d *Device) Remove() {
	d.host.net.mu.Lock()
	defer d.host.net.mu.Unlock()
	d.up, d.gone = false, true
	d.breakSockets(rawsock.ErrGone, true)
	same := func(o *Device) bool { return o == d }
	d.host.devices = slices.DeleteFunc(d.host.devices, same)
	d.wire.devices = slices.DeleteFunc(d.wire.devices, same)
	for _, c := range d.host.ips {
		for key := range c.joined {
			if key.index == d.spec.Index {
				delete(c.joined, key)
			}
		}
	}
}

func (d *Device) breakSockets(err error, forever bool) {
	for _, c := range d.host.packets {
		if c.device == d {
			c.queue.fail(err, forever)
		}
	}
}

// Sent returns the number of packets that the device sent.
func (d *Device) Sent() int {
	d.host.net.mu.Lock()
	defer d.host.net.mu.Unlock()
	return d.carry
}

// device returns the host's device of that index. The net's mutex is held.
func (h *Host) device(index int) (*Device, error) {
	for _, d := range h.devices {
		if d.spec.Index == index {
			return d, nil
		}
	}
	return nil, fmt.Errorf("%w: index %d", rawsock.ErrGone, index)
}

// others yields the devices at the other ends of the wire that are up.
func (d *Device) others(yield func(*Device) bool) {
	for _, o := range d.wire.devices {
		if o != d && o.up && !yield(o) {
			return
		}
	}
}
