package lab1_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/lab1"
)

// flowEvery is the time between two packets of the traffic under which daemons
// are killed.
const flowEvery = 50 * time.Millisecond

// picture is what must be the same before and after a crash: the kernel's routes
// of zebra's, the neighbours, and what the show commands say but for times.
func picture(t *testing.T, n *harness.Node) string {
	t.Helper()
	var b strings.Builder
	for _, r := range n.RoutesOf(int(rib.Static.KernelNumber())) {
		fmt.Fprintf(&b, "%+v\n", r)
	}
	for _, dst := range []string{"172.31.0.1", "172.31.0.11", "172.31.0.12"} {
		fmt.Fprintf(&b, "%s at %s\n", dst, neighbors(n)[dst])
	}
	for _, command := range []string{"show ip nhrp brief", "show ip route", "show running-config", "show ip interface brief"} {
		out, err := n.Vtysh(command)
		if err != nil {
			return err.Error()
		}
		b.WriteString(out)
	}
	return b.String()
}

// survives runs a crash under traffic from LAN to LAN: no packet may be lost, and
// after it everything must be as before.
func survives(t *testing.T, c *lab1.Cloud, crash func()) {
	t.Helper()
	harness.Eventually(t, converge, func() error { return registered(c) })
	c.LAN1.MustPing("10.12.0.10", 3)
	before := map[string]string{}
	for _, r := range c.Routers() {
		before[r.Name()] = picture(t, r)
	}
	flow := c.LAN1.Flow("10.12.0.10", flowEvery)
	crash()
	harness.Eventually(t, converge, func() error {
		for _, r := range c.Routers() {
			if diff := cmp.Diff(before[r.Name()], picture(t, r)); diff != "" {
				return fmt.Errorf("%s (-before +after):\n%s", r.Name(), diff)
			}
		}
		return registered(c)
	})
	result := flow.Stop()
	if result.Received < result.Sent || result.Sent < 5 {
		t.Errorf("%d of %d packets arrived while the daemons were away", result.Received, result.Sent)
	}
}

// daemonPid returns the process number of a daemon that is running, by zebra's word.
func daemonPid(n *harness.Node, name string) (int, error) {
	v, err := n.JSON("show daemons")
	if err != nil {
		return 0, err
	}
	for _, d := range v.(map[string]any)["daemons"].([]any) {
		row := d.(map[string]any)
		if row["name"] == name && row["state"] == "running" {
			return int(row["pid"].(float64)), nil
		}
	}
	return 0, errors.New(name + " is not running")
}

// restarted waits until a daemon runs under another process number.
func restarted(t *testing.T, n *harness.Node, name string, old int) {
	t.Helper()
	harness.Eventually(t, converge, func() error {
		pid, err := daemonPid(n, name)
		if err == nil && pid == old {
			err = fmt.Errorf("%s is still process %d", name, pid)
		}
		return err
	})
}

// TestNHRPDKilled kills the hub's nhrpd.
func TestNHRPDKilled(t *testing.T) {
	c, _ := build(t)
	survives(t, c, func() {
		pid, err := daemonPid(c.Hub, "nhrpd")
		if err != nil {
			t.Fatal(err)
		}
		c.Hub.KillPid(pid)
		restarted(t, c.Hub, "nhrpd", pid)
	})
}

// TestZebraKilled kills the hub's zebra; nhrpd lives on and is found again.
func TestZebraKilled(t *testing.T) {
	c, zebras := build(t)
	survives(t, c, func() {
		pid, err := daemonPid(c.Hub, "nhrpd")
		if err != nil {
			t.Fatal(err)
		}
		zebras["hub"].Kill()
		c.Hub.RestartZebra()
		harness.Eventually(t, converge, func() error {
			again, err := daemonPid(c.Hub, "nhrpd")
			if err == nil && again != pid {
				return fmt.Errorf("nhrpd is process %d now, it was %d", again, pid)
			}
			return err
		})
	})
}

// TestBothKilled kills zebra and nhrpd of the hub. The spokes register again, as
// every 5 seconds, and the table is as it was.
func TestBothKilled(t *testing.T) {
	c, zebras := build(t)
	for _, spoke := range []*harness.Node{c.Spoke1, c.Spoke2} {
		spoke.Configure("interface Tunnel0\nip nhrp registration timeout 5")
	}
	survives(t, c, func() {
		pid, err := daemonPid(c.Hub, "nhrpd")
		if err != nil {
			t.Fatal(err)
		}
		zebras["hub"].Kill()
		c.Hub.KillPid(pid)
		c.Hub.RestartZebra()
		restarted(t, c.Hub, "nhrpd", pid)
	})
}

