package mss_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/rlimit"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/zebra/dataplane/linuxkernel/mss"
)

// load loads the program, or skips the test where that is not allowed.
func load(t testing.TB, limit uint16, h mss.Header) *ebpf.Program {
	t.Helper()
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Skipf("locked memory: %v", err)
	}
	p, err := mss.Load(limit, h)
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("needs CAP_BPF and CAP_NET_ADMIN: %v", err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// run has the program work on a frame.
func run(t interface{ Fatalf(string, ...any) }, p *ebpf.Program, frame []byte) []byte {
	verdict, out, err := p.Test(frame)
	if err != nil {
		t.Fatalf("%x: %v", frame, err)
	}
	if int32(verdict) != mss.Verdict {
		t.Fatalf("%x: verdict %d", frame, int32(verdict))
	}
	return out
}

// frame is an Ethernet frame to be changed and built.
type frame struct {
	tags      []uint16 // EtherTypes of VLAN tags
	typ       uint16   // EtherType
	ipOptions int      // bytes
	fragment  uint16   // flags and offset
	protocol  byte
	flags     byte // of TCP
	options   []byte
	offset    int // TCP's data offset in bytes, if it is not to be right
	total     int // IPv4's total length, if it is not to be right
	payload   int
	padding   int
	edit      func([]byte) []byte // of what was built
}

func syn(options ...byte) frame {
	return frame{typ: 0x0800, protocol: 6, flags: 2, options: options}
}

// build returns the bytes, with a right checksum of TCP.
func (f frame) build() []byte {
	b := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}
	for i, tag := range f.tags {
		b = binary.BigEndian.AppendUint16(b, tag)
		b = binary.BigEndian.AppendUint16(b, uint16(100+i))
	}
	b = binary.BigEndian.AppendUint16(b, f.typ)
	at := len(b)
	options := append([]byte(nil), f.options...)
	for len(options)%4 != 0 {
		options = append(options, 0)
	}
	head, segment := 20+f.ipOptions, 20+len(options)+f.payload
	total := head + segment
	if f.total != 0 {
		total = f.total
	}
	offset := 20 + len(options)
	if f.offset != 0 {
		offset = f.offset
	}
	ip := make([]byte, head)
	ip[0], ip[8], ip[9] = byte(0x40|head/4), 64, f.protocol
	binary.BigEndian.PutUint16(ip[2:], uint16(total))
	binary.BigEndian.PutUint16(ip[6:], f.fragment)
	copy(ip[12:], []byte{10, 1, 0, 10, 10, 2, 0, 10})
	for i := 20; i < head; i++ {
		ip[i] = 1
	}
	tcp := make([]byte, 20, segment)
	copy(tcp, []byte{0x9c, 0x40, 0, 179, 1, 2, 3, 4, 5, 6, 7, 8, byte(offset / 4 << 4), f.flags, 0xfa, 0xf0})
	tcp = append(tcp, options...)
	for i := range f.payload {
		tcp = append(tcp, byte(i))
	}
	binary.BigEndian.PutUint16(tcp[16:], ^sum(tcp, pseudo(ip, len(tcp))))
	b = append(append(b, ip...), tcp...)
	if got := sum(b[at+head:], pseudo(ip, len(tcp))); got != 0xffff {
		panic("the checksum of the test is wrong")
	}
	b = append(b, make([]byte, f.padding)...)
	if f.edit != nil {
		b = f.edit(b)
	}
	return b
}

