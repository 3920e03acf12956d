package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"iter"
	"slices"
	"strings"
)

// unordered is the comment that says why the order of a map does not matter.
const unordered = "unordered:"

// checkMapOrder finds loops over maps, and uses of maps.Keys and its like that
// are not sorted at once. Allowed is a loop that does nothing but collect into a
// slice that the same block sorts afterwards, and whatever has a comment
// "// unordered: reason" on its line or above. Types come from a check of this
// module's sources alone, so a map that another module returned is not
// recognised.
func checkMapOrder(m *Module) (out []Violation) {
	check := newTypeCheck(m)
	for _, p := range m.Packages {
		if !IsPure(p.Dir) {
			continue
		}
		info := check.info(p)
		for f := range p.code {
			excused := m.excusedLines(f)
			for n, what := range f.unsorted(info) {
				if !excused[m.Fset.Position(n.Pos()).Line] {
					out = append(out, m.at(f, n.Pos(), "map order", "%s; sort, or say // %s why it does not matter", what, unordered))
				}
			}
		}
	}
	return out
}

// unsorted yields the places where the order of a map may get out.
func (f *File) unsorted(info *types.Info) iter.Seq2[ast.Node, string] {
	fine := map[ast.Node]bool{} // nodes whose order is taken care of by what is around them
	return func(yield func(ast.Node, string) bool) {
		more := true
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BlockStmt:
				f.sortedLater(n.List, fine)
			case *ast.CaseClause:
				f.sortedLater(n.Body, fine)
			case *ast.RangeStmt:
				if isMap(info.TypeOf(n.X)) && !fine[n] {
					more = more && yield(n, "loop over a map")
				}
			case *ast.CallExpr:
				pkg, name := f.selector(n.Fun)
				if pkg == "slices" && strings.HasPrefix(name, "Sorted") && len(n.Args) > 0 {
					fine[n.Args[0]] = true
				}
				if pkg == "maps" && slices.Contains([]string{"Keys", "Values", "All"}, name) && !fine[n] {
					more = more && yield(n, "maps."+name+" not sorted at once")
				}
			}
			return more
		})
	}
}

// sortedLater marks the loops among the statements that only collect into a
// slice which a later one of the statements sorts.
func (f *File) sortedLater(list []ast.Stmt, fine map[ast.Node]bool) {
	for i, s := range list {
		loop, ok := s.(*ast.RangeStmt)
		if !ok {
			continue
		}
		if into := collects(loop.Body.List); into != "" && slices.ContainsFunc(list[i+1:], func(s ast.Stmt) bool { return f.sorts(s, into) }) {
			fine[loop] = true
		}
	}
}

// collects returns the name of the one slice that the statements append to, if
// they do nothing else than that, choosing, and naming values.
func collects(list []ast.Stmt) (into string) {
	for _, s := range list {
		target := ""
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
			if target = appended(s); target == "" {
				return ""
			}
		case *ast.BranchStmt:
			if s.Tok == token.CONTINUE {
				continue
			}
			return ""
		case *ast.IfStmt:
			if s.Else != nil {
				return ""
			}
			if len(s.Body.List) == 1 {
				if b, ok := s.Body.List[0].(*ast.BranchStmt); ok && b.Tok == token.CONTINUE {
					continue
				}
			}
			if target = collects(s.Body.List); target == "" {
				return ""
			}
		default:
			return ""
		}
		if into != "" && target != into {
			return ""
		}
		into = target
	}
	return into
}

// appended returns x of a statement x = append(x, …).
func appended(s *ast.AssignStmt) string {
	if s.Tok != token.ASSIGN || len(s.Lhs) != 1 || len(s.Rhs) != 1 {
		return ""
	}
	x, ok := s.Lhs[0].(*ast.Ident)
	call, isCall := s.Rhs[0].(*ast.CallExpr)
	if !ok || !isCall || len(call.Args) == 0 {
		return ""
	}
	fn, ok := call.Fun.(*ast.Ident)
	first, isIdent := call.Args[0].(*ast.Ident)
	if !ok || !isIdent || fn.Name != "append" || first.Name != x.Name {
		return ""
	}
	return x.Name
}

// sorts reports whether a statement is a call that sorts the named slice.
func (f *File) sorts(s ast.Stmt, name string) bool {
	e, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := e.X.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return false
	}
	x, ok := call.Args[0].(*ast.Ident)
	pkg, fn := f.selector(call.Fun)
	return ok && x.Name == name && (pkg == "slices" && strings.HasPrefix(fn, "Sort") || pkg == "sort" && fn != "Search")
}

// excusedLines returns the lines that an "unordered" comment with a reason
// stands on or above.
func (m *Module) excusedLines(f *File) map[int]bool {
	lines := map[int]bool{}
	for _, group := range f.Syntax.Comments {
		for _, c := range group.List {
			if _, reason, ok := strings.Cut(c.Text, unordered); ok && strings.TrimSpace(reason) != "" {
				line := m.Fset.Position(c.Pos()).Line
				lines[line] = true
				lines[m.Fset.Position(group.End()).Line+1] = true
			}
		}
	}
	return lines
}

func isMap(t types.Type) bool {
	if t == nil {
		return false
	}
	if p, ok := t.(*types.TypeParam); ok {
		if c, ok := p.Constraint().Underlying().(*types.Interface); ok {
			for e := range c.EmbeddedTypes() {
				if u, ok := e.(*types.Union); ok && u.Len() > 0 && isMap(u.Term(0).Type()) || isMap(e) {
					return true
				}
			}
		}
		return false
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

// typeCheck finds types with the sources of the module alone: other packages are
// taken to be empty, and what follows from that is no error here.
type typeCheck struct {
	m     *Module
	done  map[string]*types.Package
	infos map[string]*types.Info
}

func newTypeCheck(m *Module) *typeCheck {
	return &typeCheck{m, map[string]*types.Package{}, map[string]*types.Info{}}
}

func (c *typeCheck) info(p *Package) *types.Info {
	path := c.m.Path + "/" + p.Dir
	if _, err := c.Import(path); err != nil {
		return &types.Info{}
	}
	return c.infos[path]
}

// Import implements types.Importer.
func (c *typeCheck) Import(path string) (*types.Package, error) {
	if pkg := c.done[path]; pkg != nil {
		return pkg, nil
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	empty := types.NewPackage(path, name)
	empty.MarkComplete()
	c.done[path] = empty // also ends cycles
	dir, ok := c.m.local(path)
	if !ok || c.m.byDir[dir] == nil {
		return empty, nil
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	c.infos[path] = info
	var files []*ast.File
	for _, f := range c.m.byDir[dir].Files {
		if !f.Test {
			files = append(files, f.Syntax)
		}
	}
	conf := types.Config{Importer: c, Error: func(error) {}, FakeImportC: true}
	pkg, _ := conf.Check(path, c.m.Fset, files, info)
	if pkg != nil {
		c.done[path] = pkg
	}
	return c.done[path], nil
}
