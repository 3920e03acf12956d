package ipsec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// name is charon's name of the connection with a site.
func name(n int) string { return fmt.Sprintf("c%d", n) }

// childless has charon make an IKE SA without a child (RFC 6023), and then a child.
func (c *cloud) childless(t *testing.T) {
	const n = 30
	c.site(n)
	c.charon.Load(connection(n, "aes256gcm16-prfsha384-x25519", "aes256gcm16-ecp256", "childless = force"))
	if err := c.charon.Initiate(name(n), ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.charon.Established(name(n), 0); err != nil {
		t.Error(err)
	}
	if have := c.all(n); len(have) > 0 {
		t.Errorf("before there is a child there are %v", have)
	}
	if err := c.charon.Initiate(name(n), "gre"); err != nil {
		t.Fatal(err)
	}
	c.maps(n)
	c.up(t, n)
	c.passes(t, n)
}

// acquire has a packet of which NHRP knows nothing bring an association about.
func (c *cloud) acquire(t *testing.T) {
	const n = 31
	c.site(n)
	c.charon.Load(connection(n, "aes256gcm16-prfsha384-x25519", "aes256gcm16-ecp256", ""))
	c.ours.GREPeer("Tunnel0", overlay(n), nbma(n))
	c.wire.Clear()
	_, _ = c.ours.Ping(overlay(n), "", 1)
	c.up(t, n)
	c.passes(t, n)
}

// steady runs a change while there is a flow to a site, of which no more than some may be
// lost, and nothing may go in clear.
func (c *cloud) steady(t *testing.T, n, some int, change func()) {
	t.Helper()
	c.wire.Clear()
	f := c.ours.Flow(overlay(n), 20*time.Millisecond)
	change()
	if r := f.Stop(); len(r.Lost) > some {
		t.Errorf("lost %v of %d", r.Lost, r.Sent)
	}
	if clear := c.wire.Count(harness.IsGRE); clear > 0 {
		t.Errorf("%d packets in clear", clear)
	}
}

// forwardSecret looks whether the child with a site was made with a key exchange of its own.
func (c *cloud) forwardSecret(t *testing.T, n int) {
	t.Helper()
	_, children, err := c.charon.Established(name(n), 1)
	if err != nil || children[0].At("dh-group") != "ECP_256" {
		t.Errorf("%v: %v", err, children)
	}
}

// rekeyedByCharon has charon replace the child, and then the IKE SA.
func (c *cloud) rekeyedByCharon(t *testing.T, n int) {
	pair := c.up(t, n)
	c.steady(t, n, 0, func() {
		if _, err := c.charon.Ask("rekey", harness.Section{"ike": name(n), "child": "gre"}); err != nil {
			t.Error(err)
		}
		pair = c.up(t, n, pair...)
		c.await(t, n)
		c.forwardSecret(t, n)
	})
	before, _, err := c.charon.Established(name(n), 1)
	if err != nil {
		t.Fatal(err)
	}
	c.steady(t, n, 0, func() {
		if _, err := c.charon.Ask("rekey", harness.Section{"ike": name(n)}); err != nil {
			t.Error(err)
		}
		harness.Eventually(t, converge, func() error {
			sa, _, err := c.charon.Established(name(n), 1)
			if err == nil && sa.At("initiator-spi") == before.At("initiator-spi") {
				err = errors.New("it is the same still")
			}
			return err
		})
	})
	if now := c.up(t, n); !slices.EqualFunc(now, pair, func(a, b harness.ESP) bool { return a.SPI == b.SPI }) {
		t.Errorf("%v, want those of before: %v", now, pair)
	}
	c.passes(t, n)
}

// await waits until charon has one IKE SA with one child.
func (c *cloud) await(t *testing.T, n int) {
	t.Helper()
	harness.Eventually(t, converge, func() error { _, _, err := c.charon.Established(name(n), 1); return err })
}

// rekeyedByUs has our router replace the child.
func (c *cloud) rekeyedByUs(t *testing.T, n int) {
	pair := c.up(t, n)
	c.rekeyedBySending(t, n, 0, func() {
		c.up(t, n, pair...)
		c.await(t, n)
		c.forwardSecret(t, n)
	})
}

// rekeyedBySending sends so much that our router replaces the child, and then has it
// looked at. Some packets may be lost.
func (c *cloud) rekeyedBySending(t *testing.T, n, some int, look func()) {
	send := func(percent int) {
		if err := c.ours.Do(func() error { return flood(overlay(n), volume/100*percent) }); err != nil {
			t.Error(err)
		}
	}
	send(85)
	c.steady(t, n, some, func() {
		send(8)
		look()
	})
	c.passes(t, n)
}

// weAreKilled kills our daemon: the associations go on, until there are others. charon
// takes the old ones away before it answers who begins anew, so that what is on its way
// meanwhile is lost: for half a second, on a busy machine, of the seconds that it takes
// until our daemon is there again.
func (c *cloud) weAreKilled(t *testing.T) {
	const n, some = 10, 25
	before := c.up(t, n)
	c.steady(t, n, some, func() {
		for _, pid := range c.ours.Pids("ipsecd") {
			c.ours.KillPid(pid)
		}
		harness.Eventually(t, converge, func() error {
			if in, out := c.with(n); slices.IndexFunc(in, isNot(before)) < 0 || slices.IndexFunc(out, isNot(before)) < 0 {
				return fmt.Errorf("there are %v %v still", in, out)
			}
			return nil
		})
	})
	c.passes(t, n)
}

// isNot is the opposite of isOf.
func isNot(those []harness.ESP) func(harness.ESP) bool {
	return func(s harness.ESP) bool { return !isOf(those)(s) }
}

// knows tells whether our router has an IKE SA with a site: by nothing else it finds out
// within the time of `dpd` that the site is dead.
func (c *cloud) knows(n int) error {
	out, err := c.ours.Vtysh("show crypto ikev2 sa")
	for line := range strings.Lines(out) {
		if strings.Contains(line, " "+nbma(n)+"/") && strings.Contains(line, "READY") {
			return nil
		}
	}
	return fmt.Errorf("no IKE SA with %s: %v\n%s", nbma(n), err, out)
}

// charonIsKilled has charon begin anew: a site that it begins with says so (INITIAL_CONTACT,
// RFC 7296 section 2.4); that another is dead our router finds out, and begins itself once
// it is there again.
func (c *cloud) charonIsKilled(t *testing.T) {
	harness.Eventually(t, converge, func() error { return c.knows(11) }) // again, after our own death
	before := c.all(10)
	c.charon.Kill()
	c.charon.Start()
	c.charon.Load(connection(10, variants[0].ike, variants[0].esp, ""))
	if err := c.charon.Initiate(name(10), "gre"); err != nil {
		t.Fatal(err)
	}
	c.up(t, 10, before...)
	c.passes(t, 10)
	harness.Eventually(t, converge, func() error {
		if have := c.all(11); len(have) > 0 {
			return fmt.Errorf("with who is dead there are %v", have)
		}
		return c.ours.ShowJSON("show dmvpn", fmt.Sprintf(`{"interfaces": [{"peers": [{"nbma": %q, "state": "IKE"}]}]}`, nbma(11)))
	})
	c.charon.Load(connection(11, variants[0].ike, variants[0].esp, ""))
	c.up(t, 11)
	c.passes(t, 11)
}

// theEnd ends our router in order: charon is told.
func (c *cloud) theEnd(t *testing.T) {
	if err := c.zebra.Terminate(converge); err != nil {
		t.Error(err)
	}
	harness.Eventually(t, converge, func() error {
		sas, err := c.charon.SAs("")
		if len(sas) > 0 {
			err = fmt.Errorf("charon has %d IKE SAs still", len(sas))
		}
		return err
	})
	if left := c.ours.ESP(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
