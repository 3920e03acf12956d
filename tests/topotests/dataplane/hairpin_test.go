package dataplane

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
)

// router forwards between two multipoint tunnels, with all their spokes' NBMA
// addresses behind the underlay: a test plays the spokes by sending GRE packets from
// there. 10.1.0.0/16 and 2001:db8:1::/48 are beyond Tunnel0, 10.2.0.0/16 beyond
// Tunnel1, 10.9.0.0/16 beyond the underlay itself.
type router struct {
	*testing.T
	e    *lktest.Env
	wire int // packet socket on the far side of the underlay
	far  int // its index
	mac  [6]byte
	seen []dataplane.HairpinFound
}

func newRouter(t *testing.T, vrf string, opt linuxkernel.Options) *router {
	r := &router{T: t, e: lktest.NewWith(t, opt)}
	const far = dptest.Under + "-peer"
	shown(t, r.e, "ip", "link", "set", far, "address", "02:00:00:00:00:02")
	for _, args := range [][]string{
		{"ip", "neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", dptest.Under},
		{"sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
			"net.ipv4.conf." + dptest.Under + ".rp_filter=0", "net.ipv4.conf.all.send_redirects=0"},
	} {
		shown(t, r.e, args...)
	}
	one := mgre
	two := mgre
	two.Name, two.GREKey = "Tunnel1", 2
	table := uint32(dataplane.TableMain)
	if vrf != "" {
		one.Master, two.Master, table = vrf, vrf, 1007
		put(t, r.e.P, dataplane.Link{Name: vrf, Type: dataplane.LinkVRF, Table: table, Attrs: dataplane.Attrs{Admin: dataplane.AdminUp}})
	}
	put(t, r.e.P, one, two)
	for i, name := range []string{"Tunnel0", "Tunnel1"} {
		addr := netip.AddrFrom4([4]byte{172, 16, byte(i), 1})
		spoke := netip.AddrFrom4([4]byte{172, 16, byte(i), 2})
		put(t, r.e.P, dataplane.Addr{Device: name, Prefix: netip.PrefixFrom(addr, 24)},
			dataplane.Neighbor{Device: name, Addr: spoke, NBMA: ip("192.0.2.2")},
			dataplane.Route{Table: table, Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i + 1)}), 16), Metric: 20, Protocol: 191,
				NextHops: []dataplane.NextHop{{Device: name, Gateway: spoke}}})
	}
	put(t, r.e.P, dataplane.Addr{Device: "Tunnel0", Prefix: pfx("2001:db8::1/64")},
		dataplane.Neighbor{Device: "Tunnel0", Addr: ip("2001:db8::2"), NBMA: ip("192.0.2.2")},
		dataplane.Route{Table: table, Prefix: pfx("2001:db8:1::/48"), Metric: 20, Protocol: 191,
			NextHops: []dataplane.NextHop{{Device: "Tunnel0", Gateway: ip("2001:db8::2")}}})
	copy(r.mac[:], r.e.Link(dptest.Under).Attrs().HardwareAddr)
	r.far = r.e.Link(far).Attrs().Index
	r.e.Do(func() (err error) {
		protocol := binary.NativeEndian.Uint16([]byte{8, 0}) // ETH_P_IP, in network byte order
		if r.wire, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(r.wire, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: r.far})
	})
	t.Cleanup(func() { unix.Close(r.wire) })
	return r
}

// inner is a UDP packet.
func inner(src, dst string, size int) []byte {
	s, d := ip(src), ip(dst)
	payload := make([]byte, 8+size)
	binary.BigEndian.PutUint16(payload[4:], uint16(len(payload)))
	for i := range size {
		payload[8+i] = byte(i)
	}
	var b []byte
	if s.Is4() {
		b = []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0}
		binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
	} else {
		b = []byte{0x60, 0, 0, 0, 0, 0, 17, 64}
		binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	}
	b = append(append(b, s.AsSlice()...), d.AsSlice()...)
	if s.Is4() {
		binary.BigEndian.PutUint16(b[10:], checksum(b))
	}
	return append(b, payload...)
}

