package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/ospfd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// What the feeder sends: packets of Ethernet's size, and of those, where nobody asked for
// them, not more at a time than any receiver's socket has room for.
const (
	mtu           = 1500
	room          = mtu - 20 - packet.HeaderLen // for the body of a packet
	headersRoom   = (room - 8) / packet.LSAHeaderLen
	burst         = 4
	burstInterval = 2 * time.Millisecond
	resendAfter   = 2 * time.Second
)

// feeder is a neighbour that has a large database. It does what RFC 2328 asks of one on a
// point-to-point network, as fast as the other side asks for it, and acknowledges at once.
// What is asked for it sends once the databases are described: FRR 8.4.4's ospfd does not
// ask for more before RxmtInterval, 5 s, where all that it asked for comes earlier.
type feeder struct {
	conn  rawsock.IPConn
	index int
	lsas  map[packet.LSAKey]packet.LSA
	stop  chan struct{}
	done  sync.WaitGroup

	mu       sync.Mutex // guards the following
	headers  []packet.LSAHeader
	receiver packet.ID // 0: no Hello of it came
	exchange exchange
	asked    []packet.LSA // to be sent once the exchange is over
	unacked  map[packet.LSAKey]packet.LSA
	order    []packet.LSAKey // of unacked, as they were sent
	resend   time.Time
	full     time.Time // when the receiver's router-LSA had the link to the feeder
	failure  error
}

// exchange is that of Database Descriptions, of which the feeder is the master.
type exchange struct {
	begun    time.Time // when the receiver's first came
	sequence uint32
	sent     int // headers
	last     []byte
	lastSent time.Time
	over     bool
}

// newFeeder opens the feeder's socket in its node.
func newFeeder(t harness.TB, n *harness.Node, d database) *feeder {
	f := &feeder{lsas: map[packet.LSAKey]packet.LSA{}, unacked: map[packet.LSAKey]packet.LSA{}, stop: make(chan struct{})}
	for _, l := range d.lsas {
		f.lsas[l.LSAKey] = l
		f.headers = append(f.headers, l.LSAHeader)
	}
	err := n.Do(func() error {
		device, err := net.InterfaceByName(loadDevice)
		if err != nil {
			return err
		}
		f.index = device.Index
		if f.conn, err = (rawsock.Kernel{}).ListenIP(rawsock.IPConfig{Protocol: packet.Protocol, TOS: 0xc0, ReceiveBuffer: 4 << 20}); err != nil {
			return err
		}
		return f.conn.Join(packet.AllSPFRouters, f.index)
	})
	if err != nil {
		t.Fatalf("the feeder's socket: %v", err)
	}
	f.done.Add(2)
	go f.receive()
	go f.tick()
	return f
}

// end ends the feeder.
func (f *feeder) end() {
	close(f.stop)
	f.conn.Close()
	f.done.Wait()
}

func (f *feeder) receive() {
	defer f.done.Done()
	b := make([]byte, 1<<16)
	for {
		n, meta, err := f.conn.ReadFrom(b)
		if err != nil {
			return
		}
		m, err := packet.Parse(b[:n])
		if err != nil || meta.Src.Addr() != netip.MustParseAddr(receiverAddress) {
			continue
		}
		f.mu.Lock()
		f.take(m)
		f.mu.Unlock()
	}
}

// tick sends Hellos, and again what was not answered.
func (f *feeder) tick() {
	defer f.done.Done()
	tick := time.NewTicker(hello * time.Second)
	defer tick.Stop()
	for {
		f.mu.Lock()
		f.hello()
		if x := &f.exchange; x.last != nil && !x.over && time.Since(x.lastSent) > resendAfter {
			f.write(x.last)
		}
		if len(f.unacked) > 0 && time.Since(f.resend) > resendAfter {
			f.again()
		}
		f.mu.Unlock()
		select {
		case <-f.stop:
			return
		case <-tick.C:
		}
	}
}

func (f *feeder) take(m *packet.Message) {
	switch m.Type {
	case packet.Hello:
		known := f.receiver != 0
		f.receiver = m.RouterID
		if !known {
			f.hello()
		}
		if slices.Contains(m.HelloBody.Neighbors, feederID) && f.exchange.last == nil {
			f.exchange.sequence = 1
			f.describe(packet.DDInit|packet.DDMore|packet.DDMaster, nil)
		}
	case packet.DatabaseDescription:
		f.described(&m.Description)
	case packet.LinkStateRequest:
		for _, k := range m.Requests {
			if l, ok := f.lsas[k]; ok {
				f.asked = append(f.asked, l)
			}
		}
		f.answer()
	case packet.LinkStateUpdate:
		ack := packet.Message{Type: packet.LinkStateAck}
		for _, l := range m.Updates {
			ack.Acks = append(ack.Acks, l.LSAHeader)
			if f.full.IsZero() && l.Type == packet.RouterLSA && l.LSAKey.Router == f.receiver && joins(l, feederID) {
				f.full = time.Now()
			}
		}
		f.send(&ack)
	case packet.LinkStateAck:
		for _, h := range m.Acks {
			if l, ok := f.unacked[h.LSAKey]; ok && l.Sequence == h.Sequence {
				delete(f.unacked, h.LSAKey)
			}
		}
	}
}

