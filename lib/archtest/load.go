package archtest

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Module is a parsed Go module.
type Module struct {
	Root     string // directory
	Path     string // module path
	Fset     *token.FileSet
	Packages []*Package // by Dir
	byDir    map[string]*Package
}

// Package is a directory with Go files.
type Package struct {
	Dir   string // below the root, slashes; "" for the root
	Name  string
	Files []*File // by name; tests included
}

// File is a Go file.
type File struct {
	Name      string // path below the root
	Syntax    *ast.File
	Imports   []Import
	Test      bool
	Generated bool
	Lines     int
}

// Import is one import of a file.
type Import struct {
	Path string
	Pos  token.Pos
}

// Violation is a place where a rule is broken.
type Violation struct {
	File string // path below the root
	Line int
	Rule string
	Text string // what is wrong
}

// String renders the violation for a test's output.
func (v Violation) String() string {
	return fmt.Sprintf("%s:%d: [%s] %s", v.File, v.Line, v.Rule, v.Text)
}

// Rule is a rule of the architecture.
type Rule struct {
	Name   string
	Reason string
	Check  func(*Module) []Violation
}

// Load parses all Go files of the module at root. Directories named testdata,
// those whose name begins with a dot or an underscore, and modules within the
// module are left out.
func Load(root string) (*Module, error) {
	m := &Module{Root: root, Fset: token.NewFileSet(), byDir: map[string]*Package{}}
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(gomod)) {
		if p, ok := strings.CutPrefix(line, "module "); ok {
			m.Path = strings.TrimSpace(p)
		}
	}
	if m.Path == "" {
		return nil, fmt.Errorf("%s/go.mod names no module", root)
	}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(root, name)
		}
		if strings.HasSuffix(name, ".go") {
			return m.parse(name)
		}
		return nil
	})
	slices.SortFunc(m.Packages, func(a, b *Package) int { return cmp.Compare(a.Dir, b.Dir) })
	return m, err
}

func skipDir(root, name string) error {
	base := filepath.Base(name)
	if name == root {
		return nil
	}
	if base == "testdata" || base[0] == '.' || base[0] == '_' {
		return filepath.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return filepath.SkipDir
	}
	return nil
}

func (m *Module) parse(name string) error {
	src, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(m.Fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(m.Root, name)
	if err != nil {
		return err
	}
	rel = filepath.ToSlash(rel)
	f := &File{
		Name: rel, Syntax: syntax, Test: strings.HasSuffix(name, "_test.go"),
		Generated: ast.IsGenerated(syntax), Lines: countLines(src),
	}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		f.Imports = append(f.Imports, Import{p, spec.Pos()})
	}
	dir := path.Dir(rel)
	if dir == "." {
		dir = ""
	}
	pkg := m.byDir[dir]
	if pkg == nil {
		pkg = &Package{Dir: dir}
		m.byDir[dir] = pkg
		m.Packages = append(m.Packages, pkg)
	}
	pkg.Files = append(pkg.Files, f)
	if !f.Test || pkg.Name == "" {
		pkg.Name = syntax.Name.Name
	}
	return nil
}

func countLines(src []byte) int {
	n := 0
	for s := bufio.NewScanner(bytes.NewReader(src)); s.Scan(); {
		n++
	}
	return n
}

// local returns the directory of an import path of this module.
func (m *Module) local(importPath string) (dir string, ok bool) {
	if importPath == m.Path {
		return "", true
	}
	return strings.CutPrefix(importPath, m.Path+"/")
}

// at makes a violation.
func (m *Module) at(f *File, pos token.Pos, rule, format string, args ...any) Violation {
	return Violation{f.Name, m.Fset.Position(pos).Line, rule, fmt.Sprintf(format, args...)}
}

// code yields the files of a package that are neither tests nor generated.
func (p *Package) code(yield func(*File) bool) {
	for _, f := range p.Files {
		if !f.Test && !f.Generated && !yield(f) {
			return
		}
	}
}

// within reports whether dir is one of the folders or below one.
func within(dir string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return dir == f || strings.HasPrefix(dir, f+"/")
	})
}

// top returns the first element of a directory.
func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}