// TestHubRestart ends the hub in order, which takes its tunnel away, and starts
// it again: the spokes come back by themselves.
func TestHubRestart(t *testing.T) {
	c, zebras := build(t)
	for _, spoke := range []*harness.Node{c.Spoke1, c.Spoke2} {
		spoke.Configure("interface Tunnel0\nip nhrp registration timeout 5")
	}
	harness.Eventually(t, converge, func() error { return registered(c) })
	if err := zebras["hub"].Terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	for _, d := range c.Hub.Devices() {
		if d.Name == "Tunnel0" {
			t.Error("the hub's tunnel outlived an orderly end")
		}
	}
	if left := c.Hub.RoutesOf(int(rib.Static.KernelNumber())); len(left) > 0 {
		t.Errorf("routes outlived an orderly end: %v", left)
	}
	if pids := c.Hub.Pids("godmvpn"); len(pids) > 0 {
		t.Errorf("processes %v outlived an orderly end", pids)
	}
	harness.Eventually(t, converge, func() error {
		return c.Spoke1.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "up": false}]}`)
	})
	c.Hub.RestartZebra()
	harness.Eventually(t, converge, func() error { return registered(c) })
	c.LAN1.MustPing("10.12.0.10", 3)
}

// TestSpokeRestart ends a spoke in order: it takes its registration back, and
// registers again when it is back.
func TestSpokeRestart(t *testing.T) {
	c, zebras := build(t)
	harness.Eventually(t, converge, func() error { return registered(c) })
	if err := zebras["spoke1"].Terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, converge, func() error {
		if nbma, ok := neighbors(c.Hub)["172.31.0.11"]; ok {
			return fmt.Errorf("the hub still has the spoke at %s", nbma)
		}
		return nil
	})
	c.Spoke1.RestartZebra()
	harness.Eventually(t, converge, func() error { return registered(c) })
	c.LAN1.MustPing("10.12.0.10", 3)
}

// TestRetain ends a spoke that is told to leave its routes: packets flow on.
func TestRetain(t *testing.T) {
	c := lab1.Build(harness.New(t))
	c.Hub.StartZebra(lab1.Config("hub"))
	c.Spoke2.StartZebra(lab1.Config("spoke2"))
	z := c.Spoke1.StartZebra(lab1.Config("spoke1"), "--retain")
	harness.Eventually(t, converge, func() error { return registered(c) })
	if err := z.Terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	if got := c.Spoke1.RoutesOf(int(rib.Static.KernelNumber())); len(got) != 2 {
		t.Errorf("routes after --retain: %v", got)
	}
	c.LAN1.MustPing("10.10.0.10", 3)
}

// TestTunnelSourceChange gives a spoke's uplink another address: the tunnel is
// re-sourced, the spoke registers anew, and the hub sends to the new address.
func TestTunnelSourceChange(t *testing.T) {
	c, _ := build(t)
	harness.Eventually(t, converge, func() error { return registered(c) })
	c.Inet.Addr("to-spoke1", "198.51.100.6/30")
	c.Spoke1.Configure("interface GigabitEthernet1\nip address 198.51.100.5 255.255.255.252\n" +
		"no ip route 0.0.0.0 0.0.0.0 198.51.100.2\nip route 0.0.0.0 0.0.0.0 198.51.100.6")
	harness.Eventually(t, converge, func() error {
		if got := neighbors(c.Hub)["172.31.0.11"]; got != "198.51.100.5" {
			return fmt.Errorf("the hub has the spoke at %q", got)
		}
		return c.LAN1.Reaches("10.12.0.10") // once the spoke has its routes by the tunnel again
	})
	c.LAN1.MustPing("10.12.0.10", 3)
}

// TestTunnelSourceReturns takes a spoke's uplink away and brings another device of
// that name, as a PPP session that is dialled again: zebra gives it its address
// back, the tunnel follows, and the spoke registers anew.
func TestTunnelSourceReturns(t *testing.T) {
	c, _ := build(t)
	c.Spoke1.Configure("interface Tunnel0\nip nhrp registration timeout 5")
	harness.Eventually(t, converge, func() error { return registered(c) })
	link, err := c.Spoke1.Netlink().LinkByName("wan")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Spoke1.Netlink().LinkDel(link); err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, converge, func() error {
		return c.Spoke1.ShowJSON("show interfaces Tunnel0", `{"interfaces": [{"up": false}]}`)
	})
	c.Topology.Link(c.Inet, "to-spoke1", "198.51.100.2/30", c.Spoke1, "wan", "")
	harness.Eventually(t, converge, func() error {
		if err := c.Spoke1.ShowJSON("show interfaces Tunnel0", `{"interfaces": [{"up": true, "tunnel": {"source": "198.51.100.1"}}]}`); err != nil {
			return err
		}
		if err := registered(c); err != nil {
			return err
		}
		return c.LAN1.Reaches("10.12.0.10")
	})
}

// TestAuthenticationMismatch refuses a spoke with another key: an error
// indication, a log line, no registration; and takes it once the key is right.
func TestAuthenticationMismatch(t *testing.T) {
	c := lab1.Build(harness.New(t))
	wan := c.Spoke1.Capture("wan")
	c.Hub.StartZebra(lab1.Config("hub"))
	c.Spoke2.StartZebra(lab1.Config("spoke2"))
	c.Spoke1.StartZebra(strings.ReplaceAll(lab1.Config("spoke1"), "DMVPNKEY", "WRONGKEY"))
	harness.Eventually(t, converge, func() error {
		if err := c.Hub.ShowJSON("show ip nhrp traffic", `{"interfaces": [{"interface": "Tunnel0"}]}`); err != nil {
			return err
		}
		out, err := c.Hub.Vtysh("show logging")
		if err == nil && !strings.Contains(out, "NHRP_ERROR") {
			err = fmt.Errorf("no log line about the refusal:\n%s", out)
		}
		return err
	})
	harness.Eventually(t, converge, func() error {
		for _, f := range wan.Frames(harness.All(harness.IsNHRP, harness.Between("192.0.2.1", "198.51.100.1"))) {
			if len(f.Payload) > 25 && f.Payload[17] == 7 && f.Payload[24] == 0 && f.Payload[25] == 11 {
				return nil // RFC 2332 section 5.2.7: packet type 7, error code 11
			}
		}
		return errors.New("no error indication with code 11 was captured")
	})
	if _, ok := neighbors(c.Hub)["172.31.0.11"]; ok {
		t.Error("the hub has a neighbour entry for a spoke with the wrong key")
	}
	if err := c.Spoke1.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "up": false}]}`); err != nil {
		t.Error(err)
	}
	c.Spoke1.Configure("interface Tunnel0\nip nhrp authentication DMVPNKEY")
	harness.Eventually(t, converge, func() error { return registered(c) })
}

