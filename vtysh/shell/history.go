package shell

import (
	"bufio"
	"os"
	"strings"

	"github.com/google/renameio/v2"
)

// Limits of the history.
const (
	maxHistory     = 1000 // lines kept
	maxHistoryFile = 4 << 20
)

// history is what was typed, across runs of the shell.
type history struct {
	file  string // "" for none
	lines []string
}

// openHistory reads the file, if there is one, cuts it to its last lines, and sees
// to it that nobody else can read it. A history that cannot be read is empty.
func openHistory(file string) *history {
	h := &history{file: file}
	if file == "" {
		return h
	}
	f, err := os.Open(file)
	if err != nil {
		return h
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() > maxHistoryFile {
		return h
	}
	total := 0
	for in := bufio.NewScanner(f); in.Scan(); total++ {
		h.remember(in.Text())
	}
	if st, err := f.Stat(); total > maxHistory || err == nil && st.Mode().Perm() != 0o600 {
		os.Chmod(file, 0o600) // it would be kept
		renameio.WriteFile(file, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
	}
	return h
}

// remember keeps a line in memory; a repetition of the last one is not kept.
func (h *history) remember(line string) bool {
	if line == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return false
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > maxHistory {
		h.lines = h.lines[len(h.lines)-maxHistory:]
	}
	return true
}

// add remembers a line, in the file too unless it was not understood: a secret might
// be in it. Those that hold one do not come here. Each line is appended at once, so
// that a killed shell and a second one lose nothing.
func (h *history) add(line string, odd bool) {
	line = strings.TrimSpace(line)
	if !h.remember(line) || odd || h.file == "" {
		return
	}
	f, err := os.OpenFile(h.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	f.WriteString(line + "\n")
}
