// Package metric is the arithmetic of EIGRP's metrics (RFC 7868 sections 5.5 and
// 5.6): the vector of a path, the composite metric that is made of it by the
// coefficients K1 to K6, what a hop adds, and the way between the two scales.
//
// There are two kinds of vector, and each has its composite:
//
//	          delay                     bandwidth            composite
//	Classic   256 × tens of µs, 32 bit  256 × 10^7/kbps      32 bit
//	Wide      picoseconds, 48 bit       kbps, 48 bit         64 bit, /rib-scale: 32 bit
//
// Classic is as the TLVs of version 1.2 carry it, "scaled", and stays so from
// router to router: a route that is passed on has lost nothing by conversion.
// Wide is as those of version 2.0 carry it, not scaled. Everything here is a pure
// function of its arguments; nothing overflows: what is too large is infinite.
//
// # Rounding
//
// All divisions truncate, at these places: a bandwidth becomes composite before it
// is multiplied by 256, as section 5.6.1.1 notes; the way back multiplies first. A
// wide delay is multiplied by 256 and then divided. From classic to wide a delay is
// rounded up instead, to the next picosecond, so that it comes back as it was; so
// does every scaled bandwidth that comes from a bandwidth in kbps.
//
// # What the RFC leaves open
//
// Section 5.6.2 has K1 twice, in Max-Throughput and in the composite; it is applied
// once here, as in the classic formula, and K2's part does not depend on K1. That is
// the same for K1 = 1 and K2 = 0. ExtAttr, which K6 multiplies, is the sum of
// jitter, quiescent energy and energy: "these will be additive". The quotient
// K5/(K4+Rel) is 1 if K5 is 0 (section 5.5.3); where its divisor is 0 the route is
// unreachable.
package metric
