package nhs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// The loss budget of a hub that dies under if-state: registered every 5 s, dead 5.0
// to 6.7 s after the first request without an answer; the backup is there at once.
const ifStateBudget = 5*time.Second + 6700*time.Millisecond + time.Second

var static = harness.ProtocolNumber(rib.Static)

// tunnelRoutes are the kernel's routes by the tunnel, whoever made them.
func tunnelRoutes(n *harness.Node) []string {
	var all []string
	for _, r := range n.Routes() {
		if s := r.String(); strings.Contains(s, "dev Tunnel0") && r.Prefix.Addr().Is4() {
			all = append(all, s)
		}
	}
	return all
}

// isUp tells whether the line protocol is up, and the kernel's routes are those of
// the tunnel; isDown whether it is down, and they are those of the backup.
func isUp(n *harness.Node) error {
	if err := n.ShowJSON("show interfaces Tunnel0", `{"interfaces": [{"adminUp": true, "up": true}]}`); err != nil {
		return err
	}
	if got, want := strings.Join(tunnelRoutes(n), "; "), "10.10.0.0/24 via 172.31.0.1 dev Tunnel0 metric 20; 172.31.0.0/24 dev Tunnel0"; got != want {
		return fmt.Errorf("routes by the tunnel: %s, want %s", got, want)
	}
	return nil
}

func isDown(n *harness.Node) error {
	if err := n.ShowJSON("show interfaces Tunnel0", `{"interfaces": [{"adminUp": true, "up": false, "heldDown": true}]}`); err != nil {
		return err
	}
	if got := tunnelRoutes(n); len(got) > 0 {
		return fmt.Errorf("routes by a tunnel that is down: %v", got)
	}
	for _, r := range n.RoutesOf(static) {
		if r.Prefix.String() == "10.10.0.0/24" && strings.Contains(r.String(), "via 10.99.0.1 dev backup") {
			return nil
		}
	}
	return fmt.Errorf("the backup has not taken over: %v", n.RoutesOf(static))
}

// daemon returns the process number of nhrpd, by zebra's word.
func daemon(n *harness.Node) (int, error) {
	v, err := n.JSON("show daemons")
	if err != nil {
		return 0, err
	}
	for _, d := range v.(map[string]any)["daemons"].([]any) {
		if row := d.(map[string]any); row["name"] == "nhrpd" && row["state"] == "running" {
			return int(row["pid"].(float64)), nil
		}
	}
	return 0, errors.New("nhrpd is not running")
}

// unshaken kills nhrpd, zebra, and both, under traffic, and checks that no route of
// the kernel changes and no packet is lost; settled is what holds all the time.
func unshaken(t *testing.T, site *harness.Node, z *harness.Zebra, host *harness.Node, state string, settled func(*harness.Node) error) *harness.Zebra {
	t.Helper()
	watched := []*harness.RouteWatch{site.WatchRoutes(static), site.WatchRoutes(harness.ProtocolKernel)}
	flow := host.Flow("10.10.0.10", flowEvery)
	for _, victim := range []string{"nhrpd", "zebra", "nhrpd and zebra"} {
		pid, err := daemon(site)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(victim, "zebra") {
			z.Kill()
		}
		if strings.Contains(victim, "nhrpd") {
			site.KillPid(pid)
		}
		if strings.Contains(victim, "zebra") {
			z = site.RestartZebra()
		}
		harness.Eventually(t, converge, func() error {
			now, err := daemon(site)
			if err == nil && (now == pid) == strings.Contains(victim, "nhrpd") {
				err = fmt.Errorf("nhrpd is process %d, it was %d", now, pid)
			}
			return err
		})
		// What nhrpd decides anew takes it as long as it takes to find a hub dead.
		harness.Eventually(t, converge, func() error {
			if err := site.ShowJSON("show ip nhrp nhs", fmt.Sprintf(`{"servers": [{"reason": %q}]}`, map[string]string{"up": "Registration Reply", "down": "Registration Failure"}[state])); err != nil {
				return err
			}
			return settled(site)
		})
	}
	for _, w := range watched {
		if changes, err := w.Changes(); len(changes) > 0 || err != nil {
			t.Errorf("%s: routes changed while daemons were killed: %v %v", state, changes, err)
		}
		w.Stop()
	}
	if r := flow.Stop(); len(r.Lost) > 0 {
		t.Errorf("%s: %d of %d packets were lost while daemons were killed", state, len(r.Lost), r.Sent)
	}
	return z
}

