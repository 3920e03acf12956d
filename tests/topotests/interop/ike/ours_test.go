package ike

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// events are the names of traces.
var events = map[core.TraceEvent]string{core.TraceReceived: "received", core.TraceSent: "sent", core.TraceResent: "resent", core.TraceDropped: "dropped",
	core.TraceState: "state", core.TraceChosen: "chosen", core.TraceRefused: "refused", core.TraceSAUp: "up", core.TraceSADown: "down",
	core.TraceChildUp: "child up", core.TraceChildDown: "child down"}

// ours is a core in a node, with real sockets and a clock that can be put forward.
type ours struct {
	t     *testing.T
	node  *harness.Node
	local netip.Addr
	inbox chan core.Input
	skip  chan time.Duration

	// drop, if set, loses what is sent to the peer or comes from it; it may not lock.
	drop func(sent bool, h packet.Header) bool

	mu     sync.Mutex
	conns  map[netip.AddrPort]*net.UDPConn
	sas    map[uint32]rib.ESP // stated, by SPI
	states map[netip.Addr]core.PeerState
	logs   []string
	report core.Report
	asked  uint64
}

// start runs a core in a node whose tunnel has this source until the test ends or the
// function that is returned is called, which kills it: nobody is told.
func start(t *testing.T, node *harness.Node, local string, cfg core.Config, options ...func(*ours)) (o *ours, kill func()) {
	o = &ours{t: t, node: node, local: netip.MustParseAddr(local), inbox: make(chan core.Input, 1024), skip: make(chan time.Duration),
		conns: map[netip.AddrPort]*net.UDPConn{}, sas: map[uint32]rib.ESP{}, states: map[netip.Addr]core.PeerState{}}
	for _, option := range options {
		option(o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { o.run(ctx) })
	kill = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		for _, c := range o.conns {
			c.Close()
		}
	})
	t.Cleanup(kill)
	o.inbox <- core.ConfigSet{Config: cfg}
	o.inbox <- core.InterfaceChanged{Interface: rib.Interface{Name: "Tunnel0", Tunnel: &rib.Tunnel{Source: o.local, Protection: "v"}}}
	harness.Eventually(t, converge, func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.conns) < 2 {
			return errors.New("it does not listen")
		}
		return nil
	})
	return o, kill
}

// run drives the core.
func (o *ours) run(ctx context.Context) {
	c := core.New(core.Options{Random: rand.Reader, Wall: time.Now()})
	began, skipped := time.Now(), time.Duration(0)
	now := func() clock.Instant { return clock.Instant(0).Add(time.Since(began) + skipped) }
	c.Step(now(), core.Tracing{IKEv2: true, Packets: true, Internal: true, IPsec: true})
	for {
		for _, e := range c.Drain(nil) {
			o.carryOut(e)
		}
		var due <-chan time.Time
		if at, ok := c.Wake(); ok {
			due = time.After(at.Sub(now()))
		}
		select {
		case in := <-o.inbox:
			c.Step(now(), in)
		case d := <-o.skip:
			skipped += d
			c.Step(now(), core.Tick{})
		case <-due:
			c.Step(now(), core.Tick{})
		case <-ctx.Done():
			return
		}
	}
}

func (o *ours) carryOut(e core.Effect) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch e := e.(type) {
	case core.Listen:
		for _, port := range []uint16{packet.Port, packet.PortNAT} {
			o.listen(netip.AddrPortFrom(e.Local, port))
		}
	case core.TxPacket:
		if c := o.conns[e.Local]; c != nil && !o.lost(true, e.Local, e.Packet) {
			_, _ = c.WriteToUDPAddrPort(e.Packet, e.Remote)
		}
	case core.PutSA:
		o.sas[e.SA.SPI] = e.SA
	case core.DelSA:
		delete(o.sas, e.SPI)
	case core.PeerState:
		o.states[e.Peer] = e
	case core.Log:
		o.logs = append(o.logs, fmt.Sprintf("%s-%s: %s", e.Facility, e.Mnemonic, e.Text))
	case core.Trace:
		o.logs = append(o.logs, fmt.Sprintf("%s %x %s drop=%d %s", events[e.Event], e.SPI, e.Remote, e.Drop, e.Text))
	case core.Answer:
		if e.ID == o.asked {
			o.report = e.Report
		}
	}
}

// listen opens a socket and hands what comes to the core.
func (o *ours) listen(local netip.AddrPort) {
	if o.conns[local] != nil {
		return
	}
	var conn *net.UDPConn
	err := o.node.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(local))
		return err
	})
	if err != nil {
		o.t.Errorf("%s: %v", o.node.Name(), err)
		return
	}
	o.conns[local] = conn
	go func() {
		buf := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if o.lost(false, local, buf[:n]) {
				continue
			}
			o.inbox <- core.RxPacket{Local: local, Remote: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), Packet: append([]byte(nil), buf[:n]...)}
		}
	}()
}

// lost tells whether the test loses a datagram.
func (o *ours) lost(sent bool, local netip.AddrPort, b []byte) bool {
	if local.Port() == packet.PortNAT {
		_, b = packet.Decapsulate(b)
	}
	h, _, err := packet.ParseHeader(b)
	return err == nil && o.drop != nil && o.drop(sent, h)
}

// ask returns the core's answer to a question.
func (o *ours) ask(kind core.ReportKind) (r core.Report) {
	o.t.Helper()
	o.mu.Lock()
	o.asked++
	o.report = nil
	id := o.asked
	o.mu.Unlock()
	o.inbox <- core.Query{ID: id, Kind: kind}
	harness.Eventually(o.t, converge, func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if r = o.report; r == nil {
			return errors.New("no answer")
		}
		return nil
	})
	return r
}

// ready waits for exactly one IKE SA that is established and returns it.
func (o *ours) ready(further ...func(core.SAStatus) error) (sa core.SAStatus) {
	o.t.Helper()
	err := harness.Poll(converge, func() error {
		sas := o.ask(core.ReportSAs).(*core.SAReport).SAs
		if len(sas) != 1 || sas[0].State != core.StateReady {
			return fmt.Errorf("IKE SAs: %+v", sas)
		}
		sa = sas[0]
		for _, f := range further {
			if err := f(sa); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		o.t.Fatalf("%v\n%s", err, o.said())
	}
	return sa
}

// secure has the core secure the peer.
func (o *ours) secure() { o.inbox <- core.Secure{Tunnel: "Tunnel0", Peer: netip.MustParseAddr(there)} }

// says waits until the core has logged or traced a text.
func (o *ours) says(text string) {
	o.t.Helper()
	if harness.Poll(converge, func() error {
		if !strings.Contains(o.said(), text) {
			return errors.New("not said")
		}
		return nil
	}) != nil {
		o.t.Fatalf("it does not say %q:\n%s", text, o.said())
	}
}

// fails waits until the peer is not secured for this reason, putting the clock forward by
// step meanwhile.
func (o *ours) fails(step time.Duration, reason string) {
	o.t.Helper()
	harness.Eventually(o.t, converge, func() error {
		peers := o.ask(core.ReportPeers).(*core.PeerReport).Peers
		if len(peers) != 1 || peers[0].Reason != reason || peers[0].State == core.SecurityUp {
			o.skip <- step
			return fmt.Errorf("peers: %+v", peers)
		}
		return nil
	})
}

// said is what the core logged and traced.
func (o *ours) said() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.logs, "\n")
}

// stats are the core's counters.
func (o *ours) stats() core.Counters {
	o.t.Helper()
	return o.ask(core.ReportStats).(*core.StatsReport).Counters
}
