package clock_test

import (
	"sort"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// TestHeapAgainstModel compares the heap with a sorted list after arbitrary
// operations.
func TestHeapAgainstModel(t *testing.T) {
	type entry struct {
		at  clock.Instant
		seq int
	}
	rapid.Check(t, func(t *rapid.T) {
		var heap clock.Heap[int]
		model := map[int]entry{}
		now, seq := clock.Instant(0), 0
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				key := rapid.IntRange(0, 9).Draw(t, "key")
				at := now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "in")))
				seq++
				heap.Set(key, at)
				model[key] = entry{at, seq}
			},
			"clear": func(t *rapid.T) {
				key := rapid.IntRange(0, 9).Draw(t, "key")
				heap.Clear(key)
				delete(model, key)
			},
			"advance": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "by")))
				var want []int
				for key, e := range model {
					if e.at <= now {
						want = append(want, key)
					}
				}
				sort.Slice(want, func(i, j int) bool {
					a, b := model[want[i]], model[want[j]]
					if a.at != b.at {
						return a.at < b.at
					}
					return a.seq < b.seq
				})
				for _, key := range want {
					got, ok := heap.PopDue(now)
					if !ok || got != key {
						t.Fatalf("PopDue(%v) = %d, %v; want %d", now, got, ok, key)
					}
					delete(model, key)
				}
				if key, ok := heap.PopDue(now); ok {
					t.Fatalf("PopDue(%v) = %d; want none", now, key)
				}
			},
			"": func(t *rapid.T) {
				if heap.Len() != len(model) {
					t.Fatalf("Len() = %d, want %d", heap.Len(), len(model))
				}
				for key, e := range model {
					if at, ok := heap.Deadline(key); !ok || at != e.at {
						t.Fatalf("Deadline(%d) = %v, %v; want %v", key, at, ok, e.at)
					}
				}
			},
		})
	})
}

func TestNeverDisarms(t *testing.T) {
	var heap clock.Heap[string]
	heap.Set("a", 5)
	heap.Set("a", clock.Never)
	if at, ok := heap.Next(); ok {
		t.Fatalf("Next() = %v, want none", at)
	}
}

func TestAddSaturates(t *testing.T) {
	if got := (clock.Never - 1).Add(time.Hour); got != clock.Never {
		t.Errorf("Add past the end = %v, want never", got)
	}
	if got := clock.Never.Add(-time.Hour); got != clock.Never {
		t.Errorf("Never.Add = %v, want never", got)
	}
}
