package sm

import "github.com/godmvpn/godmvpn/lib/clock"

// Machine is a protocol core.
type Machine[In, Out any] interface {
	// Step hands one input to the machine. It never blocks and never fails:
	// trouble is an effect. now never goes back.
	Step(now clock.Instant, in In)

	// Wake returns the earliest instant at which stepping the machine with its
	// tick input matters; ok is false if no timer is armed.
	Wake() (at clock.Instant, ok bool)

	// Drain appends the effects since the last Drain to dst, in causal order.
	Drain(dst []Out) []Out
}
