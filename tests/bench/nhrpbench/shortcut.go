package main

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// member is a router of a cloud of Phase 3: the hub, or a spoke with a LAN.
type member struct {
	*harness.Node
	hub     bool
	nbma    netip.Addr
	gateway string // the provider's
	overlay netip.Addr
	lan     netip.Prefix // the router's address in it
	host    *harness.Node
	routes  *harness.RouteWatch
}

// shortcut is what one redirect measured.
type shortcut struct {
	redirect time.Duration // from the first Traffic Indication to the last of the two shortcuts in the kernels
	packet   time.Duration // from the first packet of the flow
	messages int           // of NHRP that passed the hub's uplink meanwhile, registrations not counted
}

// tunnelNet is the subnet of the cloud of Phase 3, summary all of its LANs.
const (
	tunnelNet = "172.31.0.0/24"
	summary   = "10.0.0.0/8"
	lanDevice = "lan"
)

// newMembers makes the namespaces of a hub and two spokes, and starts nothing.
func newMembers(t harness.TB) (tp *harness.Topology, all []*member) {
	tp = harness.New(t)
	inet := tp.Internet("inet")
	for k, name := range []string{"hub", "spoke1", "spoke2"} {
		m := &member{
			Node: tp.Router(name), hub: k == 0,
			nbma:    netip.AddrFrom4([4]byte{192, 0, 2, byte(4*k + 1)}),
			gateway: fmt.Sprintf("192.0.2.%d", 4*k+2),
			overlay: netip.AddrFrom4([4]byte{172, 31, 0, byte(1 + k)}),
			lan:     netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 10 + byte(k), 0, 1}), 24),
		}
		tp.Link(inet, "to-"+name, m.gateway+"/30", m.Node, uplink, "")
		m.host = tp.Node("lan-" + name)
		tp.Link(m.host, "eth0", m.lanHost()+"/24", m.Node, lanDevice, "")
		m.host.Route("default", m.lan.Addr().String())
		all = append(all, m)
	}
	return tp, all
}

func (m *member) lanHost() string {
	a := m.lan.Addr().As4()
	return fmt.Sprintf("10.%d.0.10", a[1])
}

// startOursPhase3 configures a router of ours.
func startOursPhase3(_ harness.TB, m, hub *member, spokes []*member) {
	role := fmt.Sprintf(" ip nhrp map %[1]v %[2]v\n ip nhrp nhs %[1]v\n ip nhrp shortcut\n", hub.overlay, hub.nbma)
	routes := fmt.Sprintf("ip route 10.0.0.0 255.0.0.0 %v\n", hub.overlay)
	if m.hub {
		role, routes = " ip nhrp redirect\n", ""
		for _, s := range spokes {
			routes += fmt.Sprintf("ip route %v 255.255.255.0 %v\n", s.lan.Masked().Addr(), s.overlay)
		}
	}
	m.StartZebra(fmt.Sprintf(`interface-alias GigabitEthernet1 %s
interface-alias GigabitEthernet2 %s
interface GigabitEthernet1
 ip address %v 255.255.255.252
 no shutdown
interface GigabitEthernet2
 ip address %v 255.255.255.0
 no shutdown
ip route 0.0.0.0 0.0.0.0 %s
%sinterface Tunnel0
 ip address %v 255.255.255.0
 no ip redirects
 ip mtu %d
 ip nhrp network-id 1
%s tunnel source GigabitEthernet1
 tunnel mode gre multipoint
 tunnel key %d
`, uplink, lanDevice, m.nbma, m.lan.Addr(), m.gateway, routes, m.overlay, tunnelMTU, role, tunnelKey), quiet...)
}

