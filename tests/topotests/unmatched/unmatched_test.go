package unmatched

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/lab1"
)

func TestMain(m *testing.M) { harness.Main(m) }

// converge is how long something may take to come to be.
const converge = 60 * time.Second

// up reports whether the fallback device of a node is up.
func up(n *harness.Node) (bool, error) {
	l, err := n.Netlink().LinkByName("gre0")
	if err != nil {
		return false, err
	}
	return l.Attrs().Flags&net.FlagUp != 0, nil
}

// packets is how many packets a node counted from spoke 1.
func packets(t *testing.T, n *harness.Node) (total int) {
	t.Helper()
	v, err := n.JSON("show tunnel unmatched")
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := v.(map[string]any)["unmatched"].([]any)
	for _, r := range rows {
		row := r.(map[string]any)
		if row["source"] == "198.51.100.1" {
			total += int(row["packets"].(float64))
		}
	}
	return total
}

// TestKeyMismatch: spoke 1 has another tunnel key. The hub shows its address, the key
// that it sends and the one that the tunnel has, and logs them; nothing of what it sends
// gets in. Spoke 2 is served meanwhile. When the key is right the spoke registers.
func TestKeyMismatch(t *testing.T) {
	c := lab1.Build(harness.New(t))
	zebra := c.Hub.StartZebra(lab1.Config("hub"))
	c.Spoke1.StartZebra(strings.Replace(lab1.Config("spoke1"), "tunnel key 100", "tunnel key 99", 1))
	c.Spoke2.StartZebra(lab1.Config("spoke2"))
	began := time.Now()
	seen := func() error {
		return c.Hub.ShowJSON("show tunnel unmatched", `{"unmatched": [{"source": "198.51.100.1", "destination": "192.0.2.1", "key": 99, "why": "Tunnel0 has key 100"}]}`)
	}
	harness.Eventually(t, converge, seen)
	t.Logf("shown %v after the spokes were started", time.Since(began))
	harness.Eventually(t, converge, func() error {
		return c.Hub.ShowJSON("show ip nhrp", `{"entries": [{"target": "172.31.0.12/32"}]}`)
	})
	if out := c.Hub.MustVtysh("show ip nhrp"); strings.Contains(out, "172.31.0.11") {
		t.Errorf("the spoke with the wrong key is registered:\n%s", out)
	}
	harness.Eventually(t, converge, c.Hub.Logged("%TUN-4-UNMATCHED: GRE packets from 198.51.100.1 to 192.0.2.1 with key 99 are for no tunnel: Tunnel0 has key 100"))
	if out := c.Hub.MustVtysh("show tunnel unmatched"); !strings.Contains(out, "198.51.100.1") || strings.Contains(out, "203.0.113.1") {
		t.Errorf("show tunnel unmatched:\n%s", out)
	}
	harness.Eventually(t, converge, func() error {
		return c.Hub.ShowJSON("diagnose dmvpn", `{"diagnoses": [{"interface": "Tunnel0", "nbma": "198.51.100.1", "failing": "GRE"}]}`)
	})
	if out := c.Hub.MustVtysh("show dmvpn detail"); !strings.Contains(out, "198.51.100.1 to 192.0.2.1, key 99: ") {
		t.Errorf("show dmvpn detail:\n%s", out)
	}
	if out := c.Hub.MustVtysh("diagnose dmvpn"); !strings.Contains(out, "packets come from 198.51.100.1 with key 99, for no tunnel: Tunnel0 has key 100") {
		t.Errorf("diagnose dmvpn:\n%s", out)
	}
	// What is inside does not get in: it does not come to the hub's LAN.
	lan := c.LAN0.Capture("eth0")
	inside := harness.Between("10.11.0.10", "10.10.0.10")
	before := packets(t, c.Hub)
	_, _ = c.LAN1.Ping("10.10.0.10", "", 3)
	harness.Eventually(t, converge, func() error {
		if n := packets(t, c.Hub); n < before+3 {
			return fmt.Errorf("%d packets were counted, %d before the ping", n, before)
		}
		return nil
	})
	if n := lan.Count(inside); n > 0 {
		t.Errorf("%d packets came through", n)
	}

	// A killed zebra leaves the lock closed; the next one counts again.
	zebra.Kill()
	if yes, err := up(c.Hub); err != nil || !yes {
		t.Errorf("without zebra gre0 is up: %v, %v", yes, err)
	}
	_, _ = c.LAN1.Ping("10.10.0.10", "", 3)
	if n := lan.Count(inside); n > 0 {
		t.Errorf("%d packets came through without zebra", n)
	}
	zebra = c.Hub.RestartZebra()
	harness.Eventually(t, converge, seen)

	c.Spoke1.Configure("interface Tunnel0\ntunnel key 100")
	harness.Eventually(t, converge, func() error {
		return c.Hub.ShowJSON("show ip nhrp", `{"entries": [{"target": "172.31.0.11/32"}]}`)
	})
	if err := zebra.Terminate(converge); err != nil {
		t.Fatal(err)
	}
	if yes, err := up(c.Hub); err != nil || yes {
		t.Errorf("after zebra's end gre0 is up: %v, %v", yes, err)
	}
}

// TestWhy: every way in which a packet can miss the tunnels has its reason.
func TestWhy(t *testing.T) {
	c := lab1.Build(harness.New(t))
	c.Hub.StartZebra(lab1.Config("hub"))
	c.Spoke1.StartZebra(lab1.Config("spoke1"))
	harness.Eventually(t, converge, func() error {
		return c.Hub.ShowJSON("show ip nhrp", `{"entries": [{"target": "172.31.0.11/32"}]}`)
	})
	c.Hub.Configure("interface Tunnel0\nshutdown")
	c.Spoke1.Configure("interface Tunnel0\nip nhrp registration timeout 1")
	why := func(n *harness.Node, source, why string) {
		t.Helper()
		harness.Eventually(t, converge, func() error {
			return n.ShowJSON("show tunnel unmatched", fmt.Sprintf(`{"unmatched": [{"source": %q, "why": %q}]}`, source, why))
		})
	}
	why(c.Hub, "198.51.100.1", "Tunnel0 is down")
	c.Hub.Configure("interface Tunnel0\nno tunnel key\nno shutdown")
	why(c.Hub, "198.51.100.1", "Tunnel0 has no key")
	c.Hub.Configure("interface Tunnel0\ntunnel key 100\ntunnel mode gre ip\ntunnel destination 203.0.113.1")
	why(c.Hub, "198.51.100.1", "Tunnel0 leads to 203.0.113.1")
	c.Hub.Configure("interface Tunnel0\nno tunnel source")
	why(c.Hub, "198.51.100.1", "no tunnel has the source 192.0.2.1")
}
