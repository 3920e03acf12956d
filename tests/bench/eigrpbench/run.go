package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Limits of waiting.
const (
	startLimit    = 2 * time.Minute // until the sender has its routes
	convergeLimit = 100 * time.Second
	withdrawLimit = 20 * time.Second
)

// poll is how often the receiver's kernel is looked at for routes that go.
const poll = 5 * time.Millisecond

// router is a node with a suite in it, whose processor time counts.
type router struct {
	*harness.Node
	*harness.Usage
}

// once runs a suite once, with networks on devices or with redistributed routes.
func once(t harness.TB, s suite, networks, redistributed int) (f figure) {
	tp := harness.New(t)
	sender, receiver := &router{Node: tp.Router("sender")}, &router{Node: tp.Router("receiver")}
	tp.Link(sender.Node, device, senderAddress, receiver.Node, device, "")
	if networks > 0 {
		devices(t, sender, networks)
	}
	wire := receiver.Capture(device)
	s.start(sender.Node, prefixes(redistributed))
	s.start(receiver.Node, nil)
	sender.Usage, receiver.Usage = sender.Node.Usage(s.programs...), receiver.Node.Usage(s.programs...)
	if redistributed > 0 {
		harness.Eventually(t, startLimit, func() error {
			if got := len(sender.RoutesOf(harness.ProtocolNumber(rib.Static))); got != redistributed {
				return fmt.Errorf("the sender has %d static routes of %d", got, redistributed)
			}
			return nil
		})
	}
	harness.WaitIdle(t, startLimit, sender.Usage, receiver.Usage)
	wire.Clear()
	eigrp := harness.ProtocolNumber(rib.EIGRP)
	watch := receiver.WatchRoutes(eigrp)
	cpuS, cpuR := sender.CPU(), receiver.CPU()
	begin := time.Now()
	receiver.Addr(device, receiverAddress)
	end, err := watch.WaitPrefixes(networks+redistributed, convergeLimit)
	updates := tables(wire)
	f.packets = len(updates)
	if err != nil {
		f.missing = networks + redistributed - len(receiver.RoutesOf(eigrp))
		tp.Close()
		return f
	}
	harness.WaitIdle(t, startLimit, sender.Usage, receiver.Usage)
	f.sender, f.receiver = sender.CPU()-cpuS, receiver.CPU()-cpuR
	f.converge = end.Sub(begin)
	if len(updates) > 0 {
		f.transfer = end.Sub(updates[0].At)
	}
	if networks > 0 {
		f.withdraw, f.stale = withdraw(t, sender, receiver, networks)
	}
	tp.Close()
	return f
}

// devices makes the devices of the networks.
func devices(t harness.TB, n *router, networks int) {
	n.Sysctl("net/ipv4/igmp_max_memberships", fmt.Sprint(networks+20)) // for a socket that joins the group on each
	var b strings.Builder
	b.WriteString("link add base type veth peer name far\nlink set base up\nlink set far up\n")
	for i := range networks {
		fmt.Fprintf(&b, "link add link base name %[1]s type macvlan\naddr add %[2]s dev %[1]s\nlink set %[1]s up\n", stub(i), address(i))
	}
	file := filepath.Join(n.Rundir(), "devices")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
	if _, err := n.Run("ip", "-batch", file); err != nil {
		t.Fatalf("%v", err)
	}
}

// withdraw deletes half of the sender's devices, which takes the kernel a while, and
// returns after which time from then on the receiver's has lost their routes, and how many it has not within the limit.
func withdraw(t harness.TB, sender, receiver *router, networks int) (time.Duration, int) {
	eigrp := harness.ProtocolNumber(rib.EIGRP)
	script := fmt.Sprintf("for d in $(seq 0 %d); do echo link del d$d; done | ip -batch -", networks/2-1)
	if _, err := sender.Run("sh", "-c", script); err != nil {
		t.Fatalf("%v", err)
	}
	begin := time.Now()
	for {
		left := len(receiver.RoutesOf(eigrp)) - (networks - networks/2)
		if left <= 0 || time.Since(begin) > withdrawLimit {
			return time.Since(begin), max(left, 0)
		}
		time.Sleep(poll)
	}
}

// tables are the captured Updates of the sender that have routes in them (RFC 7868
// section 6.5).
func tables(c *harness.Capture) []harness.Frame {
	const protocol, update, header = 88, 1, 20
	return c.Frames(harness.All(harness.IsProtocol(protocol), func(f harness.Frame) bool {
		data := f.Inner().Payload
		return len(data) > header && data[1] == update && strings.HasPrefix(senderAddress, f.Src.String()+"/")
	}))
}
