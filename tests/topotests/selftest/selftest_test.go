// Package selftest proves that the harness and the kernel that it found can do
// what the topology tests rely on.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// cloud is an underlay with n routers, each with a keyed mGRE device and static
// neighbours to all others, and a host behind the first two.
type cloud struct {
	tp      *harness.Topology
	inet    *harness.Node
	routers []*harness.Node
}

const tunnelKey = 42

func nbma(i int) string   { return fmt.Sprintf("203.0.113.%d", 4*i+1) }
func tunnel(i int) string { return fmt.Sprintf("10.0.0.%d", i+1) }

func newCloud(t *testing.T, n int) *cloud {
	c := &cloud{tp: harness.New(t)}
	c.inet = c.tp.Internet("inet")
	for i := range n {
		r := c.tp.Router(fmt.Sprintf("r%d", i))
		c.tp.Uplink(c.inet, r, nbma(i)+"/30")
		addTunnel(t, r, i)
		c.routers = append(c.routers, r)
	}
	for i, r := range c.routers {
		for j := range c.routers {
			if i != j {
				addNeighbor(t, r, tunnel(j), nbma(j))
			}
		}
	}
	return c
}

func addTunnel(t *testing.T, r *harness.Node, i int) {
	t.Helper()
	a := netlink.NewLinkAttrs()
	a.Name, a.MTU = "tun0", 1400
	gre := &netlink.Gretun{LinkAttrs: a, Local: net.ParseIP(nbma(i)).To4(), IKey: tunnelKey, OKey: tunnelKey, Ttl: 64}
	if err := r.Netlink().LinkAdd(gre); err != nil {
		t.Fatal(err)
	}
	l, err := r.Netlink().LinkByName("tun0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Netlink().LinkSetARPOn(l); err != nil {
		t.Fatal(err)
	}
	r.Addr("tun0", tunnel(i)+"/24")
	r.Up("tun0")
}

func addNeighbor(t *testing.T, r *harness.Node, ip, lladdr string) {
	t.Helper()
	l, err := r.Netlink().LinkByName("tun0")
	if err != nil {
		t.Fatal(err)
	}
	err = r.Netlink().NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, Family: unix.AF_INET,
		State: netlink.NUD_PERMANENT, IP: net.ParseIP(ip), LLIPAddr: net.ParseIP(lladdr)})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMultipointGRE pings over a keyed mGRE with static neighbours, sees GRE with
// that key on the underlay and the right outer addresses, and follows the path from
// LAN to LAN.
func TestMultipointGRE(t *testing.T) {
	c := newCloud(t, 3)
	r0, r1 := c.routers[0], c.routers[1]
	lan0 := c.tp.Host("lan0", r0, "192.168.0.10/24", "192.168.0.1")
	c.tp.Host("lan1", r1, "192.168.1.10/24", "192.168.1.1")
	r0.Route("192.168.1.0/24", tunnel(1))
	r1.Route("192.168.0.0/24", tunnel(0))
	wan := r0.Capture("wan")
	for i := 1; i < 3; i++ {
		r0.MustPing(tunnel(i), 3)
	}
	lan0.MustPing("192.168.1.10", 3)
	keyed := func(f harness.Frame) bool { return f.HasKey && f.GREKey == tunnelKey && f.GREProto == 0x0800 }
	want := harness.All(harness.IsGRE, keyed, harness.Between(nbma(0), nbma(1)))
	harness.Eventually(t, 10*time.Second, func() error {
		if got := wan.Count(want); got < 6 {
			return fmt.Errorf("%d GRE packets to %s captured, want 6: %v", got, nbma(1), wan.Frames(nil))
		}
		return nil
	})
	if got := wan.Count(harness.IsNHRP); got != 0 {
		t.Errorf("%d NHRP packets captured, nobody sends any", got)
	}
	path, err := lan0.Traceroute("192.168.1.10")
	if diff := cmp.Diff([]string{"192.168.0.1", tunnel(1), "192.168.1.10"}, path); diff != "" || err != nil {
		t.Errorf("path LAN to LAN: %v\n%s", err, diff)
	}
	checkPcap(t, wan)
}

