package cli

import (
	"slices"
	"strconv"
	"strings"
)

// Candidate is one word that may come next.
type Candidate struct {
	Word    string `json:"word"` // a keyword, or what an argument looks like: "A.B.C.D", "<1-65535>", "<cr>"
	Help    string `json:"help,omitempty"`
	Keyword bool   `json:"keyword,omitempty"`
}

// Completion is the answer to "?" or TAB.
type Completion struct {
	// Partial is the word that is being typed, "" after a space.
	Partial string `json:"partial,omitempty"`
	// Candidates are the words that may stand in its place, sorted: keywords,
	// then arguments, then "<cr>".
	Candidates []Candidate `json:"candidates"`
	// Extension is what TAB appends to the line: the rest of the only
	// keyword and a space, or as much as all keywords have in common.
	Extension string `json:"extension,omitempty"`
	// Err says why nothing can follow.
	Err *Error `json:"err,omitempty"`
}

// CarriageReturn is the candidate that says: the line is complete.
const CarriageReturn = "<cr>"

// Complete lists what may follow the line, or replace its last word if no space
// follows it. stack is as for Parse.
func (g *Grammar) Complete(stack []string, line string) Completion {
	if len(line) > MaxLine {
		return Completion{}
	}
	if c, ok := g.completePipe(stack, line); ok {
		return c
	}
	words := split(line)
	partial := ""
	if len(words) > maxWords {
		return Completion{}
	}
	if n := len(words); n > 0 && words[n-1].start+len(words[n-1].text) == len(line) {
		partial = words[n-1].text
		words = words[:n-1]
	}
	out := Completion{Partial: partial}
	var best *failure
	for level := len(stack) - 1; level >= 0; level-- {
		c := g.completeIn(stack[level], words, partial)
		if len(c.list) > 0 {
			if level > 0 && len(words) == 0 {
				c.session(g, stack[0], partial)
			}
			if c.exec && slices.ContainsFunc(c.list, func(x Candidate) bool { return x.Word == CarriageReturn }) {
				c.add(Candidate{Word: "|", Help: "Output modifiers"})
			}
			out.Candidates = c.sorted()
			break
		}
		if c.fail != nil && c.fail.further(best) {
			best = c.fail
		}
	}
	if len(out.Candidates) == 0 && best != nil {
		out.Err = best.err(line, split(line))
	}
	out.Extension = extension(partial, out.Candidates)
	return out
}

// collector gathers candidates of one mode.
type collector struct {
	list []Candidate
	fail *failure
	exec bool // of an exec mode: filters may follow
}

// completeIn lists the candidates of one mode.
func (g *Grammar) completeIn(name string, words []word, partial string) *collector {
	c := &collector{exec: name == ModeExec || name == ModeEnable}
	prefix := ""
	rest := words
	if len(words) > 0 {
		prefix, rest = polarity(name, words)
	} else if name != ModeExec && name != ModeEnable && name != ModePipe {
		c.keyword("no", "Negate a command or set its defaults", partial)
		c.keyword("default", "Set a command to its defaults", partial)
	}
	if line, ok := g.afterDo(name, rest); ok && prefix == "" {
		return g.completeIn(ModeEnable, line, partial)
	}
	r := follow(g.roots(name), rest)
	if r.fail != nil {
		c.fail = r.fail
		c.fail.shift(len(words) - len(rest))
		return c
	}
	for _, t := range r.threads {
		c.thread(t, prefix, partial, len(rest) > 0)
	}
	if len(c.list) == 0 {
		c.fail = &failure{at: len(words), secrets: secretWords(r.threads, len(words), nil)}
	}
	return c
}

// afterDo returns the words behind "do" in a configuration mode.
func (g *Grammar) afterDo(mode string, words []word) ([]word, bool) {
	if mode != ModeConfig || len(words) == 0 {
		return nil, false
	}
	r := follow(g.roots(mode), words[:1])
	for _, t := range r.threads {
		if len(r.threads) == 1 && t.trie != nil && len(t.trie.cmds) == 1 && t.trie.cmds[0].ID == SessionDo {
			return words[1:], true
		}
	}
	return nil, false
}

// thread adds what may follow one reading.
func (c *collector) thread(t thread, prefix, partial string, begun bool) {
	t.expand(func(s step) {
		cmd := s.command(prefix)
		if cmd == nil {
			return
		}
		help := s.help(cmd)
		if s.word != "" {
			c.keyword(s.word, help, partial)
		} else if s.tok.fits(partial) {
			c.add(Candidate{Word: s.tok.display(), Help: help})
		}
	}, func(cmd *command, _ *capture) {
		if begun && partial == "" && cmd.offered(prefix) {
			c.add(Candidate{Word: CarriageReturn, Help: cmd.Ignored})
		}
	})
}

