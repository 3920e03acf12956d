package ipsec

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{IPsec: true}) }

// crypto are the lines of Cisco's examples, by which all are secured.
const crypto = `crypto ikev2 proposal DMVPN-PROP
 encryption aes-cbc-256
 integrity sha256
 group 14
crypto ikev2 policy DMVPN-POL
 match fvrf any
 proposal DMVPN-PROP
crypto ikev2 keyring DMVPN-KR
 peer ANY
  address 0.0.0.0 0.0.0.0
  pre-shared-key Lab-Psk-2026
crypto ikev2 profile DMVPN-IKE
 match identity remote address 0.0.0.0
 authentication remote pre-share
 authentication local pre-share
 keyring local DMVPN-KR
 dpd 30 5 on-demand
crypto ipsec transform-set DMVPN-TS esp-aes 256 esp-sha256-hmac
 mode transport
crypto ipsec profile DMVPN-IPSEC
 set security-association lifetime seconds 3600
 set transform-set DMVPN-TS
 set ikev2-profile DMVPN-IKE
`

// protection is the line of the tunnel.
const protection = " tunnel protection ipsec profile DMVPN-IPSEC\n"

// pair is two routers, each of which has the other as a static peer.
type pair struct {
	*cloud.Cloud
	a, b *cloud.Site
}

func newPair(t *testing.T, crypto string) *pair {
	return newPairOf(t, func(p *pair, s *cloud.Site) string { return p.config(s, crypto) })
}

// newPairOf is newPair with any configurations.
func newPairOf(t *testing.T, config func(*pair, *cloud.Site) string) *pair {
	p := &pair{Cloud: cloud.New(t)}
	p.a = p.Add("a", "192.0.2.1", "172.31.0.1", 10)
	p.b = p.Add("b", "198.51.100.1", "172.31.0.11", 11)
	for _, s := range p.Sites {
		s.WarmESP()
	}
	p.Start(func(s *cloud.Site) string { return config(p, s) })
	return p
}

// config is a configuration with the other router as a static peer.
func (p *pair) config(s *cloud.Site, crypto string) string {
	o := p.other(s)
	return crypto + fmt.Sprintf("ip route %s %s\n", o.LAN, o.Tunnel) +
		s.Config(fmt.Sprintf(" ip nhrp map %s %s\n", o.Tunnel, o.NBMA)+cloud.Multipoint+cloud.Key+cloud.NHRP+protection)
}

func (p *pair) other(s *cloud.Site) *cloud.Site {
	if s == p.a {
		return p.b
	}
	return p.a
}

// agree tells whether the kernels of both have so many SAs, the same ones.
func (p *pair) agree(n int) func() error {
	return func() error {
		x, y := p.a.ESP(), p.b.ESP()
		if len(x) != n || len(y) != n {
			return fmt.Errorf("%v, and at the other end %v", x, y)
		}
		for i := range x {
			if x[i].SPI != y[i].SPI || x[i].Algorithm != y[i].Algorithm || !x[i].Transport {
				return fmt.Errorf("%v, and at the other end %v", x[i], y[i])
			}
		}
		return nil
	}
}

// settled waits until both have the same pair of SAs and begin no other: two beginnings that
// crossed are over.
func (p *pair) settled() {
	p.T.Helper()
	p.Await(func() error { return p.a.Host.Reaches(p.b.HostIP) }, cloud.OneIKE(p.a.Node, p.b.NBMA, p.b.Node, p.a.NBMA), p.agree(2))
}

// sealed fails if GRE was seen outside of ESP.
func (p *pair) sealed() {
	p.T.Helper()
	for _, s := range p.Sites {
		if frames := s.WAN.Frames(harness.IsGRE); len(frames) > 0 {
			p.T.Errorf("%s: %d packets of GRE in clear, the first %v", s.Name(), len(frames), frames[0])
		}
		if s.WAN.Count(harness.IsESP) == 0 {
			p.T.Errorf("%s: no ESP", s.Name())
		}
	}
}

// TestSecured has packets between two routers bring up SAs, and pass by them alone.
func TestSecured(t *testing.T) {
	p := newPair(t, crypto)
	p.settled()
	before := p.a.ESP()
	p.a.Host.MustPing(p.b.HostIP, 10)
	for i, s := range p.a.ESP() {
		if s.Packets < before[i].Packets+10 {
			t.Errorf("%v: %d packets more", s, s.Packets-before[i].Packets)
		}
	}
	for _, s := range p.Sites {
		if got := s.MustVtysh("show crypto session"); !strings.Contains(got, "UP-ACTIVE") {
			t.Error(got)
		}
		if got := s.MustVtysh("show crypto ipsec sa"); !strings.Contains(got, "#pkts encaps") || strings.Contains(got, "#pkts encaps: 0") {
			t.Error(got)
		}
	}
	p.sealed()
}

// TestRekey replaces child SAs under traffic, without a loss.
func TestRekey(t *testing.T) {
	p := newPair(t, strings.ReplaceAll(crypto, "lifetime seconds 3600", "lifetime seconds 120"))
	p.settled()
	first := p.a.ESP()
	flow := p.a.Host.Flow(p.b.HostIP, 50*time.Millisecond)
	harness.Eventually(t, 150*time.Second, p.replaced(first))
	p.More(flow, 20)
	p.Lossless(flow, "rekey")
	p.sealed()
}

// TestKilled kills the daemons under traffic: nothing goes in clear, and no packet is
// lost. ipsecd's next life takes the SAs over, and replaces them.
func TestKilled(t *testing.T) {
	p := newPair(t, crypto)
	p.settled()
	first := p.a.ESP()
	flow := p.a.Host.Flow(p.b.HostIP, 50*time.Millisecond)
	for _, name := range []string{"zebra", "nhrpd"} {
		for _, s := range p.Sites {
			p.KillDaemon(s, name)
			p.More(flow, 20)
		}
	}
	if err := p.agree(2)(); err != nil || p.a.ESP()[0].SPI != first[0].SPI {
		t.Errorf("SAs after zebra was killed: %v, at first %v: %v", p.a.ESP(), first, err)
	}
	for _, s := range p.Sites {
		old := p.a.ESP()
		p.KillDaemon(s, "ipsecd")
		p.More(flow, 20)
		p.Await(p.replaced(old))
		p.More(flow, 20)
		if log := s.MustVtysh("show logging"); strings.Contains(log, "IPsec Session Lost") {
			t.Errorf("NHRP took %s for lost:\n%s", p.other(s).Name(), log)
		}
	}
	p.Lossless(flow, "daemons killed")
	p.a.MustVtysh("restart daemon ipsecd")
	flow = p.a.Host.Flow(p.b.HostIP, 50*time.Millisecond)
	p.More(flow, 20)
	p.Await(p.agree(2))
	p.sealed()
}

// replaced tells whether none of these SAs is there, and a pair of others is.
func (p *pair) replaced(old []harness.ESP) func() error {
	return func() error {
		for _, s := range p.a.ESP() {
			if slices.ContainsFunc(old, func(o harness.ESP) bool { return o.SPI == s.SPI }) {
				return fmt.Errorf("still there: %v", s)
			}
		}
		return p.agree(2)()
	}
}