func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// spoke has a packet come in by a tunnel; "" is the underlay itself.
func (r *router) spoke(tunnel string, packet []byte) {
	r.Helper()
	b := packet
	if tunnel != "" {
		key := map[string]uint32{"Tunnel0": mgre.GREKey, "Tunnel1": 2}[tunnel]
		typ := []byte{8, 0}
		if packet[0]>>4 == 6 {
			typ = []byte{0x86, 0xdd}
		}
		b = []byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, 47, 0, 0, 192, 0, 2, 2, 192, 0, 2, 1}
		binary.BigEndian.PutUint16(b[2:], uint16(20+8+len(packet)))
		binary.BigEndian.PutUint16(b[10:], checksum(b))
		b = append(append(b, 0x20, 0), typ...)
		b = append(binary.BigEndian.AppendUint32(b, key), packet...)
	}
	to := &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16([]byte{8, 0}), Ifindex: r.far, Halen: 6}
	copy(to.Addr[:], r.mac[:])
	if err := unix.Sendto(r.wire, b, 0, to); err != nil {
		r.Fatal(err)
	}
}

// forwarded waits until a packet to an address has come out by a tunnel, n times.
func (r *router) forwarded(dst string, n int) {
	r.Helper()
	want := string(ip(dst).AsSlice())
	buf := make([]byte, 2048)
	for end := time.Now().Add(limit); n > 0; {
		size, _, err := unix.Recvfrom(r.wire, buf, unix.MSG_DONTWAIT)
		if err != nil {
			if time.Now().After(end) {
				r.Fatalf("%d packets for %s were not forwarded", n, dst)
			}
			time.Sleep(time.Millisecond)
			continue
		}
		at := 28 + 16
		if size > 28 && buf[28]>>4 == 6 {
			at = 28 + 24
		}
		if size > at+len(want) && buf[9] == 47 && string(buf[at:at+len(want)]) == want {
			n--
		}
	}
}

// told returns the samples that were told up to one for a packet that is known to
// make one, as in, out and the beginning of the packet.
func (r *router) told(last []byte, by string) (all []string) {
	r.Helper()
	r.spoke(by, last)
	timeout := time.After(limit)
	for {
		select {
		case ev := <-r.e.P.Events():
			h, ok := ev.(dataplane.HairpinFound)
			if !ok {
				continue
			}
			dst := netip.AddrFrom4([4]byte(h.Packet[16:20]))
			if h.Packet[0]>>4 == 6 {
				dst = netip.AddrFrom16([16]byte(h.Packet[24:40]))
			}
			if dst.String() == "10.1.255.255" {
				return all
			}
			r.seen = append(r.seen, h)
			all = append(all, fmt.Sprint(h.In, " ", h.Out, " ", dst))
		case <-timeout:
			r.Fatalf("the last sample did not come; others: %v", all)
		}
	}
}

// last is a packet that makes a hairpin; each is of another pair.
func (r *router) last(n byte) []byte { return inner(fmt.Sprintf("10.1.254.%d", n), "10.1.255.255", 10) }

func (r *router) wants(when string, have []string, want ...string) {
	r.Helper()
	if d := cmp.Diff(want, have); d != "" {
		r.Errorf("%s (-want +have):\n%s", when, d)
	}
}

func on(device string, group uint32) dataplane.Hairpin {
	return dataplane.Hairpin{Device: device, Group: group}
}

