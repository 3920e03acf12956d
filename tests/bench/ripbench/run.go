package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// startLimit is how long the sender may take until it has its routes.
const startLimit = 2 * time.Minute

// router is a node with a suite in it, whose processor time counts.
type router struct {
	*harness.Node
	*harness.Usage
}

// once runs a suite once.
func once(t harness.TB, s suite, tm timers, o options) (f figure) {
	tp := harness.New(t)
	sender, receiver := &router{Node: tp.Router("sender")}, &router{Node: tp.Router("receiver")}
	tp.Link(sender.Node, device, senderAddress, receiver.Node, device, "")
	if o.rate != "none" {
		if _, err := sender.Run("tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", o.rate, "burst", "4kb", "limit", "4mb"); err != nil {
			t.Fatalf("%v", err)
		}
	}
	wire := receiver.Capture(device)
	s.start(sender.Node, prefixes(o.n), tm)
	s.start(receiver.Node, nil, tm)
	sender.Usage, receiver.Usage = sender.Node.Usage(s.programs...), receiver.Node.Usage(s.programs...)
	harness.Eventually(t, startLimit, func() error {
		if got := len(sender.RoutesOf(s.static)); got != o.n {
			return fmt.Errorf("the sender has %d static routes of %d", got, o.n)
		}
		return nil
	})
	harness.WaitIdle(t, startLimit, sender.Usage, receiver.Usage)
	wire.Clear()
	watch := receiver.WatchRoutes(harness.ProtocolNumber(rib.RIP))
	dropped := drops(t, receiver)
	cpuS, cpuR := sender.CPU(), receiver.CPU()
	begin := time.Now()
	receiver.Addr(device, receiverAddress)
	end, err := watch.WaitPrefixes(o.n, tm.convergeLimit)
	packets := responses(wire)
	f.lost, f.packets = drops(t, receiver)-dropped, len(packets)
	if err != nil {
		f.missing = o.n - len(receiver.RoutesOf(harness.ProtocolNumber(rib.RIP)))
		tp.Close()
		return f
	}
	harness.WaitIdle(t, startLimit, sender.Usage, receiver.Usage)
	f.sender, f.receiver = sender.CPU()-cpuS, receiver.CPU()-cpuR
	f.converge = end.Sub(begin)
	if len(packets) > 0 {
		f.transfer = end.Sub(packets[0].At)
	}
	if got := len(receiver.RoutesOf(harness.ProtocolNumber(rib.RIP))); got != o.n {
		t.Fatalf("%s: the receiver's kernel has %d routes, want %d", s.name, got, o.n)
	}
	if o.steady >= 2*tm.update {
		f.steady = steady(o.steady, sender, receiver)
	}
	tp.Close()
	return f
}

// responses are the captured RIP responses of the sender (RFC 2453 section 3.6).
func responses(c *harness.Capture) []harness.Frame {
	const response = 2
	return c.Frames(harness.All(harness.IsUDP(harness.PortRIP), func(f harness.Frame) bool {
		data := f.UDP()
		return len(data) > 0 && data[0] == response && strings.HasPrefix(senderAddress, f.Src.String()+"/")
	}))
}

// steady is the processor time of all per second.
func steady(d time.Duration, routers ...*router) float64 {
	sum := func() (all time.Duration) {
		for _, r := range routers {
			all += r.CPU()
		}
		return all
	}
	begin, before := time.Now(), sum()
	time.Sleep(d) // the measured interval
	return (sum() - before).Seconds() / time.Since(begin).Seconds()
}

// drops is how many UDP datagrams full socket buffers threw away in the router's
// namespace (RcvbufErrors of /proc/net/snmp).
func drops(t harness.TB, r *router) int {
	n := -1
	err := r.Do(func() error {
		b, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		var names []string
		for line := range strings.Lines(string(b)) {
			fields := strings.Fields(line)
			if len(fields) == 0 || fields[0] != "Udp:" {
				continue
			}
			if names == nil {
				names = fields
				continue
			}
			for i, name := range names {
				if name == "RcvbufErrors" && i < len(fields) {
					n, err = strconv.Atoi(fields[i])
				}
			}
		}
		return err
	})
	if err != nil || n < 0 {
		t.Fatalf("no counter of lost datagrams: %v", err)
	}
	return n
}
