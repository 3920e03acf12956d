package qos

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/lab1"
)

func TestMain(m *testing.M) { harness.Main(m) }

// converge is how long a cloud may take until something has come to be.
const converge = 60 * time.Second

const (
	spoke1, spoke2 = "198.51.100.1", "203.0.113.1"
	slow, fast     = 64000, 100000000 // bits in a second
)

const policies = `policy-map SLOW
class class-default
shape average 64000
policy-map FAST
class class-default
shape average 100000000
interface Tunnel0
nhrp map group BRONZE service-policy output SLOW
ip nhrp map group GOLD service-policy output FAST
`

// build starts the cloud and waits for the spokes' groups.
func build(t *testing.T) (*lab1.Cloud, map[string]*harness.Zebra) {
	c := lab1.Build(harness.New(t))
	zebras := c.Start()
	c.Spoke1.Configure("interface Tunnel0\nip nhrp group BRONZE")
	c.Spoke2.Configure("interface Tunnel0\nnhrp group GOLD")
	harness.Eventually(t, converge, func() error {
		return c.Hub.ShowJSON("show ip nhrp", `{"entries": [{"target": "172.31.0.11/32", "group": "BRONZE"}, {"target": "172.31.0.12/32", "group": "GOLD"}]}`)
	})
	return c, zebras
}

// class is a class of the hub's queueing discipline.
type class struct {
	rate, packets, queued, drops uint64 // bits in a second
}

// classes are those of the hub's Tunnel0, by rate.
func classes(n *harness.Node) (map[uint64]class, error) {
	link, err := n.Netlink().LinkByName("Tunnel0")
	if err != nil {
		return nil, err
	}
	list, err := n.Netlink().ClassList(link, netlink.HANDLE_NONE)
	if err != nil {
		return nil, err
	}
	all := map[uint64]class{}
	for _, x := range list {
		h, ok := x.(*netlink.HtbClass)
		if !ok || h.Statistics == nil || h.Statistics.Basic == nil || h.Statistics.Queue == nil {
			return nil, fmt.Errorf("class %v", x)
		}
		c := class{rate: 8 * h.Rate, packets: uint64(h.Statistics.Basic.Packets), queued: uint64(h.Statistics.Queue.Qlen), drops: uint64(h.Statistics.Queue.Drops)}
		all[c.rate] = c
	}
	return all, nil
}

// wantClasses waits for the hub to have classes of these rates and no other.
func wantClasses(t *testing.T, hub *harness.Node, rates ...uint64) map[uint64]class {
	t.Helper()
	var have map[uint64]class
	harness.Eventually(t, converge, func() (err error) {
		if have, err = classes(hub); err != nil {
			return err
		}
		for _, r := range rates {
			if _, ok := have[r]; !ok {
				return fmt.Errorf("no class of %d bit/s in %v", r, have)
			}
		}
		if len(have) != len(rates) {
			return fmt.Errorf("classes %v, wanted %v", have, rates)
		}
		return nil
	})
	return have
}

