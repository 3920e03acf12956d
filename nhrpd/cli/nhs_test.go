package cli_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// TestReadServers: the lines about servers, for both families each its own; but
// if-state, which is about the tunnel.
func TestReadServers(t *testing.T) {
	cfg, errs := read(t, `interface Tunnel0
 ip nhrp network-id 1
 ip nhrp nhs 172.31.0.1 nbma 192.0.2.1 multicast priority 1 cluster 1
 ip nhrp nhs dynamic nbma hub.example.net multicast priority 255 cluster 10
 ip nhrp nhs dynamic nbma 192.0.2.9
 ip nhrp nhs cluster 1 max-connections 1
 ip nhrp nhs cluster 10 max-connections 0
 ip nhrp nhs fallback 60
 ip nhrp server-only non-caching
 ipv6 nhrp network-id 2
 ipv6 nhrp nhs dynamic nbma 192.0.2.1
 ipv6 nhrp nhs fallback 5
 if-state nhrp
`)
	if len(errs) > 0 || len(cfg.Interfaces) != 2 {
		t.Fatalf("%+v %v", cfg, errs)
	}
	four, six := cfg.Interfaces[0], cfg.Interfaces[1]
	hub, other := addr("192.0.2.1"), addr("192.0.2.9")
	want := []core.NHSConfig{
		{Addr: addr("172.31.0.1"), NBMA: hub, Multicast: true, Priority: 1, Cluster: 1},
		{Dynamic: true, NBMA: other},
		{Dynamic: true, Name: "hub.example.net", Multicast: true, Priority: 255, Cluster: 10},
	}
	byName := cmpopts.SortSlices(func(a, b core.NHSConfig) bool { return a.Name < b.Name || a.Name == b.Name && !a.Dynamic && b.Dynamic })
	plain := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if d := cmp.Diff(want, four.NHSs, byName, plain); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]core.ClusterConfig{{Number: 1, MaxConnections: 1}, {Number: 10}}, four.Clusters); d != "" {
		t.Error(d)
	}
	if four.Fallback != time.Minute || !four.ServerOnly || !four.IfState {
		t.Errorf("%+v", four)
	}
	if d := cmp.Diff([]core.NHSConfig{{Dynamic: true, NBMA: hub}}, six.NHSs, plain); d != "" {
		t.Error(d)
	}
	if six.Fallback != 5*time.Second || six.ServerOnly || !six.IfState || six.Clusters != nil {
		t.Errorf("%+v", six)
	}
	_, errs = read(t, "interface Tunnel0\n ip nhrp nhs dynamic nbma 224.0.0.5\n")
	if len(errs) != 1 {
		t.Errorf("a group as a server: %v", errs)
	}
}

func TestShowRecovery(t *testing.T) {
	entry := func(a string, s core.NHSState, priority uint8, reason string) core.NHSEntry {
		e := core.NHSEntry{Interface: "Tunnel0", State: s, Priority: priority, Cluster: 1, NBMA: addr("192.0.2.1"), LastReply: core.NoExpiry,
			NextSend: core.NoExpiry, MaxConnections: 1, Fallback: core.NoExpiry, Reason: reason}
		if a != "" {
			e.Addr = addr(a)
		}
		return e
	}
	r := &core.NHSReport{Servers: []core.NHSEntry{
		entry("", core.NHSExpecting, 0, "Reply Expected"),
		entry("172.31.0.1", core.NHSResponding, 1, "Registration Reply"),
		entry("172.31.0.2", core.NHSResponding, 2, "Registration Reply"),
		entry("172.31.0.3", core.NHSStandby, 3, "Enough Better Servers"),
	}}
	r.Servers[0].Dynamic, r.Servers[0].MaxConnections = true, -1
	r.Servers[2].Fallback = 25 * time.Second
	check(t, "show ip nhrp nhs detail", cli.ShowNHS(r, true), "Tunnel0:", `Tunnel0:
dynamic  ED  NBMA Address: 192.0.2.1 priority = 0 cluster = 1  req-sent 0  req-failed 0  repl-recv 0
   Recovery state: PROBE, Reply Expected
172.31.0.1  RE  NBMA Address: 192.0.2.1 priority = 1 cluster = 1  req-sent 0  req-failed 0  repl-recv 0
   Recovery state: UP, Registration Reply; at most 1 of cluster 1 connected
172.31.0.2  RE  NBMA Address: 192.0.2.1 priority = 2 cluster = 1  req-sent 0  req-failed 0  repl-recv 0
   Recovery state: UP, Registration Reply; at most 1 of cluster 1 connected; gives way to better ones in 00:00:25
172.31.0.3   W  NBMA Address: 192.0.2.1 priority = 3 cluster = 1  req-sent 0  req-failed 0  repl-recv 0
   Recovery state: DOWN, Enough Better Servers; at most 1 of cluster 1 connected
`)
}
