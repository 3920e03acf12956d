package nhrpd_test

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
)

// protect has the tunnel of a station be protected.
func (s *station) protect() {
	t := *s.interfaces[1].Tunnel
	t.Protection = "P"
	s.interfaces[1].Tunnel = &t
}

// nbma is the station's own NBMA address.
func (s *station) nbma() netip.Addr { return s.interfaces[1].Tunnel.Source }

// secured plays ipsecd: it says of another station what it says. The zero State takes back
// what was said.
func (s *station) secured(other *station, state protection.State) {
	s.t.Helper()
	synctest.Wait()
	p := protection.Peer{Tunnel: "Tunnel0", NBMA: other.nbma()}
	m := rib.TopicMessage{Topic: protection.TopicState, Key: p.Key()}
	if state.Security != 0 {
		m.Payload = state.Append(nil)
	}
	s.zebra.mu.Lock()
	s.zebra.states[m.Key] = m.Payload
	s.zebra.mu.Unlock()
	s.tell(m)
	synctest.Wait()
}

// wants reports whether a station wants another one to be secured.
func (s *station) wants(other *station) bool {
	synctest.Wait()
	s.zebra.mu.Lock()
	defer s.zebra.mu.Unlock()
	return s.zebra.wanted["Tunnel0 "+other.nbma().String()]
}

func up(generation uint32) protection.State {
	return protection.State{Security: protection.Up, Generation: generation, Identity: "somebody"}
}

// TestProtected: a spoke registers once it is secured, and again after a loss; a hub that
// is killed knows it again, without a gap, as ipsecd's word of it outlives nhrpd.
func TestProtected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke, _ := cloud(t)
		hub.protect()
		spoke.protect()
		hub.start(hubConfig)
		spoke.start(spokeConfig)
		time.Sleep(20 * time.Second)
		if !spoke.wants(hub) || hub.wants(spoke) {
			t.Errorf("the spoke wants the hub: %v; the hub wants the spoke: %v", spoke.wants(hub), hub.wants(spoke))
		}
		same(t, "hub, before", hub.neighbors(), "")
		if out := spoke.exec("show dmvpn", false); !strings.Contains(out, "172.31.0.1   IKE") {
			t.Errorf("the layer that is stuck is not named:\n%s", out)
		}
		spoke.secured(hub, protection.State{Security: protection.IPsec, Reason: "refused: NO_PROPOSAL_CHOSEN"})
		if out := spoke.exec("diagnose dmvpn", false); !strings.Contains(out, "fails at IPsec") || !strings.Contains(out, "NO_PROPOSAL_CHOSEN") {
			t.Errorf("diagnose:\n%s", out)
		}

		spoke.secured(hub, up(1)) // its registration is quicker than the hub's ipsecd
		same(t, "hub, not told yet", hub.neighbors(), "")
		hub.secured(spoke, up(1))
		const known = "172.31.0.11 at 198.51.100.1"
		same(t, "hub", hub.neighbors(), known)
		toldOf(t, hub, spoke, tunnelpeer.Client)
		toldOf(t, spoke, hub, tunnelpeer.Server)
		if !hub.wants(spoke) {
			t.Error("the hub does not want the spoke, which is registered")
		}
		if out := spoke.exec("show dmvpn detail", false); !strings.Contains(out, "Crypto Session Status: UP-ACTIVE") || !strings.Contains(out, "172.31.0.1    UP") {
			t.Errorf("show dmvpn detail:\n%s", out)
		}

		hub.kill()
		hub.start(hubConfig)
		same(t, "hub, restarted", hub.neighbors(), known)
		if out := hub.exec("show dmvpn", false); !strings.Contains(out, "172.31.0.11    UP") {
			t.Errorf("a restarted hub does not know its spoke:\n%s", out)
		}

		spoke.secured(hub, protection.State{Security: protection.Lost, Reason: "peer is dead"})
		hub.secured(spoke, protection.State{Security: protection.Lost, Reason: "peer is dead"})
		same(t, "hub, lost", hub.neighbors(), "")
		toldOf(t, hub, spoke, tunnelpeer.Lost)
		toldOf(t, spoke, hub, tunnelpeer.Lost)
		if hub.wants(spoke) || !spoke.wants(hub) {
			t.Errorf("after the loss the hub wants the spoke: %v; the spoke wants the hub: %v", hub.wants(spoke), spoke.wants(hub))
		}
		hub.secured(spoke, up(2))
		spoke.secured(hub, up(2))
		same(t, "hub, secured again", hub.neighbors(), known)

		hub.kill() // and the session is lost meanwhile
		hub.zebra.states["Tunnel0 198.51.100.1"] = up(3).Append(nil)
		hub.start(hubConfig)
		if out := hub.exec("show ip nhrp", false); strings.Contains(out, "172.31.0.11") {
			t.Errorf("what rests on a session that was lost is back:\n%s", out)
		}
		spoke.secured(hub, up(3))
		same(t, "hub, registered anew", hub.neighbors(), known)
	})
}

// toldOf compares what routing protocols hear of another station.
func toldOf(t *testing.T, s, other *station, want tunnelpeer.State) {
	t.Helper()
	synctest.Wait()
	s.zebra.mu.Lock()
	defer s.zebra.mu.Unlock()
	p := tunnelpeer.Peer{Tunnel: "Tunnel0", Addr: other.interfaces[1].Addresses[0].Prefix.Addr()}
	if got, err := tunnelpeer.ParseState(s.zebra.peers[p.Key()]); err != nil || got != want {
		t.Errorf("%s is told to be %v, not %v: %v", p.Key(), got, want, err)
	}
}

// TestProtectedMalformed: what cannot be read of ipsecd's changes nothing.
func TestProtectedMalformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke, _ := cloud(t)
		hub.protect()
		spoke.protect()
		hub.start(hubConfig)
		spoke.start(spokeConfig)
		hub.secured(spoke, up(1))
		spoke.secured(hub, up(1))
		same(t, "hub", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
		for _, m := range []rib.TopicMessage{
			{Topic: protection.TopicState, Key: "Tunnel0", Payload: up(1).Append(nil)},
			{Topic: protection.TopicState, Key: "Tunnel0 198.51.100.1", Payload: []byte{9, 9}},
			{Topic: protection.TopicState, Key: "Tunnel0 198.51.100.1", Payload: []byte{}},
			{Topic: "another", Key: "Tunnel0 198.51.100.1"},
		} {
			hub.tell(m)
		}
		time.Sleep(time.Minute)
		same(t, "hub", hub.neighbors(), "172.31.0.11 at 198.51.100.1")
	})
}
