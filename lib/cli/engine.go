package cli

import (
	"slices"
	"strings"
)

// trie holds the leading keywords of the commands of one mode, so that a word
// is compared with each different keyword once.
type trie struct {
	word string
	kids []*trie // sorted by word
	cmds []*command
}

// command is a compiled Command.
type command struct {
	Command
	toks []*token
	lead []*token // leading keywords, kept in the trie
	rest *node    // what follows them; nil if nothing
}

// insert files the command under its leading keywords.
func (t *trie) insert(c *command) {
	for _, tok := range c.lead {
		w := strings.ToLower(tok.word)
		i, found := slices.BinarySearchFunc(t.kids, w, func(k *trie, w string) int {
			return strings.Compare(strings.ToLower(k.word), w)
		})
		if !found {
			t.kids = slices.Insert(t.kids, i, &trie{word: tok.word})
		}
		t = t.kids[i]
	}
	t.cmds = append(t.cmds, c)
}

// frame is one pending piece of a pattern; frames form a shared stack.
type frame struct {
	n     *node
	mask  uint32 // opSet: options already used
	again bool   // opRepeat: had one round
	next  *frame
}

// capture is one word that was matched; captures form a shared list, last first.
type capture struct {
	tok  *token // nil for a leading keyword
	word string // canonical text
	pos  int    // index of the word
	rank byte
	prev *capture
}

// thread is one reading of the line so far.
type thread struct {
	trie *trie    // still among the leading keywords, or
	cmd  *command // inside of one command
	fr   *frame
	caps *capture
}

// step is a token that may come next, and the thread after it.
type step struct {
	tok   *token // nil for a leading keyword
	word  string // the keyword, "" for an argument
	after thread
}

// expand lists the steps that may follow t, and the commands that are complete.
func (t thread) expand(emit func(step), accept func(*command, *capture)) {
	if t.trie != nil {
		for _, k := range t.trie.kids {
			emit(step{word: k.word, after: thread{trie: k, caps: t.caps}})
		}
		for _, c := range t.trie.cmds {
			u := thread{cmd: c, caps: t.caps}
			if c.rest != nil {
				u.fr = &frame{n: c.rest}
			}
			u.expand(emit, accept)
		}
		return
	}
	if t.fr == nil {
		accept(t.cmd, t.caps)
		return
	}
	n, rest := t.fr.n, t.fr.next
	go1 := func(f *frame) { thread{cmd: t.cmd, fr: f, caps: t.caps}.expand(emit, accept) }
	switch n.op {
	case opToken:
		emit(step{tok: n.tok, word: n.tok.word, after: thread{cmd: t.cmd, fr: rest, caps: t.caps}})
	case opSeq:
		for i := len(n.kids) - 1; i >= 0; i-- {
			rest = &frame{n: n.kids[i], next: rest}
		}
		go1(rest)
	case opChoice:
		for _, k := range n.kids {
			go1(&frame{n: k, next: rest})
		}
	case opSet:
		t.options(go1)
	case opRepeat:
		go1(&frame{n: n.kids[0], next: &frame{n: n, again: true, next: rest}})
		if n.optional || t.fr.again {
			go1(rest)
		}
	}
}

// options follows each option of a set that is still open, and the way past it.
func (t thread) options(follow func(*frame)) {
	n, mask, rest := t.fr.n, t.fr.mask, t.fr.next
	for i, k := range n.kids {
		if mask&(1<<i) != 0 {
			continue
		}
		follow(&frame{n: k, next: &frame{n: n, mask: mask | 1<<i, next: rest}})
	}
	follow(rest)
}

// maxThreads bounds the readings of a line that are followed at once.
const maxThreads = 4096

// run is the result of matching words against one mode.
type run struct {
	threads []thread // readings that are alive after the last word
	fail    *failure // why there are none
}

// follow matches all words, starting with threads.
func follow(start []thread, words []word) run {
	fronts := make([][]thread, len(words)+2)
	fronts[0] = start
	for i, w := range words {
		if len(fronts[i]) == 0 {
			continue
		}
		f := advance(fronts, i, words)
		if !slices.ContainsFunc(fronts[i+1:], func(f []thread) bool { return len(f) > 0 }) {
			f.word, f.at = w.text, i
			f.secrets = secretWords(fronts[i], len(words), f.secrets)
			return run{fail: f}
		}
	}
	return run{threads: fronts[len(words)]}
}

