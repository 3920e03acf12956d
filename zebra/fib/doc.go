// Package fib makes the data plane equal to what zebra wants.
//
// zebra says what it wants, object by object, by Put and Delete; fib knows what
// is installed, and works off the difference through a dataplane.Provider.
//
//	zebra ── Put, Delete ──▶ ┌──────┐ ── Next ──▶ ┌────────┐ ── Apply ──▶ data plane
//	      ◀── outcomes ───── │ Core │ ◀── Done ── │ runner │ ◀── results ─
//	                         └──────┘ ◀── Event ─ └────────┘ ◀── Events, Dump
//
// # Core
//
// Core is bookkeeping only: no goroutine, no clock, no I/O. For each key it has
// what is wanted and what is believed to be installed, and where these differ
// the key is in a queue. A key is in a queue at most once, however often it
// changes, so the queues are bounded by the number of objects. Deletes go first,
// the last kind first; then puts, the first kind first; within a kind the oldest
// difference first. (Sysctls of a device come after the kind that makes it.) Security
// associations are deleted last of all: what takes the place of one is another key, and
// in between packets would have none.
//
// A failure is reported and tried again after a second, then two, up to a
// minute; and at once when a device that the object needs has changed.
//
// # What others do
//
// What the kernel throws away when a device goes down or away, it throws away
// without a word: everything that used the device counts as not installed from
// then on, and is put again. An object that somebody else removed is put back,
// at most once a second each (a policy at once); but not a security association, of which the outcome is
// then that it is gone (see dataplane.SA). A Resync, and an audit from time to time, compare
// everything with a dump.
//
// # Start and end
//
// Adopt takes over what an earlier life left: it is stale, and forwards on.
// An object that is then wanted as it is costs no write; what nobody wanted is
// removed by Sweep. At the end Close removes everything, or leaves it (retain).
package fib
