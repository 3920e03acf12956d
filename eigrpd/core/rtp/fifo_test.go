package rtp

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestFIFO compares the queue with a slice, and wants nothing kept of what is gone.
func TestFIFO(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q fifo[*int]
		var model []*int
		t.Repeat(map[string]func(*rapid.T){
			"push": func(*rapid.T) {
				v := new(int)
				q.push(v)
				model = append(model, v)
			},
			"pop": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				if q.front() != model[0] || q.back() != model[len(model)-1] || q.pop() != model[0] {
					t.Fatal("not the first")
				}
				model = model[1:]
			},
			"unpop": func(*rapid.T) {
				v := new(int)
				q.unpop(v)
				model = slices.Insert(model, 0, v)
			},
			"": func(t *rapid.T) {
				if q.len() != len(model) || !slices.Equal(q.all(), model) {
					t.Fatalf("%v, want %v", q.all(), model)
				}
				kept := 0
				for _, v := range q.items[:cap(q.items)] {
					if v != nil {
						kept++
					}
				}
				if kept != len(model) {
					t.Fatalf("keeps %d of %d", kept, len(model))
				}
			},
		})
	})
}
