package core

import (
	"bytes"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// withMLKEM is a configuration with additional key exchanges for IKE SAs and child SAs,
// which may not be left out.
func withMLKEM() Config {
	cfg := withPFS()
	more := []proposal.Additional{{Groups: []packet.Group{packet.MLKEM768}}, {Groups: []packet.Group{packet.MLKEM1024}}}
	cfg.Proposals[0].Additional = more
	cfg.IPsec[0].Additional = more
	return cfg
}

// RFC 9370 section 2.2.4: a child SA is replaced with additional key exchanges, by either
// end; the link of each answer is in the next request.
func TestFollowupChild(t *testing.T) {
	for i := range 2 {
		r, a, b := establish(t, withMLKEM(), withMLKEM())
		first := r.ready(a, 1)[0]
		n := r.nodes[i]
		sent := len(n.sends)
		r.soft(n)
		r.run(time.Second)
		r.settledOn(a, b, first, false)
		ch := r.ready(a, 1)[0].Children[0]
		if ch.Group != packet.Curve25519 || len(ch.Additional) != 2 || ch.Additional[1] != packet.MLKEM1024 {
			t.Errorf("%+v", ch)
		}
		n.sends = n.sends[sent:]
		if got := n.exchanges(); !strings.HasPrefix(got, "CREATE FOLLOW FOLLOW") || !strings.HasSuffix(got, "INFO") {
			t.Error(got)
		}
	}
}

// The same for an IKE SA, which works afterwards.
func TestFollowupIKE(t *testing.T) {
	for i := range 2 {
		r, a, b := establish(t, withMLKEM(), withMLKEM())
		first := r.ready(a, 1)[0]
		r.rekey(r.nodes[i])
		r.run(time.Second)
		r.settledOn(a, b, first, true)
		s := r.ready(a, 1)[0]
		if len(s.Additional) != 2 || s.Additional[0] != packet.MLKEM768 {
			t.Errorf("%+v", s)
		}
		r.soft(r.nodes[1-i])
		r.run(time.Second)
		r.settledOn(a, b, s, false)
	}
}

// Optional ones are left out by a peer that has none of them, or does not know their types
// and passes over the first proposal (RFC 7296 section 3.3.6); required ones have it
// refuse.
func TestFollowupOptional(t *testing.T) {
	for _, optional := range []bool{true, false} {
		cfg := withMLKEM()
		cfg.Proposals[0].Additional = nil
		more := []proposal.Additional{{Groups: []packet.Group{packet.MLKEM768}, Optional: optional}}
		cfg.IPsec[0].Additional = more
		r, a, b := establish(t, cfg, withPFS())
		first := r.ready(a, 1)[0]
		r.soft(a)
		r.run(time.Second)
		if !optional {
			if s := r.ready(a, 1)[0]; s.Children[0].In.SPI != first.Children[0].In.SPI || !strings.HasSuffix(a.exchanges(), "CREATE") {
				t.Error("replaced without what is required")
			}
			continue
		}
		r.settledOn(a, b, first, false)
		if ch := r.ready(a, 1)[0].Children[0]; len(ch.Additional) != 0 {
			t.Errorf("%+v", ch)
		}
	}
}

// hmacs is prf+ with HMAC-SHA-256 by the letter of RFC 7296 section 2.13.
func hmacs(key []byte, n int, parts ...[]byte) []byte {
	var t, out []byte
	for i := byte(1); len(out) < n; i++ {
		m := hmac.New(sha256.New, key)
		m.Write(t)
		for _, p := range parts {
			m.Write(p)
		}
		m.Write([]byte{i})
		t = m.Sum(nil)
		out = append(out, t...)
	}
	return out[:n]
}

func prf(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// The keys of RFC 9370 section 2.2.4 by another hand, from what the exchanges carried:
//
//	KEYMAT   = prf+(SK_d, SK(0) | Ni | Nr | SK(1) | SK(2))
//	SKEYSEED = prf(SK_d, SK(0) | Ni | Nr | SK(1) | SK(2))
//	{SK_*}   = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr)
func TestFollowupKeys(t *testing.T) {
	for _, ike := range []bool{false, true} {
		cfg := withMLKEM()
		cfg.Global.Fragmentation = -1
		r, a, _ := establish(t, cfg, cfg)
		sa := a.order[0]
		d := bytes.Clone(sa.keys.D)
		if ike {
			r.rekey(a)
		} else {
			r.soft(a)
		}
		var of followed
		var secrets [][]byte
		for len(secrets) < 3 {
			if f, ok := sa.request.task.(*followTask); ok && len(f.secrets) > 0 {
				of, secrets = f.of, nil
				for _, s := range f.secrets {
					secrets = append(secrets, bytes.Clone(s))
				}
				if len(f.secrets) == 2 { // the third is in the answer, which a key of ours opens
					k := f.ke
					for len(r.flying) == 0 || !r.flying[0].h.Response() {
						r.next(r.now.Add(time.Second))
					}
					m, _ := packet.Parse(r.flying[0].tx.Packet)
					got := a.open(RxPacket{}, sa, m, r.flying[0].tx.Packet)
					if got == nil {
						t.Fatal("cannot be opened")
					}
					ps, _ := packet.ParsePayloads(got.first, got.plain)
					secret, err := k.Secret(packet.Find(ps, packet.TypeKE).(*packet.KE).Data)
					if err != nil || len(secret) != mlkem.SharedKeySize {
						t.Fatal(err)
					}
					secrets = append(secrets, secret)
					break
				}
			}
			r.next(r.now.Add(time.Second))
		}
		if ike {
			n := of.(*rekeyTask).nonces
			seed := prf(d, secrets[0], n.Ni, n.Nr, secrets[1], secrets[2])
			spis := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(n.SPIi)), uint64(n.SPIr))
			want := hmacs(seed, 32, n.Ni, n.Nr, spis)
			r.next(r.now.Add(time.Second))
			if next := sa.successor; next == nil || !bytes.Equal(next.keys.D, want) {
				t.Error("SK_d differs")
			}
			continue
		}
		task := of.(*createTask)
		want := hmacs(d, 2*36, secrets[0], task.terms.nonces.Ni, task.terms.nonces.Nr, secrets[1], secrets[2])
		r.next(r.now.Add(time.Second))
		ch := a.Core.children[task.spi]
		if ch == nil || ch.out.CipherKey != rib.NewSecret(want[:36]) || ch.in.CipherKey != rib.NewSecret(want[36:]) {
			t.Error("keys of the child SA differ")
		}
	}
}

