// Package sm holds the contract that every protocol core fulfils and what
// drives one: the real-time driver, the recorder of inputs and their replayer.
//
// A core is a plain value: inputs go in, effects come out, time is an argument.
// It has no goroutine, no lock, no clock and no socket, so the same code runs
// behind real sockets, among ten thousand others in a simulation, in a fuzzer,
// and in the replay of what a user recorded.
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
