package metric

// Unreachable is the delay, or the bandwidth, of a wide vector for a destination
// that cannot be reached (RFC 7868 section 6.9.2): 48 bits of ones.
const Unreachable uint64 = 0xffffffffffff

// MaxBandwidth is the largest bandwidth of a wide vector, in kbps.
const MaxBandwidth = Unreachable - 1

// Wide is the vector of a path as TLVs of version 2.0 carry it (RFC 7868 section
// 6.9.2), or of a link that is added to a path.
type Wide struct {
	Delay       uint64 // picoseconds, 48 bits; the sum along the path
	Bandwidth   uint64 // kbps of the slowest link, 48 bits
	MTU         uint32 // octets, 24 bits; the smallest. Not part of the composite
	Hops        uint8  // routers between here and the destination
	Reliability uint8  // 255 is 100 %; the smallest
	Load        uint8  // 255 is 100 %; the largest

	// The extended attributes, which count only if K6 is not 0. Each is 0 where
	// nobody measures it, and the sum along the path (RFC 7868 section 5.6.2.1).
	Jitter          uint64 // microseconds, 48 bits (section 6.9.3.5)
	QuiescentEnergy uint32 // milliwatts per kilobit, idle (section 6.9.3.6)
	Energy          uint32 // milliwatts per kilobit (section 6.9.3.7)
}

// Unreachable reports whether the vector says that there is no path.
func (w Wide) Unreachable() bool {
	return w.Delay >= Unreachable || w.Bandwidth >= Unreachable || w.Bandwidth == 0
}

// Throughput returns Max-Throughput without K1 (RFC 7868 section 5.6.2.3): 65536 ×
// 10^7/kbps. w must not be unreachable.
func (w Wide) Throughput() uint64 { return bandwidthUnit * wideScale / w.Bandwidth }

// Latency returns the latency without K3 (RFC 7868 section 5.6.2.4): 65536 × the
// delay in microseconds.
func (w Wide) Latency() uint64 { return min(w.Delay, Unreachable) * wideScale / delayPico }

// Composite returns the metric of RFC 7868 section 5.6.2.5,
//
//	metric = [(K1*T) + (K2*T)/(256-Load) + (K3*Latency) + (K6*ExtAttr)] * K5/(K4+Rel)
//
// WideInfinity if it is unreachable or needs more than 64 bits.
func (w Wide) Composite(k Weights) uint64 {
	if w.Unreachable() {
		return WideInfinity
	}
	t := w.Throughput()
	ext := min(w.Jitter, Unreachable) + uint64(w.QuiescentEnergy) + uint64(w.Energy)
	sum := uint64(k.K1)*t + uint64(k.K2)*t/(256-uint64(w.Load)) + uint64(k.K3)*w.Latency() + uint64(k.K6)*ext
	return k.quotient(sum, w.Reliability)
}

// Add returns the vector of the path that goes over a link and then along w: delay,
// jitter and energy are added, of the other values the worst counts, and there is a
// hop more (RFC 7868 section 5.6.2.1). The Hops of the link do not matter.
func (w Wide) Add(link Wide) Wide {
	out := Wide{
		Delay:           add48(w.Delay, link.Delay),
		Bandwidth:       min(w.Bandwidth, link.Bandwidth),
		MTU:             min(w.MTU, link.MTU),
		Hops:            nextHop(w.Hops),
		Reliability:     min(w.Reliability, link.Reliability),
		Load:            max(w.Load, link.Load),
		Jitter:          add48(w.Jitter, link.Jitter),
		QuiescentEnergy: add32(w.QuiescentEnergy, link.QuiescentEnergy),
		Energy:          add32(w.Energy, link.Energy),
	}
	if w.Unreachable() || link.Unreachable() {
		out.Delay = Unreachable
	}
	return out
}

// add48 adds up to 48 bits of ones.
func add48(a, b uint64) uint64 { return min(min(a, Unreachable)+min(b, Unreachable), Unreachable) }

// add32 adds up to 32 bits of ones.
func add32(a, b uint32) uint32 { return uint32(min(uint64(a)+uint64(b), 0xffffffff)) }

// Classic returns the vector in the units of TLVs of version 1.2, which have no
// room for the extended attributes.
func (w Wide) Classic() Classic {
	return Classic{
		Delay: ScaledDelay(w.Delay), Bandwidth: ScaledBandwidth(w.Bandwidth),
		MTU: w.MTU, Hops: w.Hops, Reliability: w.Reliability, Load: w.Load,
	}
}

// minClassicDelay is the shortest delay of an interface for classic metrics, ten
// microseconds in picoseconds (RFC 7868 section 5.6.1.2).
const minClassicDelay = picosPerUnit

// LinkDelay returns the delay in picoseconds that Ethernet and what is alike has at
// a bandwidth in kbps, by the table of RFC 7868 section 5.6.1.2: 10^13/kbps. Classic
// metrics have at least ten microseconds, whatever is faster than 1 Gbit/s. The
// other interface types of the table have delays of their own.
func LinkDelay(kbps uint64) (classic, wide uint64) {
	if kbps == 0 {
		return Unreachable, Unreachable
	}
	wide = bandwidthUnit * delayPico / kbps
	return max(wide, minClassicDelay), wide
}
