package cli

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// maxShapes bounds how many forms of a pattern are compared with others.
const maxShapes = 512

// shapes yields the forms that a pattern can take, options in pattern order and
// repeated parts once, each as its tokens, which are good until the next one. At most
// maxShapes are yielded.
func shapes(n *node) iter.Seq[[]*token] {
	return func(yield func([]*token) bool) {
		left := maxShapes
		forms(n, make([]*token, 0, 16), func(toks []*token) bool {
			left--
			return yield(toks) && left > 0
		})
	}
}

// forms has each form of a node continue what is before it, and tells whether to go on.
func forms(n *node, before []*token, then func([]*token) bool) bool {
	switch n.op {
	case opToken:
		return then(append(before, n.tok))
	case opChoice:
		for _, k := range n.kids {
			if !forms(k, before, then) {
				return false
			}
		}
		return true
	case opRepeat:
		return forms(n.kids[0], before, then) && (!n.optional || then(before))
	}
	return formsOfAll(n.kids, n.op == opSet, before, then)
}

// formsOfAll is forms of nodes one behind the other, each of which may be left out or not.
func formsOfAll(nodes []*node, optional bool, before []*token, then func([]*token) bool) bool {
	if len(nodes) == 0 {
		return then(before)
	}
	rest := func(toks []*token) bool { return formsOfAll(nodes[1:], optional, toks, then) }
	return forms(nodes[0], before, rest) && (!optional || rest(before))
}

// appendShape appends what identifies a form: its keywords and kinds.
func appendShape(b []byte, toks []*token) []byte {
	for _, t := range toks {
		b = append(b, ' ')
		switch {
		case t.word != "":
			b = append(b, strings.ToLower(t.word)...)
		case t.kind == KindNumber:
			b = append(strconv.AppendUint(append(b, '<'), t.lo, 10), '-')
			b = append(strconv.AppendUint(b, t.hi, 10), '>')
		case t.kind == KindSecret:
			b = append(append(b, ':'), KindWord...)
		default:
			b = append(append(b, ':'), t.kind...)
		}
	}
	return b
}

// checkNames refuses a name that stands for two arguments of one line, and a
// LINE that something follows.
func checkNames(n *node) error {
	for shape := range shapes(n) {
		for i, t := range shape {
			if t.kind == KindLine && i != len(shape)-1 {
				return fmt.Errorf("argument %q: LINE must come last", t.name)
			}
			if t.name != "" && slices.ContainsFunc(shape[:i], func(u *token) bool { return u.name == t.name }) {
				return fmt.Errorf("argument %q occurs twice", t.name)
			}
		}
	}
	return nil
}
