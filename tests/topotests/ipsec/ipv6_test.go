package ipsec

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// ends are two routers whose tunnels run over IPv6.
var ends = []struct{ name, nbma, gateway, tunnel, lan, host, router string }{
	{"a", "2001:db8:f0::1", "2001:db8:f0::2", "172.31.0.1", "10.10.0.0/24", "10.10.0.10", "10.10.0.1"},
	{"b", "2001:db8:f1::1", "2001:db8:f1::2", "172.31.0.11", "10.11.0.0/24", "10.11.0.10", "10.11.0.1"},
}

// TestIPv6 has the tunnel over IPv6; ipsecd is killed under traffic.
func TestIPv6(t *testing.T) {
	crypto := strings.NewReplacer("address 0.0.0.0 0.0.0.0", "address ::/0", "remote address 0.0.0.0", "remote address ::/0").Replace(crypto)
	tp := harness.New(t)
	inet := tp.Internet("inet")
	var routers, hosts []*harness.Node
	var wans []*harness.Capture
	for i, e := range ends {
		o := ends[1-i]
		r := tp.Node(e.name)
		tp.Uplink(inet, r, e.nbma+"/64")
		hosts = append(hosts, tp.Host("lan-"+e.name, r, e.host+"/24", e.router))
		r.WarmESP()
		r.StartZebra(crypto + fmt.Sprintf("ip route %s %s\ninterface Tunnel0\n ip address %s/24\n ip mtu 1400\n ip nhrp map %s %s\n tunnel source wan\n tunnel mode gre multipoint ipv6\n",
			o.lan, o.tunnel, e.tunnel, o.tunnel, o.nbma) + cloud.Key + cloud.NHRP + protection)
		routers = append(routers, r)
		wans = append(wans, r.Capture("wan"))
	}
	harness.Await(t, cloud.Converge, func() error { return hosts[0].Reaches(ends[1].host) },
		cloud.OneIKE(routers[0], ends[1].nbma, routers[1], ends[0].nbma))
	flow := hosts[0].Flow(ends[1].host, 50*time.Millisecond)
	pids := routers[1].Pids("ipsecd")
	for _, pid := range pids {
		routers[1].KillPid(pid)
	}
	sent := flow.Sent()
	harness.Eventually(t, cloud.Converge, func() error {
		if again := routers[1].Pids("ipsecd"); len(again) != 1 || again[0] == pids[0] {
			return fmt.Errorf("ipsecd is %v, it was %v", again, pids)
		}
		if n := flow.Sent() - sent; n < 200 {
			return fmt.Errorf("%d packets", n)
		}
		return nil
	})
	if r := flow.Stop(); r.Received != r.Sent {
		t.Errorf("%d of %d packets arrived, lost %v", r.Received, r.Sent, r.Lost)
	}
	for i, w := range wans {
		if frames := w.Frames(harness.IsGRE); len(frames) > 0 {
			t.Errorf("%s: %d packets of GRE in clear, the first %v", ends[i].name, len(frames), frames[0])
		}
		if w.Count(harness.IsESP) < 200 {
			t.Errorf("%s: %d packets of ESP", ends[i].name, w.Count(harness.IsESP))
		}
	}
}