// advance moves the threads before word i over it. It returns what is to be
// said if none got further.
func advance(fronts [][]thread, i int, words []word) *failure {
	f := &failure{kind: ErrUnknown}
	w := words[i]
	var keys, args []step
	exact := false
	for _, t := range fronts[i] {
		t.expand(func(s step) {
			if s.word == "" {
				args = append(args, s)
				return
			}
			f.expected = append(f.expected, s.word)
			if !foldPrefix(s.word, w.text) {
				return
			}
			if len(s.word) == len(w.text) && !exact {
				exact, keys = true, keys[:0]
			}
			if !exact || len(s.word) == len(w.text) {
				keys = append(keys, s)
			}
		}, func(*command, *capture) {})
	}
	if names := distinct(keys); len(names) > 1 && stem(names) {
		keys = slices.DeleteFunc(keys, func(s step) bool { return !strings.EqualFold(s.word, names[0]) })
	} else if len(names) > 1 {
		f.kind, f.expected, keys = ErrAmbiguous, names, nil
	}
	rank := rankAbbrev
	if exact {
		rank = rankExact
	}
	for _, s := range keys {
		push(fronts, i+1, s, capture{tok: s.tok, word: s.word, pos: i, rank: rank})
	}
	for _, s := range args {
		f.argument(fronts, i, words, s)
	}
	if f.kind != ErrAmbiguous {
		f.expected = uniq(f.expected)
	}
	f.why = uniq(f.why)
	return f
}

// argument tries one argument at word i.
func (f *failure) argument(fronts [][]thread, i int, words []word, s step) {
	if f.kind != ErrAmbiguous {
		f.expected = append(f.expected, s.tok.display())
	}
	if s.tok.kind == KindSecret {
		f.secrets = map[int]bool{}
		for j := i; j < len(words); j++ {
			f.secrets[j] = true
		}
	}
	text := words[i].text
	end := i + 1
	switch s.tok.kind {
	case KindLine:
		text, end = words[i].rest, len(words)
	case KindIfname:
		if t := interfaceType(text); t != "" && letters(text) == len(text) && i+1 < len(words) && digit(words[i+1].text[0]) {
			if name, ok, _ := s.tok.read(t + words[i+1].text); ok {
				push(fronts, i+2, s, capture{tok: s.tok, word: name, pos: i, rank: rankTyped})
			}
		}
	}
	value, ok, why := s.tok.read(text)
	if !ok {
		if why != "" {
			f.why = append(f.why, why)
		}
		return
	}
	push(fronts, end, s, capture{tok: s.tok, word: value, pos: i, rank: s.tok.kind.rank()})
}

func push(fronts [][]thread, at int, s step, c capture) {
	if len(fronts[at]) >= maxThreads {
		return
	}
	t := s.after
	c.prev = t.caps
	t.caps = &c
	fronts[at] = append(fronts[at], t)
}

// stem reports whether the first of the sorted names is what all the others
// begin with: "int" then means "interface" and not "interface-alias".
func stem(names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return !foldPrefix(n, names[0]) })
}

// distinct lists the different keywords among steps, in order.
func distinct(steps []step) []string {
	var names []string
	for _, s := range steps {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, s.word) }) {
			names = append(names, s.word)
		}
	}
	slices.Sort(names)
	return names
}

// secretWords finds the words that any reading took for a secret, and those
// behind it, which may be more of the same, among the first n words.
func secretWords(threads []thread, n int, more map[int]bool) map[int]bool {
	out := more
	for _, t := range threads {
		for c := t.caps; c != nil; c = c.prev {
			if c.tok != nil && c.tok.kind == KindSecret && c.pos < n {
				if out == nil {
					out = map[int]bool{}
				}
				for i := c.pos; i < n; i++ {
					out[i] = true
				}
			}
		}
	}
	return out
}