// joins reports whether a router-LSA has a link to a router.
func joins(l packet.LSA, to packet.ID) bool {
	body, err := l.Router()
	return err == nil && slices.ContainsFunc(body.Links, func(k packet.RouterLink) bool {
		return k.Type == packet.LinkPointToPoint && k.ID == to
	})
}

// described takes a Database Description of the receiver (RFC 2328 section 10.6).
func (f *feeder) described(d *packet.Description) {
	x := &f.exchange
	if x.begun.IsZero() {
		x.begun = time.Now()
	}
	if d.Flags&packet.DDMaster != 0 || d.Sequence != x.sequence || x.last == nil || x.over {
		return // it is not the slave yet, or this came twice
	}
	if x.sent == len(f.headers) && d.Flags&packet.DDMore == 0 && x.sequence > 1 {
		x.over = true
		f.answer()
		return
	}
	part := f.headers[x.sent:min(x.sent+headersRoom, len(f.headers))]
	x.sent += len(part)
	x.sequence++
	flags := packet.DDMaster
	if x.sent < len(f.headers) {
		flags |= packet.DDMore
	}
	f.describe(flags, part)
}

// answer sends what was asked for.
func (f *feeder) answer() {
	if f.exchange.over {
		f.update(f.asked)
		f.asked = f.asked[:0]
	}
}

func (f *feeder) describe(flags packet.DDFlags, headers []packet.LSAHeader) {
	x := &f.exchange
	x.last = f.bytes(&packet.Message{Type: packet.DatabaseDescription, Description: packet.Description{MTU: mtu, Options: packet.OptionE, Flags: flags, Sequence: x.sequence, Headers: headers}})
	f.write(x.last)
	x.lastSent = time.Now()
}

func (f *feeder) hello() {
	m := packet.Message{Type: packet.Hello, HelloBody: packet.HelloBody{Mask: loadMask, Interval: hello, DeadInterval: dead, Options: packet.OptionE, Priority: 1}}
	if f.receiver != 0 {
		m.HelloBody.Neighbors = []packet.ID{f.receiver}
	}
	f.send(&m)
}

// update sends LSAs, in as few packets as they need.
func (f *feeder) update(lsas []packet.LSA) {
	for len(lsas) > 0 {
		n, size := 0, 4
		for n < len(lsas) && size+len(lsas[n].Octets) <= room {
			size += len(lsas[n].Octets)
			n++
		}
		n = max(n, 1)
		f.send(&packet.Message{Type: packet.LinkStateUpdate, Updates: lsas[:n]})
		lsas = lsas[n:]
	}
}

// flood sends LSAs that nobody asked for, and again until they are acknowledged.
func (f *feeder) flood(lsas []packet.LSA) {
	const each = burst * (room - 4) / (packet.LSAHeaderLen + 16) // external LSAs
	f.mu.Lock()
	f.order = f.order[:0]
	for _, l := range lsas {
		f.lsas[l.LSAKey] = l
		f.unacked[l.LSAKey] = l
		f.order = append(f.order, l.LSAKey)
	}
	f.resend = time.Now()
	f.mu.Unlock()
	for part := range slices.Chunk(lsas, each) {
		f.mu.Lock()
		f.update(part)
		f.mu.Unlock()
		time.Sleep(burstInterval)
	}
}

// again sends a part of what was not acknowledged.
func (f *feeder) again() {
	const most = 1000
	var part []packet.LSA
	for _, k := range f.order {
		if l, ok := f.unacked[k]; ok && len(part) < most {
			part = append(part, l)
		}
	}
	f.update(part)
	f.resend = time.Now()
}

// adjacent waits until the receiver tells of the adjacency, and returns when its first
// Database Description came, and when that was.
func (f *feeder) adjacent(t harness.TB, s suite) (begun, full time.Time) {
	harness.Eventually(t, loadLimit, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if begun, full = f.exchange.begun, f.full; full.IsZero() {
			return fmt.Errorf("%s does not tell of the adjacency", s.name)
		}
		return nil
	})
	return begun, full
}

// acknowledged waits until the receiver has acknowledged all that was flooded.
func (f *feeder) acknowledged(t harness.TB, s suite) {
	harness.Eventually(t, loadLimit, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := len(f.unacked); n > 0 {
			return fmt.Errorf("%s has not acknowledged %d LSAs", s.name, n)
		}
		return nil
	})
}

func (f *feeder) bytes(m *packet.Message) []byte {
	m.RouterID = feederID
	b, err := m.AppendBinary(nil)
	if err != nil && f.failure == nil {
		f.failure = err
	}
	return b
}

func (f *feeder) send(m *packet.Message) { f.write(f.bytes(m)) }

// write sends a packet: on a point-to-point network all go to the group (RFC 2328 section
// 8.1).
func (f *feeder) write(b []byte) {
	to := rawsock.Meta{Src: netip.AddrPortFrom(netip.MustParseAddr(feederAddress), 0), Dst: netip.AddrPortFrom(packet.AllSPFRouters, 0), Index: f.index}
	if err := f.conn.WriteTo(b, to); err != nil && f.failure == nil && !errors.Is(err, net.ErrClosed) {
		f.failure = err
	}
}
