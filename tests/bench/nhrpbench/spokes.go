package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"

	link "github.com/mdlayher/packet"

	"github.com/godmvpn/godmvpn/lib/wire"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// What precedes NHRP on the wire: an IPv4 header without options, and GRE with a key
// (RFC 2784, RFC 2890).
const (
	ipHeader  = 20
	greHeader = 8
	keyed     = 0x2000
)

// holdtime is what the spokes register for, in seconds.
const holdtime = 600

// spokes plays many spokes of a hub from one socket on the hub's uplink.
type spokes struct {
	t    harness.TB
	conn *link.Conn
	hub  net.HardwareAddr
	all  []spoke
	buf  []byte
	id   uint32 // of the last request
}

// spoke is a spoke's half of RFC 2332 sections 5.2.3 and 5.2.4.
type spoke struct {
	nbma, overlay netip.Addr
	pending       uint32        // Request ID without an answer, 0 for none
	due           time.Time     // of the next request
	retry         time.Duration // that is armed, 0 for none
	accepted      time.Time     // of the last registration
}

// newSpokes plays n spokes from a node that is joined to the hub by a device.
func newSpokes(t harness.TB, n int, node, hub *harness.Node) *spokes {
	hubLink, err := hub.Netlink().LinkByName(uplink)
	fatal(t, err)
	s := &spokes{t: t, hub: hubLink.Attrs().HardwareAddr, buf: make([]byte, 2048)}
	fatal(t, node.Do(func() error {
		ifi, err := net.InterfaceByName(uplink)
		if err != nil {
			return err
		}
		const ipv4 = 0x0800
		s.conn, err = link.Listen(ifi, link.Datagram, ipv4, nil)
		return err
	}))
	for k := range n {
		s.all = append(s.all, spoke{
			nbma:    netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)}),
			overlay: netip.AddrFrom4([4]byte{172, 17, byte(k >> 8), byte(k)}),
		})
	}
	return s
}

func (s *spokes) close() { s.conn.Close() }

// request sends a Registration Request of spoke k, as spokes of this suite send it.
func (s *spokes) request(k int) {
	sp := &s.all[k]
	if sp.pending == 0 { // resending has the same Request ID (RFC 2332 section 5.2.0.1)
		s.id++
		sp.pending = s.id
	}
	m := packet.Message{
		NBMA: packet.AFNIPv4, Protocol: packet.ProtocolIPv4, HopCount: 255, Type: packet.RegistrationRequest,
		Flags: packet.FlagNAT, RequestID: sp.pending, SrcNBMA: sp.nbma, SrcProtocol: sp.overlay, DstProtocol: hubOverlay.Addr(),
		CIEs: []packet.CIE{{PrefixLength: 32, MTU: tunnelMTU, HoldingTime: holdtime}},
		Extensions: []packet.Extension{
			{Type: packet.ResponderAddress, Compulsory: true},
			{Type: packet.ForwardTransitNHS, Compulsory: true},
			{Type: packet.ReverseTransitNHS, Compulsory: true},
			{Type: packet.NATAddress, CIEs: []packet.CIE{{PrefixLength: 32, MTU: tunnelMTU, HoldingTime: holdtime, NBMA: hubNBMA, Protocol: hubOverlay.Addr()}}},
		},
	}
	b := make([]byte, ipHeader+greHeader, ipHeader+greHeader+m.Len())
	b, err := m.AppendBinary(b)
	fatal(s.t, err)
	encapsulate(b, sp.nbma, hubNBMA)
	_, err = s.conn.WriteTo(b, &link.Addr{HardwareAddr: s.hub})
	fatal(s.t, err)
}

// encapsulate fills in the headers before an NHRP packet.
func encapsulate(b []byte, src, dst netip.Addr) {
	const version4, length5, ttl, gre = 4 << 4, ipHeader / 4, 64, 47
	b[0], b[8], b[9] = version4|length5, ttl, gre
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(b[10:], wire.Checksum(b[:ipHeader]))
	binary.BigEndian.PutUint16(b[ipHeader:], keyed)
	binary.BigEndian.PutUint16(b[ipHeader+2:], packet.GREProtocol)
	binary.BigEndian.PutUint32(b[ipHeader+4:], tunnelKey)
}

// receive takes in replies until the deadline, at most one if it is in the past,
// and returns the first spoke that was registered; -1 if none was.
func (s *spokes) receive(deadline time.Time) int {
	fatal(s.t, s.conn.SetReadDeadline(deadline))
	for {
		n, _, err := s.conn.ReadFrom(s.buf)
		if err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				return -1
			}
			s.t.Fatalf("reading replies: %v", err)
		}
		if k := s.reply(s.buf[:n]); k >= 0 {
			return k
		}
	}
}

