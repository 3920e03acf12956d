package core_test

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

func pick[T any](t *rapid.T, label string, of ...T) T { return rapid.SampledFrom(of).Draw(t, label) }

var (
	linkNames = []string{"Eth0", "Eth1", "Tunnel0"}
	prefixes  = []string{"192.168.1.0/24", "192.168.1.128/25", "192.168.2.0/24", "172.16.0.0/16", "0.0.0.0/0", "10.0.1.0/24", "10.7.0.0/16", "192.168.0.0/16"}
	senders   = []string{"10.0.0.2", "10.0.0.3", "10.0.1.2", "10.0.2.2", "10.0.2.3", "172.16.0.9", "10.0.0.1"}
)

func drawPrefix(t *rapid.T) netip.Prefix {
	return netip.MustParsePrefix(pick(t, "prefix", prefixes...))
}
func drawSender(t *rapid.T) netip.Addr { return netip.MustParseAddr(pick(t, "sender", senders...)) }

func drawConfig(t *rapid.T, set *policy.Set) core.ConfigSet {
	cfg := core.Config{Policy: set}
	for _, vrf := range []string{"", "RED"} {
		if pick(t, "configured", 0, 1, 1, 1) == 0 {
			continue
		}
		r := core.RouterConfig{VRF: vrf, Version: uint8(pick(t, "version", 0, 1, 2, 2, 2)), MaximumPaths: pick(t, "paths", 0, 1, 2),
			Networks: []netip.Prefix{netip.MustParsePrefix(pick(t, "network", "10.0.0.0/8", "10.0.0.0/8", "10.0.1.0/24"))},
			Timers:   core.Timers{Holddown: time.Duration(pick(t, "holddown", 0, 0, 60)) * time.Second}}
		if pick(t, "fast", false, true) {
			r.Timers.Update, r.Timers.Invalid, r.Timers.Flush = 5*time.Second, 15*time.Second, 30*time.Second
		}
		r.PassiveDefault = pick(t, "passive", false, false, false, true)
		if pick(t, "neighbor", false, false, true) {
			r.Neighbors = []netip.Addr{drawSender(t)}
		}
		if pick(t, "redistribute", false, true) {
			r.Redistribute = []core.Redistribute{{Protocol: rib.Static, Metric: uint8(pick(t, "metric", 0, 3, 16)), RouteMap: pick(t, "map", "", "", "RM", "NONE")}}
		}
		if pick(t, "default", false, false, true) {
			r.DefaultOriginate, r.DefaultRouteMap = true, pick(t, "default map", "", "RM")
		}
		if pick(t, "static", false, false, true) {
			r.Static = []netip.Prefix{drawPrefix(t)}
		}
		if pick(t, "filter", false, false, true) {
			r.Filters = []core.Filter{{Prefix: true, List: "PL", Out: pick(t, "out", false, true)}}
		}
		if pick(t, "offset", false, false, true) {
			r.Offsets = []core.OffsetList{{Offset: uint8(pick(t, "by", 1, 15)), Out: pick(t, "out", false, true)}}
		}
		if pick(t, "distance", false, false, true) {
			r.Distances = []core.SourceDistance{{Distance: uint8(pick(t, "is", 90, 255)), Source: policy.Wildcard{Addr: 0x0a000002}}}
		}
		cfg.Routers = append(cfg.Routers, r)
	}
	for _, name := range linkNames {
		i := core.InterfaceConfig{Name: name, SplitHorizon: core.SplitHorizon(pick(t, "split horizon", 0, 0, 1, 2)), NextHopSelf: pick(t, "self", false, true),
			Send: core.Versions(pick(t, "send", 0, 0, 1, 2, 3)), Receive: core.Versions(pick(t, "receive", 0, 0, 3))}
		if pick(t, "summary", false, false, true) {
			i.Summaries = []netip.Prefix{netip.MustParsePrefix(pick(t, "of", "192.168.0.0/16", "0.0.0.0/0", "10.0.0.0/8"))}
		}
		if pick(t, "auth", false, false, false, true) {
			i.Authentication, i.KeyString = packet.KeyedMD5, policy.NewSecret(pick(t, "key", "", "secret"))
		}
		cfg.Interfaces = append(cfg.Interfaces, i)
	}
	return core.ConfigSet{Config: cfg}
}

