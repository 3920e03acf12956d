package rippeers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/interop/rippeers"
)

func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{Ethernet: true}) }

// converge is how long it may take until all know all: some updates, and what a
// loaded machine adds.
const converge = 60 * time.Second

// peer is a BIRD on a link of its own to the FRR in the middle. The link is
// 10.9.N.0/24, FRR's address .1 and BIRD's .2; BIRD announces 10.2.N.0/24.
type peer struct {
	n          int
	frr, bird  rippeers.Auth
	mismatched bool
	node       *harness.Node
	b          *harness.BIRD
	wire       *harness.Capture
}

func (p *peer) link() string   { return fmt.Sprintf("10.9.%d.0/24", p.n) }
func (p *peer) static() string { return fmt.Sprintf("10.2.%d.0/24", p.n) }
func (p *peer) device() string { return fmt.Sprintf("eth%d", p.n) }

// config is BIRD's.
func (p *peer) config(static ...string) string {
	return rippeers.RIP{Static: static, Interfaces: []rippeers.Interface{
		{Device: "eth0", Network: p.link(), Auth: p.bird}}}.BIRD(fmt.Sprintf("192.0.2.%d", p.n))
}

// frrStatic is what FRR announces of its own.
const frrStatic = "10.1.0.0/24"

// star is FRR in the middle of the peers.
type star struct {
	frr   *harness.Node
	f     *harness.FRR
	peers []*peer
	links []*harness.Link
}

func build(t *testing.T, peers ...*peer) *star {
	t.Helper()
	tp := harness.New(t)
	s := &star{frr: tp.Router("frr"), peers: peers}
	conf := rippeers.RIP{Static: []string{frrStatic}}
	for i, p := range peers {
		p.n = i + 1
		p.node = tp.Router(fmt.Sprintf("bird%d", p.n))
		s.links = append(s.links, tp.Link(s.frr, p.device(), fmt.Sprintf("10.9.%d.1/24", p.n), p.node, "eth0", fmt.Sprintf("10.9.%d.2/24", p.n)))
		p.wire = s.frr.Capture(p.device())
		conf.Interfaces = append(conf.Interfaces, rippeers.Interface{Device: p.device(), Network: p.link(), Auth: p.frr})
	}
	s.f = s.frr.StartFRR(conf.FRR(), rippeers.FRRDaemons...)
	for _, p := range peers {
		p.b = p.node.StartBIRD(p.config(p.static()))
	}
	return s
}

// knows tells whether the kernels of FRR and of all BIRDs have the routes that they
// should: those of the peers that agree with FRR about the key.
func (s *star) knows(gone ...*peer) error {
	var frr []string
	others := []string{frrStatic}
	silent := map[*peer]bool{}
	for _, p := range gone {
		silent[p] = true
	}
	for _, p := range s.peers {
		if !p.mismatched && !silent[p] {
			frr = append(frr, fmt.Sprintf("%s via 10.9.%d.2 dev %s metric %d", p.static(), p.n, p.device(), harness.MetricFRR))
			others = append(others, p.static())
		}
		others = append(others, p.link())
	}
	if err := s.frr.HasRoutes(harness.ProtocolNumber(rib.RIP), frr...); err != nil {
		return err
	}
	for _, p := range s.peers {
		var want []string
		for _, o := range others {
			if o != p.static() && o != p.link() && !p.mismatched {
				want = append(want, fmt.Sprintf("%s via 10.9.%d.1 dev eth0 metric %d", o, p.n, harness.MetricBIRD))
			}
		}
		if silent[p] {
			continue
		}
		if err := p.node.HasRoutes(harness.ProtocolBIRD, want...); err != nil {
			return err
		}
	}
	return nil
}

// TestExchange has a peer for each way of authentication that both have, and one
// with the wrong key. Routes come, are withdrawn one by one, and die with their
// neighbour. tshark has nothing to say about any packet.
func TestExchange(t *testing.T) {
	key := func(mode rippeers.Mode, id int, text string) rippeers.Auth {
		return rippeers.Auth{Mode: mode, Keys: []rippeers.Key{{ID: id, Text: text}}}
	}
	both := func(a rippeers.Auth) *peer { return &peer{frr: a, bird: a} }
	plain, text, md5 := both(rippeers.Auth{}), both(key(rippeers.Text, 1, "plainword")), both(key(rippeers.MD5, 1, "sixteen-octets-k"))
	chain := both(rippeers.Auth{Mode: rippeers.MD5, Keys: []rippeers.Key{{ID: 7, Text: "seventh"}, {ID: 8, Text: "eighth"}}})
	wrong := &peer{mismatched: true, frr: key(rippeers.MD5, 1, "right"), bird: key(rippeers.MD5, 1, "wrong")}
	s := build(t, plain, text, md5, chain, wrong)
	harness.Eventually(t, converge, func() error { return s.knows() })
	watch := s.frr.WatchRoutes(harness.ProtocolNumber(rib.RIP))

	md5.b.Reconfigure(md5.config())
	harness.Eventually(t, converge, func() error { return s.knows(md5) })
	harness.Eventually(t, converge, func() error { // it may be behind the kernel's table
		if err := watch.Withdrawn(); err == nil || !strings.Contains(err.Error(), md5.static()) {
			return fmt.Errorf("the watch has not seen the withdrawal of %s: %v", md5.static(), err)
		}
		return nil
	})
	md5.b.Reconfigure(md5.config(md5.static()))
	harness.Eventually(t, converge, func() error { return s.knows() })

	s.links[0].Cut() // nobody tells: timers decide
	harness.Eventually(t, converge, func() error { return s.knows(plain) })
	s.links[0].Mend()
	harness.Eventually(t, converge, func() error { return s.knows() })

	var wires []*harness.Capture
	for _, p := range s.peers {
		p.wire.Stop()
		wires = append(wires, p.wire)
	}
	if err := harness.CheckDissected("rip", 4, wires...); err != nil {
		t.Error(err)
	}
}
