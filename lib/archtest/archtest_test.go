package archtest_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/archtest"
)

func rules() []archtest.Rule {
	return slices.Concat(archtest.Imports, archtest.Cores, archtest.Style, archtest.Words)
}

// TestRepository holds the whole repository to the rules.
func TestRepository(t *testing.T) {
	m, err := archtest.Load(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Packages) < 5 {
		t.Fatalf("found %d packages only", len(m.Packages))
	}
	for _, rule := range rules() {
		t.Run(strings.ReplaceAll(rule.Name, " ", "-"), func(t *testing.T) {
			for _, v := range rule.Check(m) {
				t.Errorf("%v\n\twhy: %s", v, rule.Reason)
			}
		})
	}
}

// want marks the lines of testdata that break a rule: // want "rule".
var want = regexp.MustCompile(`want "([^"]+)"`)

// TestRules runs all rules over the modules in testdata, and compares what they
// find with the marks there. Every rule must be broken somewhere.
func TestRules(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no testdata", err)
	}
	broken := map[string]bool{}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			root := t.TempDir()
			expected := unpack(t, name, root)
			m, err := archtest.Load(root)
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, rule := range rules() {
				for _, v := range rule.Check(m) {
					if v.Rule != rule.Name {
						t.Errorf("rule %q reports as %q", rule.Name, v.Rule)
					}
					broken[v.Rule] = true
					found = append(found, fmt.Sprintf("%s:%d: %s", v.File, v.Line, v.Rule))
					t.Log(v)
				}
			}
			slices.Sort(expected)
			slices.Sort(found)
			if diff := gocmp.Diff(expected, found); diff != "" {
				t.Errorf("violations (-marked +found):\n%s", diff)
			}
		})
	}
	for _, rule := range rules() {
		if !broken[rule.Name] {
			t.Errorf("no testdata breaks rule %q", rule.Name)
		}
		if rule.Reason == "" {
			t.Errorf("rule %q gives no reason", rule.Name)
		}
	}
}

// unpack writes an archive's files below root and returns what its marks expect.
// A line "//grow N" stands for N lines of code, "//table N" for N elements,
// "//blank N" for N empty lines.
func unpack(t *testing.T, name, root string) (expected []string) {
	t.Helper()
	archive, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	parts := header.Split(string(archive), -1)[1:]
	for i, file := range header.FindAllStringSubmatch(string(archive), -1) {
		text := grow.ReplaceAllStringFunc(parts[i], func(s string) string {
			var kind string
			var n int
			fmt.Sscanf(s, "//%s %d", &kind, &n)
			line := map[string]string{"grow": "\t_ = 0\n", "table": "\t0,\n", "blank": "\n"}[kind]
			return strings.TrimSuffix(strings.Repeat(line, n), "\n")
		})
		path := filepath.Join(root, file[1])
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(text, "\n") {
			for _, mark := range want.FindAllStringSubmatch(line, -1) {
				expected = append(expected, fmt.Sprintf("%s:%d: %s", file[1], i+1, mark[1]))
			}
		}
	}
	return expected
}

var (
	header = regexp.MustCompile(`(?m)^-- (\S+) --\n`) // before each file of an archive
	grow   = regexp.MustCompile(`//(grow|table|blank) \d+`)
)

// TestLoad wants testdata, hidden folders and nested modules left out.
func TestLoad(t *testing.T) {
	root := t.TempDir()
	unpack(t, "testdata/load.txtar", root)
	m, err := archtest.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, p := range m.Packages {
		dirs = append(dirs, p.Dir)
	}
	if diff := gocmp.Diff([]string{"", "lib/a"}, dirs); diff != "" {
		t.Errorf("packages (-want +got):\n%s", diff)
	}
	if !slices.IsSortedFunc(m.Packages, func(a, b *archtest.Package) int { return cmp.Compare(a.Dir, b.Dir) }) {
		t.Error("packages are not sorted")
	}
	if _, err := archtest.Load(filepath.Join(root, "lib")); err == nil {
		t.Error("Load of a folder without go.mod works")
	}
}

func TestIsPure(t *testing.T) {
	for dir, want := range map[string]bool{
		"nhrpd/core": true, "eigrpd/core/dual": true, "zebra/rib": true, "lib/clock": true, "lib/policy": true,
		"nhrpd/edge": false, "lib/sm": false, "zebra/fib": false, "nhrpd": false, "lib/core": false, "nhrpd/corefile": false,
	} {
		if got := archtest.IsPure(dir); got != want {
			t.Errorf("IsPure(%s) = %v", dir, got)
		}
	}
}
