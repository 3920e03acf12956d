package scripttest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// World is a core under a script.
type World interface {
	// Command does one line of the script. It panics on a line that it does not
	// understand.
	Command(line string)
	// Output returns what came of the commands since it was last asked: lines,
	// none of them empty.
	Output() string
}

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata yield")

// Run runs each script of testdata, the files *.txt, as a subtest in a world of
// its own, made by birth.
func Run(t *testing.T, birth func(testing.TB) World) {
	t.Helper()
	for _, file := range scripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			if err := check(file, birth(t), *rewrite); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		})
	}
}

// Repeat runs each script a number of times more, each time in a new world, and
// makes it yield the same: no map iteration may reach an output.
func Repeat(t *testing.T, times int, birth func(testing.TB) World) {
	t.Helper()
	for _, file := range scripts(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := repeat(string(b), times, func() World { return birth(t) }); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func repeat(script string, times int, birth func() World) error {
	first, err := yield(birth(), script)
	if err != nil {
		return err
	}
	for range times {
		again, err := yield(birth(), script)
		if err != nil {
			return err
		}
		if d := cmp.Diff(first, again); d != "" {
			return fmt.Errorf("two runs differ (-first +again):\n%s", d)
		}
	}
	return nil
}

// Cite makes the first comment of each script of testdata contain one of some
// words: the standard that the script is about.
func Cite(t *testing.T, standards ...string) {
	t.Helper()
	for _, file := range scripts(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !cites(string(b), standards) {
			t.Errorf("%s: its first comment cites none of %q", file, standards)
		}
	}
}

// cites is true of a script whose first comment contains one of the standards.
func cites(script string, standards []string) bool {
	comment := ""
	for line := range strings.Lines(script) {
		if line[0] != '#' {
			break
		}
		comment += line
	}
	return slices.ContainsFunc(standards, func(s string) bool { return strings.Contains(comment, s) })
}

func scripts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	return files
}

// check runs the script in file. What it yields must be what it says, or is
// written to the file.
func check(file string, w World, write bool) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	got, err := yield(w, string(b))
	if err != nil {
		return err
	}
	if write {
		return os.WriteFile(file, []byte(got), 0o644)
	}
	if d := cmp.Diff(string(b), got); d != "" {
		return errors.New("(-recorded +got):\n" + d)
	}
	return nil
}

// yield returns the script with its outputs made anew.
func yield(w World, script string) (string, error) {
	var out strings.Builder
	lines := strings.Split(strings.TrimRight(script, "\n"), "\n")
	for k := 0; k < len(lines); k++ {
		line := lines[k]
		if line != "----" {
			out.WriteString(line + "\n")
			if line != "" && line[0] != '#' {
				w.Command(line)
			}
			continue
		}
		effects := w.Output()
		if effects != "" && slices.Contains(strings.Split(strings.TrimSuffix(effects, "\n"), "\n"), "") {
			return "", errors.New("an empty line among the effects, where a script would end them:\n" + effects)
		}
		out.WriteString("----\n" + effects + "\n")
		for k+1 < len(lines) && lines[k+1] != "" { // the recorded output
			k++
		}
		k++ // its blank line
	}
	if rest := w.Output(); rest != "" {
		return "", errors.New("the last commands have effects, and no line ---- below them:\n" + rest)
	}
	return strings.TrimRight(out.String(), "\n") + "\n", nil
}