// RFC 9370 section 2.2.4: both ends replace the same child SA at once. Who has the lowest
// nonce goes no further; one that asks while the other is going on is told
// TEMPORARY_FAILURE.
func TestFollowupChildCollision(t *testing.T) { followupCollision(t, false) }

// The same for an IKE SA.
func TestFollowupIKECollision(t *testing.T) { followupCollision(t, true) }

func followupCollision(t *testing.T, ike bool) {
	for _, mixed := range []bool{false, true} {
		for _, late := range []string{"", "a", "b"} {
			for _, exchange := range []packet.ExchangeType{0, packet.CreateChildSA, packet.IKEFollowupKE} {
				for seed := range byte(4) {
					cfg := withMLKEM()
					if mixed { // one of them makes its SA with CREATE_CHILD_SA alone
						for i := range cfg.Proposals[0].Additional {
							cfg.Proposals[0].Additional[i].Optional = true
						}
					}
					r := newRig(t)
					a, b := r.add(seed, cfg), r.add(seed, cfg)
					r.secure(a, b)
					r.run(time.Second)
					r.secure(b, a)
					first := r.ready(a, 1)[0]
					if mixed {
						plain := withMLKEM()
						plain.Proposals[0].Additional, plain.IPsec[0].Additional = nil, nil
						if r.nodes[seed%2].config = plain; ike {
							r.step(r.nodes[seed%2], ConfigSet{plain})
						}
					}
					r.bend = func(f *flight) []time.Duration {
						if f.from.name == late && f.h.Exchange == exchange {
							return []time.Duration{20 * delay}
						}
						return []time.Duration{delay}
					}
					for _, n := range r.nodes {
						if ike {
							r.rekey(n)
						} else {
							r.soft(n)
						}
					}
					r.run(2 * time.Minute)
					r.settledOn(a, b, first, ike)
					for _, n := range r.nodes {
						if len(n.order[0].followups) != 0 {
							t.Errorf("%s waits for more", n.name)
						}
					}
				}
			}
		}
	}
}

// Who loses stops: it sends no IKE_FOLLOWUP_KE.
func TestFollowupLoserStops(t *testing.T) {
	for seed := range byte(8) {
		r := newRig(t)
		a, b := r.add(seed, withMLKEM()), r.add(seed, withMLKEM())
		r.secure(a, b)
		r.run(time.Second)
		r.secure(b, a)
		for _, n := range r.nodes {
			if seed%2 == 0 {
				r.rekey(n)
			} else {
				r.soft(n)
			}
		}
		r.run(time.Second)
		if x, y := strings.Count(a.exchanges(), "FOLLOW"), strings.Count(b.exchanges(), "FOLLOW"); x*y != 0 || x+y == 0 {
			t.Errorf("%s / %s", a.exchanges(), b.exchanges())
		}
		r.agree(a, b, 1)
	}
}

