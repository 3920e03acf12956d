package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// op says what a node of a compiled pattern does.
type op uint8

const (
	opToken  op = iota
	opSeq       // kids one after the other
	opChoice    // one of kids
	opSet       // kids are options: each at most once
	opRepeat    // kids[0] once or more; any number of times if optional
)

// node is a compiled piece of a pattern.
type node struct {
	op       op
	kids     []*node
	tok      *token
	optional bool // opRepeat
}

// token is a node that consumes one word (LINE: all that is left).
type token struct {
	word     string // the keyword, or "" for an argument
	name     string // name of the argument
	kind     Kind
	lo, hi   uint64
	max      int
	order    int  // place in the canonical line
	flag     bool // a keyword of a group: recorded as an argument
	repeated bool
	group    string // name of the group around it
	help     string
}

// Limits of a pattern: a grammar comes from another process.
const (
	maxPattern = 1024
	maxDepth   = 8
	maxOptions = 32
)

// compiler turns pattern text into nodes by recursive descent.
type compiler struct {
	text  string
	pos   int
	depth int
	order int
	toks  []*token
}

// compile parses a pattern. Errors name the offending place.
func compile(pattern string) (*node, []*token, error) {
	if len(pattern) > maxPattern {
		return nil, nil, fmt.Errorf("pattern longer than %d bytes", maxPattern)
	}
	c := &compiler{text: pattern}
	n, err := c.sequence(false, "")
	if err != nil {
		return nil, nil, err
	}
	if c.pos < len(c.text) {
		return nil, nil, c.fail("unexpected %q", c.text[c.pos])
	}
	if nullable(n) {
		return nil, nil, c.fail("pattern matches the empty line")
	}
	c.finish()
	return n, c.toks, checkNames(n)
}

func (c *compiler) fail(format string, args ...any) error {
	return fmt.Errorf("pattern %q, column %d: %s", c.text, c.pos+1, fmt.Sprintf(format, args...))
}

func (c *compiler) peek() byte {
	for c.pos < len(c.text) && c.text[c.pos] == ' ' {
		c.pos++
	}
	if c.pos == len(c.text) {
		return 0
	}
	return c.text[c.pos]
}

// sequence parses items up to "|", "}", "]" or the end.
func (c *compiler) sequence(inGroup bool, group string) (*node, error) {
	seq := &node{op: opSeq}
	for {
		switch c.peek() {
		case 0, '|', '}', ']':
			if len(seq.kids) == 0 {
				return nil, c.fail("something is missing here")
			}
			return seq, nil
		}
		n, err := c.item(inGroup, group)
		if err != nil {
			return nil, err
		}
		seq.add(n)
	}
}

// add appends an item; neighbouring options that begin with a keyword become
// one set and so may come in any order.
func (n *node) add(item *node) {
	if item.op == opSet && len(n.kids) > 0 {
		last := n.kids[len(n.kids)-1]
		if last.op == opSet && len(last.kids) < maxOptions && keywordFirst(last) && keywordFirst(item) {
			last.kids = append(last.kids, item.kids...)
			return
		}
	}
	n.kids = append(n.kids, item)
}

// item parses one word or group with what follows it.
func (c *compiler) item(inGroup bool, group string) (*node, error) {
	first := len(c.toks)
	order := c.order
	var n *node
	var err error
	switch c.peek() {
	case '[':
		n, err = c.group(']', group)
	case '{':
		n, err = c.group('}', group)
	default:
		n, err = c.word(inGroup, group)
	}
	if err != nil || !strings.HasPrefix(c.text[c.pos:], "...") {
		return n, err
	}
	c.pos += 3
	for _, t := range c.toks[first:] {
		t.repeated, t.order = true, order
	}
	if n.op == opSet {
		return c.repeat(n.kids[0], true)
	}
	return c.repeat(n, false)
}

func (c *compiler) repeat(body *node, optional bool) (*node, error) {
	if nullable(body) {
		return nil, c.fail("what is repeated may be empty")
	}
	return &node{op: opRepeat, kids: []*node{body}, optional: optional}, nil
}

