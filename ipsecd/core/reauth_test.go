package core

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// RFC 7296 section 2.8.3: another IKE SA, authenticated anew, takes the place of one that
// CREATE_CHILD_SA cannot replace, by either end or both. GRE passes all the time.
func TestReauthentication(t *testing.T) {
	for name, who := range map[string][]int{"initiator": {0}, "responder": {1}, "both": {0, 1}} { // unordered: each by itself
		for seed := range byte(4) {
			t.Run(name, func(t *testing.T) {
				r := newRig(t)
				a, b := r.add(seed, plain()), r.add(seed, plain())
				r.secure(a, b)
				r.run(time.Second)
				r.secure(b, a)
				first := r.ready(a, 1)[0]
				for _, i := range who {
					n := r.nodes[i]
					n.order[0].reauth = true
					r.rekey(n)
				}
				if lost := r.traffic(a, b, 40*time.Second); lost > 0 {
					t.Errorf("%d packets lost", lost)
				}
				r.one(a, b)
				if r.ready(a, 1)[0].SPI == first.SPI || strings.Contains(a.exchanges()+b.exchanges(), "CREATE") {
					t.Errorf("%s / %s", a.exchanges(), b.exchanges())
				}
			})
		}
	}
}

// A peer that refuses to replace the IKE SA by CREATE_CHILD_SA: it is authenticated anew at
// once, unless the refusal is for a moment.
func TestRekeyRefused(t *testing.T) {
	for _, c := range []struct {
		kind packet.NotifyType
		want string
	}{
		{packet.NoProposalChosen, "INIT"}, {packet.NoAdditionalSAs, "INIT"}, {packet.TemporaryFailure, "CREATE"},
	} {
		r, a, b := establish(t, plain(), plain())
		first, sent := r.ready(a, 1)[0], len(a.sends)
		(&rekeyTask{}).refused(a.Core, r.now, a.order[0], notify(c.kind))
		r.drain(a)
		if later := a.order[0].reauth; later != (c.want == "INIT") {
			t.Errorf("%v: reauthentication next time: %v", c.kind, later)
		}
		r.run(time.Minute)
		r.one(a, b)
		if a.sends = a.sends[sent:]; !strings.HasPrefix(a.exchanges(), c.want) || r.ready(a, 1)[0].SPI == first.SPI {
			t.Errorf("%v: %s", c.kind, a.exchanges())
		}
	}
}

// What fails leaves the old one as it is, and is tried again before that ends.
func TestReauthenticationFails(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	first := r.ready(a, 1)[0]
	bad := plain()
	bad.Keyrings[0].Peers[0].Remote, bad.Keyrings[0].Peers[0].Local = bad.Keyrings[0].Peers[0].Local, bad.Profiles[0].Key
	r.step(b, ConfigSet{bad})
	a.order[0].reauth = true
	r.rekey(a)
	r.run(5 * time.Second)
	r.one(a, b)
	if r.ready(a, 1)[0].SPI != first.SPI || !strings.Contains(a.exchanges(), "AUTH INIT AUTH") {
		t.Error(a.exchanges())
	}
	r.step(b, ConfigSet{plain()})
	r.run(time.Minute)
	r.one(a, b)
	if r.ready(a, 1)[0].SPI == first.SPI {
		t.Error("not tried again")
	}
}

// The peer authenticates us anew, and refuses the child SA: the new IKE SA goes again, the
// old one and its child SA stay.
func TestReauthenticationWithoutChild(t *testing.T) {
	r, a, b := establish(t, plain(), plain())
	first := r.ready(a, 1)[0]
	other := plain()
	other.Transforms[0].ESP = proposal.DefaultESP()
	r.step(b, ConfigSet{other})
	a.order[0].reauth = true
	r.rekey(a)
	if lost := r.traffic(a, b, 5*time.Second); lost > 0 {
		t.Errorf("%d packets lost", lost)
	}
	r.one(a, b)
	if r.ready(a, 1)[0].SPI != first.SPI || !strings.Contains(a.exchanges(), "AUTH INIT AUTH") {
		t.Error(a.exchanges())
	}
}

// A certificate that expires: the IKE SA stays for its lifetime, but nothing takes its
// place without a certificate that is believed, whichever end asks. With another one the
// peer is authenticated anew, and no packet is lost.
func TestCertificateExpires(t *testing.T) {
	ca := newMaker(t, "CA", 1)
	life := func(cfg Config) Config {
		cfg.Profiles[0].Lifetime = time.Hour
		return cfg
	}
	good := life(ca.own("good", 10))
	short := life(ca.own("short", 11, func(c *x509.Certificate) { c.NotAfter = rigWall.Add(30 * time.Minute) }))
	for _, renewed := range []bool{true, false} {
		r, a, b := establish(t, good, short)
		first := r.ready(a, 1)[0]
		r.run(20 * time.Minute)
		r.rekey(a)
		r.run(time.Minute)
		r.one(a, b)
		second := r.ready(a, 1)[0]
		if second.SPI == first.SPI || !strings.Contains(a.exchanges(), "CREATE") {
			t.Errorf("not replaced while the certificate is valid: %s / %s", a.exchanges(), b.exchanges())
		}
		r.run(20 * time.Minute)
		r.rekey(b)
		r.run(500 * time.Millisecond)
		if len(a.order) > 1 && a.order[0].successor != nil {
			t.Error("replaced without a valid certificate")
		}
		if renewed {
			r.step(b, ConfigSet{life(ca.own("short", 11))})
		}
		r.rekey(a)
		if lost := r.traffic(a, b, 10*time.Second); lost > 0 {
			t.Errorf("%d packets lost", lost)
		}
		if renewed {
			r.run(2 * time.Minute)
			r.one(a, b)
			if r.ready(a, 1)[0].SPI == second.SPI {
				t.Error("not authenticated anew")
			}
			continue
		}
		r.run(time.Hour)
		if s := a.states[b.addr.String()]; s.State == SecurityUp || s.Reason != "its certificate is not believed" && !strings.HasPrefix(s.Reason, "refused") {
			t.Errorf("%+v", s)
		}
	}
}
