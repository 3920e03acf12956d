package ike

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// plain is a proposal that both have.
const plain = "aes256gcm16-prfsha256-x25519"

func plainConfig() core.Config { return config(aead(packet.PRFHMACSHA2256, packet.Curve25519)) }

// fragments counts the datagrams from an end that are fragments of messages (RFC 7383).
func (w *world) fragments(from string) int {
	return w.wire.Count(harness.All(harness.IsIKE, harness.Between(from, ""), func(f harness.Frame) bool {
		b := f.UDP()
		if bytes.HasPrefix(b, make([]byte, 4)) {
			b = b[4:]
		}
		const nextPayload, skf = 16, 53 // RFC 7296 section 3.1, RFC 7383 section 2.5
		return len(b) > nextPayload && b[nextPayload] == skf
	}))
}

// TestWrongGroup: the group that the initiator guessed is not that of the responder (RFC
// 7296 section 1.2, INVALID_KE_PAYLOAD), in both roles.
func TestWrongGroup(t *testing.T) {
	w := newWorld(t, "")
	n := w.charon.Logged("peer didn't accept DH group CURVE_25519, it requested ECP_384")
	w.with("responder", config(aead(packet.PRFHMACSHA2256, packet.ECP384)), conn("aes256gcm16-prfsha256-x25519-ecp384", childless), func(t *testing.T, o *ours) {
		w.initiates(t, o)
		if sa := o.ready(); sa.Group != packet.ECP384 {
			t.Errorf("%+v", sa)
		}
		w.logged(t, n, "peer didn't accept DH group CURVE_25519, it requested ECP_384")
	})
	w.with("initiator", config(aead(packet.PRFHMACSHA2256, packet.Curve25519, packet.ECP384)), conn("aes256gcm16-prfsha256-ecp384", ""), func(t *testing.T, o *ours) {
		o.secure()
		o.says("up ")
		w.logged(t, 0, "DH group CURVE_25519 unacceptable, requesting ECP_384")
	})
}

// isAuth loses IKE_AUTH, so that IKE SAs stay half-open.
func isAuth(want bool) func(*ours) {
	return func(o *ours) {
		o.drop = func(sent bool, h packet.Header) bool { return sent == want && h.Exchange == packet.IKEAuth }
	}
}

// TestCookies: who has half-open IKE SAs asks for cookies (RFC 7296 section 2.6), in both
// roles.
func TestCookies(t *testing.T) {
	w := newWorld(t, "cookie_threshold = 1\n")
	cfg := plainConfig()
	cfg.Global.CookieChallenge = 1
	w.Run("responder", func(t *testing.T) {
		var lose atomic.Bool
		lose.Store(true)
		w.charon.Load(conn(plain, childless))
		o, kill := start(t, w.node, here, cfg, func(o *ours) {
			o.drop = func(sent bool, h packet.Header) bool { return lose.Load() && !sent && h.Exchange == packet.IKEAuth }
		})
		defer kill()
		if err := w.charon.Initiate("c", ""); err == nil {
			t.Error("without IKE_AUTH it is established")
		}
		lose.Store(false)
		n := w.charon.Logged("N(COOKIE)")
		w.initiates(t, o)
		w.logged(t, n+1, "N(COOKIE)") // the request for it, and what is sent with it
		w.charon.Unload("c")
	})
	w.Run("initiator", func(t *testing.T) {
		w.charon.Load(conn(plain, ""))
		first, kill := start(t, w.node, here, plainConfig(), isAuth(true))
		first.secure()
		first.says("AUTH_SENT")
		kill()
		o, kill := start(t, w.node, here, plainConfig())
		defer kill()
		n := w.charon.Logged("N(COOKIE)")
		o.secure()
		o.says("up ")
		w.logged(t, n+1, "N(COOKIE)")
	})
}

// TestFragments: messages that are longer than an end wants go in fragments (RFC 7383).
func TestFragments(t *testing.T) {
	w := newWorld(t, "fragment_size = 200\n")
	cfg := plainConfig()
	cfg.Global.Fragmentation = 256
	cfg.Profiles[0].Identity = core.Identity{Kind: core.IdentityKeyID, Name: string(bytes.Repeat([]byte("long"), 50))}
	long := strings.Replace(conn(plain, childless), "auth = psk", "auth = psk\nid = "+strings.Repeat("very", 14)+"long.example.net", 1)
	w.with("responder", cfg, long, func(t *testing.T, o *ours) {
		w.initiates(t, o)
		o.ready()
		if ours, theirs := w.fragments(here), w.fragments(there); ours < 2 || theirs < 2 {
			t.Errorf("%d and %d fragments", ours, theirs)
		}
	})
	w.with("initiator", cfg, conn(plain, ""), func(t *testing.T, o *ours) {
		o.secure()
		o.says("up ")
		if ours := w.fragments(here); ours < 2 {
			t.Errorf("%d fragments", ours)
		}
	})
}

// TestRekey: either end replaces the IKE SA (RFC 7296 section 2.8), twice.
func TestRekey(t *testing.T) {
	w := newWorld(t, "")
	w.with("by charon", plainConfig(), conn(plain, childless), func(t *testing.T, o *ours) {
		w.initiates(t, o)
		for range 2 {
			before := o.ready()
			if _, err := w.charon.Ask("rekey", harness.Section{"ike": "c"}); err != nil {
				t.Fatal(err)
			}
			o.ready(func(sa core.SAStatus) error {
				if sa.SPI == before.SPI || sa.Peer != before.Peer {
					return fmt.Errorf("it is %v still", sa.SPI)
				}
				return nil
			})
			w.established(t)
		}
	})
	w.with("by us", plainConfig(), conn(plain, childless), func(t *testing.T, o *ours) {
		w.initiates(t, o)
		o.secure()
		for range 2 {
			before := o.ready()
			o.skip <- core.DefaultIKELifetime / 100 * 91
			o.ready(func(sa core.SAStatus) error {
				if sa.SPI == before.SPI || !sa.Initiator {
					return fmt.Errorf("it is %v still", sa.SPI)
				}
				return nil
			})
			w.established(t)
		}
	})
}

