package harness

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// PingResult counts echo requests and their replies.
type PingResult struct {
	Sent, Received int
	Lost           []int // sequence numbers without a reply, ascending
}

// nextEcho makes the identifiers of pingers in this process differ.
var nextEcho atomic.Uint32

// echo is one pinger: a raw ICMP socket in a node's namespace.
type echo struct {
	conn *net.IPConn
	v6   bool
	id   int
	to   *net.IPAddr
}

// openEcho opens a pinger. source "" leaves the choice to the kernel.
func (n *Node) openEcho(dst, source string) (*echo, error) {
	to, err := netip.ParseAddr(dst)
	if err != nil {
		return nil, err
	}
	e := &echo{v6: to.Is6(), id: int((uint32(os.Getpid())<<4 + nextEcho.Add(1)) & 0xffff),
		to: &net.IPAddr{IP: to.AsSlice()}}
	if to.Zone() != "" { // a name has its index in the node's namespace
		e.to.Zone = strconv.Itoa(n.link(to.Zone()).Attrs().Index)
	}
	if err := n.Do(func() error { return e.open(source) }); err != nil {
		return nil, err
	}
	return e, nil
}

// open opens the socket in the namespace of this thread.
func (e *echo) open(source string) error {
	network, any := "ip4:icmp", "0.0.0.0"
	if e.v6 {
		network, any = "ip6:ipv6-icmp", "::"
	}
	if source == "" {
		source = any
	}
	conn, err := net.ListenPacket(network, source)
	if err != nil {
		return err
	}
	e.conn = conn.(*net.IPConn)
	if err = KeepAll(e.conn, echoBuffer); err != nil {
		conn.Close()
	}
	return err
}

// echoBuffer is what a pinger's socket keeps, thousands of replies. What the kernel gives
// by itself is full after 170, and where packets stood still for some seconds more come
// at once: those that follow would pass for lost by the network.
const echoBuffer = 16 << 20

// send sends the request with this sequence number.
func (e *echo) send(seq int) error {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: e.id, Seq: seq & 0xffff, Data: make([]byte, 56)}}
	if e.v6 {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	b, err := m.Marshal(nil) // the kernel computes ICMPv6's checksum
	if err != nil {
		return err
	}
	_, err = e.conn.WriteTo(b, e.to)
	return err
}

// receive waits for a reply to this pinger and returns its sequence number.
func (e *echo) receive(until time.Time) (int, error) {
	protocol := 1
	if e.v6 {
		protocol = 58
	}
	if err := e.conn.SetReadDeadline(until); err != nil {
		return 0, err
	}
	buf := make([]byte, 1500)
	for {
		k, _, err := e.conn.ReadFrom(buf)
		if err != nil {
			return 0, err
		}
		m, err := icmp.ParseMessage(protocol, buf[:k])
		if err != nil || (m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply) {
			continue
		}
		if r, ok := m.Body.(*icmp.Echo); ok && r.ID == e.id {
			return r.Seq, nil
		}
	}
}

// Timing of Ping.
const (
	pingInterval = 50 * time.Millisecond
	pingWait     = 8 * time.Second  // for the last replies: a busy machine takes seconds to negotiate keys
	lossWait     = 60 * time.Second // until a reply that is still to come counts as lost
)

// Ping sends count echo requests to dst, 50 ms apart, from source ("" for the
// kernel's choice), and counts the replies.
func (n *Node) Ping(dst, source string, count int) (PingResult, error) {
	return n.ping(dst, source, count, pingWait)
}

// PingLossless is Ping that tells what is lost from what is late: the kernel takes packets
// out of ESP in a work of its own, which in User-Mode Linux waits for other works, of
// fifty routers for ten seconds and more.
func (n *Node) PingLossless(dst string, count int) (PingResult, error) {
	return n.ping(dst, "", count, lossWait)
}

func (n *Node) ping(dst, source string, count int, wait time.Duration) (PingResult, error) {
	f, err := n.flow(dst, source, pingInterval, count, wait)
	if err != nil {
		return PingResult{}, err
	}
	<-f.sent
	return f.Stop(), nil
}

