package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// session is the state of a conversation: the mode, and what the router is.
// It knows nothing of terminals.
type session struct {
	backend Backend
	state   State
	mode    string    // exec, enable or config
	path    conf.Path // open blocks in config mode
	json    bool      // every command in JSON
	done    bool      // the user left
	host    settings
}

// settings is what session commands change in the shell around the session.
type settings interface {
	setLength(lines int)
	setMonitor(on bool)
	history() []string
	// secret asks the user for a line that does not show.
	secret(prompt string) (string, error)
}

// refresh asks for the state of the router. An old state is kept if the router
// cannot be reached.
func (s *session) refresh(ctx context.Context) error {
	state, err := s.backend.Refresh(ctx)
	if err != nil {
		return err
	}
	if state.Grammar != nil {
		s.state.Grammar = state.Grammar
	}
	s.state.Hostname = state.Hostname
	for i, name := range s.stack() {
		if i > 0 && !s.state.Grammar.Knows(name) { // the daemon that had the mode is gone
			s.path = s.path[:i-1]
			break
		}
	}
	return nil
}

// stack is the mode stack for the grammar.
func (s *session) stack() []string {
	if s.mode == cli.ModeConfig {
		return s.path.Stack()
	}
	return []string{s.mode}
}

// prompt is Cisco's prompt of the present mode.
func (s *session) prompt() string { return s.state.Grammar.Prompt(s.state.Hostname, s.stack()) }

// parsed is a line that was understood, with its filters.
type parsed struct {
	cli.Match
	filters []cli.Match
}

// secret tells whether the line holds a secret.
func (p *parsed) secret() bool { return p.Canonical != p.Redacted }

// parse understands a line in the present mode.
func (s *session) parse(line string) (parsed, *cli.Error) {
	g := s.state.Grammar
	var p parsed
	command, filters := g.SplitPipe(s.stack(), line)
	if cli.Comment(line) {
		command, filters = line, nil
	}
	m, err := g.Parse(s.stack(), command)
	if err != nil {
		if len(filters) > 0 && err.Kind == cli.ErrIncomplete {
			err.Line = line
		}
		return p, err
	}
	p.Match = m
	at := len(command) + 1
	for _, f := range filters {
		fm, err := parseFilter(g, f)
		if err != nil {
			err.Column += at
			err.Line = line
			return p, err
		}
		p.filters = append(p.filters, fm)
		at += len(f) + 1
	}
	return p, nil
}

// ask completes a line that was entered without the secret that belongs to it.
func (s *session) ask(p parsed) (parsed, error) {
	c := p.Command
	if c == nil || c.Ask == "" || p.No || p.Default || p.Args.Has(c.Ask) {
		return p, nil
	}
	word, err := s.host.secret(c.Help[c.Ask] + ": ")
	if err != nil {
		return p, err
	}
	again, err := s.host.secret("Once more: ")
	switch {
	case err != nil:
		return p, err
	case word != again:
		return p, errors.New("the two are not the same")
	}
	m, perr := s.state.Grammar.Parse(s.stack(), p.Canonical+" "+word)
	if perr != nil {
		return p, perr
	}
	p.Match = m
	return p, nil
}

// parseFilter understands one filter.
func parseFilter(g *cli.Grammar, text string) (cli.Match, *cli.Error) {
	m, err := g.Parse([]string{cli.ModePipe}, text)
	if err == nil && m.Command == nil {
		err = &cli.Error{Kind: cli.ErrIncomplete, Line: text, Column: 1, Msg: "Incomplete command: a filter is missing behind the bar"}
	}
	if err == nil {
		if _, e := newFilter(m, io.Discard); e != nil {
			err = &cli.Error{Kind: cli.ErrRefused, Line: text, Column: 1, Msg: e.Error()}
		}
	}
	return m, err
}

// run carries out a line. Output goes to out.
func (s *session) run(ctx context.Context, p parsed, out io.Writer) error {
	c := p.Command
	switch {
	case c == nil:
		return nil
	case c.Owner == cli.SessionOwner:
		return s.own(p, out)
	case p.Do || s.mode != cli.ModeConfig:
		return s.exec(ctx, p, out)
	}
	if err := s.backend.Apply(ctx, s.path[:p.Level].Lines(), p.Canonical); err != nil {
		return err
	}
	s.path = s.path.Next(p.Match)
	return nil
}

// exec runs an exec command through its filters.
func (s *session) exec(ctx context.Context, p parsed, out io.Writer) error {
	asJSON := s.json || slices.ContainsFunc(p.filters, func(m cli.Match) bool { return m.Command.ID == cli.PipeJSON })
	w, finish, err := pipeline(p.filters, out)
	if err != nil {
		return err
	}
	err = s.backend.Exec(ctx, p.Canonical, asJSON, w)
	return errors.Join(err, finish())
}

// own carries out a command of the session itself.
func (s *session) own(p parsed, out io.Writer) error {
	switch p.Command.ID {
	case cli.SessionEnable:
		s.mode = cli.ModeEnable
	case cli.SessionDisable:
		s.mode = cli.ModeExec
	case cli.SessionConfigure:
		s.mode, s.path = cli.ModeConfig, nil
	case cli.SessionExit:
		s.leave()
	case cli.SessionEnd:
		s.end()
	case cli.SessionClose:
		s.path = s.path.Next(p.Match)
	case cli.SessionLength:
		s.host.setLength(int(p.Args.Uint("lines")))
	case cli.SessionMonitor:
		s.host.setMonitor(true)
	case cli.SessionNoMonitor:
		s.host.setMonitor(false)
	case cli.SessionHistory:
		return s.showHistory(p, out)
	default:
		return fmt.Errorf("this shell does not know %q", p.Canonical)
	}
	return nil
}

func (s *session) showHistory(p parsed, out io.Writer) error {
	w, finish, err := pipeline(p.filters, out)
	if err != nil {
		return err
	}
	lines := s.host.history()
	err = cli.Output{JSON: lines, Text: func(w io.Writer) {
		for _, l := range lines {
			fmt.Fprintf(w, "  %s\n", l)
		}
	}}.Write(w, s.json || slices.ContainsFunc(p.filters, func(m cli.Match) bool { return m.Command.ID == cli.PipeJSON }))
	return errors.Join(err, finish())
}

// leave goes one level up, or out of the shell.
func (s *session) leave() {
	switch {
	case s.mode != cli.ModeConfig:
		s.done = true
	case len(s.path) > 0:
		s.path = s.path[:len(s.path)-1]
	default:
		s.end()
	}
}

// end goes back to privileged mode.
func (s *session) end() {
	if s.mode == cli.ModeConfig {
		s.mode, s.path = cli.ModeEnable, nil
	}
}

// report writes an error with the line and a caret. If the line stands on the
// screen behind a prompt of that width already, it is not repeated.
func report(w io.Writer, err error, line string, prompt int) {
	var parse *cli.Error
	var refused conf.LineError
	switch {
	case errors.As(err, &parse):
	case errors.As(err, &refused):
		parse = &cli.Error{Line: refused.Text, Column: refused.Column, Msg: refused.Msg}
	default:
		fmt.Fprintf(w, "%% %v\n", err)
		return
	}
	if prompt >= 0 && parse.Line == line {
		fmt.Fprintf(w, "%*s\n%% %s\n", prompt+parse.Column, "^", parse.Msg)
		return
	}
	io.WriteString(w, parse.Report())
}
