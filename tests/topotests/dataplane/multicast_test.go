package dataplane

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/dataplane/dptest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/lktest"
	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/replicate"
)

// group is a tunnel with a replicator, over an underlay on which every address of
// 198.18.0.0/15 is beyond one gateway.
type group struct {
	*testing.T
	e    *lktest.Env
	wire int // packet socket on the underlay
	from *net.UDPConn
}

func newGroup(t *testing.T) *group {
	c := &group{T: t, e: lktest.New(t)}
	const far = dptest.Under + "-peer"
	shown(t, c.e, "ip", "link", "set", far, "address", "02:00:00:00:00:02")
	shown(t, c.e, "ip", "neigh", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", dptest.Under)
	shown(t, c.e, "ip", "route", "add", "198.18.0.0/15", "via", "192.0.2.2")
	c.computeChecksums(dptest.Under)
	put(t, c.e.P, mgre, dataplane.Addr{Device: "Tunnel0", Prefix: pfx("10.0.0.1/24")}, dataplane.Multicast{Device: "Tunnel0"})
	c.e.Do(func() (err error) {
		protocol := binary.NativeEndian.Uint16([]byte{0, 3}) // ETH_P_ALL, in network byte order: what leaves, too
		c.wire, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		err = unix.SetsockoptInt(c.wire, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
		return errors.Join(err, unix.Bind(c.wire, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: c.e.Link(dptest.Under).Attrs().Index}))
	})
	t.Cleanup(func() { unix.Close(c.wire) })
	c.e.Do(func() error {
		conn, err := net.ListenPacket("udp4", "10.0.0.1:0")
		if err != nil {
			return err
		}
		c.from = conn.(*net.UDPConn)
		raw, err := c.from.SyscallConn()
		if err != nil {
			return err
		}
		cerr := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInet4Addr(int(fd), unix.IPPROTO_IP, unix.IP_MULTICAST_IF, [4]byte{10, 0, 0, 1})
		})
		return errors.Join(err, cerr)
	})
	t.Cleanup(func() { c.from.Close() })
	return c
}

// computeChecksums has a veth device leave no checksum to the hardware.
func (c *group) computeChecksums(device string) {
	value := struct{ command, data uint32 }{0x17, 0} // ETHTOOL_STXCSUM, linux/ethtool.h
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		pad  [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:], device)
	c.e.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return errno
		}
		return nil
	})
}

// nth is the NBMA address of a peer.
func nth(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}) }

// apply puts or deletes peers in one batch.
func (c *group) apply(put bool, peers ...netip.Addr) {
	c.Helper()
	ops := make([]dataplane.Op, len(peers))
	for i, a := range peers {
		o := dataplane.MulticastPeer{Device: "Tunnel0", NBMA: a}
		if ops[i] = dataplane.Put(o); !put {
			ops[i] = dataplane.Delete(o.Key())
		}
	}
	for i, r := range c.e.P.Apply(c.Context(), ops) {
		if r.Err != nil {
			c.Fatalf("%v: %v", ops[i].Key, r.Err)
		}
	}
}

// send sends a packet to a group and returns how often it arrived for each NBMA
// address. Its inner part must be whole.
func (c *group) send(size int) map[netip.Addr]int {
	c.Helper()
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(i * 7)
	}
	if _, err := c.from.WriteTo(payload, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 9), Port: 520}); err != nil {
		c.Error(err)
	}
	got := map[netip.Addr]int{}
	buf := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(c.wire, buf, unix.MSG_DONTWAIT) // the copies were made within the call that sent
		if err != nil {
			return got
		}
		b := buf[:n]
		if n < 28+28 || b[9] != 47 || b[28+9] != 17 {
			continue
		}
		dst := netip.AddrFrom4([4]byte(b[16:20]))
		got[dst]++
		inner := b[28:]
		udp := inner[20:]
		if inner[8] != 1 || string(udp[8:]) != string(payload) || netip.AddrFrom4([4]byte(inner[16:20])) != ip("224.0.0.9") {
			c.Fatalf("to %v: %x", dst, inner)
		}
		sum := uint32(17 + len(udp))
		for i, v := range slices.Concat(inner[12:20], udp) {
			sum += uint32(v) << (8 * (1 - i%2))
		}
		if sum%0xffff != 0 {
			c.Fatalf("checksum to %v: %x", dst, inner)
		}
	}
}

// wants sends a packet and compares where it went.
func (c *group) wants(when string, peers map[netip.Addr]bool) {
	c.Helper()
	got := c.send(200)
	for a := range peers {
		if got[a] != 1 {
			c.Fatalf("%s: %d copies for %v", when, got[a], a)
		}
	}
	if len(got) != len(peers) {
		c.Fatalf("%s: it went to %d addresses, wanted %d", when, len(got), len(peers))
	}
}

