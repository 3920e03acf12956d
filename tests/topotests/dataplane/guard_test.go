package dataplane

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
	"github.com/godmvpn/godmvpn/zebra/engine"
	"github.com/godmvpn/godmvpn/zebra/fib"
	"github.com/godmvpn/godmvpn/zebra/hub"
	"github.com/godmvpn/godmvpn/zebra/iface"
)

// life is zebra's middle, from the sessions to the kernel, in one life of it.
type life struct {
	engine *engine.Engine
	hub    *hub.Hub
	fib    *fib.FIB
	end    func() // as by kill -9: what is in the kernel stays
}

// newLife begins a life with a provider whose state outlives it. Epochs are after first.
func newLife(t *testing.T, e *lktest.Env, state string, first uint64, cfg iface.Config, daemons ...string) *life {
	t.Helper()
	e.Open(linuxkernel.Options{StateFile: state})
	l := &life{engine: engine.New(slog.New(slog.DiscardHandler), func(string, session.Log) {})}
	l.hub = hub.New(l.engine.Message, first)
	l.fib = fib.New(fib.Options{Provider: e.P, Report: l.engine.Outcomes, Event: l.engine.Event})
	if err := l.fib.Adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.engine.Connect(l.fib, l.hub)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.engine.Run(ctx) })
	running.Go(func() { _ = l.fib.Run(ctx) })
	l.end = sync.OnceFunc(func() { cancel(); running.Wait(); e.P.Close() })
	t.Cleanup(l.end)
	l.engine.Configure(cfg, nil)
	l.engine.Enabled(daemons)
	l.engine.Configured()
	return l
}

// settled waits until the kernel is as it is wanted.
func (l *life) settled(t *testing.T, what string, ok func() bool) {
	t.Helper()
	harness.Eventually(t, limit, func() error {
		if err := l.fib.Sync(t.Context()); err != nil || !ok() {
			return errNot(what)
		}
		return nil
	})
}

type errNot string

func (e errNot) Error() string { return "not yet: " + string(e) }

// protectedSpoke is the configuration of a spoke whose tunnel is protected.
func protectedSpoke(profile, source string) iface.Config {
	return iface.Config{Interfaces: []iface.Interface{
		{Name: "Tunnel0", IPMTU: 1400, Addresses: []rib.Address{{Prefix: netip.PrefixFrom(overlay(1), 24)}},
			Tunnel: iface.Tunnel{Source: ip(source), Multipoint: true, HasKey: true, Key: mgre.GREKey, Protection: profile}},
	}}
}

func guardIn(t *testing.T, e *lktest.Env, local string) bool {
	t.Helper()
	for o, err := range e.P.Dump(t.Context(), dataplane.KindPolicy) {
		if err != nil {
			t.Fatal(err)
		}
		if p := o.(dataplane.Policy); p == dataplane.Guard(ip(local)) {
			return true
		}
	}
	return false
}