// TestIfState: under `if-state nhrp` the routes by the tunnel, the connected one
// included, leave the kernel's table when the hub is dead, the backup takes over, and
// they are back with the hub. Whoever is killed meanwhile, nothing changes.
func TestIfState(t *testing.T) {
	tp := harness.New(t)
	inet := tp.Internet("inet")
	hubNode, site, backup := tp.Node("hub"), tp.Node("spoke"), tp.Router("backup")
	lan0, lan1 := tp.Node("lan0"), tp.Node("lan1")
	uplink := tp.Link(inet, "to-hub", "192.0.2.2/30", hubNode, "wan", "")
	tp.Link(inet, "to-spoke", "203.0.113.2/30", site, "wan", "")
	tp.Link(backup, "to-spoke", "10.99.0.1/30", site, "backup", "")
	tp.Link(lan0, "to-hub", "", hubNode, "lan", "")
	tp.Link(lan0, "to-backup", "", backup, "lan", "10.10.0.2/24")
	tp.Link(lan1, "eth0", "10.11.0.10/24", site, "lan", "")
	lan0.Bridge("br0", "10.10.0.10/24")
	lan0.Enslave("to-hub", "br0")
	lan0.Enslave("to-backup", "br0")
	lan0.Route("default", "10.10.0.2")
	lan1.Route("default", "10.11.0.1")
	backup.Route("10.11.0.0/24", "10.99.0.2")
	hubNode.StartZebra("hostname HUB\ninterface wan\n ip address 192.0.2.1 255.255.255.252\ninterface lan\n ip address 10.10.0.1 255.255.255.0\n" +
		underlay("192.0.2.2") + "ip route 10.11.0.0 255.255.255.0 172.31.0.11\ninterface Tunnel0\n ip address 172.31.0.1 255.255.255.0\n ip nhrp network-id 1\n tunnel source wan\n tunnel mode gre multipoint\n")
	z := site.StartZebra(spoke(" ip nhrp nhs dynamic nbma 192.0.2.1 multicast\n if-state nhrp\n",
		"interface backup\n ip address 10.99.0.2 255.255.255.252\nip route 10.10.0.0 255.255.255.0 172.31.0.1\nip route 10.10.0.0 255.255.255.0 10.99.0.1 250\n"))
	harness.Eventually(t, converge, func() error { return isUp(site) })
	if err := site.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "dynamic": true, "recovery": "UP"}]}`); err != nil {
		t.Error(err)
	}
	harness.Eventually(t, converge, func() error { return lan1.Reaches("10.10.0.10") })
	z = unshaken(t, site, z, lan1, "up", isUp)

	flow := lan1.Flow("10.10.0.10", flowEvery)
	uplink.Cut()
	harness.Eventually(t, converge, func() error { return isDown(site) })
	harness.Eventually(t, converge, func() error { return lan1.Reaches("10.10.0.10") })
	if r := flow.Stop(); len(r.Lost) > int(ifStateBudget/flowEvery) {
		t.Errorf("the hub died: %d packets of %d were lost, more than %v", len(r.Lost), r.Sent, ifStateBudget)
	} else {
		t.Logf("the hub died: %d packets were lost", len(r.Lost))
	}
	if out := site.MustVtysh("show ip interface brief"); !strings.Contains(strings.Join(strings.Fields(out), " "), "Tunnel0 172.31.0.11 up down") {
		t.Errorf("show ip interface brief:\n%s", out)
	}
	harness.Eventually(t, converge, site.Logged("%LINEPROTO-5-UPDOWN: Line protocol on Interface Tunnel0, changed state to down"))
	if out, err := site.Run("ip", "link", "show", "Tunnel0"); err != nil || !strings.Contains(out, "state DORMANT") {
		t.Errorf("the kernel's device: %v\n%s", err, out)
	}
	unshaken(t, site, z, lan1, "down", isDown)

	flow = lan1.Flow("10.10.0.10", flowEvery)
	uplink.Mend()
	harness.Eventually(t, returnLimit, func() error { return isUp(site) })
	harness.Eventually(t, converge, func() error { return lan1.Reaches("10.10.0.10") })
	if r := flow.Stop(); len(r.Lost) > 0 {
		t.Errorf("the hub came back: %d packets of %d were lost", len(r.Lost), r.Sent)
	}
}
