package archtest

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Words are the rules for the text of all files, documentation included.
var Words = []Rule{
	{"words", "the repository explains itself: who has it does not have our tracker", checkWords},
	{"unfinished", "what is not done is refused with a clear error, or not there", checkUnfinished},
	{"package name", "a package is named after what it does", checkNames},
}

// The expressions are put together from parts, so that this file does not break
// the rule.
var (
	foreign    = regexp.MustCompile(`(?i:\b` + `issue` + `s? #?\d+\b)`) // a tracker's number
	unfinished = regexp.MustCompile(`\b(` + `TO` + `DO|FIX` + `ME|X` + `XX)\b`)
	vague      = regexp.MustCompile(`^(util|utils|common|helper|helpers|misc|base|shared)$`)
)

// maxText is the size above which a file is no text that somebody wrote.
const maxText = 1 << 20

func checkWords(m *Module) []Violation { return m.grep("words", foreign, nil) }

func checkUnfinished(m *Module) []Violation {
	return m.grep("unfinished", unfinished, func(name string) bool { return strings.HasSuffix(name, ".go") })
}

// grep finds an expression in the text files of the repository.
func (m *Module) grep(rule string, re *regexp.Regexp, wanted func(name string) bool) (out []Violation) {
	err := filepath.WalkDir(m.Root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(m.Root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel == ".git" || rel == "bin" || strings.HasSuffix(rel, "lib/archtest/testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || wanted != nil && !wanted(rel) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if len(text) > maxText || bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
			return nil
		}
		for _, at := range re.FindAllIndex(text, -1) {
			line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
			found := strings.TrimSpace(string(text[at[0]:at[1]]))
			out = append(out, Violation{rel, line, rule, "the text has " + found})
		}
		return nil
	})
	if err != nil {
		out = append(out, Violation{"", 0, rule, err.Error()})
	}
	return out
}

func checkNames(m *Module) (out []Violation) {
	for _, p := range m.Packages {
		if vague.MatchString(p.Name) || vague.MatchString(filepath.Base(p.Dir)) {
			f := p.Files[0]
			out = append(out, m.at(f, f.Syntax.Package, "package name", "%s says nothing", p.Name))
		}
	}
	return out
}
