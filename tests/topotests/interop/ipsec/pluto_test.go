package ipsec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestPluto has libreswan as the peer, in both roles, with rekeys from both sides. Pluto
// replaces the child that came with an IKE SA with the group of that IKE SA only, whatever
// esp= says: they are the same here.
func TestPluto(t *testing.T) {
	const responder, initiator = 40, 41 // sites, by our role
	const some = 5                      // packets that may be lost: pluto uses new children, and removes old ones, at once
	c, _, _ := newCloud(t)
	config, secrets := "", ""
	for _, n := range []int{responder, initiator} {
		c.site(n)
		config += replaced(plutoPSK, "conn gre", "conn "+name(n), "LOCAL", nbma(n), "REMOTE", ourAddr, "IKE", "aes_gcm256-sha2_384;dh19", "ESP", "aes_gcm256;dh19")
		secrets += fmt.Sprintf("%s %s : PSK %q\n", nbma(n), ourAddr, secret)
	}
	pluto := c.peer.StartPluto(config, secrets)
	whack := func(t *testing.T, what string, n int) {
		t.Helper()
		if out, err := pluto.Whack(what, "--name", name(n)); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for _, tc := range []struct {
		role string
		n    int
	}{{"responder", responder}, {"initiator", initiator}} {
		n := tc.n
		var pair []harness.ESP
		t.Run(tc.role, func(t *testing.T) {
			pluto.Load(name(n))
			if n == responder {
				whack(t, "--initiate", n)
			}
			c.maps(n)
			pair = c.up(t, n)
			for _, s := range pair {
				if !strings.Contains(s.String(), "rfc4106(gcm(aes)) 288 bits") || !s.Transport {
					t.Errorf("%v", s)
				}
			}
			c.passes(t, n)
		})
		t.Run(tc.role+"/child rekeyed by pluto", func(t *testing.T) {
			c.steady(t, n, some, func() {
				whack(t, "--rekey-ipsec", n)
				pair = c.up(t, n, pair...)
			})
			c.passes(t, n)
		})
		t.Run(tc.role+"/IKE SA rekeyed by pluto", func(t *testing.T) {
			c.steady(t, n, 0, func() { whack(t, "--rekey-ike", n) })
			if now := c.up(t, n); !isOf(pair)(now[0]) || !isOf(pair)(now[1]) {
				t.Errorf("%v, want those of before: %v", now, pair)
			}
		})
		t.Run(tc.role+"/child rekeyed by us", func(t *testing.T) {
			c.rekeyedBySending(t, n, some, func() { pair = c.up(t, n, pair...) })
		})
	}
	t.Run("pluto is killed", func(t *testing.T) {
		before := c.all(responder)
		pluto.Kill()
		pluto.Start()
		pluto.Load(name(responder))
		whack(t, "--initiate", responder)
		c.up(t, responder, before...)
		c.passes(t, responder)
	})
	if t.Failed() {
		t.Log(c.ours.Vtysh("show crypto session detail"))
	}
}
