package cli

import (
	"strings"
	"unicode/utf8"
)

// word is a word of a line, the byte at which it begins, and what follows.
type word struct {
	text  string
	start int
	rest  string // the line from the word on
}

// split cuts a line into words at spaces and tabs.
func split(line string) []word {
	var words []word
	line = strings.TrimRight(line, " \t\r\n")
	for i := 0; i < len(line); {
		if blank(line[i]) {
			i++
			continue
		}
		start := i
		for i < len(line) && !blank(line[i]) {
			i++
		}
		words = append(words, word{line[start:i], start, line[start:]})
	}
	return words
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// column is the 1-based column, in characters, of a byte of the line.
func column(line string, at int) int { return utf8.RuneCountInString(line[:min(at, len(line))]) + 1 }

// printable tells whether the line has no control characters and is valid UTF-8.
func printable(line string) (at int, ok bool) {
	for i, r := range line {
		if r < ' ' && r != '\t' || r == 0x7f || r == utf8.RuneError {
			return i, false
		}
	}
	return 0, true
}

// Comment tells whether a line is empty or a comment ("!" or "#" first).
func Comment(line string) bool {
	s := strings.TrimSpace(line)
	return s == "" || s[0] == '!' || s[0] == '#'
}