// established waits until charon has one IKE SA, established.
func (w *world) established(t *testing.T) {
	t.Helper()
	harness.Eventually(t, converge, func() error { _, _, err := w.charon.Established("c", 0); return err })
}

// none waits until charon has no IKE SA.
func (w *world) none(t *testing.T) {
	t.Helper()
	harness.Eventually(t, converge, func() error {
		sas, err := w.charon.SAs("")
		if len(sas) != 0 {
			err = fmt.Errorf("charon has %v", sas)
		}
		return err
	})
}

// TestDelete: either end deletes the IKE SA (RFC 7296 section 1.4.1).
func TestDelete(t *testing.T) {
	w := newWorld(t, "")
	w.with("by charon", plainConfig(), conn(plain, childless), func(t *testing.T, o *ours) {
		w.initiates(t, o)
		o.ready()
		if _, err := w.charon.Ask("terminate", harness.Section{"ike": "c", "timeout": "10000"}); err != nil {
			t.Error(err)
		}
		o.says("deleted by the peer")
		w.none(t)
	})
	w.with("by us", plainConfig(), conn(plain, childless), func(t *testing.T, o *ours) {
		w.initiates(t, o)
		o.ready()
		o.inbox <- core.Clear{IKE: true, AllVRFs: true}
		w.none(t)
	})
	w.with("at the end", plainConfig(), conn(plain, childless), func(t *testing.T, o *ours) {
		w.initiates(t, o)
		o.ready()
		o.inbox <- core.Shutdown{}
		w.none(t)
	})
}

// TestLiveness: each end finds out that the other is dead (RFC 7296 section 2.4), and not
// while it lives.
func TestLiveness(t *testing.T) {
	w := newWorld(t, "")
	var silent atomic.Bool
	w.with("of us", plainConfig(), conn(plain, childless+"\ndpd_delay = 1s"), func(t *testing.T, o *ours) {
		w.initiates(t, o)
		n := w.charon.Logged("sending DPD request")
		w.logged(t, n+1, "sending DPD request")
		w.established(t)
		silent.Store(true)
		w.none(t)
	}, func(o *ours) { o.drop = func(bool, packet.Header) bool { return silent.Load() } })
	cfg := plainConfig()
	cfg.Profiles[0].DPD = &core.DPD{Interval: 10 * time.Second, Retry: 2 * time.Second, Periodic: true}
	w.with("of charon", cfg, conn(plain, childless), func(t *testing.T, o *ours) {
		w.initiates(t, o)
		o.ready()
		n := o.stats().Received[packet.Informational-packet.IKESAInit]
		o.skip <- 11 * time.Second
		harness.Eventually(t, converge, func() error {
			if got := o.stats().Received; got[packet.Informational-packet.IKESAInit] == n {
				return fmt.Errorf("it does not answer: %v", got)
			}
			return nil
		})
		o.ready()
		w.charon.Process().Signal(unix.SIGSTOP)
		for range 10 {
			o.skip <- 11 * time.Second
		}
		o.says("down ")
		w.charon.Process().Signal(unix.SIGCONT)
	})
}

// TestNATDetection: charon pretends a NAT before it (RFC 7296 section 2.23): all goes by
// port 4500.
func TestNATDetection(t *testing.T) {
	w := newWorld(t, "")
	w.with("responder", plainConfig(), conn(plain, childless+"\nencap = yes"), func(t *testing.T, o *ours) {
		w.initiates(t, o)
		if sa := o.ready(); !sa.NATRemote || sa.Local.Port() != packet.PortNAT || sa.Remote.Port() != packet.PortNAT {
			t.Errorf("%+v", sa)
		}
	})
	w.with("initiator", plainConfig(), conn(plain, "encap = yes"), func(t *testing.T, o *ours) {
		o.secure()
		o.says("up ")
		w.logged(t, 0, "received packet: from "+here+"[4500] to "+there+"[4500]")
	})
}

// TestRefused: who does not know the key is refused, in both roles, and so is who has
// another proposal.
func TestRefused(t *testing.T) {
	w := newWorld(t, "")
	wrong := plainConfig()
	wrong.Keyrings[0].Peers[0].Local = policy.NewSecret("another")
	wrong.Keyrings[0].Peers[0].Remote = policy.NewSecret("another")
	w.with("key/responder", wrong, conn(plain, childless), func(t *testing.T, o *ours) {
		if err := w.charon.Initiate("c", ""); err == nil {
			t.Error("established")
		}
		o.says("authentication failed")
		w.logged(t, 0, "received AUTHENTICATION_FAILED notify error")
	})
	w.with("key/initiator", wrong, conn(plain, ""), func(t *testing.T, o *ours) {
		o.secure()
		o.fails(0, "refused: AUTHENTICATION_FAILED")
	})
	w.with("proposal/responder", plainConfig(), conn("aes256-sha256-prfsha256-x25519", childless), func(t *testing.T, o *ours) {
		if err := w.charon.Initiate("c", ""); err == nil {
			t.Error("established")
		}
		w.logged(t, 0, "received NO_PROPOSAL_CHOSEN notify error")
	})
	w.with("proposal/initiator", plainConfig(), conn("aes256-sha256-prfsha256-x25519", ""), func(t *testing.T, o *ours) {
		o.secure()
		o.fails(30*time.Second, "refused: NO_PROPOSAL_CHOSEN") // once no other answer can come
	})
}
