package scripttest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Args are the words of a command, its verb first, and its pairs key=value, of
// which a key may have several.
type Args struct {
	Words []string
	Pairs map[string][]string
}

// ParseArgs splits a line at its spaces.
func ParseArgs(line string) Args {
	a := Args{Pairs: map[string][]string{}}
	for _, f := range strings.Fields(line) {
		if key, value, ok := strings.Cut(f, "="); ok {
			a.Pairs[key] = append(a.Pairs[key], value)
			continue
		}
		a.Words = append(a.Words, f)
	}
	return a
}

// Has is true if the word stands behind the verb.
func (a Args) Has(word string) bool { return slices.Contains(a.Words[1:], word) }

// Word returns the n-th word; the verb is the 0-th. It panics if there is none.
func (a Args) Word(n int) string {
	if n < len(a.Words) {
		return a.Words[n]
	}
	panic(fmt.Sprintf("word %d of %v is missing", n, a.Words))
}

// Get returns the first value of the key, or the fallback if it has none.
func (a Args) Get(key, fallback string) string {
	if v := a.Pairs[key]; len(v) > 0 {
		return v[0]
	}
	return fallback
}

// Number is Get for a decimal number. It panics on anything else.
func (a Args) Number(key string, fallback int) int {
	return Must(strconv.Atoi(a.Get(key, strconv.Itoa(fallback))))
}

// Duration is Get for a duration such as 1m30s. It panics on anything else.
func (a Args) Duration(key string, fallback time.Duration) time.Duration {
	return Must(time.ParseDuration(a.Get(key, fallback.String())))
}

// Must returns v and panics on an error: a script is wrong, not its core.
func Must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
