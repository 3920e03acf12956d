package phase2

import (
	"fmt"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/lab1"
)

// TestUse: a station that data goes to is resolved anew before its entry ends, so that
// nothing of it goes by the hub, and again when zebra has died and come back. One that
// nothing goes to is resolved no more, and its entry ends.
func TestUse(t *testing.T) {
	t.Parallel()
	c := lab1.Build(harness.New(t))
	wan := c.Spoke1.Capture("wan")
	var zebra *harness.Zebra // of spoke1
	for _, r := range c.Routers() {
		z := r.StartZebra(config(r.Name()) + "interface Tunnel0\n ip nhrp holdtime 30\n")
		if r == c.Spoke1 {
			zebra = z
		}
	}
	for _, s := range []*harness.Node{c.Spoke1, c.Spoke2} {
		harness.Eventually(t, converge, func() error {
			return s.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "nbma": "192.0.2.1", "up": true}]}`)
		})
	}
	flow := c.LAN1.Flow("10.12.0.10", time.Second)
	want(t, c.Spoke1, map[string]string{"172.31.0.1": hub, "172.31.0.12": spoke2})
	want(t, c.Spoke2, map[string]string{"172.31.0.1": hub, "172.31.0.11": spoke1})

	resolved := func() int {
		return wan.Count(harness.All(nhrp(packet.ResolutionRequest), harness.Between(spoke1, hub)))
	}
	renewed := func(when string) {
		t.Helper()
		wan.Clear()
		harness.Eventually(t, 2*converge, func() error {
			if n := resolved(); n < 2 {
				return fmt.Errorf("%s: resolved anew %d times", when, n)
			}
			return nil
		})
		data := harness.All(harness.IsGRE, harness.Between(spoke1, hub), harness.Inside(harness.IsProtocol(1)))
		if n := wan.Count(data); n != 0 {
			t.Errorf("%s: %d packets of the flow went by the hub", when, n)
		}
	}
	renewed("in use")
	zebra.Kill()
	c.Spoke1.RestartZebra()
	renewed("in use after the death of zebra")

	if r := flow.Stop(); r.Received < r.Sent {
		t.Errorf("%d of %d packets arrived; lost: %v", r.Received, r.Sent, r.Lost)
	}
	want(t, c.Spoke1, map[string]string{"172.31.0.1": hub})
	want(t, c.Spoke2, map[string]string{"172.31.0.1": hub})
}
