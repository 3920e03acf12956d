package metric

import (
	"testing"

	"pgregory.net/rapid"
)

// The links of the labs, as routers have them: a tunnel of 100 kbit/s and 50000 µs,
// a Gigabit LAN of 10 µs, a loopback of 8 Gbit/s and 5000 µs.
var (
	tunnel   = Wide{Delay: 50_000 * delayPico, Bandwidth: 100, MTU: 1400, Reliability: 255, Load: 1}
	gigabit  = Wide{Delay: 10 * delayPico, Bandwidth: 1_000_000, MTU: 1500, Reliability: 255, Load: 1}
	loopback = Wide{Delay: 5_000 * delayPico, Bandwidth: 8_000_000, MTU: 1514, Reliability: 255, Load: 1}
)

// To the digit what is published of Cisco's routers: the classic figures of all but
// the first row, and 76805120 and 102405120. The other wide ones follow from the
// formula.
func TestFiguresOfRouters(t *testing.T) {
	k := DefaultWeights
	for _, c := range []struct {
		name    string
		path    Wide
		classic uint32
		rib     uint32
	}{
		{"a LAN of one's own", gigabit, 2816, 10240},
		{"summary over the tunnel", gigabit.Add(tunnel), 26880256, 76805120},
		{"over two tunnel hops", gigabit.Add(tunnel).Add(tunnel), 28160256, 102405120},
		{"loopback over the tunnel", loopback.Add(tunnel), 27008000, 79360000},
		{"loopback over two tunnel hops", loopback.Add(tunnel).Add(tunnel), 28288000, 104960000},
	} {
		if got := c.path.Classic().Composite(k); got != c.classic {
			t.Errorf("%s: classic %d, want %d", c.name, got, c.classic)
		}
		if got := RIB(c.path.Composite(k), DefaultRIBScale); got != c.rib {
			t.Errorf("%s: rib %d, want %d", c.name, got, c.rib)
		}
	}
	// hop by hop in classic vectors it is the same
	if got := gigabit.Classic().Add(tunnel.Classic()).Add(tunnel.Classic()).Composite(k); got != 28160256 {
		t.Errorf("classic hops: %d", got)
	}
	if got := gigabit.Composite(k); got != 1310720 {
		t.Errorf("wide composite of a LAN: %d, want 1310720", got)
	}
}

// The example of RFC 7868 section 5.6.1.1: 10 Mbit/s and 1 ms.
func TestExampleOfTheRFC(t *testing.T) {
	c := Wide{Delay: 1000 * delayPico, Bandwidth: 10_000, Reliability: 255, Load: 1}.Classic()
	if c.Bandwidth != 256_000 || c.Delay != 25_600 {
		t.Errorf("%+v, want bandwidth 256000, delay 25600", c)
	}
	if got := c.Composite(DefaultWeights); got != 281_600 {
		t.Errorf("composite %d, want 281600", got)
	}
}

// The note of RFC 7868 section 5.6.1.1 on what is truncated when.
func TestBandwidthConversion(t *testing.T) {
	for _, c := range []struct {
		kbps   uint64
		scaled uint32
		back   uint64
	}{
		{1544, 1657856, 1544}, // 10^7/1544 = 6476.68
		{1, 2_560_000_000, 1},
		{9, 284_444_416, 9},
		{1_000_000, 2560, 1_000_000},
		{10_000_000, 256, 10_000_000},
		{20_000_000, 0, MaxBandwidth},
		{0, ClassicUnreachable, Unreachable},
		{Unreachable, ClassicUnreachable, Unreachable},
	} {
		if got := ScaledBandwidth(c.kbps); got != c.scaled {
			t.Errorf("ScaledBandwidth(%d) = %d, want %d", c.kbps, got, c.scaled)
		}
		if got := Kilobits(c.scaled); got != c.back {
			t.Errorf("Kilobits(%d) = %d, want %d", c.scaled, got, c.back)
		}
	}
	if got := Kilobits(ClassicUnreachable - 1); got != 1 {
		t.Errorf("slower than 1 kbps: %d", got)
	}
}

func TestDelayConversion(t *testing.T) {
	for _, c := range []struct {
		ps     uint64
		scaled uint32
	}{
		{0, 0}, {1, 1}, {39062, 1}, {39063, 1}, {10 * delayPico, 256}, {delayPico, 25},
		{50_000 * delayPico, 1_280_000}, {Unreachable, ClassicUnreachable}, {Unreachable - 1, ClassicUnreachable},
	} {
		if got := ScaledDelay(c.ps); got != c.scaled {
			t.Errorf("ScaledDelay(%d) = %d, want %d", c.ps, got, c.scaled)
		}
	}
	if got := Picoseconds(1); got != 39063 {
		t.Errorf("Picoseconds(1) = %d, want 39062.5 rounded up", got)
	}
	if got := Picoseconds(ClassicUnreachable); got != Unreachable {
		t.Errorf("unreachable: %#x", got)
	}
}

