package archtest

import (
	"go/ast"
	"go/token"
	"strings"
)

// The hard limits of size, in lines. Tables (composite literals), generated code
// and tests are not counted.
const (
	MaxFile     = 700
	MaxFunction = 80
)

// Style are the rules for all code.
var Style = []Rule{
	{"package comment", "a newcomer begins to read there", checkPackageComments},
	{"documented", "an exported name is a promise: say which", checkDocumented},
	{"file size", "a file is read as a whole", checkFileSize},
	{"function size", "a function is understood at one look", checkFunctionSize},
	{"print", "a daemon that prints freezes once the pipe is full: logs go over the session", checkPrint},
	{"sleep", "a test that sleeps in a core waits for nothing: time is an argument", checkCoreTests},
}

func checkPackageComments(m *Module) (out []Violation) {
	for _, p := range m.Packages {
		var first *File
		documented := false
		for _, f := range p.Files {
			if f.Test {
				continue
			}
			if first == nil {
				first = f
			}
			documented = documented || hasText(f.Syntax.Doc)
		}
		if first != nil && !documented {
			out = append(out, m.at(first, first.Syntax.Package, "package comment", "package %s has none", p.Dir))
		}
	}
	return out
}

func checkDocumented(m *Module) (out []Violation) {
	for _, p := range m.Packages {
		for f := range p.code {
			for _, d := range f.Syntax.Decls {
				for _, name := range undocumented(d) {
					out = append(out, m.at(f, name.Pos(), "documented", "%s has no comment", name.Name))
				}
			}
		}
	}
	return out
}

// undocumented returns the exported names that a declaration declares without a
// comment of their own or of their group.
func undocumented(d ast.Decl) (names []*ast.Ident) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !hasText(d.Doc) && d.Name.IsExported() && exportedReceiver(d) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if !hasText(s.Doc) && !hasText(d.Doc) && s.Name.IsExported() {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if !hasText(s.Doc) && !hasText(s.Comment) && !hasText(d.Doc) && name.IsExported() {
						names = append(names, name)
					}
				}
			}
		}
	}
	return names
}

// exportedReceiver is true of functions, and of methods of exported types.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

func hasText(c *ast.CommentGroup) bool { return c != nil && strings.TrimSpace(c.Text()) != "" }

func checkFileSize(m *Module) (out []Violation) {
	for _, p := range m.Packages {
		for f := range p.code {
			if n := f.Lines - m.tableLines(f.Syntax); n > MaxFile {
				out = append(out, m.at(f, f.Syntax.Package, "file size", "%d lines, limit %d", n, MaxFile))
			}
		}
	}
	return out
}

func checkFunctionSize(m *Module) (out []Violation) {
	for _, p := range m.Packages {
		for f := range p.code {
			for _, d := range f.Syntax.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				if n := m.lines(fn.Pos(), fn.End()) + 1 - m.tableLines(fn.Body); n > MaxFunction {
					out = append(out, m.at(f, fn.Pos(), "function size", "%s: %d lines, limit %d", fn.Name.Name, n, MaxFunction))
				}
			}
		}
	}
	return out
}

// tableLines returns the number of lines inside composite literals. Function
// literals in a table are code, and count.
func (m *Module) tableLines(root ast.Node) (n int) {
	ast.Inspect(root, func(node ast.Node) bool {
		lit, ok := node.(*ast.CompositeLit)
		if !ok {
			return true
		}
		n += m.lines(lit.Lbrace, lit.Rbrace) - m.functionLines(lit)
		return false
	})
	return n
}

func (m *Module) functionLines(root ast.Node) (n int) {
	ast.Inspect(root, func(node ast.Node) bool {
		if fn, ok := node.(*ast.FuncLit); ok {
			n += m.lines(fn.Pos(), fn.End()) - m.tableLines(fn.Body)
			return false
		}
		return true
	})
	return n
}

func (m *Module) lines(from, to token.Pos) int {
	return m.Fset.Position(to).Line - m.Fset.Position(from).Line
}

// checkPrint allows printing to programs with a terminal: vtysh, cmd and tests.
func checkPrint(m *Module) (out []Violation) {
	for _, p := range m.Packages {
		if within(p.Dir, "cmd", "vtysh", "tests") {
			continue
		}
		for f := range p.code {
			replaced := map[ast.Node]bool{} // os.Stdout = something else
			ast.Inspect(f.Syntax, func(n ast.Node) bool {
				if n == nil {
					return true
				}
				if a, ok := n.(*ast.AssignStmt); ok {
					for _, e := range a.Lhs {
						replaced[e] = true
					}
				}
				pkg, name := f.selector(n)
				if pkg == "fmt" && strings.HasPrefix(name, "Print") || pkg == "os" && name == "Stdout" && !replaced[n] {
					out = append(out, m.at(f, n.Pos(), "print", "%s.%s", pkg, name))
				}
				if call, ok := n.(*ast.CallExpr); ok {
					if id, ok := call.Fun.(*ast.Ident); ok && (id.Name == "print" || id.Name == "println") {
						out = append(out, m.at(f, n.Pos(), "print", "%s", id.Name))
					}
				}
				return true
			})
		}
	}
	return out
}

// checkCoreTests forbids time.Sleep in the tests of pure packages.
func checkCoreTests(m *Module) (out []Violation) {
	for _, p := range m.Packages {
		for _, f := range p.Files {
			if !f.Test || !IsPure(p.Dir) {
				continue
			}
			ast.Inspect(f.Syntax, func(n ast.Node) bool {
				if pkg, name := f.selector(n); pkg == "time" && name == "Sleep" {
					out = append(out, m.at(f, n.Pos(), "sleep", "time.Sleep in the test of a core"))
				}
				return true
			})
		}
	}
	return out
}
