package cli

import "fmt"

// maxShapes bounds how many forms of a pattern are compared with others.
const maxShapes = 512

// shapes lists the forms that a pattern can take, options in pattern order and
// repeated parts once, each as its tokens. At most maxShapes are returned.
func shapes(n *node) [][]*token {
	switch n.op {
	case opToken:
		return [][]*token{{n.tok}}
	case opChoice:
		var out [][]*token
		for _, k := range n.kids {
			out = append(out, shapes(k)...)
		}
		return clip(out)
	case opRepeat:
		out := shapes(n.kids[0])
		if n.optional {
			out = append(out, nil)
		}
		return out
	}
	out := [][]*token{nil}
	for _, k := range n.kids {
		tails := shapes(k)
		if n.op == opSet {
			tails = append(tails, nil)
		}
		var next [][]*token
		for _, head := range out {
			for _, tail := range tails {
				if len(next) < maxShapes {
					next = append(next, append(head[:len(head):len(head)], tail...))
				}
			}
		}
		out = next
	}
	return out
}

func clip(s [][]*token) [][]*token {
	if len(s) > maxShapes {
		return s[:maxShapes]
	}
	return s
}

// shapeText identifies a form by its keywords and kinds.
func shapeText(toks []*token) string {
	s := ""
	for _, t := range toks {
		switch {
		case t.word != "":
			s += " " + t.word
		case t.kind == KindNumber:
			s += fmt.Sprintf(" <%d-%d>", t.lo, t.hi)
		case t.kind == KindSecret:
			s += " :" + string(KindWord)
		default:
			s += " :" + string(t.kind)
		}
	}
	return s
}

// checkNames refuses a name that stands for two arguments of one line, and a
// LINE that something follows.
func checkNames(n *node) error {
	for _, shape := range shapes(n) {
		seen := map[string]bool{}
		for i, t := range shape {
			if t.kind == KindLine && i != len(shape)-1 {
				return fmt.Errorf("argument %q: LINE must come last", t.name)
			}
			if t.name == "" {
				continue
			}
			if seen[t.name] {
				return fmt.Errorf("argument %q occurs twice", t.name)
			}
			seen[t.name] = true
		}
	}
	return nil
}
