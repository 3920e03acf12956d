package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// Cores are the rules for the statements of pure packages.
var Cores = []Rule{
	{"goroutine", "exactly one goroutine drives a core; there is nothing to wait for or to wake", checkGoroutines},
	{"wall clock", "time is an argument, so that a simulation can let it pass", checkClock},
	{"global random", "randomness is a seeded source given at birth, so that two runs are equal", checkRandom},
	{"map order", "the order of a map differs from run to run: sort what reaches an output", checkMapOrder},
}

// eachPure visits the syntax of the pure packages.
func (m *Module) eachPure(visit func(*Package, *File, ast.Node)) {
	for _, p := range m.Packages {
		if !IsPure(p.Dir) {
			continue
		}
		for f := range p.code {
			ast.Inspect(f.Syntax, func(n ast.Node) bool {
				if n != nil {
					visit(p, f, n)
				}
				return true
			})
		}
	}
}

func checkGoroutines(m *Module) (out []Violation) {
	m.eachPure(func(_ *Package, f *File, n ast.Node) {
		what := ""
		switch n := n.(type) {
		case *ast.GoStmt:
			what = "go statement"
		case *ast.ChanType:
			what = "channel type"
		case *ast.SelectStmt:
			what = "select statement"
		case *ast.SendStmt:
			what = "send on a channel"
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				what = "receive from a channel"
			}
		}
		if what != "" {
			out = append(out, m.at(f, n.Pos(), "goroutine", "%s in a core", what))
		}
	})
	return out
}

// clocks are the functions of package time that look at or wait for real time.
var clocks = []string{"Now", "Sleep", "After", "AfterFunc", "Since", "Until", "Tick", "NewTimer", "NewTicker"}

func checkClock(m *Module) []Violation {
	return m.calls("wall clock", func(pkg, name string) bool { return pkg == "time" && slices.Contains(clocks, name) })
}

// checkRandom allows constructors and types of math/rand: a *rand.Rand is how a
// core has its seeded source.
func checkRandom(m *Module) []Violation {
	return m.calls("global random", func(pkg, name string) bool {
		return within(pkg, "math/rand") && !strings.HasPrefix(name, "New") &&
			!slices.Contains([]string{"Rand", "Source", "Source64", "PCG", "ChaCha8", "Zipf"}, name)
	})
}

// calls finds uses of package-level names in pure packages.
func (m *Module) calls(rule string, forbidden func(pkg, name string) bool) (out []Violation) {
	m.eachPure(func(_ *Package, f *File, n ast.Node) {
		if pkg, name := f.selector(n); pkg != "" && forbidden(pkg, name) {
			out = append(out, m.at(f, n.Pos(), rule, "%s.%s in a core", pkg, name))
		}
	})
	for _, p := range m.Packages {
		for f := range p.code {
			for _, spec := range f.Syntax.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				if IsPure(p.Dir) && spec.Name != nil && spec.Name.Name == "." && (path == "time" || within(path, "math/rand")) {
					out = append(out, m.at(f, spec.Pos(), rule, "dot import of %s hides what is used", path))
				}
			}
		}
	}
	return out
}

// selector returns the import path and the name of an expression pkg.Name, and
// "" for anything else.
func (f *File) selector(n ast.Node) (pkg, name string) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	for i, spec := range f.Syntax.Imports {
		path := f.Imports[i].Path
		local := path[strings.LastIndexByte(path, '/')+1:]
		if local == "v2" { // math/rand/v2
			local = strings.TrimSuffix(path, "/v2")
			local = local[strings.LastIndexByte(local, '/')+1:]
		}
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if local == id.Name {
			return path, sel.Sel.Name
		}
	}
	return "", ""
}