var (
	mss1460   = []byte{2, 4, 0x05, 0xb4}
	mss1360   = []byte{2, 4, 0x05, 0x50}
	sackOK    = []byte{4, 2}
	stamps    = []byte{8, 10, 0, 1, 2, 3, 0, 0, 0, 0}
	scale     = []byte{3, 3, 7}
	nop       = []byte{1}
	fastOpen  = []byte{34, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	endOfList = []byte{0}
)

func join(parts ...[]byte) []byte { return slices.Concat(parts...) }

// with returns a SYN that is changed by f.
func with(f func(*frame), options ...[]byte) frame {
	s := syn(join(options...)...)
	f(&s)
	return s
}

var cases = []struct {
	name    string
	frame   frame
	clamped bool // on Ethernet
	network bool // without Ethernet, found from the end
}{
	{"alone", syn(mss1460...), true, true},
	{"as Linux", syn(join(mss1460, sackOK, stamps, nop, scale)...), true, true},
	{"last", syn(join(scale, nop, sackOK, stamps, mss1460)...), true, true},
	{"at an odd offset", syn(join(scale, mss1460)...), true, true},
	{"at an odd offset behind NOPs", syn(join(nop, nop, nop, mss1460)...), true, true},
	{"at the very end of the longest header", syn(join(fastOpen, fastOpen, fastOpen, mss1460)...), true, true},
	{"behind 36 NOPs", syn(join(bytes.Repeat(nop, 36), mss1460)...), true, true},
	{"twice", syn(join(mss1460, nop, mss1460)...), true, true},
	{"a small and a large one", syn(join([]byte{2, 4, 2, 0}, mss1460)...), true, true},
	{"SYN and ACK", with(func(f *frame) { f.flags = 0x12 }, mss1460), true, true},
	{"with data", with(func(f *frame) { f.payload = 37 }, mss1460, fastOpen), true, true},
	{"IP options", with(func(f *frame) { f.ipOptions = 40 }, scale, mss1460), true, true},
	{"largest", syn(2, 4, 0xff, 0xff), true, true},
	{"first fragment", with(func(f *frame) { f.fragment = 0x2000 }, mss1460), true, true},
	{"do not fragment", with(func(f *frame) { f.fragment = 0x4000 }, mss1460), true, true},
	{"VLAN tag", with(func(f *frame) { f.tags = []uint16{0x8100} }, mss1460), true, false},
	{"service VLAN tag", with(func(f *frame) { f.tags = []uint16{0x88a8} }, mss1460), true, false},
	{"padding of Ethernet", with(func(f *frame) { f.padding = 2 }, mss1460), true, false},

	{"the limit", syn(mss1360...), false, false},
	{"small", syn(2, 4, 2, 0x18), false, false},
	{"zero", syn(2, 4, 0, 0), false, false},
	{"no options", syn(), false, false},
	{"no MSS", syn(join(sackOK, stamps)...), false, false},
	{"not SYN", with(func(f *frame) { f.flags = 0x10 }, mss1460), false, false},
	{"behind the end of the list", syn(join(endOfList, nop, nop, nop, mss1460)...), false, false},
	{"behind an end of the list that has a length", syn(join([]byte{0, 4, 1, 1}, mss1460)...), false, false},
	{"behind an option of length 0", syn(join([]byte{30, 0}, mss1460)...), false, false},
	{"behind an option of length 1", syn(join([]byte{30, 1}, mss1460)...), false, false},
	{"MSS of length 0", syn(join([]byte{2, 0, 5, 0xb4}, mss1460)...), false, false},
	{"MSS of length 3", syn(2, 3, 5, 0xb4, 1, 1, 1, 1), false, false},
	{"MSS of length 6", syn(2, 6, 5, 0xb4, 1, 1, 1, 1), false, false},
	{"truncated by the header's end", syn(join(nop, nop, []byte{2, 4})...), false, false},
	{"half within the header", with(func(f *frame) { f.offset = 24 }, nop, nop, mss1460), false, false},
	{"behind an option that is too long", syn(join([]byte{30, 40}, mss1460)...), false, false},
	{"in the data", with(func(f *frame) { f.offset = 20 }, mss1460), false, false},
	{"data offset below 20", with(func(f *frame) { f.offset = 16 }, mss1460), false, false},
	{"data offset beyond the packet", with(func(f *frame) { f.offset = 60 }, mss1460), false, false},
	{"total length before the options", with(func(f *frame) { f.total = 40 }, mss1460), false, false},
	{"total length beyond the packet", with(func(f *frame) { f.total = 100 }, mss1460), true, false},
	{"later fragment", with(func(f *frame) { f.fragment = 1 }, mss1460), false, false},
	{"last fragment", with(func(f *frame) { f.fragment = 0x1fff }, mss1460), false, false},
	{"fragment at 32 kB", with(func(f *frame) { f.fragment = 0x1000 }, mss1460), false, false},
	{"version 6 in IPv4", with(func(f *frame) { f.edit = set(14, 0x65) }, mss1460), false, false},
	{"IP header below 20", with(func(f *frame) { f.edit = short }, mss1460), false, false},
	{"UDP", with(func(f *frame) { f.protocol = 17 }, mss1460), false, false},
	{"IPv6", with(func(f *frame) { f.typ = 0x86dd }, mss1460), false, false},
	{"another tag", with(func(f *frame) { f.tags = []uint16{0x9100} }, mss1460), false, false},
	{"IPv6 in a VLAN", with(func(f *frame) { f.tags, f.typ = []uint16{0x8100}, 0x86dd }, mss1460), false, false},
	{"IP in IP with bytes behind it", with(func(f *frame) { f.edit = wrap }, mss1460), false, false},
	{"two VLAN tags", with(func(f *frame) { f.tags = []uint16{0x88a8, 0x8100} }, mss1460), false, false},
}

// set sets a byte of the frame.
func set(at int, v byte) func([]byte) []byte {
	return func(b []byte) []byte { b[at] = v; return b }
}

// short makes the IP header 16 bytes long, and what would then be the TCP header
// and its options a SYN with an MSS.
func short(b []byte) []byte {
	b[14] = 0x44
	copy(b[14+16+12:], []byte{0x60, 2})
	copy(b[14+16+20:], mss1460)
	return b
}

// wrap puts an IP header before the packet that leaves out so many bytes at the
// end as it is long itself.
func wrap(b []byte) []byte {
	outer := append([]byte(nil), b[14:34]...)
	outer[1], outer[9] = 0xb8, 4
	return slices.Insert(b, 14, outer...)
}

const limit = 1360

func TestCases(t *testing.T) {
	programs := []*ebpf.Program{mss.Ethernet: load(t, limit, mss.Ethernet), mss.Network: load(t, limit, mss.Network)}
	for _, c := range cases {
		for h, p := range programs {
			in := c.frame.build()
			clamped := c.clamped
			if mss.Header(h) == mss.Network {
				clamped = c.network
			}
			out := run(t, p, in)
			if bytes.Equal(in, out) == clamped {
				t.Errorf("%s, header %d: changed %v, wanted %v\n%s", c.name, h, !clamped, clamped, hex.Dump(out))
			}
			agree(t, in, out, mss.Header(h))
			if at := 14 + 4*len(c.frame.tags) + 20 + c.frame.ipOptions; clamped {
				end := len(out) - c.frame.padding
				if s := sum(out[at:end], pseudo(out[at-20-c.frame.ipOptions:], end-at)); s != 0xffff {
					t.Errorf("%s, header %d: checksum is off by %#x", c.name, h, s)
				}
			}
		}
	}
}

// agree compares what the program did with the model.
func agree(t interface{ Errorf(string, ...any) }, in, out []byte, h mss.Header) {
	want, tcp := model(in, limit, h)
	if tcp == 0 {
		if !bytes.Equal(in, out) {
			t.Errorf("header %d: changed\n%sto\n%s", h, hex.Dump(in), hex.Dump(out))
		}
		return
	}
	if len(out) == len(want) && tcp+18 <= len(out) {
		// Whatever the sum over the segment was, it must be the same.
		if a, b := sum(in[tcp:], 0), sum(out[tcp:], 0); a != b {
			t.Errorf("header %d: sum %#x became %#x\n%sto\n%s", h, a, b, hex.Dump(in), hex.Dump(out))
		}
		copy(want[tcp+16:tcp+18], out[tcp+16:])
	}
	if !bytes.Equal(want, out) {
		t.Errorf("header %d:\n%sbecame\n%swanted\n%s", h, hex.Dump(in), hex.Dump(out), hex.Dump(want))
	}
}

// TestAnyOptions draws options that are nearly right.
func TestAnyOptions(t *testing.T) {
	programs := []*ebpf.Program{mss.Ethernet: load(t, limit, mss.Ethernet), mss.Network: load(t, limit, mss.Network)}
	option := rapid.OneOf(rapid.Just(mss1460), rapid.Just(nop), rapid.Just(sackOK), rapid.Just(scale), rapid.Just(stamps),
		rapid.SampledFrom([][]byte{{2, 4, 5, 0x51}, {2, 4, 5, 0x50}, {2, 5, 6, 7, 8}, {2, 2}, {2}, {0}, {7, 0}}),
		rapid.SliceOfN(rapid.Byte(), 1, 4))
	rapid.Check(t, func(t *rapid.T) {
		options := join(rapid.SliceOfN(option, 0, 12).Draw(t, "options")...)
		f := syn(options[:min(40, len(options))]...)
		f.ipOptions = 4 * rapid.IntRange(0, 3).Draw(t, "IP options")
		f.payload = rapid.IntRange(0, 5).Draw(t, "payload")
		if rapid.IntRange(0, 3).Draw(t, "lies") == 0 {
			f.offset = 4 * rapid.IntRange(0, 15).Draw(t, "offset")
			f.total = rapid.IntRange(0, 200).Draw(t, "total")
		}
		in := f.build()
		in = in[:len(in)-rapid.SampledFrom([]int{0, 0, 0, 1, 7}).Draw(t, "cut")]
		for h, p := range programs {
			agree(t, in, run(t, p, in), mss.Header(h))
		}
	})
}

// FuzzProgram compares the program with the model on any frame.
func FuzzProgram(f *testing.F) {
	programs := []*ebpf.Program{mss.Ethernet: load(f, limit, mss.Ethernet), mss.Network: load(f, limit, mss.Network)}
	for _, c := range cases {
		f.Add(c.frame.build())
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 14+40 || len(in) > 1500 {
			t.Skip() // the kernel does not take it
		}
		for h, p := range programs {
			agree(t, in, run(t, p, in), mss.Header(h))
		}
	})
}

