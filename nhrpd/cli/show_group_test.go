package cli_test

import (
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

func TestShowGroups(t *testing.T) {
	r := &core.GroupReport{Interfaces: []core.InterfaceGroups{
		{Interface: "Tunnel0", Family: rib.IPv4, Groups: []core.GroupEntry{
			{Group: "GOLD", Policy: "TEN", Peers: []core.GroupPeer{{Tunnel: addr("172.31.0.11"), NBMA: addr("198.51.100.1")}, {Tunnel: addr("172.31.0.12"), NBMA: addr("203.0.113.1")}}},
			{Group: "SILVER", Policy: "ONE"}}},
		{Interface: "Tunnel1", Family: rib.IPv4, Groups: []core.GroupEntry{{Group: "GOLD", Policy: "ONE"}}},
	}}
	const tunnel1 = `Interface: Tunnel1

NHRP group: GOLD
  QoS policy: ONE
  Tunnels using the QoS policy: None
`
	const gold = `Interface: Tunnel0

NHRP group: GOLD
  QoS policy: TEN
  Tunnels using the QoS policy:
  Tunnel destination overlay/transport address
  172.31.0.11/198.51.100.1
  172.31.0.12/203.0.113.1
`
	check(t, "all groups", cli.ShowGroups(r, ""), "", gold+`NHRP group: SILVER
  QoS policy: ONE
  Tunnels using the QoS policy: None
`+tunnel1)
	check(t, "one group", cli.ShowGroups(r, "GOLD"), "", gold+tunnel1)
	check(t, "no group", cli.ShowGroups(r, "BRONZE"), "", "")
}

func TestShowPolicies(t *testing.T) {
	r := &core.PolicyReport{Policies: []core.Policy{{Name: "EMPTY"}, {Name: "ONE", Rate: 1e6, Burst: 10000}, {Name: "TEN", Rate: 10e6}}}
	const one = `  Policy Map ONE
    Class class-default
      Average Rate Traffic Shaping
      cir 1000000 (bps), bc 80000 (bits)
`
	check(t, "all policies", cli.ShowPolicies(r, ""), "", "  Policy Map EMPTY\n"+one+`  Policy Map TEN
    Class class-default
      Average Rate Traffic Shaping
      cir 10000000 (bps)
`)
	check(t, "one policy", cli.ShowPolicies(r, "ONE"), "", one)
}
