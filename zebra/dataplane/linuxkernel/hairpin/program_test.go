package hairpin

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// out is the device by which packets of the tests leave: the kernel runs programs
// on request as if on the loopback.
const out = 1

// loaded loads the programs, or skips the test where that is not allowed.
func loaded(t testing.TB) *Detector {
	t.Helper()
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Skipf("locked memory: %v", err)
	}
	d, err := New()
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("needs CAP_BPF and CAP_NET_ADMIN: %v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// skb is struct __sk_buff (linux/bpf.h).
type skb struct {
	Len, PktType, Mark, QueueMapping, Protocol, VLANPresent, VLANTCI, VLANProto, Priority uint32
	Ingress, Ifindex, TCIndex                                                             uint32
	Rest                                                                                  [36]uint32
}

// fatal is what *testing.T and *rapid.T have in common.
type fatal interface {
	Helper()
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

// run has the program work on a packet that came in by a device.
func (d *Detector) run(t fatal, in int, frame []byte) {
	t.Helper()
	ret, err := d.detect.Run(&ebpf.RunOptions{Data: frame, Context: skb{Ingress: uint32(in), Ifindex: out}})
	if err != nil {
		t.Fatalf("%x: %v", frame, err)
	}
	if int32(ret) != Verdict {
		t.Fatalf("%x: verdict %d", frame, int32(ret))
	}
}

// samples returns what is in the ring.
func (d *Detector) samples(t fatal) (all []Sample) {
	t.Helper()
	d.reader.SetDeadline(time.Unix(1, 0)) // what is there is read even so
	for {
		s, err := d.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return all
		}
		if err != nil {
			t.Fatalf("%v", err)
		}
		all = append(all, s)
	}
}

// forget empties the tables of the limits.
func (d *Detector) forget(t fatal) {
	t.Helper()
	var keys [][32]byte
	var key [32]byte
	var value uint64
	for it := d.pairs.Iterate(); it.Next(&key, &value); {
		keys = append(keys, key)
	}
	for _, k := range keys {
		if err := d.pairs.Delete(k); err != nil {
			t.Fatalf("%v", err)
		}
	}
	if err := d.all.Put(uint32(0), uint64(0)); err != nil {
		t.Fatalf("%v", err)
	}
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// packet is a UDP packet in a frame.
func packet(src, dst netip.Addr, size int) []byte {
	b := make([]byte, 12, 14+40+8+size)
	payload := make([]byte, 8+size)
	for i := range payload {
		payload[i] = byte(i)
	}
	if src.Is4() {
		b = append(b, 8, 0, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(20+len(payload)))
		b = append(b, 0, 1, 0x40, 0, 63, 17, 0, 0)
	} else {
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
		b = append(b, 17, 63)
	}
	b = append(append(b, src.AsSlice()...), dst.AsSlice()...)
	return append(b, payload...)
}

// model returns what a sample shows of a frame that makes a hairpin, or nil if it
// is none that is told of; written from the package comment.
func model(frame []byte) []byte {
	b := frame[14:]
	var src, dst netip.Addr
	size, head := 0, 20
	switch typ := binary.BigEndian.Uint16(frame[12:]); {
	case typ == 0x0800 && len(b) >= 20 && b[0]>>4 == 4:
		src, dst = netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
		if size = int(binary.BigEndian.Uint16(b[2:])); size < 20 {
			return nil
		}
		if b[12] == 0 || b[16] == 0 || b[12] >= 240 || b[16] >= 240 {
			return nil
		}
	case typ == 0x86dd && len(b) >= 40 && b[0]>>4 == 6:
		src, dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		size, head = 40+int(binary.BigEndian.Uint16(b[4:])), 40
	default:
		return nil
	}
	for _, a := range []netip.Addr{src, dst} {
		if a.IsMulticast() && !a.Is4In6() || a.IsUnspecified() || a.IsLinkLocalUnicast() && !a.Is4In6() {
			return nil
		}
	}
	if size = min(size, MaxPacket); size > len(b) {
		size = head
	}
	return b[:size]
}

var (
	a, b   = ip("192.168.1.10"), ip("192.168.2.10")
	b4     = b
	a6, b6 = ip("2001:db8:1::10"), ip("2001:db8:2::10")
)

// TestWhichPackets looks at packets in by and out by one device.
func TestWhichPackets(t *testing.T) {
	d := loaded(t)
	set := func(frame []byte, at int, v ...byte) []byte { copy(frame[at:], v); return frame }
	for _, c := range []struct {
		name  string
		frame []byte
		want  int // bytes
	}{
		{"IPv4", packet(a, b, 40), 68},
		{"IPv4, long", packet(a, b, 1300), 128},
		{"IPv4, empty", set(packet(a, b, 20), 16, 0, 20), 20},
		{"IPv6", packet(a6, b6, 40), 88},
		{"IPv6, long", packet(a6, b6, 1300), 128},
		{"cut off", packet(a, b, 1300)[:14+60], 20},
		{"IPv6, cut off", packet(a6, b6, 1300)[:14+60], 40},
		{"a fragment", set(packet(a, b, 40), 20, 0, 9), 68},
		{"a class E source", packet(ip("240.0.0.1"), b, 40), 0},
		{"to a group", packet(a, ip("224.0.0.9"), 40), 0},
		{"to a routed group", packet(a, ip("239.1.2.3"), 40), 0},
		{"to everybody", packet(a, ip("255.255.255.255"), 40), 0},
		{"from nobody", packet(ip("0.0.0.0"), b, 40), 0},
		{"to nobody", packet(a, ip("0.0.0.0"), 40), 0},
		{"from a link", packet(ip("169.254.3.4"), b, 40), 0},
		{"to a link", packet(a, ip("169.254.3.4"), 40), 0},
		{"beside a link", packet(ip("169.253.3.4"), ip("223.255.255.255"), 40), 68},
		{"IPv6 to a group", packet(a6, ip("ff05::2"), 40), 0},
		{"IPv6 from nobody", packet(ip("::"), b6, 40), 0},
		{"IPv6 from a link", packet(ip("fe80::1"), b6, 40), 0},
		{"IPv6 to a link", packet(a6, ip("febf::1"), 40), 0},
		{"IPv6 beside a link", packet(ip("fec0::1"), ip("fe7f::1"), 40), 88},
		{"NHRP", set(packet(a, b, 40), 12, 0x20, 0x01), 0},
		{"ARP", set(packet(a, b, 40), 12, 0x08, 0x06), 0},
		{"version 6 in IPv4", set(packet(a, b, 40), 14, 0x65), 0},
		{"version 4 in IPv6", set(packet(a6, b6, 40), 14, 0x45), 0},
		{"total length below 20", set(packet(a, b, 40), 16, 0, 19), 0},
	} {
		d.forget(t)
		d.run(t, out, c.frame)
		got := d.samples(t)
		var want []Sample
		if c.want > 0 {
			want = []Sample{{out, out, c.frame[14 : 14+c.want]}}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +have):\n%s", c.name, diff)
		}
		if m := model(c.frame); !bytes.Equal(m, c.frame[14:14+c.want]) {
			t.Errorf("%s: the model says %x", c.name, m)
		}
	}
}

// TestAnyPacket compares the program with the model.
func TestAnyPacket(t *testing.T) {
	d := loaded(t)
	addr := func(t *rapid.T, six bool, name string) netip.Addr {
		v := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name)
		if six {
			copy(v, rapid.SampledFrom([][]byte{{0xff}, {0xfe, 0x80}, {0xfe, 0xbf}, {0x20, 1}, make([]byte, 15), make([]byte, 16), {}}).Draw(t, "begin"))
			return netip.AddrFrom16([16]byte(v))
		}
		copy(v, rapid.SampledFrom([][]byte{{224}, {223}, {169, 254}, {169}, {0}, {0, 0, 0, 0}, {255, 255, 255, 255}, {10}, {}}).Draw(t, "begin"))
		return netip.AddrFrom4([4]byte(v))
	}
	rapid.Check(t, func(t *rapid.T) {
		six := rapid.Bool().Draw(t, "IPv6")
		f := packet(addr(t, six, "src"), addr(t, six, "dst"), rapid.IntRange(20, 200).Draw(t, "size"))
		if rapid.IntRange(0, 4).Draw(t, "lies") == 0 {
			f[rapid.IntRange(12, 19).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		f = f[:rapid.IntRange(14+40, len(f)).Draw(t, "cut")]
		d.forget(t)
		d.run(t, out, f)
		var want []Sample
		if m := model(f); m != nil {
			want = []Sample{{out, out, m}}
		}
		if diff := cmp.Diff(want, d.samples(t)); diff != "" {
			t.Errorf("%x (-want +have):\n%s", f, diff)
		}
	})
}

// TestGroups has packets come in by several devices.
func TestGroups(t *testing.T) {
	d := loaded(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	found := func(when string, in int, want bool) {
		t.Helper()
		d.forget(t)
		d.run(t, in, packet(a, b, 40))
		got := d.samples(t)
		if (len(got) == 1) != want || want && (got[0].In != in || got[0].Out != out) {
			t.Errorf("%s, in by %d: %+v", when, in, got)
		}
	}
	found("no groups", 7, false)
	must(d.Add(out, 5))
	must(d.Add(7, 5))
	must(d.Add(8, 6))
	found("our own", 0, false)
	found("itself", out, true)
	found("the same group", 7, true)
	found("another group", 8, false)
	found("no group", 9, false)
	must(d.Add(8, 5))
	found("a group that it joined", 8, true)
	must(d.Remove(7))
	must(d.Remove(7))
	found("a group that it left", 7, false)
	must(d.Add(out, 0))
	must(d.Add(8, 0))
	found("each by itself", 8, false)
	found("itself, by itself", out, true)
	must(d.Add(8, out)) // the number of a group is no index
	found("a group with the number of a device", 8, false)
	must(d.Remove(out))
	found("out by no group", 8, false)
}

// TestNote runs the program for packets that come in: it lets them pass.
func TestNote(t *testing.T) {
	d := loaded(t)
	for _, index := range []uint32{0, out} {
		ret, err := d.note.Run(&ebpf.RunOptions{Data: packet(a, b, 40), Context: skb{Ifindex: index}})
		if err != nil || int32(ret) != Verdict {
			t.Errorf("verdict %d, %v", int32(ret), err)
		}
	}
}

func now(t fatal) uint64 {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		t.Fatalf("%v", err)
	}
	return uint64(ts.Nano())
}

func pairKey(src, dst netip.Addr) (k [32]byte) {
	s, d := src.As16(), dst.As16()
	copy(k[:], s[:])
	copy(k[16:], d[:])
	return k
}

// TestPairLimit has many packets of a pair, and moves its clock by its entry.
func TestPairLimit(t *testing.T) {
	for _, p := range [][2]netip.Addr{{a, b}, {a6, b6}} {
		d := loaded(t)
		key := pairKey(p[0], p[1])
		before := now(t)
		for range 100 {
			d.run(t, out, packet(p[0], p[1], 40))
		}
		after := now(t)
		if after-before > uint64(PairInterval) {
			t.Skip("the machine is too slow for this test")
		}
		if n := len(d.samples(t)); n != PairBurst {
			t.Errorf("%v: %d samples of 100 packets", p, n)
		}
		var at uint64
		if err := d.pairs.Lookup(key, &at); err != nil {
			t.Fatal(err)
		}
		if full := uint64(PairBurst * PairInterval); at < before+full || at > after+full {
			t.Errorf("%v: the next arrival is at %d, the packets came from %d to %d", p, at, before, after)
		}
		d.run(t, out, packet(p[1], p[0], 40)) // the other way is another pair
		if n := len(d.samples(t)); n != 1 {
			t.Errorf("%v: %d samples of the other way", p, n)
		}
		// An interval later there is one more; after long silence there are two.
		for ago, want := range map[time.Duration]int{PairInterval: 1, time.Hour: PairBurst} {
			if err := d.pairs.Put(key, now(t)+uint64(PairBurst*PairInterval)-uint64(ago)); ago == time.Hour {
				err = d.pairs.Put(key, uint64(1))
				if err != nil {
					t.Fatal(err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				d.run(t, out, packet(p[0], p[1], 40))
			}
			if n := len(d.samples(t)); n != want {
				t.Errorf("%v: %d samples %v later, wanted %d", p, n, ago, want)
			}
		}
	}
}

// TestLimitOfAll has more pairs than may be told of; those that are not do not count.
func TestLimitOfAll(t *testing.T) {
	d := loaded(t)
	nth := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}) }
	full := now(t) + uint64(time.Hour) // nothing conforms for an hour
	if err := d.all.Put(uint32(0), full); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		d.run(t, out, packet(a, nth(i), 40))
	}
	if n := len(d.samples(t)); n != 0 {
		t.Errorf("%d samples", n)
	}
	var at uint64
	if err := d.pairs.Lookup(pairKey(a, nth(1)), &at); !errors.Is(err, ebpf.ErrKeyNotExist) {
		t.Errorf("the pair counts: %v", err)
	}
	d.forget(t)
	before := now(t)
	for i := range 300 {
		d.run(t, out, packet(a, nth(i), 40))
	}
	most := Burst + int((now(t)-before)/uint64(Interval)) + 1
	if n := len(d.samples(t)); n < Burst || n > most {
		t.Errorf("%d samples, not %d to %d", n, Burst, most)
	}
}

