package core

import "testing"

// TestNumbers: an IKE SA gets the lowest number that is free, as the operator expects who
// reads `show crypto ikev2 sa`.
func TestNumbers(t *testing.T) {
	var n numbers
	for _, step := range []struct{ back, want int }{{0, 1}, {0, 2}, {0, 3}, {2, 2}, {0, 4}, {1, 1}, {4, 4}, {0, 5}} {
		if step.back != 0 {
			n.giveBack(step.back)
		}
		if got := n.take(); got != step.want {
			t.Errorf("%+v: %d", step, got)
		}
	}
	n.giveBack(5)
	n.giveBack(3)
	if a, b, c := n.take(), n.take(), n.take(); a != 3 || b != 5 || c != 6 {
		t.Error(a, b, c)
	}
}
