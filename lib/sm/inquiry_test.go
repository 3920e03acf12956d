package sm_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/godmvpn/godmvpn/lib/sm"
)

// Each of many who ask at once gets the answer to the own question.
func TestInquiries(t *testing.T) {
	var q sm.Inquiries[uint64]
	questions := make(chan uint64)
	go func() {
		for id := range questions {
			q.Answer(id, 2*id)
			q.Answer(id, 0) // a second answer neither blocks nor counts
		}
	}()
	var all sync.WaitGroup
	var seen sync.Map
	for range 50 {
		all.Go(func() {
			var mine uint64
			got, err := q.Ask(context.Background(), func(id uint64) { mine = id; questions <- id })
			if err != nil || got != 2*mine {
				t.Errorf("asked as %d: %d, %v", mine, got, err)
			}
			if _, twice := seen.LoadOrStore(mine, true); twice {
				t.Errorf("two questions are %d", mine)
			}
		})
	}
	all.Wait()
	close(questions)
}

// An answer may come before post has returned.
func TestInquiryAnsweredAtOnce(t *testing.T) {
	var q sm.Inquiries[string]
	got, err := q.Ask(context.Background(), func(id uint64) { q.Answer(id, "yes") })
	if got != "yes" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Who gives up is told why; the answer that comes late goes to nobody.
func TestInquiryGivenUp(t *testing.T) {
	var q sm.Inquiries[string]
	ctx, cancel := context.WithCancel(context.Background())
	var late uint64
	got, err := q.Ask(ctx, func(id uint64) { late = id; cancel() })
	if got != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", got, err)
	}
	q.Answer(late, "late")
	got, err = q.Ask(context.Background(), func(id uint64) { q.Answer(late, "late"); q.Answer(id, "new") })
	if got != "new" || err != nil {
		t.Errorf("the next question: %q, %v", got, err)
	}
}
