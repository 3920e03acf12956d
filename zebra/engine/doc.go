// Package engine is the heart of zebra: the one goroutine in which the pure
// cores meet, and the wiring around it.
//
//	daemons ── hub ──▶ ┌────────────────────────┐ ──▶ fib ──▶ data plane
//	                   │ engine: one goroutine  │
//	configuration ────▶│  iface.Core ─▶ rib.Core│ ──▶ hub ──▶ daemons
//	kernel ── fib ────▶│                        │
//	show commands ────▶└────────────────────────┘
//
// Everything that reaches the engine is a function that is put in its inbox and
// run by its goroutine, so the cores need no locks, and a show command sees one
// consistent picture. After each batch of inputs the engine settles: it carries
// the effects of one core to the other, to fib and to the hub, until there are
// none. Nothing that the engine calls waits for the engine, so it cannot hang.
//
// The inbox is bounded: who posts to a full one waits. A daemon that floods
// zebra is thus slowed down by its own stream, where it coalesces.
//
// # Sweeping after a restart
//
// fib takes over what an earlier zebra left in the kernel, as stale. Who could
// still want it says so by repeating it; then it is swept, part by part:
// interfaces, addresses and static routes once the configuration is in force and
// the kernel's links are known; the routes of a daemon at its end of replay; and
// whatever is left once every enabled daemon has come to its end of replay. A
// daemon that does not come to its end of replay is waited for no longer than
// its hold limit.
package engine