// TestHairpin sends packets through one and two tunnels, of one group and of two.
func TestHairpin(t *testing.T) {
	for _, vrf := range []string{"", "BLUE"} {
		t.Run("vrf "+vrf, func(t *testing.T) {
			r := newRouter(t, vrf, linuxkernel.Options{})
			put(t, r.e.P, on("Tunnel0", 5), dataplane.MSSClamp{Device: "Tunnel0", MSS: 1000}, dataplane.Multicast{Device: "Tunnel0"})
			long := inner("10.1.1.1", "10.1.2.2", 300)
			for range 5 {
				r.spoke("Tunnel0", long)
			}
			r.forwarded("10.1.2.2", 5)
			r.spoke("Tunnel0", inner("2001:db8:1::7", "2001:db8:1::8", 10))
			r.forwarded("2001:db8:1::8", 1)
			r.spoke("Tunnel1", inner("10.2.1.1", "10.1.3.3", 10)) // Tunnel1 is in no group
			r.forwarded("10.1.3.3", 1)
			r.spoke("Tunnel0", inner("10.1.3.3", "10.2.3.3", 10))
			r.forwarded("10.2.3.3", 1)
			if vrf == "" {
				r.spoke("", inner("10.9.1.1", "10.1.4.4", 10)) // in by no tunnel
				r.forwarded("10.1.4.4", 1)
				shown(t, r.e, "sh", "-c", "ping -c 1 -W 1 10.1.5.5; true") // our own
			}
			r.wants("one tunnel", r.told(r.last(1), "Tunnel0"), "Tunnel0 Tunnel0 10.1.2.2", "Tunnel0 Tunnel0 10.1.2.2", "Tunnel0 Tunnel0 2001:db8:1::8")
			if p := r.seen[0].Packet; len(p) != 128 || p[8] != 63 || string(p[12:]) != string(long[12:128]) {
				t.Errorf("the sample is %x of %x", p, long)
			}
			put(t, r.e.P, on("Tunnel1", 6))
			r.spoke("Tunnel1", inner("10.2.1.1", "10.1.6.6", 10))
			r.forwarded("10.1.6.6", 1)
			r.wants("two groups", r.told(r.last(2), "Tunnel0"))
			put(t, r.e.P, on("Tunnel1", 5))
			r.spoke("Tunnel1", inner("10.2.1.1", "10.1.7.7", 10))
			r.forwarded("10.1.7.7", 1)
			r.spoke("Tunnel0", inner("10.1.7.7", "10.2.7.7", 10))
			r.forwarded("10.2.7.7", 1)
			r.wants("one group", r.told(r.last(3), "Tunnel0"), "Tunnel1 Tunnel0 10.1.7.7", "Tunnel0 Tunnel1 10.2.7.7")
			if err := apply(t, r.e.P, dataplane.Delete(on("Tunnel1", 0).Key())); err != nil {
				t.Fatal(err)
			}
			r.spoke("Tunnel1", inner("10.2.1.1", "10.1.8.8", 10))
			r.forwarded("10.1.8.8", 1)
			r.wants("one left", r.told(r.last(4), "Tunnel0"))
		})
	}
}

// TestHairpinOutlivesProvider ends a provider without a word: packets pass, and the
// next life tells of them again.
func TestHairpinOutlivesProvider(t *testing.T) {
	opt := linuxkernel.Options{StateFile: filepath.Join(t.TempDir(), "saved.json")}
	r := newRouter(t, "", opt)
	put(t, r.e.P, on("Tunnel0", 5))
	for life := byte(1); life < 4; life++ {
		r.e.P.Close()
		r.spoke("Tunnel0", inner("10.1.1.1", "10.1.2.2", 10))
		r.forwarded("10.1.2.2", 1)
		r.e.Open(opt)
		n := 0
		for o, err := range r.e.P.Dump(t.Context(), dataplane.KindHairpin) {
			if h := o.(dataplane.Hairpin); err != nil || h.Device != "Tunnel0" || !h.Outdated {
				t.Errorf("%+v %v", o, err)
			}
			n++
		}
		if n != 1 {
			t.Errorf("%d detectors are left", n)
		}
		put(t, r.e.P, on("Tunnel0", 5))
		r.spoke("Tunnel0", inner("10.1.1.1", "10.1.3.3", 10))
		r.forwarded("10.1.3.3", 1)
		r.wants("another life", r.told(r.last(life), "Tunnel0"), "Tunnel0 Tunnel0 10.1.3.3")
	}
	r.e.P.Close()
	r.e.Open(opt)
	if err := apply(t, r.e.P, dataplane.Delete(on("Tunnel0", 0).Key())); err != nil {
		t.Fatal(err)
	}
	wantOnTunnel(t, r.e, "after the end")
}