// TestMulticastSizes has as many peers as fill groups of them, and one more and
// one less, up to the most.
func TestMulticastSizes(t *testing.T) {
	c := newGroup(t)
	peers := map[netip.Addr]bool{}
	for _, n := range []int{0, 1, 2, 127, 128, 129, 255, 257, 1000, 5000, replicate.MaxPeers} {
		var more []netip.Addr
		for k := len(peers); k < n; k++ {
			more = append(more, nth(k))
			peers[nth(k)] = true
		}
		c.apply(true, more...)
		c.wants(fmt.Sprint(n, " peers"), peers)
	}
	full := dataplane.MulticastPeer{Device: "Tunnel0", NBMA: nth(replicate.MaxPeers)}
	if err := c.e.P.Apply(t.Context(), []dataplane.Op{dataplane.Put(full)})[0].Err; !errors.Is(err, replicate.ErrFull) {
		t.Errorf("one too many: %v", err)
	}
	c.wants("one too many", peers)
	c.apply(false, slices.Collect(maps.Keys(peers))...)
	c.wants("none left", nil)
	if got := c.send(1400 - 28); len(got) != 0 {
		t.Errorf("it went to %v", got)
	}
}

// TestMulticastChurn adds and removes peers in any order.
func TestMulticastChurn(t *testing.T) {
	c := newGroup(t)
	rng := rand.New(rand.NewPCG(1, 2))
	peers := map[netip.Addr]bool{}
	for round := range 60 {
		for range rng.IntN(200) {
			a := nth(rng.IntN(400))
			in := rng.IntN(100) < []int{80, 50, 20}[round/20]
			c.apply(in, a)
			if peers[a] = true; !in {
				delete(peers, a)
			}
		}
		c.wants(fmt.Sprint("round ", round), peers)
		var dumped []netip.Addr
		for o, err := range c.e.P.Dump(t.Context(), dataplane.KindMulticastPeer) {
			if err != nil {
				t.Fatal(err)
			}
			dumped = append(dumped, o.(dataplane.MulticastPeer).NBMA)
		}
		if want := slices.SortedFunc(maps.Keys(peers), netip.Addr.Compare); !slices.Equal(want, slices.SortedFunc(slices.Values(dumped), netip.Addr.Compare)) {
			t.Fatalf("round %d: dumped %v, wanted %v", round, dumped, want)
		}
	}
}

// TestMulticastPassesOthers sends to stations: what is addressed by a neighbour
// entry or by a packet socket goes there alone, to a group too.
func TestMulticastPassesOthers(t *testing.T) {
	c := newGroup(t)
	c.apply(true, nth(1), nth(2))
	put(t, c.e.P, dataplane.Neighbor{Device: "Tunnel0", Addr: ip("10.0.0.7"), NBMA: nth(7)})
	if _, err := c.from.WriteTo([]byte("one"), &net.UDPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 520}); err != nil {
		t.Fatal(err)
	}
	c.e.Do(func() error {
		conn, err := rawsock.Kernel{}.ListenPacket(rawsock.PacketConfig{Index: c.e.Link("Tunnel0").Attrs().Index, Protocol: rawsock.EtherTypeIPv4, SendOnly: true})
		if err != nil {
			return err
		}
		defer conn.Close()
		return conn.WriteTo(toGroup, nth(8))
	})
	buf := make([]byte, 2048)
	var got []string
	for {
		n, _, err := unix.Recvfrom(c.wire, buf, unix.MSG_DONTWAIT)
		if err != nil {
			break
		}
		if n > 28 && buf[9] == 47 && buf[28+9] == 17 {
			got = append(got, fmt.Sprint(netip.AddrFrom4([4]byte(buf[16:20])), " ", netip.AddrFrom4([4]byte(buf[28+16:28+20]))))
		}
	}
	if want := []string{"198.18.0.7 10.0.0.7", "198.18.0.8 224.0.0.9"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, wanted %v", got, want)
	}
}

// TestMulticastHeader looks at a copy where the tunnel's device takes it over, as a
// filter after ours would: it has the outer header that the kernel made, but for
// the peer as its destination.
func TestMulticastHeader(t *testing.T) {
	for name, want := range map[string][]byte{
		"key": {0x20, 0, 8, 0, 0, 0, 0, 0}, "no key": {0, 0, 8, 0}, // the key itself comes later
	} {
		t.Run(name, func(t *testing.T) {
			c := newGroup(t)
			m := mgre
			m.HasKey = name == "key"
			put(t, c.e.P, m)
			c.apply(true, nth(5))
			var fd int
			c.e.Do(func() (err error) {
				protocol := binary.NativeEndian.Uint16([]byte{0, 3})
				if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
					return err
				}
				return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: c.e.Link("Tunnel0").Attrs().Index})
			})
			defer unix.Close(fd)
			if _, err := c.from.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.IPv4(224, 0, 0, 9), Port: 520}); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 2048)
			for {
				n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
				if err != nil {
					t.Fatal("no copy was seen")
				}
				b := buf[:n]
				if !bytes.HasSuffix(b, []byte("hello")) {
					continue
				}
				outer := []byte{0x45, 0xc0, b[2], b[3], 0, 0, 0, 0, 255, 47, 0, 0, 192, 0, 2, 1, 198, 18, 0, 5}
				if head := append(outer, want...); !bytes.HasPrefix(b, head) || b[len(head)] != 0x45 {
					t.Fatalf("the copy is %x, wanted %x at its beginning", b, head)
				}
				return
			}
		})
	}
}

