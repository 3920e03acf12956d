package core_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata yield")

// TestScripts runs each script of testdata: blocks of comments, command lines,
// a line of four dashes, and the effects of the commands. With -rewrite the
// effects are written down, to be reviewed as a diff.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(b))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(b), got); d != "" {
				t.Errorf("%s (-recorded +got):\n%s", file, d)
			}
		})
	}
}

// TestScriptsCite makes each script say which clause it is about.
func TestScriptsCite(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, _, _ := bytes.Cut(b, []byte("\n\n"))
		if !bytes.Contains(head, []byte("RFC ")) {
			t.Errorf("%s: its first comment cites no RFC", file)
		}
	}
}

// runScript returns the script with its outputs made anew.
func runScript(t testing.TB, script string) string {
	w := newWorld(t)
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(script, "\n"), "\n")
	for k := 0; k < len(lines); k++ {
		line := lines[k]
		if line != "----" {
			out.WriteString(line + "\n")
			if line != "" && line[0] != '#' {
				w.command(line)
			}
			continue
		}
		out.WriteString("----\n" + w.output() + "\n")
		for k+1 < len(lines) && lines[k+1] != "" { // the recorded output
			k++
		}
		if k+1 < len(lines) {
			k++ // its blank line
		}
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

// args are the words of a command: a verb, plain words, and key=value pairs.
type args struct {
	words []string
	pairs map[string][]string
}

func parseArgs(line string) args {
	a := args{pairs: map[string][]string{}}
	for _, f := range strings.Fields(line) {
		if key, value, ok := strings.Cut(f, "="); ok {
			a.pairs[key] = append(a.pairs[key], value)
			continue
		}
		a.words = append(a.words, f)
	}
	return a
}

func (a args) has(word string) bool { return slices.Contains(a.words[1:], word) }

func (a args) number(key string) int { return must(strconv.Atoi(a.get(key, "0"))) }

func (a args) get(key, fallback string) string {
	if v := a.pairs[key]; len(v) > 0 {
		return v[0]
	}
	return fallback
}

func (a args) word(n int) string {
	if n < len(a.words) {
		return a.words[n]
	}
	panic(fmt.Sprintf("word %d of %v is missing", n, a.words))
}
