package core

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// What nhrpd wants holds before the tunnel has a source, and when it gets another.
func TestSecureHolds(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.step(a, Secure{Tunnel: "Tunnel1", Peer: b.addr})
	r.run(time.Second)
	r.agree(a, b, 0)
	cfg := plain()
	cfg.Tunnels[0].Interface = "Tunnel1"
	r.step(a, ConfigSet{cfg})
	i := interfaceAt(a.addr)
	i.Name = "Tunnel1"
	r.step(a, InterfaceChanged{i})
	r.run(time.Second)
	r.agree(a, b, 1)
	a.addr = netip.MustParseAddr("192.0.2.77")
	i.Tunnel = interfaceAt(a.addr).Tunnel
	r.step(a, InterfaceChanged{i})
	r.run(time.Second)
	if len(a.sas) != 2 || b.states["192.0.2.77"].State != SecurityUp || len(a.listed) != 1 || len(a.listen) != 1 {
		t.Error(a.sas, b.states, a.listen)
	}
	r.step(a, Unsecure{"Tunnel1", b.addr})
	if len(a.wants) != 0 {
		t.Error(a.wants)
	}
}

// DPD that is configured later is for what is there already.
func TestDPDConfigured(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.secure(a, b)
	r.run(time.Second)
	cfg := plain()
	cfg.Global.DPD = &DPD{Interval: 10 * time.Second, Retry: 2 * time.Second, Periodic: true}
	r.step(a, ConfigSet{cfg})
	r.run(15 * time.Second)
	if got := a.exchanges(); got != "INIT AUTH INFO" {
		t.Error(got)
	}
}

// What was told of a peer is taken back once there is no such peer, or no such tunnel.
func TestPeerGone(t *testing.T) {
	for name, end := range map[string]func(r *rig, a *node, peer netip.Addr){
		"unwanted": func(r *rig, a *node, peer netip.Addr) {
			r.step(a, Unsecure{"Tunnel0", peer})
			r.step(a, Clear{IKE: true, AllVRFs: true})
		},
		"no protection": func(r *rig, a *node, _ netip.Addr) {
			cfg := plain()
			cfg.Tunnels = nil
			r.step(a, ConfigSet{cfg})
		},
	} {
		r, a, b := pair(t, plain(), plain())
		r.secure(a, b)
		r.run(time.Second)
		end(r, a, b.addr)
		r.run(time.Minute)
		if got := a.events[len(a.events)-1]; got != "192.0.2.2 gone from Tunnel0" {
			t.Errorf("%s: %q", name, a.events)
		}
	}
}

// What made the last try fail may be mended by a configuration: it is tried at once.
func TestConfiguredAnew(t *testing.T) {
	for name, spoil := range map[string]func(*Config){
		"no profile": func(c *Config) { c.Tunnels[0].Profile = "missing" },
		"proposal": func(c *Config) {
			c.Proposals[0].IKE = proposal.DefaultIKE()
			c.Proposals[0].Groups = []packet.Group{packet.MODP2048}
		},
		"key": func(c *Config) {
			c.Keyrings[0].Peers[0].Local, c.Keyrings[0].Peers[0].Remote = policy.NewSecret("x"), policy.NewSecret("x")
		},
	} {
		for _, after := range []time.Duration{4 * time.Second, 5 * time.Minute} {
			bad := plain()
			spoil(&bad)
			r, a, b := pair(t, bad, plain())
			r.secure(a, b)
			r.run(after)
			r.agree(a, b, 0)
			if s := a.states[b.addr.String()]; s.State != SecurityIKE || s.Reason == "" {
				t.Errorf("%s: %+v", name, s)
			}
			r.step(a, ConfigSet{plain()})
			r.run(time.Second)
			r.agree(a, b, 1)
		}
	}
}

