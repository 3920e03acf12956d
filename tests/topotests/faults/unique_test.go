package faults

import (
	"fmt"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
)

// TestUnique has two spokes with the same tunnel address. Who registers it uniquely
// keeps it until it expires or an administrator clears it; without that it moves to
// whoever registers last.
func TestUnique(t *testing.T) {
	t.Parallel()
	c := cloud.New(t)
	d := &trio{Cloud: c, hub: c.Add("hub", "192.0.2.1", "172.31.0.1", 10),
		spoke1: c.Add("spoke1", "198.51.100.1", "172.31.0.11", 11), spoke2: c.Add("spoke2", "203.0.113.1", "172.31.0.11", 12)}
	config := func(s *cloud.Site) string {
		if s == d.hub {
			return s.Config(hubLines)
		}
		return s.Config(spokeLines + " no ip nhrp registration no-unique\n" + cloud.NHS(d.hub))
	}
	owner := func(s *cloud.Site) func() error {
		return func() error {
			if err := d.hub.ShowJSON("show ip nhrp", fmt.Sprintf(`{"entries": [{"target": "172.31.0.11/32", "nbma": %q}]}`, s.NBMA)); err != nil {
				return err
			}
			return d.hub.KnowsAt(map[string]string{"172.31.0.11": s.NBMA})()
		}
	}
	c.Start(config, d.hub, d.spoke1)
	c.Await(owner(d.spoke1), state(d.spoke1, "UP"))
	d.mark()
	c.Start(config, d.spoke2)
	const refusal = "Unique Internetworking Layer Address Already Registered"
	c.Await(d.logs(d.hub, "%DMVPN-3-DMVPN_NHRP_ERROR: Tunnel0: NHRP Encountered Error: Registration Request: "+refusal+
		" (code: 14) for (Tunnel: 172.31.0.1 NBMA: 192.0.2.1) with (NBMA: 203.0.113.1)"),
		d.logs(d.spoke2, "NHRP Encountered Error: Registration Reply: "+refusal+" (code: 14)"), state(d.spoke2, "NHRP"),
		func() error {
			return d.spoke2.ShowJSON("show ip nhrp nhs", `{"servers": [{"address": "172.31.0.1", "up": false, "lastError": "`+refusal+` (14)"}]}`)
		}, func() error { return counted(d.hub, "unique address of another station") })
	if err := owner(d.spoke1)(); err != nil {
		t.Error(err)
	}
	d.spoke1.MustPing(d.hub.Tunnel, 3)

	// The administrator lets the other one in. The first is the refused one then.
	c.KillSite(d.spoke1)
	d.hub.MustVtysh("clear ip nhrp 172.31.0.11")
	c.Await(owner(d.spoke2), state(d.spoke2, "UP"))

	// Registered without uniqueness, it moves.
	d.hub.MustVtysh("clear ip nhrp")
	d.spoke2.Configure("interface Tunnel0\nip nhrp registration no-unique")
	c.Await(owner(d.spoke2))
	c.KillSite(d.spoke2)
	c.Start(func(s *cloud.Site) string { return s.Config(spokeLines + cloud.NHS(d.hub)) }, d.spoke1)
	c.Await(owner(d.spoke1), state(d.spoke1, "UP"))
}

// counted tells whether a router has counted a reason for not acting on a packet.
func counted(s *cloud.Site, reason string) error {
	v, err := s.JSON("show ip nhrp traffic")
	if err != nil {
		return err
	}
	for _, i := range v.(map[string]any)["interfaces"].([]any) {
		if i.(map[string]any)["drops"].(map[string]any)[reason].(float64) > 0 {
			return nil
		}
	}
	return fmt.Errorf("%s counted no %q", s.Name(), reason)
}