// burst has a router send packets to a tunnel address at once.
func burst(t *testing.T, from *harness.Node, to string, packets, size int) {
	t.Helper()
	err := from.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		// What waits in the queue is this socket's: it must have room for all of it.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 64<<20); err != nil {
			return err
		}
		dst := &unix.SockaddrInet4{Port: 9, Addr: [4]byte(net.ParseIP(to).To4())}
		for range packets {
			if err := unix.Sendto(fd, make([]byte, size), 0, dst); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return err // ENOBUFS: the queue is full
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGroups: the hub learns the groups, shows them, and holds each spoke down to the
// rate of its group's policy; a spoke that changes or leaves its group changes its rate.
func TestGroups(t *testing.T) {
	c, _ := build(t)
	if have, err := classes(c.Hub); err != nil || len(have) > 0 {
		t.Errorf("before there are policies: %v, %v", have, err)
	}
	if _, err := c.Hub.Vtysh("configure terminal", "interface Tunnel0", "nhrp map group GOLD service-policy output FAST"); err == nil || !strings.Contains(err.Error(), "there is no policy-map FAST") {
		t.Errorf("a policy that does not exist: %v", err)
	}
	c.Hub.Configure(policies)
	wantClasses(t, c.Hub, slow, fast)
	if _, err := c.Hub.Vtysh("configure terminal", "no policy-map FAST"); err == nil || !strings.Contains(err.Error(), "there is no policy-map FAST") {
		t.Errorf("a policy that is in use was removed: %v", err)
	}
	for command, want := range map[string]string{
		"show dmvpn detail":                               `{"interfaces": [{"peers": [{"nbma": "198.51.100.1", "group": "BRONZE", "outputPolicy": "SLOW"}, {"nbma": "203.0.113.1", "group": "GOLD", "outputPolicy": "FAST"}]}]}`,
		"show ip nhrp group-map":                          `{"groups": [{"group": "BRONZE", "policy": "SLOW", "peers": [{"tunnel": "172.31.0.11"}]}, {"group": "GOLD", "policy": "FAST"}]}`,
		"show policy-map":                                 `{"policies": [{"name": "FAST", "rate": 100000000}, {"name": "SLOW", "rate": 64000}]}`,
		"show policy-map multipoint Tunnel0 198.51.100.1": `{"shapers": [{"nbma": "198.51.100.1", "policy": "SLOW", "rate": 64000, "inForce": true}]}`,
	} {
		harness.Eventually(t, converge, func() error { return c.Hub.ShowJSON(command, want) }) // the kernel has it before zebra says so
	}
	if out := c.Hub.MustVtysh("show dmvpn detail"); !strings.Contains(out, "NHRP group: BRONZE\n Output QoS service-policy applied: SLOW\n") {
		t.Errorf("show dmvpn detail:\n%s", out)
	}

	held(t, c)

	// Another group is another rate, no group is none; the spoke says so at once.
	c.Spoke1.Configure("interface Tunnel0\nnhrp group GOLD")
	harness.Eventually(t, converge, func() error {
		return c.Hub.ShowJSON("show policy-map multipoint", `{"shapers": [{"nbma": "198.51.100.1", "rate": 100000000, "inForce": true}, {"nbma": "203.0.113.1", "rate": 100000000}]}`)
	})
	wantClasses(t, c.Hub, fast)
	c.Spoke2.Configure("interface Tunnel0\nno nhrp group")
	harness.Eventually(t, converge, func() error {
		return c.Hub.ShowJSON("show ip nhrp group-map", `{"groups": [{"group": "BRONZE", "peers": []}, {"group": "GOLD", "peers": [{"tunnel": "172.31.0.11"}]}]}`)
	})
	harness.Eventually(t, converge, func() error {
		out, err := c.Hub.Vtysh("show policy-map multipoint")
		if err == nil && (!strings.Contains(out, spoke1) || strings.Contains(out, spoke2)) {
			err = fmt.Errorf("show policy-map multipoint:\n%s", out)
		}
		return err
	})
	c.Hub.Configure("interface Tunnel0\nno nhrp map group GOLD\nno nhrp map group BRONZE\nexit\nno policy-map FAST\nno policy-map SLOW")
	wantClasses(t, c.Hub)
}

// listen counts the packets of a size that come to a node.
func listen(t *testing.T, n *harness.Node, size int) (heard func() int) {
	t.Helper()
	var fd int
	err := n.Do(func() (err error) {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
			return err
		}
		return errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20), unix.Bind(fd, &unix.SockaddrInet4{Port: 9}))
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	total, buf := 0, make([]byte, 2*size)
	return func() int {
		for {
			got, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				return total
			}
			if got == size {
				total++
			}
		}
	}
}

