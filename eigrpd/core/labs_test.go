package core

import (
	"testing"
)

// lab is the cloud of a hub and two spokes: a tunnel of 100 kbit/s and 50 ms, LANs of
// 1 Gbit/s and 10 µs.
func lab(t testing.TB, name string, tunnel InterfaceConfig, spoke InstanceConfig) (w *routesNet, hub, one, two *routesRouter) {
	w = newRoutesNet(t)
	hub = w.router("hub", "172.31.0.1", InstanceConfig{Name: name})
	spoke.Name = name
	one, two = w.router("spoke1", "172.31.0.11", spoke), w.router("spoke2", "172.31.0.12", spoke)
	hub.iface("lan0", "GigabitEthernet2", "10.10.0.1/24", 1_000_000, 1, InterfaceConfig{})
	one.iface("lan1", "GigabitEthernet2", "10.11.0.1/24", 1_000_000, 1, InterfaceConfig{})
	two.iface("lan2", "GigabitEthernet2", "10.12.0.1/24", 1_000_000, 1, InterfaceConfig{})
	hub.iface("dmvpn", "Tunnel0", "172.31.0.1/24", 100, 5000, tunnel)
	one.iface("dmvpn", "Tunnel0", "172.31.0.11/24", 100, 5000, InterfaceConfig{})
	two.iface("dmvpn", "Tunnel0", "172.31.0.12/24", 100, 5000, InterfaceConfig{})
	w.peer(hub, one, "dmvpn")
	w.peer(hub, two, "dmvpn")
	return w, hub, one, two
}

var stubConnected = InstanceConfig{Stub: &Stub{Connected: true}}

// TestLab1 is Phase 1: the hub summarizes. The metrics are those that routers show.
func TestLab1(t *testing.T) {
	w, hub, one, two := lab(t, "", InterfaceConfig{Summaries: []Summary{{Prefix: prefix("10.0.0.0/8")}}}, stubConnected)
	hub.want(
		"D S 10.0.0.0/8 [5/2816] Null0",
		"D 10.11.0.0/24 [90/26880256] via 172.31.0.11 Tunnel0",
		"D 10.12.0.0/24 [90/26880256] via 172.31.0.12 Tunnel0",
	)
	one.want("D 10.0.0.0/8 [90/26880256] via 172.31.0.1 Tunnel0")
	two.want("D 10.0.0.0/8 [90/26880256] via 172.31.0.1 Tunnel0")

	w.part(hub, one, "dmvpn")
	one.want()
	hub.want(
		"D S 10.0.0.0/8 [5/2816] Null0",
		"D 10.12.0.0/24 [90/26880256] via 172.31.0.12 Tunnel0",
	)
}

// TestLab2 is Phase 2: the hub tells spokes of spokes, with their next hops.
func TestLab2(t *testing.T) {
	_, hub, one, two := lab(t, "", InterfaceConfig{NoSplitHorizon: true, NoNextHopSelf: true}, stubConnected)
	hub.want(
		"D 10.11.0.0/24 [90/26880256] via 172.31.0.11 Tunnel0",
		"D 10.12.0.0/24 [90/26880256] via 172.31.0.12 Tunnel0",
	)
	one.want(
		"D 10.10.0.0/24 [90/26880256] via 172.31.0.1 Tunnel0",
		"D 10.12.0.0/24 [90/28160256] via 172.31.0.12 Tunnel0",
	)
	two.want(
		"D 10.10.0.0/24 [90/26880256] via 172.31.0.1 Tunnel0",
		"D 10.11.0.0/24 [90/28160256] via 172.31.0.11 Tunnel0",
	)
}

// TestLab3 is Phase 3, in named mode: with a summary, and with all routes instead.
func TestLab3(t *testing.T) {
	_, hub, one, _ := lab(t, "DMVPN", InterfaceConfig{Summaries: []Summary{{Prefix: prefix("10.0.0.0/8")}}}, stubConnected)
	hub.want(
		"D S 10.0.0.0/8 [5/10240] Null0",
		"D 10.11.0.0/24 [90/76805120] via 172.31.0.11 Tunnel0",
		"D 10.12.0.0/24 [90/76805120] via 172.31.0.12 Tunnel0",
	)
	one.want("D 10.0.0.0/8 [90/76805120] via 172.31.0.1 Tunnel0")

	_, _, one, _ = lab(t, "DMVPN", InterfaceConfig{NoSplitHorizon: true}, stubConnected)
	one.want(
		"D 10.10.0.0/24 [90/76805120] via 172.31.0.1 Tunnel0",
		"D 10.12.0.0/24 [90/102405120] via 172.31.0.1 Tunnel0",
	)
}
