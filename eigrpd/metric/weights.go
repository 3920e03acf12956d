package metric

import "math/bits"

// Constants of RFC 7868 section 5.6.2.2.
const (
	bandwidthUnit = 10_000_000 // EIGRP_BANDWIDTH, kbps
	delayPico     = 1_000_000  // EIGRP_DELAY_PICO, picoseconds in a microsecond
	classicScale  = 256        // EIGRP_CLASSIC_SCALE
	wideScale     = 65536      // EIGRP_WIDE_SCALE
)

// MaxHops is EIGRP_MAX_HOPS, the hop count that a route may have unless configured
// otherwise (RFC 7868 section 5.6.2.2).
const MaxHops = 100

// Composite metrics of a destination that cannot be reached.
const (
	ClassicInfinity uint32 = 0xffffffff
	WideInfinity    uint64 = 0xffffffffffffffff // EIGRP_INACCESSIBLE
)

// DefaultRIBScale is what a wide composite metric is divided by on its way into the
// routing table (`metric rib-scale`).
const DefaultRIBScale = 128

// Weights are the coefficients K1 to K6 (RFC 7868 section 5.5). Neighbours must
// have the same.
type Weights struct {
	K1, K2, K3, K4, K5, K6 uint8
}

// DefaultWeights are K1 = K3 = 1, the others 0 (RFC 7868 section 5.5).
var DefaultWeights = Weights{K1: 1, K3: 1}

// quotient multiplies a sum by K5/(K4+Rel), by 1 if K5 is 0 (RFC 7868 section
// 5.5.3). Too much is WideInfinity.
func (k Weights) quotient(sum uint64, reliability uint8) uint64 {
	if k.K5 == 0 {
		return sum
	}
	d := uint64(reliability) + uint64(k.K4)
	hi, lo := bits.Mul64(sum, uint64(k.K5))
	if hi >= d { // the result has more than 64 bits, or d is 0
		return WideInfinity
	}
	q, _ := bits.Div64(hi, lo, d)
	return q
}

// RIB returns the metric that a route with a wide composite metric has in the
// routing table, which has 32 bits for it: the composite divided by scale, the
// `metric rib-scale`, 1 to 255. 0 counts as 1. A composite that is too large for
// this scale is ClassicInfinity.
func RIB(composite uint64, scale uint8) uint32 {
	v := composite / max(uint64(scale), 1)
	if composite == WideInfinity || v >= uint64(ClassicInfinity) {
		return ClassicInfinity
	}
	return uint32(v)
}
