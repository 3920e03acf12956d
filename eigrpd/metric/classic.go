package metric

// ClassicUnreachable is the delay, or the bandwidth, of a classic vector for a
// destination that cannot be reached (RFC 7868 sections 6.8.2 and 6.9.3.2).
const ClassicUnreachable uint32 = 0xffffffff

// Classic is the vector of a path as TLVs of version 1.2 carry it (RFC 7868 section
// 6.8.2), or of a link that is added to a path.
type Classic struct {
	Delay       uint32 // scaled: 256 × tens of microseconds, the sum along the path
	Bandwidth   uint32 // scaled: 256 × 10^7/kbps of the slowest link
	MTU         uint32 // octets, 24 bits; the smallest. Not part of the composite
	Hops        uint8  // routers between here and the destination
	Reliability uint8  // 255 is 100 %; the smallest
	Load        uint8  // 255 is 100 %; the largest
}

// Unreachable reports whether the vector says that there is no path.
func (c Classic) Unreachable() bool {
	return c.Delay == ClassicUnreachable || c.Bandwidth == ClassicUnreachable
}

// Composite returns the metric of RFC 7868 section 5.6.1.1,
//
//	metric = 256 * ({(K1*BW) + [(K2*BW)/(256-LOAD)] + (K3*DELAY)} * (K5/(REL+K4)))
//
// ClassicInfinity if it is unreachable or needs more than 32 bits. K6 has no part
// in it.
func (c Classic) Composite(k Weights) uint32 {
	if c.Unreachable() {
		return ClassicInfinity
	}
	bw := uint64(c.Bandwidth)
	sum := uint64(k.K1)*bw + uint64(k.K2)*bw/(256-uint64(c.Load)) + uint64(k.K3)*uint64(c.Delay)
	return uint32(min(k.quotient(sum, c.Reliability), uint64(ClassicInfinity)))
}

// Add returns the vector of the path that goes over a link and then along c: delays
// are added, of the other values the worst counts, and there is a hop more (RFC
// 7868 section 5.6.2.1). The Hops of the link do not matter.
func (c Classic) Add(link Classic) Classic {
	out := Classic{
		Delay:       uint32(min(uint64(c.Delay)+uint64(link.Delay), uint64(ClassicUnreachable))),
		Bandwidth:   max(c.Bandwidth, link.Bandwidth),
		MTU:         min(c.MTU, link.MTU),
		Hops:        nextHop(c.Hops),
		Reliability: min(c.Reliability, link.Reliability),
		Load:        max(c.Load, link.Load),
	}
	if c.Unreachable() || link.Unreachable() {
		out.Delay = ClassicUnreachable
	}
	return out
}

// nextHop counts a hop more, up to 255.
func nextHop(n uint8) uint8 {
	if n == 255 {
		return n
	}
	return n + 1
}

// Wide returns the vector in the units of TLVs of version 2.0.
func (c Classic) Wide() Wide {
	return Wide{
		Delay: Picoseconds(c.Delay), Bandwidth: Kilobits(c.Bandwidth),
		MTU: c.MTU, Hops: c.Hops, Reliability: c.Reliability, Load: c.Load,
	}
}

// picosPerUnit is ten microseconds, the unit of classic delays, in picoseconds.
const picosPerUnit = 10 * delayPico

// ScaledDelay returns a delay of so many picoseconds as a classic vector has it. One
// that is not 0 is at least 1. Unreachable and what is too long are
// ClassicUnreachable.
func ScaledDelay(picoseconds uint64) uint32 {
	if picoseconds == 0 {
		return 0
	}
	if picoseconds >= Unreachable {
		return ClassicUnreachable
	}
	return uint32(min(max(picoseconds*classicScale/picosPerUnit, 1), uint64(ClassicUnreachable)))
}

// Picoseconds is the opposite of ScaledDelay, rounded up.
func Picoseconds(scaled uint32) uint64 {
	if scaled == ClassicUnreachable {
		return Unreachable
	}
	return (uint64(scaled)*picosPerUnit + classicScale - 1) / classicScale
}

// ScaledBandwidth returns a bandwidth in kbps as a classic vector has it, 256 ×
// (10^7/kbps), truncated before it is scaled. It is 0 above 10^7 kbps, and
// ClassicUnreachable for Unreachable and 0.
func ScaledBandwidth(kbps uint64) uint32 {
	if kbps == 0 || kbps >= Unreachable {
		return ClassicUnreachable
	}
	return uint32(bandwidthUnit / kbps * classicScale)
}

// Kilobits is the opposite of ScaledBandwidth: 256 × 10^7 / scaled, scaled before
// it is truncated. A scaled bandwidth of 0 is faster than a classic vector can say:
// MaxBandwidth. One that is not ClassicUnreachable is at least 1 kbps.
func Kilobits(scaled uint32) uint64 {
	switch scaled {
	case ClassicUnreachable:
		return Unreachable
	case 0:
		return MaxBandwidth
	}
	return max(bandwidthUnit*classicScale/uint64(scaled), 1)
}