// A configuration comes line by line, each on its own: one that changes the offer is followed
// at once, also while the offer of the line before is under way and nobody has refused it yet.
func TestConfiguredByLines(t *testing.T) {
	bad, half := plain(), plain()
	for _, c := range []*Config{&bad, &half} {
		c.Proposals[0].Groups = []packet.Group{packet.MODP2048}
	}
	bad.Proposals[0].Encryption = []packet.Transform{{ID: packet.EncrAESGCM16, KeyLength: 128}}
	r, a, b := pair(t, bad, plain())
	r.secure(a, b)
	r.run(4 * time.Second)
	r.agree(a, b, 0)
	r.step(a, ConfigSet{half})
	r.run(delay / 2)
	r.step(a, ConfigSet{plain()})
	r.run(time.Second)
	r.agree(a, b, 1)

	cfg := plain()
	cfg.Global.DPD = &DPD{Interval: time.Minute, Retry: 2 * time.Second}
	r, a, b = pair(t, plain(), plain())
	r.secure(a, b)
	r.run(delay / 2)
	r.step(a, ConfigSet{cfg})
	r.run(time.Second)
	if got := a.exchanges(); got != "INIT AUTH" {
		t.Errorf("%s: begun anew by what is not of the offer", got)
	}
}

// Who does not get on says so long before it gives up.
func TestStuckTold(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.bend = func(*flight) []time.Duration { return nil }
	r.secure(a, b)
	r.run(4 * time.Second)
	if s := a.states[b.addr.String()]; s.State != SecurityIKE || s.Reason != "no answer" {
		t.Errorf("%+v", s)
	}
}

// Who is not protected any more says goodbye, so that the peer does not go on to send what
// nobody can open.
func TestProtectionRemoved(t *testing.T) {
	r, a, b := pair(t, plain(), plain())
	r.secure(a, b)
	r.run(time.Second)
	cfg := plain()
	cfg.Tunnels = nil
	r.step(a, ConfigSet{cfg})
	r.run(time.Second)
	if len(a.sas) != 0 || len(b.sas) != 0 || len(r.ikeSAs(b)) != 0 {
		t.Error(a.sas, b.sas, r.ikeSAs(b))
	}
}

// A packet asked for the peer a moment before protection is removed: that asks for nothing
// any more, and when the tunnel is protected again the peer is secured.
func TestProtectionRemovedWanted(t *testing.T) {
	for name, before := range map[string]func(r *rig, a *node, cfg *Config){
		"up":             func(*rig, *node, *Config) {},
		"no answer":      func(r *rig, _ *node, _ *Config) { r.bend = func(*flight) []time.Duration { return nil } },
		"responder only": func(r *rig, a *node, cfg *Config) { cfg.IPsec[0].ResponderOnly = true; r.step(a, ConfigSet{*cfg}) },
	} {
		cfg := plain()
		r, a, b := pair(t, cfg, plain())
		before(r, a, &cfg)
		r.secure(a, b)
		r.step(a, Acquire{Local: a.addr, Remote: b.addr})
		r.run(time.Second)
		bare := cfg
		bare.Tunnels = nil
		r.step(a, ConfigSet{bare})
		r.run(10 * time.Second)
		if len(a.listed) != 0 || len(a.order) != 0 || len(a.listen) != 0 {
			t.Errorf("%s: %v %v %v", name, a.listed, a.order, a.listen)
		}
		r.bend = nil
		r.step(a, ConfigSet{plain()})
		r.run(time.Second)
		if got := a.states[b.addr.String()]; got.State != SecurityUp {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A profile that does not exist is told, once.
func TestAbsentProfile(t *testing.T) {
	r, a, _ := pair(t, plain(), plain())
	cfg := plain()
	cfg.Tunnels[0].Profile = "missing"
	r.step(a, ConfigSet{cfg})
	cfg.Global.DPD = &DPD{Interval: 10 * time.Second, Retry: 2 * time.Second}
	r.step(a, ConfigSet{cfg})
	if want := []string{"Tunnel0: IPsec profile missing does not exist, so nothing passes"}; !slices.Equal(a.logs, want) {
		t.Errorf("%q", a.logs)
	}
}
