package ospf

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

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
	dr, bdr := 0, 0
	await(t, func() error { // all name the same two, which then stay
		dr, bdr = elected(t, wire, 4)
		for n := range r {
			if a, b := elected(t, wire, n+1); a != dr || b != bdr || a == 0 || b == 0 {
				return fmt.Errorf("for r4 the designated router is r%d and its backup r%d, for r%d r%d and r%d", dr, bdr, n+1, a, b)
			}
		}
		return nil
	})
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
	returned := time.Now()
	r[dead].LaunchWith(configs[dead]).WaitReady()
	await(t, routes(r[3], without(3)...), routes(r[dead], without(dead)...), func() error {
		if now, then := elected(t, wire, dr); now != bdr || then != third {
			return fmt.Errorf("after the return of r%d the designated router is r%d, its backup r%d", dr, now, then)
		}
		return nil
	})
	if f := wire.Frames(harness.All(harness.IsProtocol(packet.Protocol), hello(func(m *packet.Message) bool {
		return int(m.RouterID) == dr*0x01010101 && m.HelloBody.Designated.String() == fmt.Sprintf("10.9.0.%d", dr)
	}), func(f harness.Frame) bool { return f.At.After(returned) })); len(f) > 0 {
		t.Errorf("r%d was designated router again: %v", dr, f[0])
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
	frames := wire.Frames(hellos(fmt.Sprintf("10.9.0.%d", router)))
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