// TestVerifier bounds the work of the kernel's verifier, which gives up after a
// million instructions (131,072 before Linux 5.2).
func TestVerifier(t *testing.T) {
	for _, h := range []mss.Header{mss.Ethernet, mss.Network} {
		load(t, limit, h)
		p, err := ebpf.NewProgramWithOptions(mss.Spec(limit, h), ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		n := 0
		for line := range strings.Lines(p.VerifierLog) {
			_, _ = fmt.Sscanf(line, "processed %d insns", &n)
		}
		if n == 0 || n > 20_000 {
			t.Errorf("header %d: %d instructions: %s", h, n, p.VerifierLog)
		}
		t.Logf("header %d: %d instructions, %d looked at", h, len(mss.Spec(limit, h).Instructions), n)
	}
}

// TestRevision reminds whoever changes the program of its revision.
func TestRevision(t *testing.T) {
	want := map[mss.Header]string{mss.Ethernet: "ef27abb0ed3cb75e", mss.Network: "2d1c6c30cac2cee2"}
	for h, tag := range want {
		got := sha(t, mss.Spec(limit, h).Instructions)
		if got != tag {
			t.Errorf("the program for header %d became %s: count Revision (%d) up, and note it here", h, got, mss.Revision)
		}
	}
}

func BenchmarkProgram(b *testing.B) {
	ack := with(func(f *frame) { f.flags, f.payload = 0x10, 1400 }, stamps, nop, nop)
	udp := with(func(f *frame) { f.protocol, f.payload = 17, 1400 })
	for _, c := range []struct {
		name  string
		frame frame
	}{{"data segment", ack}, {"UDP", udp}, {"SYN to clamp", syn(join(mss1460, sackOK, stamps, nop, scale)...)},
		{"SYN of 40 NOPs", syn(bytes.Repeat(nop, 40)...)}} {
		for h, name := range []string{mss.Ethernet: "Ethernet", mss.Network: "network"} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				p := load(b, limit, mss.Header(h))
				_, each, err := p.Benchmark(c.frame.build(), max(b.N, 1000), b.ResetTimer)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(each.Nanoseconds()), "ns/packet")
			})
		}
	}
}

func sha(t *testing.T, code asm.Instructions) string {
	t.Helper()
	var b bytes.Buffer
	if err := code.Marshal(&b, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b.Bytes()))[:16]
}
