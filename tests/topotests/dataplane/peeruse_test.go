package dataplane

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

var usage = dataplane.PeerUse{Device: "Tunnel0"}

// uses sends to 172.16.0.10, and returns whose use is told until that one's is, each
// once: whatever was sent before is told no later.
func (r *router) uses() []string { return uses(r.T, r.e, "172.16.0.10", "192.0.2.10") }

func uses(t *testing.T, e *lktest.Env, marker, nbma string) (all []string) {
	t.Helper()
	last := "Tunnel0 " + nbma
	e.Send("Tunnel0", ip(marker))
	timeout, end := time.After(limit), false
	for {
		select {
		case ev := <-e.P.Events():
			u, _ := ev.(dataplane.PeersUsed)
			for _, a := range u.NBMA {
				if told := u.Device + " " + a.String(); told != last && !slices.Contains(all, told) {
					all = append(all, told)
				} else if told == last {
					end = true
				}
			}
			if end {
				slices.Sort(all)
				return all
			}
		case <-timeout:
			t.Fatalf("use of %s was not told; others: %v", last, all)
		}
	}
}

// neighbors gives Tunnel0 172.16.0.10 to .19, at the NBMA addresses 192.0.2.10 to .19,
// and has these on the far side of the underlay.
func (r *router) neighbors() {
	for i := range byte(10) {
		shown(r.T, r.e, "ip", "neigh", "add", fmt.Sprint("192.0.2.", 10+i), "lladdr", "02:00:00:00:00:02", "dev", dptest.Under)
		put(r.T, r.e.P, dataplane.Neighbor{Device: "Tunnel0", Addr: ip(fmt.Sprint("172.16.0.", 10+i)), NBMA: ip(fmt.Sprint("192.0.2.", 10+i))})
	}
}

// link sends a packet by Tunnel0 to an NBMA address, past the neighbours.
func (r *router) link(typ uint16, nbma string, b []byte) {
	r.Helper()
	r.e.Do(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, typ)),
			Ifindex: r.e.Link("Tunnel0").Attrs().Index, Halen: 4}
		copy(to.Addr[:], ip(nbma).AsSlice())
		return unix.Sendto(fd, b, 0, to)
	})
}

// TestPeerUse sends by a tunnel all that can be sent, with every other filter of ours
// beside, and looks which peers it is told of.
func TestPeerUse(t *testing.T) {
	for _, vrf := range []string{"", "BLUE"} {
		t.Run("vrf "+vrf, func(t *testing.T) {
			r := newRouter(t, vrf, linuxkernel.Options{})
			r.neighbors()
			put(t, r.e.P, usage, on("Tunnel0", 5), dataplane.MSSClamp{Device: "Tunnel0", MSS: 1000}, dataplane.Multicast{Device: "Tunnel0"})
			for i := range byte(3) {
				put(t, r.e.P, dataplane.MulticastPeer{Device: "Tunnel0", NBMA: ip(fmt.Sprint("192.0.2.", 15+i))})
			}
			r.e.Send("Tunnel0", ip("172.16.0.12"))
			r.e.Send("Tunnel1", ip("172.16.1.2"))
			r.wants("our own", r.uses(), "Tunnel0 192.0.2.12")
			r.wants("nothing", r.uses())

			for range 3 {
				r.spoke("Tunnel0", inner("10.1.1.1", "10.1.2.2", 300))
			}
			r.forwarded("10.1.2.2", 3)
			r.wants("forwarded", r.uses(), "Tunnel0 192.0.2.2")
			r.spoke("Tunnel0", inner("2001:db8:1::7", "2001:db8:1::8", 10))
			r.forwarded("2001:db8:1::8", 1)
			r.wants("forwarded IPv6", r.uses(), "Tunnel0 192.0.2.2")

			for _, dst := range []string{"224.0.0.9", "239.1.2.3", "255.255.255.255", "172.16.0.255"} {
				b := inner("172.16.0.1", dst, 20)
				r.link(0x0800, "127.71.82.69", b)
				r.forwarded(dst, 3) // the copies
			}
			b := inner("2001:db8::1", "ff02::9", 20)
			r.link(0x86dd, "127.71.82.69", b)
			r.forwarded("ff02::9", 3)
			shown(t, r.e, "sh", "-c", "ping -c 1 -W 1 -I Tunnel0 224.0.0.1; true")
			r.link(0x2001, "192.0.2.16", make([]byte, 64)) // NHRP
			r.link(0x0800, "192.0.2.19", inner("172.16.0.1", "172.16.0.19", 20))
			r.wants("for many and NHRP", r.uses(), "Tunnel0 192.0.2.19")
		})
	}
}

// TestPeerUseOverIPv6 sends by a tunnel over IPv6 to stations and, by copies, to many.
func TestPeerUseOverIPv6(t *testing.T) {
	e := lktest.New(t)
	shown(t, e, "ip", "addr", "add", "2001:db8:f::1/64", "dev", dptest.Under, "nodad")
	m := mgre
	m.Local, m.Underlay = ip("2001:db8:f::1"), ""
	put(t, e.P, m, dataplane.Addr{Device: "Tunnel0", Prefix: pfx("172.16.0.1/24")}, usage, on("Tunnel0", 5),
		dataplane.Multicast{Device: "Tunnel0"}, dataplane.MulticastPeer{Device: "Tunnel0", NBMA: ip("2001:db8:f::5")})
	for i := range byte(3) {
		put(t, e.P, dataplane.Neighbor{Device: "Tunnel0", Addr: ip(fmt.Sprint("172.16.0.", 10+i)), NBMA: ip(fmt.Sprintf("2001:db8:f::%x", 10+i))})
	}
	for _, group := range []string{"224.0.0.1", "ff02::1"} {
		shown(t, e, "sh", "-c", "ping -c 1 -W 1 -I Tunnel0 "+group+"; true")
	}
	e.Send("Tunnel0", ip("172.16.0.11"))
	want := []string{"Tunnel0 2001:db8:f::b"}
	if d := cmp.Diff(want, uses(t, e, "172.16.0.10", "2001:db8:f::a")); d != "" {
		t.Errorf("to a station and to many (-want +have):\n%s", d)
	}
}

// TestPeerUseOutlivesProvider ends a provider without a word: packets pass, and the
// next life tells of their use again.
func TestPeerUseOutlivesProvider(t *testing.T) {
	opt := linuxkernel.Options{StateFile: filepath.Join(t.TempDir(), "saved.json")}
	r := newRouter(t, "", opt)
	r.neighbors()
	put(t, r.e.P, usage)
	for range 2 {
		r.e.P.Close()
		r.spoke("Tunnel0", inner("10.1.1.1", "10.1.2.2", 10))
		r.forwarded("10.1.2.2", 1)
		r.e.Open(opt)
		n := 0
		for o, err := range r.e.P.Dump(t.Context(), dataplane.KindPeerUse) {
			if u := o.(dataplane.PeerUse); err != nil || u.Device != "Tunnel0" || !u.Outdated {
				t.Errorf("%+v %v", o, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d watches are left", n)
		}
		put(t, r.e.P, usage)
		wantOnTunnel(t, r.e, "another life", "clsact", "godmvpn-use-v1")
		r.e.Send("Tunnel0", ip("172.16.0.14"))
		r.wants("another life", r.uses(), "Tunnel0 192.0.2.14")
	}
	r.e.P.Close()
	r.e.Open(opt)
	if err := apply(t, r.e.P, dataplane.Delete(usage.Key())); err != nil {
		t.Fatal(err)
	}
	wantOnTunnel(t, r.e, "after the end")
}