// TestProtectedTunnel has zebra's middle with a protected tunnel live, be killed and
// live again, change its source, lose its policies and its interface, while packets
// knock at both ends all the time: not one goes out or is taken in clear before the line
// goes.
func TestProtectedTunnel(t *testing.T) {
	p := newPair(t)
	remove(t, p.a, mgre)
	e, state := p.a, filepath.Join(t.TempDir(), "saved.json")
	e.P.Close()
	p.passed()
	quiet := func(when string) {
		t.Helper()
		if have := p.passed(); have.byA != 0 {
			t.Errorf("%s: %d packets of GRE went out in clear", when, have.byA)
		}
		if n := p.taken(); n != 0 {
			t.Errorf("%s: %d packets were taken in clear", when, n)
		}
	}
	there := func() bool {
		l, err := e.Handle.LinkByName("Tunnel0")
		return err == nil && l.Attrs().Flags&1 != 0
	}
	defer p.knock()()
	first := newLife(t, e, state, 0, protectedSpoke("DMVPN", "192.0.2.1"))
	first.settled(t, "the tunnel", func() bool { return there() && guardIn(t, e, "192.0.2.1") })
	quiet("at first")
	first.end()
	quiet("killed")
	second := newLife(t, e, state, 1<<32, protectedSpoke("DMVPN", "192.0.2.1"))
	second.settled(t, "the tunnel again", func() bool { return there() && guardIn(t, e, "192.0.2.1") })
	quiet("alive again")
	shown(t, p.a, "ip", "addr", "add", "192.0.2.3/24", "dev", dptest.Under)
	for range 10 {
		second.engine.Configure(protectedSpoke("DMVPN", "192.0.2.3"), nil)
		second.settled(t, "another source", func() bool { return guardIn(t, e, "192.0.2.3") && !guardIn(t, e, "192.0.2.1") })
		second.engine.Configure(protectedSpoke("DMVPN", "192.0.2.1"), nil)
		second.settled(t, "the first source", func() bool { return guardIn(t, e, "192.0.2.1") && !guardIn(t, e, "192.0.2.3") })
	}
	quiet("with other sources")
	second.engine.Configure(iface.Config{}, nil)
	second.settled(t, "no tunnel", func() bool { return !there() && !guardIn(t, e, "192.0.2.1") })
	quiet("without the interface")
	second.engine.Configure(protectedSpoke("DMVPN", "192.0.2.1"), nil)
	second.settled(t, "the tunnel once more", func() bool { return there() && guardIn(t, e, "192.0.2.1") })
	quiet("once more")
	second.engine.Configure(protectedSpoke("", "192.0.2.1"), nil)
	second.settled(t, "no guard", func() bool { return there() && !guardIn(t, e, "192.0.2.1") })
	harness.Eventually(t, limit, func() error { // that packets did knock all the time
		if p.passed().byA == 0 || p.taken() == 0 {
			return errNot("packets in clear without the line")
		}
		return nil
	})
}

// knock has both ends send through their tunnels, over and over, until it is ended.
func (p *pair) knock() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, side := range []struct {
		e  *lktest.Env
		to netip.Addr
		by netip.Addr
	}{{p.a, overlay(2), ip("192.0.2.2")}, {p.b, overlay(1), ip("192.0.2.1")}} {
		running.Go(func() {
			side.e.Do(func() error {
				for ctx.Err() == nil {
					_ = p.push(side.e, side.to, side.by) // there may be no tunnel now
					select {
					case <-ctx.Done():
					case <-time.After(2 * time.Millisecond):
					}
				}
				return nil
			})
		})
	}
	return func() { cancel(); running.Wait() }
}

// push sends a packet through the tunnel, if there is one.
func (p *pair) push(e *lktest.Env, to, by netip.Addr) error {
	l, err := e.Handle.LinkByName("Tunnel0")
	if err != nil {
		return err
	}
	err = e.Handle.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, IP: to.AsSlice(), LLIPAddr: by.AsSlice(), State: unix.NUD_PERMANENT, Family: unix.AF_INET})
	fd, serr := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if serr != nil {
		return serr
	}
	defer unix.Close(fd)
	return errors.Join(err, unix.BindToDevice(fd, "Tunnel0"), unix.Sendto(fd, []byte("knock"), 0, &unix.SockaddrInet4{Port: 9, Addr: to.As4()}))
}

// taken returns how many packets came out of the tunnel of a since it was asked last.
func (p *pair) taken() (n int) {
	p.Helper()
	raw, err := p.sink.(syscall.Conn).SyscallConn()
	if err != nil {
		p.Fatal(err)
	}
	buf := make([]byte, 64)
	err = raw.Read(func(fd uintptr) bool {
		for {
			if _, _, err := unix.Recvfrom(int(fd), buf, unix.MSG_DONTWAIT); err != nil {
				return true
			}
			n++
		}
	})
	if err != nil {
		p.Fatal(err)
	}
	return n
}
