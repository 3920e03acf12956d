package rawsock

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"
)

// Network opens sockets. Kernel and memnet's Host are networks.
type Network interface {
	ListenPacket(PacketConfig) (PacketConn, error)
	ListenIP(IPConfig) (IPConn, error)
}

// EtherTypes that daemons use on tunnel devices.
const (
	EtherTypeIPv4 = 0x0800
	EtherTypeNHRP = 0x2001 // RFC 2332 section 2; RFC 2784 section 2.4 for its use in GRE
)

// PacketConfig says what a PacketConn carries.
type PacketConfig struct {
	Index    int    // of the device
	Protocol uint16 // EtherType
	SendOnly bool   // receive nothing: for sending on a protocol that the kernel serves
	// GRE6 is given for a GRE tunnel over IPv6; the zero value for all others.
	GRE6 GRE6
}

// GRE6 is the outside of a GRE tunnel over IPv6. Linux tells who sent a packet on a
// device with IPv4 addresses for its link layer, but not on this one, and wants a
// longer destination than a packet socket gives; so its PacketConn is on the network
// below.
type GRE6 struct {
	Local  netip.Addr // source; the zero Addr where there is no such tunnel
	Remote netip.Addr // of a point-to-point tunnel: from nobody else is received
	HasKey bool
	Key    uint32 // RFC 2890
	Device string // kernel name of the transport's VRF; "" for the default VRF
}

// PacketConn sends and receives payloads of one protocol on one device. Its
// methods may be called concurrently. Every error of a closed PacketConn is
// net.ErrClosed.
type PacketConn interface {
	// ReadFrom waits for a packet, copies its payload to b (what is longer is
	// cut off) and returns the link-layer address of its sender; the zero Addr
	// where the device has no IP addresses for that, such as a point-to-point
	// tunnel.
	ReadFrom(b []byte) (n int, from netip.Addr, err error)
	// WriteTo sends a payload to a link-layer address. On a point-to-point
	// device the peer is implied: to may be the zero Addr, and is not looked at
	// otherwise. The error is ErrAddress where the device needs an address or
	// has none of that family, ErrDown, or ErrGone.
	WriteTo(b []byte, to netip.Addr) error
	Close() error
}

// IPConfig says what an IPConn carries.
type IPConfig struct {
	IPv6     bool   // IPv6 in place of IPv4
	Protocol int    // IP protocol number; UDP (17) if Port is given
	Port     uint16 // UDP port to listen on
	// Local is the address to which the datagrams of a port come that are wanted, which
	// this machine need not have yet; the zero Addr wants all. A socket with the address
	// of a datagram goes before one that wants all.
	Local  netip.Addr
	Device string // kernel name of the VRF or interface to be bound to; "" for the default VRF
	TTL    int    // of packets sent, unicast and multicast; 0 means 1
	TOS    int    // of packets sent; routing protocols use 0xc0, precedence 6

	// ReceiveBuffer is how many octets may wait to be read; 0 leaves the
	// kernel's default. Linux counts what it spends on a packet, which is more
	// than its length, against twice this number, and takes no number above
	// net.core.rmem_max (socket(7)) without saying so.
	ReceiveBuffer int

	// ESPinUDP has the kernel take ESP that comes to a UDP port (RFC 3948 section 2.1),
	// and keepalives: the socket gets the rest, which begins with four octets of zero.
	// Other programs of the same user may have the port as well, by SO_REUSEPORT.
	ESPinUDP bool
	// Fragment lets what is longer than a path takes be fragmented by whoever is there:
	// packets go without DF.
	Fragment bool
}

// Meta is what is known of a packet beside its payload.
type Meta struct {
	Src   netip.AddrPort // port 0 but for UDP
	Dst   netip.AddrPort // when received: port 0
	Index int            // interface by which it came, or is to go
	TTL   int            // as received, or to be sent with; 0: that of IPConfig
}

// IPConn sends and receives payloads of an IP protocol or a UDP port. Addresses have
// no zones: the interface of a link-local one is Meta.Index. Its methods may be called concurrently. Every error of a closed IPConn is
// net.ErrClosed.
type IPConn interface {
	// ReadFrom waits for a packet and copies its payload, without IP and UDP
	// header, to b; what is longer is cut off.
	ReadFrom(b []byte) (n int, m Meta, err error)
	// WriteTo sends a payload to m.Dst, by interface m.Index unless that is 0
	// and with source address m.Src unless that is zero. It does not wait: where
	// there is no room for the packet, the error is ErrBusy. The sender does not
	// receive its own multicasts, but its own broadcasts.
	WriteTo(b []byte, m Meta) error
	// Join joins a multicast group on an interface; joining twice is no error.
	Join(group netip.Addr, index int) error
	// Leave leaves a group; leaving one that was not joined is no error.
	Leave(group netip.Addr, index int) error
	Close() error
}

// Errors that pass when a device changes.
var (
	ErrGone = errors.New("no such device")
	ErrDown = errors.New("device is down")
)

// ErrAddress says that an address does not suit the device or the socket.
var ErrAddress = errors.New("address family is not supported here")

// ErrBusy says that a packet was not sent since too many wait already, in the
// socket or in a queue of the device.
var ErrBusy = errors.New("no room to send")

// Retryable reports whether opening the socket anew, once the device is back or
// up, may help.
func Retryable(err error) bool { return errors.Is(err, ErrGone) || errors.Is(err, ErrDown) }

// The pauses between two attempts of Keep.
const (
	keepFirst = 250 * time.Millisecond
	keepMost  = 8 * time.Second
)

// Keep opens a socket and has serve use it; when that ends with a retryable
// error, it closes the socket, waits, and opens another. Pauses grow from a
// quarter of a second to 8 seconds, and shrink again once serve ran for longer
// than that. The socket is closed when ctx ends, which wakes serve. Keep returns
// nil after ctx ended, otherwise the first error that is not retryable, or nil
// with serve's nil.
func Keep[C io.Closer](ctx context.Context, open func() (C, error), serve func(C) error) error {
	pause := keepFirst
	for {
		began := time.Now()
		err := once(ctx, open, serve)
		if ctx.Err() != nil || err == nil {
			return nil
		}
		if !Retryable(err) {
			return err
		}
		if time.Since(began) > keepMost {
			pause = keepFirst
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, keepMost)
	}
}

func once[C io.Closer](ctx context.Context, open func() (C, error), serve func(C) error) error {
	conn, err := open()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err = serve(conn)
	if stop() {
		conn.Close()
	}
	return err
}
