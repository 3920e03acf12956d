package sm

import (
	"context"
	"sync"
	"sync/atomic"
)

// Inquiries brings the answers of a machine to those who asked. A machine never
// waits: a question is an input with an ID, its answer an effect with the same
// ID. The zero value is ready, and may be used by many goroutines.
type Inquiries[Report any] struct {
	last    atomic.Uint64
	waiting sync.Map // ID → chan Report
}

// Ask has post hand the question to the machine, under an ID that no other one of
// these inquiries has, and waits for its answer. It returns the error of ctx if
// that ends first.
func (q *Inquiries[Report]) Ask(ctx context.Context, post func(id uint64)) (Report, error) {
	id := q.last.Add(1)
	ch := make(chan Report, 1)
	q.waiting.Store(id, ch)
	defer q.waiting.Delete(id)
	post(id)
	select {
	case r := <-ch:
		return r, nil
	case <-ctx.Done():
		var none Report
		return none, ctx.Err()
	}
}

// Answer hands the report to whoever asked under the ID. It never waits, and
// drops an answer that nobody waits for any more, or that is a second one.
func (q *Inquiries[Report]) Answer(id uint64, r Report) {
	if ch, ok := q.waiting.LoadAndDelete(id); ok {
		ch.(chan Report) <- r
	}
}
