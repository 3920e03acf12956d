package ospf

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestRestart: the router in the midst of traffic loses its ospfd, by a crash, by a
// request and by a signal, and its zebra. No packet is lost, no router withdraws a route,
// and the neighbours' adjacencies stay (RFC 3623).
func TestRestart(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	var r [4]*harness.Node
	for i := 1; i < len(r); i++ {
		r[i] = tp.Router(fmt.Sprintf("r%d", i))
	}
	tp.Link(r[1], "eth0", "10.9.1.1/24", r[2], "eth0", "10.9.1.2/24")
	tp.Link(r[2], "eth1", "10.9.2.2/24", r[3], "eth0", "10.9.2.3/24")
	h1 := tp.Host("h1", r[1], "10.1.0.10/24", "10.1.0.1")
	tp.Host("h3", r[3], "10.3.0.10/24", "10.3.0.1")
	process := network("10.0.0.0", 0) + " nsf ietf restart-interval 60\n"
	configs := map[*harness.Node]string{
		r[1]: patient("eth0", "") + ospf(1, process+" passive-interface lan-h1\n"),
		r[2]: patient("eth0", "") + patient("eth1", " ip ospf network point-to-point\n") + ospf(2, process),
		r[3]: patient("eth0", " ip ospf network point-to-point\n") + ospf(3, process+" passive-interface lan-h3\n"),
	}
	var middle *harness.Zebra
	for n, config := range configs {
		if z := n.LaunchWith(config); n == r[2] {
			middle = z
		} else {
			defer z.WaitReady()
		}
	}
	middle.WaitReady()
	whole := []func() error{routes(r[1], "10.9.2.0/24", "10.3.0.0/24"), routes(r[2], "10.1.0.0/24", "10.3.0.0/24"), routes(r[3], "10.9.1.0/24", "10.1.0.0/24")}
	await(t, whole...)
	flow := h1.Flow("10.3.0.10", 20*time.Millisecond)
	var watches []*harness.RouteWatch
	for _, n := range r[1:] {
		w := n.WatchRoutes(harness.ProtocolNumber(rib.OSPF))
		defer w.Stop()
		watches = append(watches, w)
	}
	for _, c := range []struct {
		name string
		end  func(pid int)
	}{
		{"crash", func(pid int) { r[2].KillPid(pid) }},
		{"request", func(int) { r[2].MustVtysh("restart daemon ospfd") }},
		{"signal", func(pid int) {
			if err := unix.Kill(pid, unix.SIGTERM); err != nil {
				t.Error(err)
			}
		}},
		{"zebra", func(int) { middle.Kill(); middle = r[2].RestartZebra() }},
	} {
		pid := r[2].Pids("ospfd")[0]
		adjacencies := strings.Count(r[2].MustVtysh("show logging"), full)
		c.end(pid)
		await(t, append(whole, restarted(r[2], c.name, pid, adjacencies), over(r[2], r[1], r[3]))...)
		for i, w := range watches {
			if err := w.Withdrawn(); err != nil {
				t.Errorf("%s: r%d: %v", c.name, i+1, err)
			}
		}
	}
	if got := flow.Stop(); got.Received < got.Sent || got.Sent < 100 {
		t.Errorf("%d of %d packets arrived, lost %v", got.Received, got.Sent, got.Lost)
	}
	for _, n := range []*harness.Node{r[1], r[3]} {
		if out := n.MustVtysh("show logging"); strings.Contains(out, "to DOWN") || strings.Contains(out, "to INIT") {
			t.Errorf("%s lost its neighbour:\n%s", n.Name(), out)
		}
	}
}

// patient gives a device timers within which a daemon is back, also where the machine is
// busy; lines are further ones.
func patient(device, lines string) string {
	return fmt.Sprintf("interface %s\n ip ospf hello-interval 1\n ip ospf dead-interval 10\n%s", device, lines)
}

// over tells whether the restart of a router is over, for itself and for those who helped it.
func over(n *harness.Node, helpers ...*harness.Node) func() error {
	return func() error {
		if err := n.ShowJSON("show ip ospf", `{"instances": [{"restarting": false}]}`); err != nil {
			return err
		}
		for _, h := range helpers {
			v, err := h.JSON("show ip ospf neighbor")
			if text := fmt.Sprint(v); err == nil && strings.Contains(text, "gracefulRestartHelper:true") {
				err = fmt.Errorf("%s still helps: %s", h.Name(), text)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// full is logged for each adjacency.
const full = " to FULL"

// restarted tells whether there is another ospfd, with two neighbours again; after the end
// of zebra alone it is the same one.
func restarted(n *harness.Node, how string, pid, adjacencies int) func() error {
	return func() error {
		all := n.Pids("ospfd")
		if len(all) != 1 || (all[0] == pid) != (how == "zebra") {
			return fmt.Errorf("%s: the processes of ospfd are %v, it was %d", how, all, pid)
		}
		if out, err := n.Vtysh("show logging"); err != nil || how != "zebra" && strings.Count(out, full) != adjacencies+2 {
			return fmt.Errorf("%s: not two adjacencies more, %v:\n%s", how, err, out)
		}
		return nil
	}
}
