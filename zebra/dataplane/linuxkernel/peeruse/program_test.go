package peeruse

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"pgregory.net/rapid"
)

// out is the device by which packets of the tests leave: the kernel runs programs
// on request as if on the loopback.
const out = 1

// loaded loads the program, or skips the test where that is not allowed.
func loaded(t testing.TB) *Watch {
	t.Helper()
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Skipf("locked memory: %v", err)
	}
	w, err := New()
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("needs CAP_BPF and CAP_NET_ADMIN: %v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

// fatal is what *testing.T and *rapid.T have in common.
type fatal interface {
	Helper()
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// run has the program work on a packet.
func (w *Watch) run(t fatal, packet []byte) {
	t.Helper()
	ret, err := w.prog.Run(&ebpf.RunOptions{Data: packet})
	if err != nil {
		t.Fatalf("%x: %v", packet, err)
	}
	if int32(ret) != Verdict {
		t.Fatalf("%x: verdict %d", packet, int32(ret))
	}
}

// read returns the addresses that were noted.
func (w *Watch) read(t fatal) (all []netip.Addr) {
	t.Helper()
	uses, err := w.Read()
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, u := range uses {
		if u.Index != out {
			t.Errorf("%+v", u)
		}
		all = append(all, u.NBMA)
	}
	return all
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// packet is what a multipoint tunnel sends: outer IP, GRE, and 40 bytes.
func packet(typ uint16, nbma netip.Addr) []byte {
	b := []byte{0x45, 0, 0, 64, 0, 1, 0x40, 0, 255, 47, 0, 0, 192, 0, 2, 1}
	if nbma.Is6() {
		b = append([]byte{0x6c, 0, 0, 0, 0, 48, 47, 255}, ip("2001:db8::1").AsSlice()...)
	}
	b = append(b, nbma.AsSlice()...)
	b = append(b, 0x20, 0)
	return append(binary.BigEndian.AppendUint16(b, typ), make([]byte, 40)...)
}

func set(b []byte, at int, v ...byte) []byte { copy(b[at:], v); return b }

// model returns what is noted of a packet, written from the package comment.
func model(b []byte) (all []netip.Addr) {
	if len(b) >= 44 && b[0]>>4 == 6 && b[6] == 47 && binary.BigEndian.Uint16(b[42:]) != 0x2001 {
		a := netip.AddrFrom16([16]byte(b[24:]))
		if b[24] == 0xff || netip.MustParsePrefix("100::/64").Contains(a) {
			return nil
		}
		return []netip.Addr{a.Unmap()}
	}
	if len(b) < 24 || b[0] != 0x45 || b[9] != 47 || binary.BigEndian.Uint16(b[22:]) == 0x2001 {
		return nil
	}
	a := netip.AddrFrom4([4]byte(b[16:]))
	if a.IsLoopback() || b[16] >= 224 {
		return nil
	}
	return []netip.Addr{a}
}

func TestWhichPackets(t *testing.T) {
	w := loaded(t)
	peer, peer6 := ip("192.0.2.7"), ip("2001:db8:1:203:405:607:809:a0b")
	for _, c := range []struct {
		name   string
		packet []byte
		want   bool
	}{
		{"IPv4", packet(0x0800, peer), true},
		{"IPv6", packet(0x86dd, peer), true},
		{"MPLS", packet(0x8847, peer), true},
		{"without a key", set(packet(0x0800, peer), 20, 0), true},
		{"NHRP", packet(0x2001, peer), false},
		{"for everybody", packet(0x0800, ip("127.71.82.69")), false},
		{"to a group", packet(0x0800, ip("224.0.0.5")), false},
		{"to a routed group", packet(0x0800, ip("239.1.2.3")), false},
		{"to everybody", packet(0x0800, ip("255.255.255.255")), false},
		{"beside the groups", packet(0x0800, ip("223.255.255.255")), true},
		{"beside loopback", packet(0x0800, ip("128.0.0.1")), true},
		{"before loopback", packet(0x0800, ip("126.255.255.255")), true},
		{"a copy for a group, IPv4 UDP", set(packet(0x0800, ip("224.0.0.5")), 9, 17), false},
		{"a copy of IPv6", set(packet(0x0800, peer), 0, 0x60), false},
		{"a copy for the subnet, UDP", set(packet(0x0800, peer), 9, 17), false},
		{"options", set(packet(0x0800, peer), 0, 0x46), false},
		{"short", packet(0x0800, peer)[:23], false},
		{"over IPv6", packet(0x0800, peer6), true},
		{"over IPv6, IPv6", packet(0x86dd, peer6), true},
		{"over IPv6, NHRP", packet(0x2001, peer6), false},
		{"over IPv6, not GRE", set(packet(0x0800, peer6), 6, 17), false},
		{"over IPv6, for everybody", packet(0x0800, ip("100::47:5245")), false},
		{"over IPv6, beside that", packet(0x0800, ip("100:0:0:1::47:5245")), true},
		{"over IPv6, to a group", packet(0x86dd, ip("ff02::1")), false},
		{"over IPv6, beside the groups", packet(0x86dd, ip("feff::1")), true},
		{"over IPv6, short", packet(0x0800, peer6)[:43], false},
		{"over IPv6, just long enough", packet(0x0800, peer6)[:44], true},
		{"over version 7", set(packet(0x0800, peer6), 0, 0x70), false},
		{"just long enough", packet(0x0800, peer)[:24], true},
	} {
		w.run(t, c.packet)
		got := w.read(t)
		if m := model(c.packet); (len(m) == 1) != c.want || !slices.Equal(got, m) {
			t.Errorf("%s: noted %v, the model says %v", c.name, got, m)
		}
	}
}

// TestAnyPacket compares the program with the model.
func TestAnyPacket(t *testing.T) {
	w := loaded(t)
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]uint16{0x0800, 0x86dd, 0x2001, 0x0120}).Draw(t, "type")
		raw := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "nbma")
		copy(raw, rapid.SampledFrom([][]byte{{0xff}, {1, 0, 0, 0, 0, 0, 0, 0}, {224}, {127}, {0x20, 1}, {}}).Draw(t, "begin"))
		b := packet(typ, netip.AddrFrom16([16]byte(raw)))
		if rapid.Bool().Draw(t, "IPv4") {
			b = packet(typ, netip.AddrFrom4([4]byte(raw)))
		}
		if rapid.IntRange(0, 3).Draw(t, "lies") == 0 {
			b[rapid.IntRange(0, 44).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		b = b[:rapid.IntRange(14, len(b)).Draw(t, "cut")]
		w.run(t, b)
		if got, want := w.read(t), model(b); !slices.Equal(got, want) {
			t.Errorf("%x: noted %v, the model says %v", b, got, want)
		}
	})
}

