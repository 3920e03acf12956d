package fib

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

func anSA(spi uint32) dataplane.SA {
	return dataplane.SA{ESP: rib.ESP{Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr("192.0.2.2"), SPI: spi,
		Cipher: rib.AESGCM16, CipherKey: rib.NewSecret(make([]byte, 36)), Window: 64}}
}

const (
	saidSA    = "put SA of SPI 0x1000 to 192.0.2.2"
	saidGone  = saidSA + ": SA of SPI 0x1000 to 192.0.2.2: it is gone"
	saidGuard = "put policy of GRE between 192.0.2.1 and 0.0.0.0/0"
)

// TestSAIsNotPutBack has an SA go in each way in which it can: it is told to be gone,
// and never put again.
func TestSAIsNotPutBack(t *testing.T) {
	sa := anSA(0x1000)
	for name, goes := range map[string]func(*bench){
		"removed": func(b *bench) { b.p.Steal(sa.Key()) },
		"expired": func(b *bench) { b.p.Expire(sa.Key(), true) },
		"unseen": func(b *bench) {
			b.p.Forget(func() { b.p.Steal(sa.Key()) })
			b.audit(false)
		},
	} {
		b := newBench(t)
		b.c.Put(sa)
		b.expect(name+": put", []string{saidSA}, b.run())
		b.pass(time.Hour)
		b.changes()
		goes(b)
		b.expect(name+": gone", []string{saidGone}, b.run())
		for range 3 {
			b.pass(time.Hour)
			b.c.Put(sa) // a daemon that says it again
			b.audit(false)
			b.expect(name+": later", []string{saidGone}, b.run())
		}
		b.expect(name+": changes", nil, b.changes())
		b.c.Delete(sa.Key())
		b.run()
		if n := b.c.Stats(); n.Wanted != 0 || b.c.Pending() != 0 {
			t.Errorf("%s: something is left: %+v", name, n)
		}
	}
}

// TestSAIsReplaced has another SA in force before the one whose place it takes goes.
func TestSAIsReplaced(t *testing.T) {
	b, old, next := newBench(t), anSA(0x1000), anSA(0x2000)
	b.c.Put(old)
	b.run()
	b.changes()
	b.c.Delete(old.Key())
	b.c.Put(next)
	b.run()
	b.expect("changes", []string{"put SA of SPI 0x2000 to 192.0.2.2", "delete SA of SPI 0x1000 to 192.0.2.2"}, b.changes())
}

// TestSAOfEarlierLife has one that an earlier life left be kept, and not put back when
// it goes.
func TestSAOfEarlierLife(t *testing.T) {
	sa := anSA(0x1000)
	before := newBench(t)
	before.c.Put(sa)
	before.run()
	b := newBench(t)
	b.p = before.p
	b.p.Changes()
	b.audit(true)
	keyless := sa
	keyless.CipherKey = rib.Secret{}
	b.c.Put(keyless)
	b.expect("kept", []string{saidSA}, b.run())
	b.p.Steal(sa.Key())
	b.expect("gone", []string{saidGone}, b.run())
	b.expect("changes", nil, b.changes())
}

// TestSASaidAnew has an SA that was to be kept, and is not there, be said as a new one;
// and one that went be said with other keys.
func TestSASaidAnew(t *testing.T) {
	b, sa := newBench(t), anSA(0x1000)
	kept := sa
	kept.Keep = true
	b.c.Put(kept)
	b.expect("not there", []string{saidGone}, b.run())
	b.c.Put(kept)
	b.expect("said again", []string{saidGone}, b.run())
	b.c.Put(sa)
	b.expect("said as new", []string{saidSA}, b.run())
	b.p.Steal(sa.Key())
	b.expect("gone", []string{saidGone}, b.run())
	b.c.Put(kept)
	b.c.Put(sa)
	b.expect("it was in force", []string{saidGone, saidGone}, b.run())
	sa.UDP = rib.UDPEncap{Source: 4500, Destination: 4500}
	b.c.Put(sa)
	b.expect("changed", []string{saidGone}, b.run())
	sa.CipherKey = rib.NewSecret([]byte("sixteen bytes and salt")[:20])
	b.c.Put(sa)
	b.expect("with other keys", []string{saidSA}, b.run())
	b.p.Steal(sa.Key())
	b.run()
	b.c.Delete(sa.Key())
	b.run()
	b.c.Put(sa)
	b.expect("deleted before", []string{saidSA}, b.run())
}

// TestSAChangedInFlight has an SA change while it is being put, and go then: what is
// wanted now is the same SA, which was in force.
func TestSAChangedInFlight(t *testing.T) {
	b, sa := newBench(t), anSA(0x1000)
	sa.UDP = rib.UDPEncap{Source: 4500, Destination: 4500}
	b.c.Put(sa)
	ops := b.c.Next(b.now, 3)
	sa.UDP.Destination = 40001
	b.c.Put(sa)
	b.c.Done(b.now, b.p.Apply(t.Context(), ops))
	b.p.Forget(func() { b.p.Steal(sa.Key()) })
	b.expect("gone", []string{saidGone}, b.run())
}

