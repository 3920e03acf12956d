package core

import (
	"slices"
	"testing"
)

// TestDropReasonsHaveNames: an operator tells them apart by their words.
func TestDropReasonsHaveNames(t *testing.T) {
	var seen []string
	for _, r := range DropReasons() {
		name := r.String()
		if name == "" || name == "unknown" || slices.Contains(seen, name) {
			t.Errorf("reason %d is called %q", r, name)
		}
		seen = append(seen, name)
	}
	if len(seen) != int(NumDropReasons)-1 {
		t.Errorf("there are %d reasons, not %d", len(seen), NumDropReasons-1)
	}
	for _, r := range []DropReason{0, NumDropReasons} {
		if r.String() != "unknown" {
			t.Errorf("%d is called %q", r, r)
		}
	}
}