// The rows of RFC 7868 section 5.6.1.2 of Ethernet and its like, in nanoseconds.
func TestLinkDelay(t *testing.T) {
	for _, c := range [][3]uint64{
		{10_000, 1_000_000, 1_000_000}, {100_000, 100_000, 100_000}, {1_000_000, 10_000, 10_000},
		{2_000_000, 10_000, 5000}, {5_000_000, 10_000, 2000}, {10_000_000, 10_000, 1000},
		{20_000_000, 10_000, 500}, {50_000_000, 10_000, 200}, {100_000_000, 10_000, 100},
		{200_000_000, 10_000, 50}, {500_000_000, 10_000, 20},
	} {
		classic, wide := LinkDelay(c[0])
		if classic != c[1]*1000 || wide != c[2]*1000 {
			t.Errorf("%d kbps: %d, %d ps; want %d, %d ns", c[0], classic, wide, c[1], c[2])
		}
	}
	if classic, wide := LinkDelay(0); classic != Unreachable || wide != Unreachable {
		t.Error("no bandwidth, but a delay")
	}
}

// Each coefficient by itself, with numbers worked out by hand.
func TestWeights(t *testing.T) {
	c := Classic{Delay: 1000, Bandwidth: 51200, Reliability: 245, Load: 156}
	w := Wide{Delay: 3 * delayPico, Bandwidth: 10_000_000, Reliability: 245, Load: 156,
		Jitter: 7, QuiescentEnergy: 20, Energy: 300}
	for _, x := range []struct {
		name    string
		k       Weights
		classic uint32
		wide    uint64
	}{
		{"K1", Weights{K1: 2}, 102400, 131072},
		{"K2", Weights{K2: 3}, 1536, 1966}, // 3*51200/100; 3*65536/100
		{"K3", Weights{K3: 5}, 5000, 983040},
		{"K4 alone does nothing", Weights{K1: 1, K4: 9}, 51200, 65536},
		{"K5", Weights{K1: 1, K5: 49}, 10240, 13107}, // 49/245
		{"K4 and K5", Weights{K1: 1, K4: 11, K5: 2}, 400, 512},
		{"K6", Weights{K6: 2}, 0, 654},
		{"all", Weights{1, 1, 1, 11, 1, 1}, 205, 1027}, // (51200+512+1000)/256; (65536+655+196608+327)/256
		{"none", Weights{}, 0, 0},
	} {
		if got := c.Composite(x.k); got != x.classic {
			t.Errorf("%s: classic %d, want %d", x.name, got, x.classic)
		}
		if got := w.Composite(x.k); got != x.wide {
			t.Errorf("%s: wide %d, want %d", x.name, got, x.wide)
		}
	}
}

// The borders: what is too large, or divided by 0, is unreachable.
func TestInfinity(t *testing.T) {
	all := Weights{255, 255, 255, 0, 255, 255}
	for _, c := range []struct {
		name string
		v    Classic
		k    Weights
	}{
		{"delay", Classic{Delay: ClassicUnreachable, Bandwidth: 256}, DefaultWeights},
		{"bandwidth", Classic{Delay: 1, Bandwidth: ClassicUnreachable}, Weights{K3: 1}},
		{"sum", Classic{Delay: 0xfffffff0, Bandwidth: 0x10}, DefaultWeights},
		{"reliability 0", Classic{Delay: 1, Bandwidth: 256}, Weights{K1: 1, K5: 1}},
		{"everything", Classic{Delay: 0xfffffffe, Bandwidth: 0xfffffffe, Load: 255, Reliability: 1}, all},
	} {
		if got := c.v.Composite(c.k); got != ClassicInfinity {
			t.Errorf("classic, %s: %d", c.name, got)
		}
	}
	for _, c := range []struct {
		name string
		v    Wide
		k    Weights
	}{
		{"delay", Wide{Delay: Unreachable, Bandwidth: 1}, Weights{K1: 1}},
		{"bandwidth", Wide{Delay: 1, Bandwidth: Unreachable}, DefaultWeights},
		{"no bandwidth", Wide{Delay: 1}, DefaultWeights},
		{"reliability 0", Wide{Delay: 1, Bandwidth: 1}, Weights{K1: 1, K5: 1}},
		{"everything", Wide{Delay: Unreachable - 1, Bandwidth: 1, Jitter: 1 << 63, Energy: 1<<32 - 1, Load: 255, Reliability: 1}, all},
	} {
		if got := c.v.Composite(c.k); got != WideInfinity {
			t.Errorf("wide, %s: %d", c.name, got)
		}
	}
	for _, c := range []struct {
		in    uint64
		scale uint8
		out   uint32
	}{
		{WideInfinity, 128, ClassicInfinity}, {WideInfinity, 255, ClassicInfinity},
		{uint64(ClassicInfinity) * 128, 128, ClassicInfinity}, {uint64(ClassicInfinity)*128 - 1, 128, ClassicInfinity - 1},
		{1310720, 0, 1310720}, {1310720, 1, 1310720}, {127, 128, 0},
	} {
		if got := RIB(c.in, c.scale); got != c.out {
			t.Errorf("RIB(%d, %d) = %d, want %d", c.in, c.scale, got, c.out)
		}
	}
}