// checkPcap reads the capture's file back with tcpdump.
func checkPcap(t *testing.T, c *harness.Capture) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wan.pcap")
	if err := c.WriteFile(file); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tcpdump", "-nr", file, "ip proto 47").Output()
	if err != nil {
		t.Fatalf("tcpdump: %v", err)
	}
	if !strings.Contains(string(out), "GREv0, key=0x2a") {
		t.Errorf("tcpdump sees no GRE with key 0x2a in the file:\n%s", out)
	}
}

// TestCaptureIsComplete: a capture has all that has passed until it is asked, however much
// came at once, and forgets as much.
func TestCaptureIsComplete(t *testing.T) {
	tp := harness.New(t)
	a, b := tp.Node("a"), tp.Node("b")
	tp.Link(a, "eth0", "192.0.2.1/30", b, "eth0", "192.0.2.2/30")
	a.MustPing("192.0.2.2", 1)
	sent, came := a.Capture("eth0"), b.Capture("eth0")
	const port, packets = 5000, 2000
	send := func() {
		t.Helper()
		err := a.Do(func() error {
			conn, err := net.Dial("udp4", fmt.Sprintf("192.0.2.2:%d", port))
			if err != nil {
				return err
			}
			defer conn.Close()
			for range packets {
				_, _ = conn.Write(make([]byte, 500)) // nobody listens, which is told
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	send()
	if n, m := sent.Count(harness.IsUDP(port)), came.Count(harness.IsUDP(port)); n != m || n < packets/2 {
		t.Errorf("%d packets were captured where they were sent, and %d where they came, of %d", n, m, packets)
	}
	send()
	sent.Clear()
	came.Clear()
	if n, m := sent.Count(harness.IsUDP(port)), came.Count(harness.IsUDP(port)); n+m != 0 {
		t.Errorf("%d and %d packets after Clear", n, m)
	}
	b.Down("eth0")
	b.Up("eth0")
	a.MustPing("192.0.2.2", 1)
	if n := came.Count(harness.IsProtocol(1)); n < 2 {
		t.Errorf("%d packets of a ping were captured after the device was down", n)
	}
}

// TestKernelTables reads back what the harness set.
func TestKernelTables(t *testing.T) {
	c := newCloud(t, 2)
	r := c.routers[0]
	r.Dummy("lo1", "192.0.2.1/32")
	vrf := &netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: "blue"}, Table: 100}
	if err := r.Netlink().LinkAdd(vrf); err != nil {
		t.Fatalf("vrf: %v", err)
	}
	kinds := map[string]string{}
	for _, d := range r.Devices() {
		kinds[d.Name] = d.Kind
	}
	for name, kind := range map[string]string{"lo1": "dummy", "blue": "vrf", "tun0": "gre", "wan": "veth"} {
		if kinds[name] != kind {
			t.Errorf("device %s is a %q, want %q", name, kinds[name], kind)
		}
	}
	want := harness.Neighbor{Device: "tun0", Address: netip.MustParseAddr(tunnel(1)),
		NBMA: netip.MustParseAddr(nbma(1)), State: netlink.NUD_PERMANENT}
	if !slices.Contains(r.Neighbors("tun0"), want) {
		t.Errorf("neighbours of tun0: %+v, want %+v", r.Neighbors("tun0"), want)
	}
	r.Netlink().RouteAdd(&netlink.Route{Dst: &net.IPNet{IP: net.IPv4(198, 51, 100, 0), Mask: net.CIDRMask(24, 32)},
		Gw: net.ParseIP(tunnel(1)), Protocol: 191, Priority: 7})
	got := r.RoutesOf(191)
	if len(got) != 1 || got[0].Prefix.String() != "198.51.100.0/24" || got[0].Metric != 7 ||
		len(got[0].Hops) != 1 || got[0].Hops[0].Gateway.String() != tunnel(1) {
		t.Errorf("routes of protocol 191: %+v", got)
	}
}

// TestFlowCountsLoss breaks the path under a flow and expects losses then, and none
// before and after.
func TestFlowCountsLoss(t *testing.T) {
	tp := harness.New(t)
	a, b := tp.Node("a"), tp.Node("b")
	link := tp.Link(a, "eth0", "192.0.2.1/30", b, "eth0", "192.0.2.2/30")
	f := a.Flow("192.0.2.2", 20*time.Millisecond)
	reach := func(count func() int, n int) {
		t.Helper()
		harness.Eventually(t, 20*time.Second, func() error {
			if count() < n {
				return fmt.Errorf("%d packets, want %d", count(), n)
			}
			return nil
		})
	}
	reach(f.Received, 10)
	link.Down()
	reach(f.Sent, f.Sent()+5)
	if err := a.Reaches("192.0.2.2"); err == nil {
		t.Error("the other end of a link that is down is reached")
	}
	link.Up()
	reach(f.Received, f.Received()+10)
	r := f.Stop()
	if len(r.Lost) < 4 || r.Sent != r.Received+len(r.Lost) {
		t.Fatalf("result %+v: want losses, and sums that agree", r)
	}
	if r.Lost[0] < 10 {
		t.Errorf("lost request %d before the link went down", r.Lost[0])
	}
}

// TestLossOfLink makes a link lose everything, by chance of 100 %.
func TestLossOfLink(t *testing.T) {
	tp := harness.New(t)
	a, b := tp.Node("a"), tp.Node("b")
	link := tp.Link(a, "eth0", "192.0.2.1/30", b, "eth0", "192.0.2.2/30")
	a.MustPing("192.0.2.2", 2)
	link.Loss(100)
	if r, err := a.Ping("192.0.2.2", "", 3); err != nil || r.Received != 0 || len(r.Lost) != 3 {
		t.Errorf("over a link that loses all: %+v, %v", r, err)
	}
	link.Loss(0)
	a.MustPing("192.0.2.2", 2)
}

// TestProcesses starts a program that leaves an orphan, kills it, finds the orphan
// by its namespace, and sees all gone at the end of the topology.
func TestProcesses(t *testing.T) {
	var tp *harness.Topology
	t.Run("topology", func(t *testing.T) {
		tp = harness.New(t)
		n := tp.Node("n")
		p := n.Start("sh", "/bin/sh", "-c", "setsid sleep 600 & exec sleep 601")
		harness.Eventually(t, 10*time.Second, func() error {
			if got := n.Pids("sleep"); len(got) != 2 {
				return fmt.Errorf("processes named sleep: %v, want 2", got)
			}
			return nil
		})
		p.Kill()
		if p.Running() {
			t.Error("a killed process runs")
		}
		harness.Eventually(t, 10*time.Second, func() error {
			if got := n.Pids(""); len(got) != 1 {
				return fmt.Errorf("processes: %v, want the orphan alone", got)
			}
			return nil
		})
		out, err := n.Run("/bin/sh", "-c", "echo out; echo err >&2; exit 3")
		if out != "out\n" || err == nil || !strings.Contains(err.Error(), "err") {
			t.Errorf("Run: %q, %v", out, err)
		}
	})
	if left := tp.Processes(); len(left) != 0 {
		t.Errorf("processes after the end of the topology: %v", left)
	}
	if _, err := os.Stat(tp.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the topology's directory is still there: %v", err)
	}
}

// TestFRR starts FRR's zebra and nhrpd beside another instance of them, and asks
// them over vtysh.
func TestFRR(t *testing.T) {
	tp := harness.New(t)
	for _, name := range []string{"f1", "f2"} {
		n := tp.Router(name)
		f := n.StartFRR("hostname "+name+"\nip route 198.51.100.0/24 blackhole\n", "nhrpd", "staticd")
		harness.Eventually(t, 20*time.Second, func() error {
			out, err := f.Vtysh("show ip route static")
			if err == nil && !strings.Contains(out, "198.51.100.0/24") {
				err = fmt.Errorf("no static route in %q", out)
			}
			return err
		})
		if out, err := f.Vtysh("show ip nhrp cache"); err != nil {
			t.Errorf("FRR's nhrpd does not answer: %v %q", err, out)
		}
	}
}

// TestShell runs commands in the namespaces of a named topology.
func TestShell(t *testing.T) {
	t.Run("topology", func(t *testing.T) {
		tp := harness.New(t, harness.Named("st-"))
		tp.Node("a").Dummy("only-a")
		tp.Node("b")
		for ns, want := range map[string]int{"st-a": 0, "st-b": 1} {
			got, err := harness.Shell(t.Context(), "/nonexistent", ns, []string{"ip", "link", "show", "only-a"})
			if got != want || err != nil {
				t.Errorf("ip link in %s: status %d, %v, want %d", ns, got, err, want)
			}
		}
	})
	if _, err := os.Stat("/run/netns/st-a"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the named namespace is still there: %v", err)
	}
}

// TestSweep removes a named namespace with the process in it, and leaves another
// alone.
func TestSweep(t *testing.T) {
	for _, ns := range []string{"swept-a", "kept-a"} {
		if out, err := exec.Command("ip", "netns", "add", ns).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	defer exec.Command("ip", "netns", "delete", "kept-a").Run()
	ended := make(chan error)
	cmd := exec.Command("ip", "netns", "exec", "swept-a", "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- cmd.Wait() }()
	harness.Eventually(t, 10*time.Second, func() error {
		if out, err := exec.Command("ip", "netns", "pids", "swept-a").Output(); err != nil || len(out) == 0 {
			return fmt.Errorf("no process in the namespace: %v", err)
		}
		return nil
	})
	if err := harness.Sweep("swept-"); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the process ended by itself")
	}
	out, err := exec.Command("ip", "netns", "list").Output()
	if got := string(out); err != nil || strings.Contains(got, "swept-a") || !strings.Contains(got, "kept-a") {
		t.Errorf("namespaces afterwards: %q, %v", got, err)
	}
}

// TestProgram runs a failing program that is no test: its cleanup runs, its status
// is 1.
func TestProgram(t *testing.T) {
	cleaned := false
	status := harness.Program("demo", func(tb harness.TB) {
		tb.Cleanup(func() { cleaned = true })
		harness.Eventually(tb, 0, func() error { return context.Canceled })
		t.Error("the program went on after a fatal error")
	})
	if status != 1 || !cleaned {
		t.Errorf("status %d, cleaned %v", status, cleaned)
	}
	if status := harness.Program("demo", func(harness.TB) {}); status != 0 {
		t.Errorf("status of a program without failures: %d", status)
	}
}

// TestSubset tells what contains what.
func TestSubset(t *testing.T) {
	got := map[string]any{"a": 1.0, "list": []any{map[string]any{"x": 1.0, "y": 2.0}, map[string]any{"x": 1.0}}}
	for want, ok := range map[string]bool{
		`{}`:                             true,
		`{"a": 1}`:                       true,
		`{"a": 2}`:                       false,
		`{"b": null}`:                    true,
		`{"a": null}`:                    false,
		`{"b": 1}`:                       false,
		`{"list": [{"x": 1}, {"y": 2}]}`: true,
		`{"list": [{"y": 2}, {"y": 2}]}`: false,
		`{"list": [{"z": 2}]}`:           false,
		`{"list": {}}`:                   false,
		`[]`:                             false,
	} {
		if err := harness.SubsetText(got, want); (err == nil) != ok {
			t.Errorf("%s in %v: %v", want, got, err)
		}
	}
}