// TestRingFull lets the ring overflow: packets pass, and what was told stays whole.
func TestRingFull(t *testing.T) {
	d := loaded(t)
	for i := range 1000 {
		d.run(t, out, packet(a, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 40))
		if err := d.all.Put(uint32(0), uint64(0)); err != nil {
			t.Fatal(err)
		}
	}
	got := d.samples(t)
	if len(got) < 300 || len(got) > ringSize/sampleSize {
		t.Errorf("%d samples", len(got))
	}
	for i, s := range got {
		if want := packet(a, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 40)[14:]; !bytes.Equal(s.Packet, want) {
			t.Fatalf("sample %d: %x", i, s.Packet)
		}
	}
	d.run(t, out, packet(a6, b6, 40))
	if n := len(d.samples(t)); n != 1 {
		t.Errorf("%d samples afterwards", n)
	}
}

// TestCapabilities loads the programs and reads the ring with what doc.go says is
// needed, and no more.
func TestCapabilities(t *testing.T) {
	loaded(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root, to have something to give up")
	}
	for _, c := range []struct {
		name string
		caps []int
		ok   bool
	}{
		{"CAP_BPF and CAP_NET_ADMIN", []int{unix.CAP_BPF, unix.CAP_NET_ADMIN}, true},
		{"CAP_NET_ADMIN", []int{unix.CAP_NET_ADMIN}, false},
		{"CAP_BPF", []int{unix.CAP_BPF}, false},
	} {
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends
			if err := only(c.caps); err != nil {
				done <- err
				return
			}
			d, err := New()
			if err == nil {
				err = errors.Join(d.Add(7, 1), d.Close())
			}
			done <- err
		}()
		if err := <-done; (err == nil) != c.ok {
			var v *ebpf.VerifierError
			errors.As(err, &v)
			t.Errorf("%s: %v\n%+v", c.name, err, v)
		}
	}
}

