package ipsec

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestVRF has the transport of one router in a VRF.
func TestVRF(t *testing.T) {
	p := newPairOf(t, func(p *pair, s *cloud.Site) string {
		config := p.config(s, crypto)
		if s == p.b {
			config = "vrf definition INET\n" + strings.NewReplacer("ip route 0.0.0.0/0", "ip route vrf INET 0.0.0.0/0", "interface wan\n", "interface wan\n vrf forwarding INET\n",
				" tunnel source wan\n", " tunnel source wan\n tunnel vrf INET\n", "keyring local DMVPN-KR\n", "keyring local DMVPN-KR\n match fvrf INET\n").Replace(config)
		}
		return config
	})
	p.settled()
	flow := p.a.Host.Flow(p.b.HostIP, 50*time.Millisecond)
	p.More(flow, 20)
	p.KillDaemon(p.b, "ipsecd")
	p.More(flow, 20)
	p.Lossless(flow, "ipsecd in the VRF killed")
	p.sealed()
}

// TestNAT has one router behind a NAT: ESP goes in UDP, the NAT's mapping stays, and
// nothing is lost when ipsecd is killed at either end.
func TestNAT(t *testing.T) {
	p := &pair{Cloud: cloud.New(t)}
	p.a = p.Add("a", "192.0.2.1", "172.31.0.1", 10)
	nat := p.Topology.NAT("nat", p.Inet, "198.51.100.2/30", "192.168.1.1/24")
	nat.Masquerade()
	p.b = p.AddBehind(nat, "b", "192.168.1.2", "172.31.0.11", 11)
	for _, s := range p.Sites {
		s.WarmESP()
	}
	p.Start(func(s *cloud.Site) string {
		nhrp := ""
		if s == p.b {
			nhrp = cloud.NHS(p.a)
		}
		o := p.other(s)
		return crypto + fmt.Sprintf("crypto ikev2 nat keepalive 5\nip route %s %s\n", o.LAN, o.Tunnel) + s.Config(cloud.Multipoint+cloud.Key+cloud.NHRP+nhrp+protection)
	})
	p.Await(func() error { return p.a.Host.Reaches(p.b.HostIP) }, func() error {
		for _, s := range p.Sites {
			for _, sa := range s.ESP() {
				if !sa.UDP {
					return fmt.Errorf("%s: %v", s.Name(), sa)
				}
			}
		}
		return nil
	}, cloud.OneIKE(p.a.Node, nat.Outside(), p.b.Node, p.a.NBMA))
	// ESP that comes in UDP needs a socket, and there is one while ipsecd is away.
	for _, s := range p.Sites {
		old := p.a.ESP()
		flow := p.a.Host.Flow(p.b.HostIP, 10*time.Millisecond)
		p.More(flow, 50)
		p.KillDaemon(s, "ipsecd")
		p.More(flow, 200)
		p.Await(p.replaced(old))
		p.More(flow, 50)
		p.Lossless(flow, "ipsecd killed at "+s.Name())
	}
	for _, s := range p.Sites {
		if frames := s.WAN.Frames(harness.IsGRE); len(frames) > 0 {
			t.Errorf("%s: %d packets of GRE in clear, the first %v", s.Name(), len(frames), frames[0])
		}
		if n := s.WAN.Count(harness.IsUDP(4500)); n < 20 {
			t.Errorf("%s: %d packets in UDP", s.Name(), n)
		}
	}
}