// TestMulticastWithoutBroadcast takes the device's broadcast address away: the
// kernel makes the group the outer destination, and the copies go where they did.
// Zebra finds it and mends it.
func TestMulticastWithoutBroadcast(t *testing.T) {
	c := newGroup(t)
	list := map[netip.Addr]bool{nth(1): true, nth(2): true}
	c.apply(true, nth(1), nth(2))
	shown(t, c.e, "ip", "link", "set", "Tunnel0", "broadcast", "0.0.0.0")
	c.wants("without", list)
	for o, err := range c.e.P.Dump(t.Context(), dataplane.KindMulticast) {
		if m := o.(dataplane.Multicast); err != nil || !m.Outdated {
			t.Errorf("dumped %+v: %v", m, err)
		}
	}
	put(t, c.e.P, dataplane.Multicast{Device: "Tunnel0"})
	if text := shown(t, c.e, "ip", "link", "show", "Tunnel0"); !strings.Contains(text, "brd 127.71.82.69") {
		t.Errorf("not mended: %s", text)
	}
	c.wants("mended", list)
}

// TestMulticastIPv6 sends to a group of IPv6.
func TestMulticastIPv6(t *testing.T) {
	c := newGroup(t)
	if !c.e.P.Caps().IPv6 {
		t.Skip("no IPv6")
	}
	put(t, c.e.P, dataplane.Addr{Device: "Tunnel0", Prefix: pfx("2001:db8::1/64")})
	c.apply(true, nth(1), nth(2))
	limit := time.Now().Add(limit)
	c.e.Do(func() error {
		for { // while duplicate address detection goes on
			conn, err := net.DialUDP("udp6", nil, &net.UDPAddr{IP: net.ParseIP("ff02::9"), Port: 521, Zone: "Tunnel0"})
			if err == nil {
				_, err = conn.Write([]byte("hello"))
				conn.Close()
			}
			if err == nil || time.Now().After(limit) {
				return err
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	got := map[netip.Addr]int{}
	buf := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(c.wire, buf, unix.MSG_DONTWAIT)
		if err != nil {
			break
		}
		if b := buf[:n]; n > 28+48 && b[9] == 47 && b[28]>>4 == 6 && string(b[28+48:]) == "hello" {
			got[netip.AddrFrom4([4]byte(b[16:20]))]++
		}
	}
	if want := map[netip.Addr]int{nth(1): 1, nth(2): 1}; !maps.Equal(got, want) {
		t.Errorf("it went to %v", got)
	}
}

// toGroup is a UDP packet to 224.0.0.9.
var toGroup = []byte{0x45, 0, 0, 60, 0, 0, 0, 0, 1, 17, 0, 0, 10, 0, 0, 1, 224, 0, 0, 9, 59: 0}

// TestMulticastCost says what a copy costs, made by the kernel and made by a
// program that sends one for each peer. Nothing passes or fails by it.
func TestMulticastCost(t *testing.T) {
	const size, rounds = 200, 20
	c := newGroup(t)
	unix.Close(c.wire) // it would be part of the cost
	conn, err := rawsock.PacketConn(nil), error(nil)
	c.e.Do(func() error {
		conn, err = rawsock.Kernel{}.ListenPacket(rawsock.PacketConfig{Index: c.e.Link("Tunnel0").Attrs().Index, Protocol: rawsock.EtherTypeIPv4, SendOnly: true})
		return err
	})
	t.Cleanup(func() { conn.Close() })
	packet := append(toGroup[:28:28], make([]byte, size)...)
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	had := 0
	for _, n := range []int{10, 1000, 5000} {
		var more []netip.Addr
		for ; had < n; had++ {
			more = append(more, nth(had))
		}
		start := time.Now()
		c.apply(true, more...)
		adding := time.Since(start) / time.Duration(len(more))
		kernel, user := time.Hour, time.Hour
		for range rounds {
			start = time.Now()
			if _, err := c.from.WriteTo(packet[28:], &net.UDPAddr{IP: net.IPv4(224, 0, 0, 9), Port: 520}); err != nil {
				t.Fatal(err)
			}
			kernel = min(kernel, time.Since(start))
			start = time.Now()
			for k := range n {
				if err := conn.WriteTo(packet, nth(k)); err != nil {
					t.Fatal(err)
				}
			}
			user = min(user, time.Since(start))
		}
		each := time.Duration(n)
		t.Logf("%d peers: a packet takes %v in the kernel, %v a copy; %v by a program, %v a copy: %.1f times as long; a peer is added in %v",
			n, kernel, kernel/each, user, user/each, float64(user)/float64(kernel), adding)
	}
}