// command returns the first command behind the step that may be offered.
func (s step) command(prefix string) *command {
	if s.after.cmd != nil {
		if s.after.cmd.offered(prefix) {
			return s.after.cmd
		}
		return nil
	}
	return s.after.trie.first(prefix)
}

func (t *trie) first(prefix string) *command {
	for _, c := range t.cmds {
		if c.offered(prefix) {
			return c
		}
	}
	for _, k := range t.kids {
		if c := k.first(prefix); c != nil {
			return c
		}
	}
	return nil
}

// offered tells whether help shows the command after the prefix.
func (c *command) offered(prefix string) bool {
	if c.Hidden || prefix != "" && !c.canNo() {
		return false
	}
	return prefix != "" || c.NoForm != NoOnly
}

// help is the text for the step's word: of its own token, or of the leading
// keyword in any command behind it.
func (s step) help(cmd *command) string {
	if s.tok != nil {
		return s.tok.help
	}
	return s.after.trie.helpAt(s.word)
}

func (t *trie) helpAt(word string) string {
	for _, c := range t.cmds {
		for _, tok := range c.lead {
			if strings.EqualFold(tok.word, word) && tok.help != "" {
				return tok.help
			}
		}
	}
	for _, k := range t.kids {
		if h := k.helpAt(word); h != "" {
			return h
		}
	}
	return ""
}

// fits tells whether the argument may begin with what has been typed.
func (t *token) fits(partial string) bool {
	if partial == "" {
		return true
	}
	switch t.kind {
	case KindNumber:
		n, err := strconv.ParseUint(partial, 10, 64)
		return err == nil && n <= t.hi
	case KindAddr4, KindIfAddr4, KindPrefix4, KindMask, KindWild:
		return strings.Trim(partial, "0123456789./") == ""
	case KindAddr6, KindIfAddr6, KindPrefix6, KindAddr, KindPrefix:
		return strings.Trim(strings.ToLower(partial), "0123456789abcdef:./") == ""
	}
	_, ok, _ := t.read(partial)
	return ok
}

// keyword adds a keyword if it begins with partial.
func (c *collector) keyword(word, help, partial string) {
	if foldPrefix(word, partial) {
		c.add(Candidate{Word: word, Help: help, Keyword: true})
	}
}

// add adds a candidate once; a later one may lend its help.
func (c *collector) add(n Candidate) {
	for i := range c.list {
		if c.list[i].Word == n.Word {
			if c.list[i].Help == "" {
				c.list[i].Help = n.Help
			}
			return
		}
	}
	c.list = append(c.list, n)
}

// session adds the commands of the shell that work in every configuration mode.
func (c *collector) session(g *Grammar, outer, partial string) {
	for _, cmd := range g.modes[outer].cmds {
		if cmd.Owner == SessionOwner && !cmd.Hidden {
			t := cmd.lead[0]
			c.keyword(t.word, t.help, partial)
		}
	}
}

// sorted orders keywords, arguments, and "<cr>" last.
func (c *collector) sorted() []Candidate {
	class := func(x Candidate) int {
		switch {
		case x.Keyword:
			return 0
		case x.Word != CarriageReturn:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(c.list, func(a, b Candidate) int {
		if d := class(a) - class(b); d != 0 {
			return d
		}
		return strings.Compare(strings.ToLower(a.Word), strings.ToLower(b.Word))
	})
	return c.list
}

// extension is what TAB appends.
func extension(partial string, list []Candidate) string {
	var common string
	n := 0
	for _, c := range list {
		if !c.Keyword {
			if partial == "" {
				return "" // an argument is possible as well
			}
			continue
		}
		if n++; n == 1 {
			common = c.Word
			continue
		}
		for !foldPrefix(c.Word, common) {
			common = common[:len(common)-1]
		}
	}
	if n == 0 || len(common) < len(partial) {
		return ""
	}
	if n == 1 {
		return common[len(partial):] + " "
	}
	return common[len(partial):]
}

// Undocumented lists the words and arguments that have no help, as "id: word":
// a daemon's test wants it to be empty.
func (g *Grammar) Undocumented() []string {
	var out []string
	for _, m := range g.modes {
		for _, c := range m.cmds {
			for _, t := range c.toks {
				if t.help == "" && c.Owner != SessionOwner {
					out = append(out, c.Owner+" "+c.ID+": "+t.word+t.name)
				}
			}
		}
	}
	return uniq(out)
}
