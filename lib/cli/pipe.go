package cli

import "strings"

// maxFilters bounds the filters behind one command.
const maxFilters = 8

// SplitPipe cuts an exec command from the filters that follow it: "show ip route
// | include 10\.|172\. | count" has two. A filter begins at a word "|", the first
// one also at a word that begins with "|". Configuration lines are not cut,
// unless "do" stands before them: a description may hold a "|".
func (g *Grammar) SplitPipe(stack []string, line string) (command string, filters []string) {
	if Configuration(stack) {
		if _, ok := g.afterDo(ModeConfig, split(line)); !ok {
			return line, nil
		}
	}
	start := -1
	for _, w := range split(line) {
		switch {
		case w.text == "|" && len(filters) < maxFilters:
		case start < 0 && w.text[0] == '|' && w.start > 0:
		default:
			continue
		}
		if start < 0 {
			command = line[:w.start]
		} else {
			filters = append(filters, line[start:w.start])
		}
		start = w.start + 1
	}
	if start < 0 {
		return line, nil
	}
	return command, append(filters, strings.TrimRight(line[start:], "\r\n"))
}

// completePipe completes the last filter of a line; ok is false if it has none.
func (g *Grammar) completePipe(stack []string, line string) (Completion, bool) {
	_, filters := g.SplitPipe(stack, line)
	if len(filters) == 0 || Comment(line) {
		return Completion{}, false
	}
	last := filters[len(filters)-1]
	if last == "" { // right behind the bar
		return Completion{}, true
	}
	return g.Complete([]string{ModePipe}, last), true
}