// Reaches tells whether one of a few echo requests to dst is answered.
func (n *Node) Reaches(dst string) error {
	e, err := n.openEcho(dst, "")
	if err != nil {
		return err
	}
	defer e.conn.Close()
	err = errors.New("no reply")
	for seq := range 3 {
		if err = e.send(seq); err != nil {
			continue
		}
		if _, err = e.receive(time.Now().Add(500 * time.Millisecond)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s does not reach %s: %w", n.name, dst, err)
}

// MustPing sends count requests and fails the test unless all are answered.
func (n *Node) MustPing(dst string, count int) {
	n.t.Helper()
	r, err := n.Ping(dst, "", count)
	n.check("ping "+dst, err)
	if r.Received != count {
		n.t.Fatalf("%s: ping %s: %d sent, %d received, lost %v", n.name, dst, r.Sent, r.Received, r.Lost)
	}
}

// Flow is a steady stream of echo requests in the background.
type Flow struct {
	e      *echo
	wait   time.Duration // for the last replies
	stop   chan struct{}
	sent   chan struct{} // closed when the last request is sent
	once   sync.Once
	wg     sync.WaitGroup
	mu     sync.Mutex
	count  int
	missed map[int]bool
	result PingResult
}

// Flow starts echo requests to dst at this interval until [Flow.Stop] or the end of
// the test.
func (n *Node) Flow(dst string, interval time.Duration) *Flow {
	n.t.Helper()
	f, err := n.flow(dst, "", interval, maxFlow, pingWait)
	n.check("flow to "+dst, err)
	n.background = append(n.background, func() { f.Stop() })
	return f
}

// maxFlow bounds a flow to what sequence numbers can tell apart.
const maxFlow = 1 << 16

func (n *Node) flow(dst, source string, interval time.Duration, count int, wait time.Duration) (*Flow, error) {
	e, err := n.openEcho(dst, source)
	if err != nil {
		return nil, err
	}
	f := &Flow{e: e, wait: wait, stop: make(chan struct{}), sent: make(chan struct{}), missed: map[int]bool{}}
	f.wg.Go(func() { f.transmit(interval, count) })
	f.wg.Go(f.collect)
	return f, nil
}

// transmit sends; a request that the kernel refuses (no route) counts as lost.
func (f *Flow) transmit(interval time.Duration, count int) {
	defer close(f.sent)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for seq := range count {
		f.mu.Lock()
		f.missed[seq] = true
		f.count++
		f.mu.Unlock()
		_ = f.e.send(seq)
		if seq == count-1 {
			return
		}
		select {
		case <-f.stop:
			return
		case <-tick.C:
		}
	}
}

// collect books replies until all that was sent is answered after the end of
// sending, or the last ones had their time.
func (f *Flow) collect() {
	var end time.Time
	for {
		until := time.Now().Add(100 * time.Millisecond)
		seq, err := f.e.receive(until)
		f.mu.Lock()
		if err == nil {
			delete(f.missed, seq)
		}
		open := len(f.missed)
		f.mu.Unlock()
		select {
		case <-f.sent:
			if end.IsZero() {
				end = time.Now().Add(f.wait)
			}
			if open == 0 || time.Now().After(end) {
				return
			}
		default:
		}
	}
}

// Received is the number of replies so far.
func (f *Flow) Received() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count - len(f.missed)
}

// Sent is the number of requests so far.
func (f *Flow) Sent() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Stop ends the flow, waits for the last replies and returns the counts. It may be
// called again.
func (f *Flow) Stop() PingResult {
	f.once.Do(func() {
		close(f.stop)
		f.wg.Wait()
		f.e.conn.Close()
		f.result = PingResult{Sent: f.count, Received: f.count - len(f.missed)}
		for seq := range f.count {
			if f.missed[seq] {
				f.result.Lost = append(f.result.Lost, seq)
			}
		}
	})
	return f.result
}