// TestRead tells each peer once, sorted, and again when it is used again.
func TestRead(t *testing.T) {
	w := loaded(t)
	want := []netip.Addr{ip("9.0.0.1"), ip("192.0.2.7"), ip("192.0.2.200"), ip("2001:db8::7")}
	for range 2 {
		for _, i := range []int{2, 0, 3, 1, 1, 2, 0, 0, 3} {
			w.run(t, packet(0x0800, want[i]))
		}
		if got := w.read(t); !slices.Equal(got, want) {
			t.Errorf("noted %v", got)
		}
		if got := w.read(t); len(got) != 0 {
			t.Errorf("noted still %v", got)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := w.Read(); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func nth(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}) }

// TestFull uses more peers than can be noted: the others are told of, and these when
// there is room again.
func TestFull(t *testing.T) {
	w := loaded(t)
	for i := range MaxNotes + 1000 {
		w.run(t, packet(0x0800, nth(i)))
	}
	if got := w.read(t); len(got) != MaxNotes {
		t.Errorf("%d peers told of", len(got))
	}
	w.run(t, packet(0x0800, nth(MaxNotes)))
	if got := w.read(t); len(got) != 1 || got[0] != nth(MaxNotes) {
		t.Errorf("then %v", got)
	}
}

// TestReadMeanwhile reads while packets leave: no use is lost.
func TestReadMeanwhile(t *testing.T) {
	w := loaded(t)
	const peers = 3000
	var sender sync.WaitGroup
	sender.Go(func() {
		for i := range peers {
			w.run(t, packet(0x0800, nth(i)))
		}
	})
	stop := make(chan struct{})
	go func() { sender.Wait(); close(stop) }()
	told := map[netip.Addr]bool{}
	for last := false; ; {
		for _, a := range w.read(t) {
			if told[a] {
				t.Errorf("%v is told of twice", a)
			}
			told[a] = true
		}
		if last {
			break
		}
		select {
		case <-stop:
			last = true
		default:
		}
	}
	if len(told) != peers {
		t.Errorf("%d of %d peers told of", len(told), peers)
	}
}

func BenchmarkProgram(b *testing.B) {
	for _, c := range []struct {
		name   string
		packet []byte
	}{
		{"stream", packet(0x0800, ip("192.0.2.7"))},
		{"stream over IPv6", packet(0x0800, ip("2001:db8::7"))},
		{"for everybody", packet(0x0800, ip("127.71.82.69"))},
		{"a copy", set(packet(0x0800, ip("224.0.0.5")), 9, 17)},
	} {
		b.Run(c.name, func(t *testing.B) {
			w := loaded(t)
			n := max(t.N, 1000)
			began := time.Now()
			if _, err := w.prog.Run(&ebpf.RunOptions{Data: c.packet, Repeat: uint32(n)}); err != nil {
				t.Fatal(err)
			}
			t.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(n), "ns/packet")
		})
	}
}

// BenchmarkRead reads the notes of many peers.
func BenchmarkRead(b *testing.B) {
	w := loaded(b)
	for _, n := range []int{0, 1000, MaxNotes} {
		b.Run(map[int]string{0: "none", 1000: "1000", MaxNotes: "all"}[n], func(b *testing.B) {
			var spent time.Duration
			for range b.N {
				for i := range n {
					if err := w.notes.Put([3]uint64{1, 0, uint64(i)}, uint64(0)); err != nil {
						b.Fatal(err)
					}
				}
				began := time.Now()
				if all, err := w.Read(); err != nil || len(all) != n {
					b.Fatal(len(all), err)
				}
				spent += time.Since(began)
			}
			b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "µs/read")
		})
	}
}