func TestAdd(t *testing.T) {
	a := Wide{Delay: 10, Bandwidth: 100, MTU: 1400, Hops: 3, Reliability: 200, Load: 7, Jitter: 1, QuiescentEnergy: 2, Energy: 3}
	b := Wide{Delay: 20, Bandwidth: 90, MTU: 1500, Hops: 77, Reliability: 100, Load: 1, Jitter: 10, QuiescentEnergy: 20, Energy: 1<<32 - 1}
	want := Wide{Delay: 30, Bandwidth: 90, MTU: 1400, Hops: 4, Reliability: 100, Load: 7, Jitter: 11, QuiescentEnergy: 22, Energy: 1<<32 - 1}
	if got := a.Add(b); got != want {
		t.Errorf("wide: %+v, want %+v", got, want)
	}
	c := Classic{Delay: 10, Bandwidth: 512, MTU: 1400, Hops: 255, Reliability: 200, Load: 7}
	d := Classic{Delay: 20, Bandwidth: 256, MTU: 1500, Hops: 1, Reliability: 100, Load: 9}
	wantC := Classic{Delay: 30, Bandwidth: 512, MTU: 1400, Hops: 255, Reliability: 100, Load: 9}
	if got := c.Add(d); got != wantC {
		t.Errorf("classic: %+v, want %+v", got, wantC)
	}
}

func drawWide(t *rapid.T) Wide {
	return Wide{
		Delay:     rapid.Uint64Range(0, Unreachable).Draw(t, "delay"),
		Bandwidth: rapid.Uint64Range(0, Unreachable).Draw(t, "bandwidth"),
		MTU:       rapid.Uint32Range(0, 0xffffff).Draw(t, "mtu"), Hops: rapid.Uint8().Draw(t, "hops"),
		Reliability: rapid.Uint8().Draw(t, "reliability"), Load: rapid.Uint8().Draw(t, "load"),
		Jitter: rapid.Uint64Range(0, Unreachable).Draw(t, "jitter"), QuiescentEnergy: rapid.Uint32().Draw(t, "q-energy"),
		Energy: rapid.Uint32().Draw(t, "energy"),
	}
}

// No hop makes a path better, in either scale, whatever the coefficients: what DUAL
// rests on.
func TestAddNeverImproves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := Weights{rapid.Uint8().Draw(t, "k1"), rapid.Uint8().Draw(t, "k2"), rapid.Uint8().Draw(t, "k3"),
			rapid.Uint8().Draw(t, "k4"), rapid.Uint8().Draw(t, "k5"), rapid.Uint8().Draw(t, "k6")}
		path, link := drawWide(t), drawWide(t)
		if a, b := path.Composite(k), path.Add(link).Composite(k); b < a {
			t.Fatalf("wide: %d becomes %d", a, b)
		}
		if a, b := path.Classic().Composite(k), path.Classic().Add(link.Classic()).Composite(k); b < a {
			t.Fatalf("classic: %d becomes %d", a, b)
		}
		if (path.Unreachable() || link.Unreachable()) && !path.Add(link).Unreachable() {
			t.Fatal("a hop made something reachable")
		}
	})
}

// A classic vector that goes through a router that reckons wide comes out as it was.
func TestClassicThroughWide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kbps := rapid.Uint64Range(1, bandwidthUnit).Draw(t, "kbps")
		c := Classic{Delay: rapid.Uint32().Draw(t, "delay"), Bandwidth: ScaledBandwidth(kbps)}
		if got := c.Wide().Classic(); got != c {
			t.Fatalf("%+v became %+v", c, got)
		}
		if k := Kilobits(c.Bandwidth); k < kbps {
			t.Fatalf("%d kbps became %d", kbps, k)
		}
	})
}