// group parses "{a|b}" or "[a|b]" from its opening bracket on.
func (c *compiler) group(end byte, group string) (*node, error) {
	c.pos++
	if c.depth++; c.depth > maxDepth {
		return nil, c.fail("groups nested too deeply")
	}
	defer func() { c.depth-- }()
	choice := &node{op: opChoice}
	for {
		seq, err := c.sequence(true, group)
		if err != nil {
			return nil, err
		}
		choice.kids = append(choice.kids, seq)
		switch c.peek() {
		case '|':
			c.pos++
			continue
		case end:
			c.pos++
		default:
			return nil, c.fail("%q is missing", end)
		}
		break
	}
	if end == '}' {
		return choice, nil
	}
	if nullable(choice) {
		return nil, c.fail("an option may be empty")
	}
	return &node{op: opSet, kids: []*node{choice}}, nil
}

// word parses a keyword, an argument "name:KIND" or a named group "name:{".
func (c *compiler) word(inGroup bool, group string) (*node, error) {
	start := c.pos
	for c.pos < len(c.text) && !strings.ContainsRune(" {}[]|", rune(c.text[c.pos])) &&
		!strings.HasPrefix(c.text[c.pos:], "...") {
		c.pos++
	}
	text := c.text[start:c.pos]
	name, kind, isArg := strings.Cut(text, ":")
	if isArg && kind == "" && c.pos < len(c.text) && (c.text[c.pos] == '{' || c.text[c.pos] == '[') {
		if name == "" {
			return nil, c.fail("a group without a name")
		}
		if c.text[c.pos] == '[' {
			return c.group(']', name)
		}
		return c.group('}', name)
	}
	if c.order++; text == "" || len(text) > 64 {
		return nil, c.fail("not a word")
	}
	t := &token{order: c.order, group: group}
	if isArg {
		if err := t.setKind(name, kind); err != nil {
			return nil, c.fail("%v", err)
		}
	} else {
		t.word, t.kind, t.flag = text, KindFlag, inGroup
	}
	c.toks = append(c.toks, t)
	return &node{op: opToken, tok: t}, nil
}

// setKind reads "KIND", "KIND(n)" or "<lo-hi>".
func (t *token) setKind(name, text string) error {
	if name == "" {
		return fmt.Errorf("an argument without a name")
	}
	t.name = name
	if strings.HasPrefix(text, "<") {
		lo, hi, ok := strings.Cut(strings.Trim(text, "<>"), "-")
		var err1, err2 error
		t.lo, err1 = strconv.ParseUint(lo, 10, 64)
		t.hi, err2 = strconv.ParseUint(hi, 10, 64)
		if !ok || err1 != nil || err2 != nil || t.lo > t.hi || !strings.HasSuffix(text, ">") {
			return fmt.Errorf("%q is not a range", text)
		}
		t.kind = KindNumber
		return nil
	}
	kind, size, sized := strings.Cut(text, "(")
	limit, known := kindSizes[Kind(kind)]
	if !known {
		return fmt.Errorf("%q is not a kind of argument", text)
	}
	t.kind, t.max = Kind(kind), limit
	if sized {
		n, err := strconv.Atoi(strings.TrimSuffix(size, ")"))
		if err != nil || n < 1 || n > MaxLine || limit == 0 || !strings.HasSuffix(size, ")") {
			return fmt.Errorf("%q: wrong size", text)
		}
		t.max = n
	}
	return nil
}

// finish drops the flags that have the name of an argument: "[priority
// priority:<0-255>]" is one argument.
func (c *compiler) finish() {
	named := map[string]bool{}
	for _, t := range c.toks {
		named[t.name], named[t.group] = true, true
	}
	for _, t := range c.toks {
		t.flag = t.flag && !named[t.word]
	}
}

// nullable tells whether n matches no word at all.
func nullable(n *node) bool {
	switch n.op {
	case opToken:
		return false
	case opSet:
		return true
	case opRepeat:
		return n.optional
	case opChoice:
		for _, k := range n.kids {
			if nullable(k) {
				return true
			}
		}
		return false
	}
	for _, k := range n.kids {
		if !nullable(k) {
			return false
		}
	}
	return true
}

// keywordFirst tells whether whatever n matches begins with a keyword.
func keywordFirst(n *node) bool {
	switch n.op {
	case opToken:
		return n.tok.word != ""
	case opChoice, opSet:
		for _, k := range n.kids {
			if !keywordFirst(k) {
				return false
			}
		}
		return true
	}
	return keywordFirst(n.kids[0])
}