// held sends much to both spokes. All of it comes to the fast one; to the slow one no
// more than its rate allows, and what does not come waits or is dropped: no packet is
// unaccounted for.
func held(t *testing.T, c *lab1.Cloud) {
	t.Helper()
	const packets, size = 400, 1000 // more than a queue has room for
	const part = packets / 4        // and what it has
	heard := [2]func() int{listen(t, c.Spoke1, size), listen(t, c.Spoke2, size)}
	before, err := classes(c.Hub)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	burst(t, c.Hub, "172.31.0.11", packets, size)
	for sent := part; sent <= packets; sent += part {
		burst(t, c.Hub, "172.31.0.12", part, size)
		harness.Eventually(t, converge, func() error {
			if n := heard[1](); n != sent {
				return fmt.Errorf("%d of %d packets came to the fast spoke", n, sent)
			}
			return nil
		})
	}
	left := heard[0]()
	after, err := classes(c.Hub)
	if err != nil {
		t.Fatal(err)
	}
	allowed := 1 + (3000+int(slow/8*time.Since(began).Seconds()))/size
	if left == 0 || left > allowed {
		t.Errorf("%d packets came to the slow spoke, at most %d were allowed", left, allowed)
	}
	sum := func(x class) uint64 { return x.packets + x.queued + x.drops }
	if n := sum(after[slow]) - sum(before[slow]); n < packets || after[slow].drops == before[slow].drops {
		t.Errorf("the slow spoke's class: %+v, then %+v: %d of %d packets", before[slow], after[slow], n, packets)
	}
	if after[fast].drops != 0 || after[fast].packets-before[fast].packets < packets {
		t.Errorf("the fast spoke's class: %+v, then %+v", before[fast], after[fast])
	}
	harness.Eventually(t, converge, func() error { // it is dropped what comes while the queue is full
		now, err := classes(c.Hub)
		if err != nil {
			return err
		}
		return c.Hub.ShowJSON("show policy-map multipoint", fmt.Sprintf(`{"shapers": [{"policy": "SLOW", "drops": %d}]}`, now[slow].drops))
	})
}

// TestKilled kills zebra, nhrpd and both on the hub: the classes stay in force, and
// go on counting, so that nobody made them anew.
func TestKilled(t *testing.T) {
	c, zebras := build(t)
	c.Hub.Configure(policies)
	c.Hub.MustVtysh("write memory")
	for _, s := range []*harness.Node{c.Spoke1, c.Spoke2} { // if both are killed, the hub learns of the spokes from themselves
		s.Configure("interface Tunnel0\nip nhrp registration timeout 5")
	}
	wantClasses(t, c.Hub, slow, fast)
	burst(t, c.Hub, "172.31.0.12", 100, 100)
	var last uint64
	harness.Eventually(t, converge, func() error {
		have, err := classes(c.Hub)
		if last = have[fast].packets; err == nil && last < 100 {
			err = fmt.Errorf("%d packets", last)
		}
		return err
	})
	for name, kill := range map[string]func(pid int){
		"nhrpd": func(pid int) { c.Hub.KillPid(pid) },
		"zebra": func(int) { zebras["hub"].Kill(); zebras["hub"] = c.Hub.RestartZebra() },
		"both":  func(pid int) { zebras["hub"].Kill(); c.Hub.KillPid(pid); zebras["hub"] = c.Hub.RestartZebra() },
	} {
		pids := c.Hub.Pids("nhrpd")
		if len(pids) != 1 {
			t.Fatalf("nhrpd is %v", pids)
		}
		stop, bad := make(chan struct{}), make(chan error, 1)
		go func() { bad <- watch(c.Hub, stop, last) }()
		kill(pids[0])
		harness.Eventually(t, converge, func() error {
			if now := c.Hub.Pids("nhrpd"); len(now) != 1 || (name == "zebra") != (now[0] == pids[0]) {
				return fmt.Errorf("%s killed: nhrpd was %v and is %v", name, pids, now)
			}
			if err := c.Hub.ShowJSON("show daemons", `{"daemons": [{"name": "nhrpd", "state": "running"}]}`); err != nil {
				return err // a zebra that is killed now would have greeted none that the next one finds
			}
			return c.Hub.ShowJSON("show policy-map multipoint", `{"shapers": [{"policy": "SLOW", "inForce": true}, {"policy": "FAST", "inForce": true}]}`)
		})
		close(stop)
		if err := <-bad; err != nil {
			t.Errorf("%s killed: %v", name, err)
		}
		if have := wantClasses(t, c.Hub, slow, fast)[fast].packets; have < last {
			t.Errorf("%s killed: the class counts %d packets, it had %d", name, have, last)
		}
	}
	// What was taken over can be changed.
	c.Hub.Configure("policy-map SLOW\nclass class-default\nshape average 128000")
	wantClasses(t, c.Hub, 128000, fast)
}

// watch looks at the classes until stop: they are there, and their counters do not
// begin anew.
func watch(hub *harness.Node, stop <-chan struct{}, last uint64) error {
	for {
		select {
		case <-stop:
			return nil
		case <-time.After(20 * time.Millisecond):
		}
		have, err := classes(hub)
		if err != nil {
			return err
		}
		_, slowly := have[slow]
		if now, ok := have[fast]; !ok || !slowly || now.packets < last {
			return fmt.Errorf("classes %v, %d packets before", have, last)
		}
	}
}