// startFRRPhase3 configures a router of FRR: a hub that redirects what a rule of
// iptables copies to it, or a spoke, which reaches the tunnel by way of the hub.
func startFRRPhase3(t harness.TB, m, hub *member, spokes []*member) {
	m.Addr(uplink, m.nbma.String()+"/30")
	m.Addr(lanDevice, m.lan.String())
	m.Route("default", m.gateway)
	conf := "interface " + frrDevice + "\n no link-detect\n ip nhrp network-id 1\n ip nhrp holdtime 600\n"
	if m.hub {
		frrTunnel(t, m.Node, m.nbma, m.overlay, netip.MustParsePrefix(tunnelNet), spokeRoutes(spokes)...)
		_, err := m.Run("iptables-legacy", "-A", "FORWARD", "-i", frrDevice, "-o", frrDevice, "-m", "hashlimit", "--hashlimit-upto", "4/minute",
			"--hashlimit-burst", "1", "--hashlimit-mode", "srcip,dstip", "--hashlimit-name", "redirect", "-j", "NFLOG",
			"--nflog-group", "1", "--nflog-range", "128")
		fatal(t, err)
		conf += " ip nhrp redirect\nnhrp nflog-group 1\n"
	} else {
		direct := fmt.Sprintf("%v dev %s", hub.overlay, frrDevice)
		frrTunnel(t, m.Node, m.nbma, m.overlay, netip.PrefixFrom(m.overlay, 32), direct,
			fmt.Sprintf("%s via %v dev %s", tunnelNet, hub.overlay, frrDevice), fmt.Sprintf("%s via %v dev %s", summary, hub.overlay, frrDevice))
		conf += fmt.Sprintf(" ip nhrp nhs %v nbma %v\n ip nhrp shortcut\n", hub.overlay, hub.nbma)
	}
	m.StartFRR(conf, "nhrpd")
}

// spokeRoutes are those of a hub of FRR to the LANs of its spokes.
func spokeRoutes(spokes []*member) (all []string) {
	for _, s := range spokes {
		all = append(all, fmt.Sprintf("%v via %v dev %s", s.lan.Masked(), s.overlay, frrDevice))
	}
	return all
}

// measureShortcut has the hosts of two spokes talk, and waits for the shortcuts.
func measureShortcut(t harness.TB, s suite) shortcut {
	tp, all := newMembers(t)
	defer tp.Close()
	hub, spokes := all[0], all[1:]
	for _, m := range all {
		s.member(t, m, hub, spokes)
	}
	harness.Eventually(t, settleLimit, func() error {
		at := map[netip.Addr]netip.Addr{}
		for _, e := range hub.Neighbors(s.device) {
			at[e.Address] = e.NBMA
		}
		for _, m := range spokes {
			if at[m.overlay] != m.nbma {
				return fmt.Errorf("%s is not registered", m.Name())
			}
		}
		return nil
	})
	var usages []*harness.Usage
	for _, m := range all {
		usages = append(usages, m.Usage(programs...))
	}
	harness.WaitIdle(t, settleLimit, usages...)
	for _, m := range spokes {
		m.routes = m.WatchRoutes(harness.ProtocolNumber(rib.NHRP))
	}
	wire := hub.Capture(uplink)
	begin := time.Now()
	flow := spokes[0].host.Flow(spokes[1].lanHost(), 20*time.Millisecond)
	var last time.Time
	harness.Eventually(t, settleLimit, func() error {
		for k, m := range spokes {
			at, err := installed(m.routes, spokes[1-k].lan.Masked())
			if err != nil {
				return fmt.Errorf("%s: %w", m.Name(), err)
			}
			if at.After(last) {
				last = at
			}
		}
		return nil
	})
	flow.Stop()
	return judge(t, wire, begin, last)
}

// installed is when the route to a LAN came.
func installed(w *harness.RouteWatch, lan netip.Prefix) (time.Time, error) {
	changes, err := w.Changes()
	if err != nil {
		return time.Time{}, err
	}
	for _, c := range changes {
		if !c.Removed && c.Route.Prefix == lan {
			return c.At, nil
		}
	}
	return time.Time{}, fmt.Errorf("no shortcut to %v", lan)
}

// judge reads from the hub's uplink when the redirect began.
func judge(t harness.TB, wire *harness.Capture, begin, end time.Time) (s shortcut) {
	var first time.Time
	for _, f := range wire.Frames(harness.IsNHRP) {
		m, err := packet.Parse(f.Payload)
		if err != nil || m.Type == packet.RegistrationRequest || m.Type == packet.RegistrationReply {
			continue
		}
		if m.Type == packet.TrafficIndication && first.IsZero() {
			first = f.At
		}
		if !f.At.After(end) {
			s.messages++
		}
	}
	if first.IsZero() {
		t.Fatalf("shortcuts without a Traffic Indication")
	}
	s.redirect, s.packet = end.Sub(first), end.Sub(begin)
	return s
}