// TestSAKeptThenChanged has one that was kept be said as a new one, with another port.
func TestSAKeptThenChanged(t *testing.T) {
	b, sa := newBench(t), anSA(0x1000)
	sa.UDP = rib.UDPEncap{Source: 4500, Destination: 4500}
	b.p.Apply(t.Context(), []dataplane.Op{dataplane.Put(sa)})
	b.audit(true)
	kept := sa
	kept.Keep = true
	b.c.Put(kept)
	b.run()
	b.p.Forget(func() { b.p.Steal(sa.Key()) })
	sa.UDP.Destination = 40001
	b.c.Put(sa)
	b.expect("gone", []string{saidGone}, b.run())
}

// TestSAIsTriedAgain has an SA that could not be put be tried until it can.
func TestSAIsTriedAgain(t *testing.T) {
	b, sa := newBench(t), anSA(0x1000)
	b.p.FailWith(func(dataplane.Op) error { return errors.New("no memory") })
	b.c.Put(sa)
	b.expect("fails", []string{saidSA + ": no memory"}, b.run())
	b.p.FailWith(nil)
	b.pass(RetryMin)
	b.expect("put", []string{saidSA}, b.run())
}

// TestGuardIsPutBack has a policy come back at once, and first of all.
func TestGuardIsPutBack(t *testing.T) {
	b, guard := newBench(t, "eth0"), dataplane.Guard(netip.MustParseAddr("192.0.2.1"))
	b.c.Put(tunnel0)
	b.c.Put(guard)
	b.expect("put", []string{saidGuard, "put tunnel Tunnel0"}, b.run())
	b.pass(time.Hour)
	b.run()
	b.p.Steal(guard.Key())
	b.expect("put back", []string{saidGuard}, b.run())
	b.c.DeleteAll()
	b.expect("the end", []string{"delete tunnel Tunnel0", "delete policy of GRE between 192.0.2.1 and 0.0.0.0/0"}, b.run())
}

// TestTunnelNeedsItsGuard has the guard fail: the tunnel is not put, goes down where it
// is there, and is back as soon as the guard is.
func TestTunnelNeedsItsGuard(t *testing.T) {
	b, guard := newBench(t), dataplane.Guard(netip.MustParseAddr("192.0.2.1"))
	up := func() bool {
		for o := range b.p.Dump(t.Context(), dataplane.KindTunnel) {
			return o.(dataplane.Tunnel).Admin == dataplane.AdminUp
		}
		return false
	}
	no := func(op dataplane.Op) error {
		if op.Key.Kind == dataplane.KindPolicy && !op.IsDelete() {
			return errors.New("no memory")
		}
		return nil
	}
	guarded := tunnel0
	guarded.Guarded = true
	const unguarded = "put tunnel Tunnel0: Tunnel0: its packets would go in clear"
	b.p.FailWith(no)
	b.c.Put(guard)
	b.c.Put(guarded)
	b.expect("fails", []string{saidGuard + ": no memory", unguarded}, b.run())
	if up() {
		t.Error("the tunnel is up without its guard")
	}
	b.p.FailWith(nil)
	b.pass(RetryMin)
	b.expect("put", []string{saidGuard, "put tunnel Tunnel0"}, b.run()[:2])
	b.pass(time.Hour)
	b.run()
	if !up() {
		t.Error("the tunnel is down with its guard")
	}
	b.p.FailWith(no)
	b.p.Steal(guard.Key())
	b.expect("stolen", []string{saidGuard + ": no memory", unguarded}, b.run()[:2])
	if up() {
		t.Error("the tunnel is up after its guard was stolen")
	}
	b.p.FailWith(nil)
	b.pass(RetryMin)
	b.run()
	b.pass(RetryMin)
	b.run()
	if !up() {
		t.Error("the tunnel is down after its guard is back")
	}
}

// TestTunnelComesWithItsGuard has the guard come after the tunnel was tried.
func TestTunnelComesWithItsGuard(t *testing.T) {
	b, guarded := newBench(t), tunnel0
	guarded.Guarded = true
	b.c.Put(guarded)
	b.run()
	b.c.Put(dataplane.Guard(guarded.Local))
	b.expect("at once", []string{saidGuard, "put tunnel Tunnel0"}, b.run())
}

// TestProtectionOfATunnelThatIsThere makes a tunnel guarded whose guard cannot be.
func TestProtectionOfATunnelThatIsThere(t *testing.T) {
	b := newBench(t)
	b.c.Put(tunnel0)
	b.run()
	b.p.FailWith(func(op dataplane.Op) error {
		if op.Key.Kind == dataplane.KindPolicy {
			return dataplane.ErrUnsupported
		}
		return nil
	})
	b.pass(time.Hour)
	b.run()
	guarded := tunnel0
	guarded.Guarded = true
	b.c.Put(dataplane.Guard(guarded.Local))
	b.c.Put(guarded)
	b.run()
	for o := range b.p.Dump(t.Context(), dataplane.KindTunnel) {
		if o.(dataplane.Tunnel).Admin == dataplane.AdminUp {
			t.Error("the tunnel is up without its guard")
		}
	}
}
