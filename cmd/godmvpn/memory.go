package main

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Go's collector lets a heap grow to twice what was in use, and keeps that much of the
// system's memory even if nothing happens any more. After a table of a million routes it
// is a gigabyte, so what is not in use is given back once a process has become quiet.
const (
	lookEvery = 3 * time.Second // what a process allocates in between tells whether it is quiet
	quietly   = 1 << 20         // octets
	worthy    = 16 << 20        // octets that were allocated since the last time
)

// giveBack does so as long as the process lives.
func giveBack() {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var q quiet
	for range time.Tick(lookEvery) {
		metrics.Read(sample)
		if q.look(sample[0].Value.Uint64()) {
			debug.FreeOSMemory()
		}
	}
}

// quiet is what a process had allocated, all together, when it was looked at last, and
// when it gave back.
type quiet struct{ last, gave uint64 }

// look takes in what a process has allocated by now and reports whether it is to give back.
func (q *quiet) look(allocated uint64) bool {
	busy := allocated-q.last > quietly
	q.last = allocated
	if busy || allocated-q.gave < worthy {
		return false
	}
	q.gave = allocated
	return true
}