// TestBadConfiguration starts zebra with bad lines: each is named with its
// number, and nothing of the file is in force.
func TestBadConfiguration(t *testing.T) {
	const unknown = "hostname R\ninterface wan\n ip address 192.0.2.1 255.255.255.0\n ip adress 1.2.3.4 255.0.0.0\n"
	const impossible = "interface wan\n ip address 192.0.2.1 255.255.255.0\ninterface Tunnel0\n tunnel source wan\n" +
		" tunnel mode gre multipoint\n ip nhrp nhs 0.0.0.0\n"
	tp := harness.New(t)
	for i, tc := range []struct{ config, place string }{{unknown, "godmvpn.conf:4:"}, {impossible, "godmvpn.conf:6:"}} {
		n := tp.Node(fmt.Sprintf("bad%d", i))
		tp.Link(n, "wan", "", tp.Node(fmt.Sprintf("other%d", i)), "eth0", "")
		if err := os.WriteFile(filepath.Join(n.Rundir(), "godmvpn.conf"), []byte(tc.config), 0o640); err != nil {
			t.Fatal(err)
		}
		z := n.LaunchZebra()
		if err := z.Wait(converge); err == nil || z.Running() {
			t.Fatalf("zebra with a bad configuration: running %v, %v", z.Running(), err)
		}
		out, err := os.ReadFile(filepath.Join(n.Rundir(), "zebra.out"))
		if err != nil || !strings.Contains(string(out), tc.place) {
			t.Errorf("zebra does not name %s: %v\n%s", tc.place, err, out)
		}
		for _, d := range n.Devices() {
			if d.Name == "Tunnel0" {
				t.Error("a tunnel of a refused configuration exists")
			}
		}
		for _, r := range n.Routes() {
			if !r.Prefix.Addr().Is6() {
				t.Errorf("route of a refused configuration: %+v", r)
			}
		}
	}
}
