package harness

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// SubsetText is Subset with want as JSON text.
func SubsetText(got any, want string) error {
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		return fmt.Errorf("expectation is no JSON: %w", err)
	}
	return Subset(got, w)
}

// Subset tells whether got contains want, both being decoded JSON: every member of
// an object in want is in got, with a value that contains it; every element of an
// array in want is contained in an element of got of its own, in any order; null in
// want means that the member is absent or null; other values are equal. The error
// says where they differ.
func Subset(got, want any) error { return subset("$", got, want) }

func subset(path string, got, want any) error {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: %s instead of an object", path, show(got))
		}
		for _, k := range sortedKeys(w) {
			v, there := g[k]
			if !there && w[k] != nil {
				return fmt.Errorf("%s.%s: missing, want %s", path, k, show(w[k]))
			}
			if err := subset(path+"."+k, v, w[k]); err != nil {
				return err
			}
		}
		return nil
	case []any:
		g, ok := got.([]any)
		if !ok {
			return fmt.Errorf("%s: %s instead of an array", path, show(got))
		}
		return subsetArray(path, g, w)
	default:
		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("%s: %s, want %s", path, show(got), show(want))
		}
		return nil
	}
}

// subsetArray finds for each element of want one of got, each used once: a
// bipartite matching by augmenting paths.
func subsetArray(path string, got, want []any) error {
	owner := make([]int, len(got)) // index in want, -1 for free
	for i := range owner {
		owner[i] = -1
	}
	var place func(w int, tried []bool) bool
	place = func(w int, tried []bool) bool {
		for g := range got {
			if tried[g] || subset("", got[g], want[w]) != nil {
				continue
			}
			tried[g] = true
			if owner[g] < 0 || place(owner[g], tried) {
				owner[g] = w
				return true
			}
		}
		return false
	}
	for w := range want {
		if !place(w, make([]bool, len(got))) {
			if len(got) == len(want) && w < len(got) {
				if err := subset(fmt.Sprintf("%s[%d]", path, w), got[w], want[w]); err != nil {
					return err
				}
			}
			return fmt.Errorf("%s: no element (left) that contains %s among %s", path, show(want[w]), show(got))
		}
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// show prints a value, at a length that a person reads.
func show(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	const longest = 600
	if len(b) > longest {
		return string(b[:longest]) + "…"
	}
	return string(b)
}