// only takes all capabilities but these from the effective ones of the thread.
func only(caps []int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for _, c := range caps {
		data[c/32].Effective |= 1 << (c % 32)
		data[c/32].Permitted |= 1 << (c % 32)
	}
	return unix.Capset(&header, &data[0])
}

// TestVerifier bounds the work of the kernel's verifier.
func TestVerifier(t *testing.T) {
	d := loaded(t)
	spec := detectSpec(maps{d.devices.FD(), d.pairs.FD(), d.all.FD(), d.ring.FD()})
	p, err := ebpf.NewProgramWithOptions(spec, ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	n := 0
	for line := range strings.Lines(p.VerifierLog) {
		_, _ = fmt.Sscanf(line, "processed %d insns", &n)
	}
	if n == 0 || n > 5000 {
		t.Errorf("%d instructions: %s", n, p.VerifierLog)
	}
	t.Logf("%d instructions, %d looked at", len(spec.Instructions), n)
}

// TestRevision reminds whoever changes the program of its revision.
func TestRevision(t *testing.T) {
	var code bytes.Buffer
	for _, spec := range []*ebpf.ProgramSpec{noteSpec(), detectSpec(maps{11, 12, 13, 14})} {
		if err := spec.Instructions.Marshal(&code, binary.LittleEndian); err != nil {
			t.Fatal(err)
		}
	}
	const want = "f107d58123c9bc16"
	if got := fmt.Sprintf("%x", sha256.Sum256(code.Bytes()))[:16]; got != want {
		t.Errorf("the programs became %s: count Revision (%d) up, and note it here", got, Revision)
	}
}

func BenchmarkProgram(b *testing.B) {
	for _, c := range []struct {
		name string
		in   int
	}{{"own", 0}, {"from elsewhere", 9}, {"stream, one tunnel", out}, {"stream, two tunnels", 7}} {
		b.Run(c.name, func(t *testing.B) {
			d := loaded(t)
			for _, i := range []int{out, 7} {
				if err := d.Add(i, 5); err != nil {
					t.Fatal(err)
				}
			}
			f := packet(a, b4, 1300)
			n := max(t.N, 1000)
			began := time.Now()
			_, err := d.detect.Run(&ebpf.RunOptions{Data: f, Context: skb{Ingress: uint32(c.in), Ifindex: out}, Repeat: uint32(n)})
			if err != nil {
				t.Fatal(err)
			}
			t.ReportMetric(float64(time.Since(began).Nanoseconds())/float64(n), "ns/packet")
		})
	}
}
