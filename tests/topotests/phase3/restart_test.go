package phase3

import (
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestRestarts restarts routers while a shortcut is in use, with static routes. A hub
// that is away, or processes that die all at once, cost no packet; a spoke that ends in
// order takes its shortcuts back, and is found again when it is back.
func TestRestarts(t *testing.T) {
	t.Parallel()
	d := build(t, "ip route 10.11.0.0/24 172.31.0.11\nip route 10.12.0.0/24 172.31.0.12\n", "ip route 10.0.0.0/8 172.31.0.1\n")
	registered := d.hub.Knows(d.spoke1, d.spoke2)
	d.Await(registered)
	flow := d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	short1 := routes(d.spoke1, rib.NHRP, via(d.spoke2.LAN, d.spoke2), station(d.spoke2))
	short2 := routes(d.spoke2, rib.NHRP, via(d.spoke1.LAN, d.spoke1), station(d.spoke1))
	d.Await(short1, short2)
	d.More(flow, 10)

	began := time.Now()
	if err := d.spoke2.Zebra.Terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	d.Await(routes(d.spoke1, rib.NHRP), func() error {
		if nbma, ok := d.spoke1.Peers("Tunnel0")[d.spoke2.Tunnel]; ok {
			return fmt.Errorf("spoke1 still has spoke2 at %s", nbma)
		}
		return nil
	})
	d.spoke2.Restart()
	d.Await(func() error { return d.spoke1.Host.Reaches(d.spoke2.HostIP) })
	away := time.Since(began)
	d.Await(short1, short2)
	d.More(flow, 20)
	// Packets find their way as soon as the spoke is registered again.
	if r := flow.Stop(); time.Duration(r.Sent-r.Received)*flowEvery > away+atOnce {
		t.Errorf("%d packets of %d were lost while spoke2 was away for %v", r.Sent-r.Received, r.Sent, away)
	}

	flow = d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	d.More(flow, 10)
	if err := d.hub.Zebra.Terminate(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	d.More(flow, 50)
	d.hub.Restart()
	d.Await(registered, short1, short2)
	d.More(flow, 10)
	d.KillSite(d.spoke2)
	d.More(flow, 50)
	d.spoke2.Restart()
	d.Await(short1, short2, registered)
	d.More(flow, 10)
	d.Lossless(flow, "hub restarted, all processes of a spoke killed")

	if err := d.spoke1.Path(d.spoke2, d.spoke2)(); err != nil {
		t.Error(err)
	}
}
