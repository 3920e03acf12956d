// Package sm holds the contract that every protocol core fulfils and what
// drives one: the real-time driver, the recorder of inputs and their replayer.
//
// A core is a plain value: inputs go in, effects come out, time is an argument.
// It has no goroutine, no lock, no clock and no socket, so the same code runs
// behind real sockets, among ten thousand others in a simulation (lib/simnet), in
// a fuzzer, and in the replay of what was recorded.
//
//	         Post, Offer     ┌────────────────────────┐
//	edge ──────────────────▶ │ Driver: one goroutine  │
//	                         │  Step(now, in)         │──▶ Config.Handle(effects)
//	the real clock ─────────▶│  Wake → Step(now, Tick)│
//	                         └───────────┬────────────┘
//	                      Config.Observe └──▶ Recorder ──▶ Replay
//
// [Machine] is the contract. A [Driver] is the only one that touches a machine: it
// hands it inputs one at a time, wakes it when its earliest timer is due, and
// gives its effects away in causal order. Inputs that must not be lost, such as
// configuration, are posted; those that may be, such as packets, are offered,
// and dropped (and counted) when too many wait.
//
// A machine answers a question by an effect; [Inquiries] bring the answer to the
// goroutine that asked.
//
// A [Recorder] writes inputs with their times; [Replay] hands them to a fresh
// machine, which has the same effects, at any speed. That is a test: whatever
// breaks it, such as the order of a map, makes a core irreproducible.
package sm
