package ospf

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/ospfd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestElection has four routers on one network. The designated router dies: its backup
// takes its place, and what it told goes. When it comes back it has to wait.
func TestElection(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	lan := tp.Node("lan")
	lan.Bridge("switch", "10.9.0.254/24")
	priorities := []int{200, 100, 1, 0}
	var r [4]*harness.Node
	var zebras [4]*harness.Zebra
	configs := [4]string{}
	for i, p := range priorities {
		n := i + 1
		r[i] = tp.Router(fmt.Sprintf("r%d", n))
		port := fmt.Sprintf("port%d", n)
		tp.Link(lan, port, "", r[i], "eth0", fmt.Sprintf("10.9.0.%d/24", n))
		lan.Enslave(port, "switch")
		tp.Host(fmt.Sprintf("h%d", n), r[i], fmt.Sprintf("10.%d.0.10/24", n), fmt.Sprintf("10.%d.0.1", n))
		configs[i] = quick("eth0", fmt.Sprintf(" ip ospf priority %d\n", p)) + ospf(n, " passive-interface lan-h"+fmt.Sprint(n)+"\n"+network("10.0.0.0", 0))
	}
	wire := lan.Capture("switch")
	for i := range r { // side by side: all are there at the election
		zebras[i] = r[i].LaunchWith(configs[i])
	}
	for _, z := range zebras {
		z.WaitReady()
	}
	all := []string{"10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24", "10.4.0.0/24"}
	without := func(gone ...int) (out []string) { // 0: router 1
		for i, prefix := range all {
			if !slices.Contains(gone, i) {
				out = append(out, prefix)
			}
		}
		return out
	}
	for i := range r {
		await(t, routes(r[i], without(i)...))
	}
	dr, bdr := elected(t, wire, 4)
	if dr != 1 || bdr != 2 { // those of the highest priority, if all were there in time
		t.Logf("r%d and r%d were there first", dr, bdr)
	}

	dead := dr - 1
	zebras[dead].Kill()
	for _, pid := range r[dead].Pids("") {
		r[dead].KillPid(pid)
	}
	await(t, routes(r[3], without(dead, 3)...), routes(r[bdr-1], without(dead, bdr-1)...), func() error {
		if now, then := elected(t, wire, 4); now != bdr || then == 0 || then == dr || then == now || then == 4 {
			return fmt.Errorf("the designated router is r%d, its backup r%d", now, then)
		}
		return nil
	})

	_, third := elected(t, wire, 4)
	r[dead].LaunchWith(configs[dead]).WaitReady()
	await(t, routes(r[3], without(3)...), routes(r[dead], without(dead)...))
	if now, then := elected(t, wire, dr); now != bdr || then != third {
		t.Errorf("after the return of r%d the designated router is r%d, its backup r%d", dr, now, then)
	}
	if f := wire.Frames(harness.All(harness.IsProtocol(packet.Protocol), hello(func(m *packet.Message) bool {
		return m.RouterID == 0x04040404 && m.HelloBody.Designated.String() == "10.9.0.4"
	}))); len(f) > 0 {
		t.Errorf("r4 has priority 0 and was designated router: %v", f[0])
	}
}

// hello matches Hellos of which something is so.
func hello(is func(*packet.Message) bool) harness.Match {
	return func(f harness.Frame) bool {
		m, err := packet.Parse(f.Payload)
		return err == nil && m.Type == packet.Hello && is(m)
	}
}

// elected returns the designated router and its backup that the last Hello of a router
// names; 0: none.
func elected(t *testing.T, wire *harness.Capture, router int) (designated, backup int) {
	t.Helper()
	frames := wire.Frames(harness.All(harness.IsProtocol(packet.Protocol), harness.Between(fmt.Sprintf("10.9.0.%d", router), ""), hello(func(*packet.Message) bool { return true })))
	if len(frames) == 0 {
		return 0, 0
	}
	m, err := packet.Parse(frames[len(frames)-1].Payload)
	if err != nil {
		t.Fatal(err)
	}
	number := func(a netip.Addr) int {
		if !a.IsValid() {
			return 0
		}
		return int(a.As4()[3])
	}
	return number(m.HelloBody.Designated), number(m.HelloBody.Backup)
}