// reply takes in a packet and returns the spoke that it registers, -1 if it does not.
func (s *spokes) reply(b []byte) int {
	if len(b) < ipHeader+greHeader || b[0] != 4<<4|ipHeader/4 || b[9] != 47 ||
		binary.BigEndian.Uint16(b[ipHeader+2:]) != packet.GREProtocol {
		return -1
	}
	m, err := packet.Parse(b[ipHeader+greHeader : binary.BigEndian.Uint16(b[2:])])
	if err != nil || m.Type != packet.RegistrationReply || m.SrcNBMA.IsValid() && !m.SrcNBMA.Is4() {
		return -1
	}
	a := m.SrcProtocol.As4()
	k := int(a[2])<<8 | int(a[3])
	if k >= len(s.all) || s.all[k].overlay != m.SrcProtocol || s.all[k].pending != m.RequestID {
		return -1 // of an earlier try
	}
	if len(m.CIEs) != 1 || m.CIEs[0].Code != packet.CodeSuccess {
		s.t.Fatalf("spoke %d is refused: %+v", k, m.CIEs)
	}
	s.all[k].pending, s.all[k].retry, s.all[k].accepted = 0, 0, time.Now()
	return k
}

// window is how many requests are on their way at once in registerAll.
const window = 32

// answerLimit is how long an answer may take before the request is sent again.
const answerLimit = 2 * time.Second

// registerAll has each spoke register as fast as the hub answers, and returns how
// many requests had to be repeated.
func (s *spokes) registerAll() (repeated int) {
	next, open := 0, 0
	for next < len(s.all) || open > 0 {
		for ; open < window && next < len(s.all); next++ {
			s.request(next)
			open++
		}
		if s.receive(time.Now().Add(answerLimit)) >= 0 {
			open--
			continue
		}
		for k := range s.all[:next] {
			if s.all[k].pending != 0 {
				s.request(k)
				repeated++
			}
		}
		if repeated > 10*len(s.all) {
			s.t.Fatalf("the hub answers nothing")
		}
	}
	return repeated
}

// lastRetry is the longest interval between two tries of a spoke, the first being
// one second (RFC 2332 has no number; Cisco's spokes do so).
const lastRetry = 64 * time.Second

// spread has the spokes refresh evenly over a period, from now on.
func (s *spokes) spread(period time.Duration) {
	now := time.Now()
	for k := range s.all {
		s.all[k].due = now.Add(period * time.Duration(k) / time.Duration(len(s.all)))
		s.all[k].pending, s.all[k].retry = 0, 0
	}
}

// run lets the spokes refresh with a period and retry after 1, 2, 4 … 64 s, until done
// says that it is enough, which is asked every 10 ms.
func (s *spokes) run(period time.Duration, done func(now time.Time) bool) {
	for {
		now := time.Now()
		if done(now) {
			return
		}
		for k := range s.all {
			sp := &s.all[k]
			if now.Before(sp.due) {
				continue
			}
			if sp.pending == 0 {
				sp.retry = time.Second
			} else {
				sp.retry = min(2*sp.retry, lastRetry)
			}
			sp.due = now.Add(sp.retry)
			s.request(k)
		}
		for until := time.Now().Add(10 * time.Millisecond); ; {
			k := s.receive(until)
			if k < 0 {
				break
			}
			s.all[k].due = time.Now().Add(period)
		}
	}
}

// registeredSince is how many spokes were registered after an instant, and when the
// last of them was.
func (s *spokes) registeredSince(at time.Time) (n int, first, last time.Time) {
	for k := range s.all {
		a := s.all[k].accepted
		if !a.After(at) {
			continue
		}
		n++
		if a.After(last) {
			last = a
		}
		if first.IsZero() || a.Before(first) {
			first = a
		}
	}
	return n, first, last
}

// known is how many spokes the hub's kernel has as neighbours.
func (s *spokes) known(hub *harness.Node, device string) (n int) {
	at := make(map[netip.Addr]netip.Addr, len(s.all))
	for _, e := range hub.Neighbors(device) {
		at[e.Address] = e.NBMA
	}
	for k := range s.all {
		if at[s.all[k].overlay] == s.all[k].nbma {
			n++
		}
	}
	return n
}

func fatal(t harness.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// missing is an error that says how many of the spokes are missing.
func missing(what string, got, want int) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%s has %d spokes of %d", what, got, want)
}
