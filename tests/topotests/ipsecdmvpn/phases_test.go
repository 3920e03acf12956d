package ipsecdmvpn

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/labs"
)

// TestLab1 is Phase 1: all packets go by way of the hub.
func TestLab1(t *testing.T) {
	t.Parallel()
	d := build(t, 1)
	d.Await(d.Converged()...)
	d.Await(d.Spoke1.Path(d.Spoke2, d.Hub, d.Spoke2), ready(d.Hub, d.Spoke1, d.Spoke2), ready(d.Spoke1, d.Hub),
		d.encrypted(d.Hub, d.Spoke1), d.encrypted(d.Hub, d.Spoke2))
	if d.encrypted(d.Spoke1, d.Spoke2)() == nil {
		t.Error("packets passed from spoke to spoke")
	}
	d.guarded()
	d.lost()
	d.removed()
}

// lost ends the session of a spoke: the adjacency of the routing protocol goes with it, and
// does not wait for its hold time, and comes again with the next session. The spoke may hear
// of it first from the hub, which says goodbye.
func (d lab) lost() {
	d.T.Helper()
	d.Spoke1.MustVtysh("clear crypto session")
	logs := func(s *cloud.Site, of string, why ...string) func() error {
		return func() error {
			out, err := s.Vtysh("show logging")
			down := "Neighbor " + of + " (Tunnel0) is down: "
			if err == nil && !slices.ContainsFunc(why, func(w string) bool { return strings.Contains(out, down+w) }) {
				err = fmt.Errorf("%s does not log %q and one of %q", s.Name(), down, why)
			}
			return err
		}
	}
	const lost = "tunnel peer lost"
	d.Await(logs(d.Hub, d.Spoke1.Tunnel, lost), logs(d.Spoke1, d.Hub.Tunnel, lost, "Interface PEER-TERMINATION received"))
	d.Await(d.Converged()...)
}

// removed takes the protection of one tunnel away, as its operator may: this router then
// sends in clear, which shows that what is looked for would be seen, and is heard by
// nobody.
func (d lab) removed() {
	d.T.Helper()
	d.Spoke1.Configure("interface Tunnel0\nno tunnel protection")
	at := d.Provider[1]
	d.Await(func() error {
		if at.Count(harness.All(clear, harness.Between(d.Spoke1.NBMA, d.Hub.NBMA))) == 0 {
			return errNothing
		}
		return nil
	}, labs.Adjacent(d.Hub, d.Spoke2))
	if n := d.Provider[0].Count(harness.All(clear, harness.Between(d.Hub.NBMA, ""))); n != 0 {
		d.T.Errorf("the hub sent %d packets in clear", n)
	}
}

// TestLab2 is Phase 2: the first packet from spoke to spoke has the tunnel made.
func TestLab2(t *testing.T) {
	t.Parallel()
	d := build(t, 2)
	d.Await(d.Converged()...)
	flow := d.Spoke1.Host.Flow(d.Spoke2.HostIP, labs.FlowEvery)
	d.Await(d.encrypted(d.Spoke1, d.Spoke2), ready(d.Spoke1, d.Hub, d.Spoke2), ready(d.Spoke2, d.Hub, d.Spoke1))
	d.More(flow, 20)
	d.Lossless(flow, "the way became direct")
	d.Await(d.Spoke1.Path(d.Spoke2, d.Spoke2), d.Spoke1.Knows(d.Hub, d.Spoke2))
	d.guarded()
}

// TestLab3 is Phase 3. Then each daemon is killed in turn under traffic that goes
// directly from spoke to spoke: nothing passes in clear, and nothing is lost.
func TestLab3(t *testing.T) {
	t.Parallel()
	d := build(t, 3)
	d.Await(d.Converged()...)
	flow := d.Spoke1.Host.Flow(d.Spoke2.HostIP, labs.FlowEvery)
	d.Await(d.encrypted(d.Spoke1, d.Spoke2), labs.Says(d.Spoke1, "show ip route", "H 172.31.0.12/32 is directly connected, 00:00:00, Tunnel0",
		"H 10.12.0.0/24 [250/255] via 172.31.0.12, 00:00:00, Tunnel0"), ready(d.Spoke1, d.Hub, d.Spoke2))
	d.More(flow, 20)
	d.Lossless(flow, "the way became direct")
	d.Await(d.Spoke1.Path(d.Spoke2, d.Spoke2))
	d.guarded()

	d.Survives(d.Converged(), labs.Victim{Site: d.Spoke1, Daemon: "ipsecd"}, labs.Victim{Site: d.Hub, Daemon: "ipsecd"},
		labs.Victim{Site: d.Spoke1, Daemon: "nhrpd"}, labs.Victim{Site: d.Hub, Daemon: "eigrpd"}, labs.Victim{Site: d.Hub, Daemon: "zebra"})
	d.guarded()

	// All of the hub at once, with spokes that go on sending.
	flow = d.Spoke1.Host.Flow(d.Spoke2.HostIP, labs.FlowEvery)
	d.KillSite(d.Hub)
	d.Hub.Restart()
	d.Within(labs.Restarted, append(d.Converged(), d.encrypted(d.Hub, d.Spoke1))...)
	d.More(flow, 20)
	flow.Stop()
	d.guarded()
}