// Who asks for what the other is going on with is told TEMPORARY_FAILURE, and begins no
// series of its own.
func TestFollowupTemporaryFailure(t *testing.T) {
	for _, ike := range []bool{false, true} {
		r, a, b := establish(t, withMLKEM(), withMLKEM())
		first := r.ready(a, 1)[0]
		r.bend = func(f *flight) []time.Duration {
			if f.from == b && (f.h.Exchange == packet.CreateChildSA && !f.h.Response() || f.h.Exchange == packet.IKEFollowupKE) {
				return []time.Duration{15 * delay} // it arrives when the other has its answer
			}
			return []time.Duration{delay}
		}
		for _, n := range []*node{b, a} {
			if ike {
				r.rekey(n)
			} else {
				r.soft(n)
			}
		}
		r.run(170 * time.Millisecond)
		if _, following := a.order[0].asked(); !following || b.order[0].request != nil || len(a.order[0].followups) != 0 {
			t.Errorf("%s / %s", a.exchanges(), b.exchanges())
		}
		r.run(time.Minute)
		r.settledOn(a, b, first, ike)
	}
}

// What the peer does not go on with is forgotten; a link that names nothing is answered by
// STATE_NOT_FOUND, and the exchange begun anew.
func TestFollowupForgotten(t *testing.T) {
	for _, ike := range []bool{false, true} {
		r, a, b := establish(t, withMLKEM(), withMLKEM())
		first := r.ready(a, 1)[0]
		cut := true
		r.bend = func(f *flight) []time.Duration {
			if cut && f.h.Exchange == packet.IKEFollowupKE {
				return []time.Duration{40 * time.Second}
			}
			return []time.Duration{delay}
		}
		if ike {
			r.rekey(a)
		} else {
			r.soft(a)
		}
		r.run(time.Second)
		if len(b.order[0].followups) != 1 {
			t.Fatal("nothing waits")
		}
		r.run(followWait)
		if len(b.order[0].followups) != 0 {
			t.Error("it waits for ever")
		}
		cut = false
		r.run(15 * time.Second)
		r.settledOn(a, b, first, ike)
	}
}

// A peer that leaves out the link, has another group, or begins many series: nothing comes
// of it but a few that wait.
func TestFollowupMalformed(t *testing.T) {
	for _, c := range []struct {
		name string
		ps   func(link []byte) []packet.Payload
		kind packet.NotifyType
	}{
		{"no link", func([]byte) []packet.Payload {
			return []packet.Payload{&packet.KE{Group: packet.MLKEM768, Data: make([]byte, 1184)}}
		}, packet.InvalidSyntax},
		{"another link", func([]byte) []packet.Payload {
			return []packet.Payload{&packet.KE{Group: packet.MLKEM768, Data: make([]byte, 1184)}, notify(packet.AdditionalKeyExchange, 1)}
		}, packet.StateNotFound},
		{"another group", func(link []byte) []packet.Payload {
			return []packet.Payload{&packet.KE{Group: packet.MLKEM1024, Data: make([]byte, 1568)}, notify(packet.AdditionalKeyExchange, link...)}
		}, packet.InvalidSyntax},
		{"an invalid value", func(link []byte) []packet.Payload {
			return []packet.Payload{&packet.KE{Group: packet.MLKEM768, Data: bytes.Repeat([]byte{255}, 1184)}, notify(packet.AdditionalKeyExchange, link...)}
		}, packet.InvalidSyntax},
	} {
		r, a, b := establish(t, withMLKEM(), withMLKEM())
		r.bend = func(f *flight) []time.Duration {
			if f.h.Exchange == packet.IKEFollowupKE {
				return nil
			}
			return []time.Duration{delay}
		}
		r.soft(a)
		r.run(500 * time.Millisecond)
		sa := b.order[0]
		got := b.followupRequest(r.now, sa, c.ps(sa.followups[0].link))
		if f := failure(got.payloads); f == nil || f.Kind != c.kind || len(b.Core.children) != 1 {
			t.Errorf("%s: %+v", c.name, got)
		}
		for range 3 * maxFollowup {
			b.await(r.now, sa, &followup{old: &child{}})
		}
		if len(sa.followups) != maxFollowup {
			t.Errorf("%d series", len(sa.followups))
		}
		if sa.state = StateRekeyed; failure(b.followupRequest(r.now, sa, c.ps(sa.followups[0].link)).payloads).Kind == packet.StateNotFound {
			t.Error("of an IKE SA that was replaced")
		}
	}
}