func drawLink(t *rapid.T) core.Input {
	name := pick(t, "link", linkNames...)
	if pick(t, "gone", false, false, false, true) {
		return core.InterfaceGone{Name: name}
	}
	i := rib.Interface{Name: name, Type: rib.TypeEthernet, Up: pick(t, "up", true, true, true, false), AdminUp: true, MTU: 1400, VRF: pick(t, "vrf", "", "", "RED"), Multicast: true}
	addr := map[string]string{"Eth0": "10.0.0.1/24", "Eth1": "10.0.1.1/24", "Tunnel0": "10.0.2.1/24"}[name]
	if pick(t, "renumbered", false, false, true) {
		addr = "172.16.0.1/16"
	}
	i.Addresses = []rib.Address{{Prefix: netip.MustParsePrefix(addr)}}
	if name == "Tunnel0" {
		i.Type, i.Tunnel = rib.TypeTunnel, &rib.Tunnel{Mode: rib.TunnelGREMultipoint, Source: netip.MustParseAddr("192.0.2.1")}
	}
	return core.InterfaceChanged{Interface: i}
}

func drawPacket(t *rapid.T) core.Input {
	var entries []packet.Entry
	command, version := pick(t, "command", 2, 2, 2, 2, 1), pick(t, "version", 2, 2, 2, 1)
	for range pick(t, "entries", 1, 1, 2, 5) {
		e := packet.Route(drawPrefix(t), uint16(pick(t, "tag", 0, 0, 7)), netip.Addr{}, uint32(pick(t, "metric", 1, 1, 2, 14, 15, 16, 0, 17)))
		if pick(t, "next hop", false, false, true) {
			e.NextHop = drawSender(t)
		}
		if version == 1 {
			e.Mask, e.Tag, e.NextHop = 0, 0, netip.Addr{}
		}
		entries = append(entries, e)
	}
	if command == 1 && pick(t, "whole", true, false) {
		entries = []packet.Entry{{Metric: 16}}
	}
	b := encode(command, version, entries)
	if pick(t, "signed", false, false, false, true) {
		m := packet.Message{Command: packet.Command(command), Version: 2, Entries: entries}
		if signed, err := m.Append(nil, &packet.Key{ID: 1, Algorithm: packet.KeyedMD5, Secret: []byte("secret")}, uint32(pick(t, "sequence", 1, 2, 3))); err == nil {
			b = signed
		}
	}
	return core.RxPacket{Interface: pick(t, "rx", linkNames...), Source: netip.AddrPortFrom(drawSender(t), 520), Dest: packet.Group, Packet: b}
}

func drawRoute(t *rapid.T) core.Input {
	w := rib.Watch{Kind: rib.WatchRedistribute, VRF: pick(t, "vrf", "", "RED"), Family: rib.IPv4, Protocol: pick(t, "protocol", rib.Static, rib.OSPF)}
	return core.RouteChanged{Watch: w, Withdrawn: pick(t, "withdrawn", false, false, true), Route: rib.Route{
		VRF: w.VRF, Prefix: drawPrefix(t), Protocol: w.Protocol, Metric: uint32(pick(t, "metric", 0, 20)), Tag: uint32(pick(t, "tag", 0, 70000)),
		NextHops: []rib.NextHop{{Addr: drawSender(t), Interface: pick(t, "via", "", "Eth0")}}}}
}

func drawInput(t *rapid.T, set *policy.Set) core.Input {
	switch rapid.IntRange(0, 16).Draw(t, "input") {
	case 0, 1:
		return drawConfig(t, set)
	case 2, 3:
		return drawLink(t)
	case 4, 5:
		return drawRoute(t)
	case 6:
		return core.Clear{AllVRFs: true, Routes: pick(t, "routes", true, false), Counters: true}
	case 7:
		return core.Attached{Stale: pick(t, "stale", 0, 3)}
	case 8:
		return core.InterfacesKnown{}
	case 10:
		return core.SendRoom{Interface: pick(t, "room", linkNames...), Full: pick(t, "full", true, false)}
	case 9:
		return core.WallClock{Now: time.Unix(int64(pick(t, "wall", 1, 1_800_000_000)), 0)}
	}
	return drawPacket(t)
}

func propertyPolicy(t testing.TB) *policy.Set {
	return policytest.Parse(t, `ip prefix-list PL deny 192.168.2.0/24
ip prefix-list PL permit 0.0.0.0/0 le 32
route-map RM permit 10
 match ip address prefix-list PL
 set metric 4
`)
}
