package shell

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// batch runs lines without a terminal. The first line that fails ends it: what
// follows would be applied in the wrong mode.
type batch struct {
	session  *session
	out, err io.Writer
	lines    []string
	monitor  bool
}

func (b *batch) setLength(int)      {}
func (b *batch) setMonitor(on bool) { b.monitor = on }
func (b *batch) history() []string  { return b.lines }

// secret has nobody to ask.
func (b *batch) secret(prompt string) (string, error) {
	return "", fmt.Errorf("something is missing that can be asked for on a terminal only: %s", strings.TrimRight(prompt, ": "))
}

// newBatch begins in privileged mode, which a script would only ask for.
func newBatch(s *session, out, errs io.Writer) *batch {
	b := &batch{session: s, out: out, err: errs}
	s.host = b
	s.mode = cli.ModeEnable
	return b
}

// line runs one line; where names its place for errors, "" for a command line
// argument. It returns false if the line failed.
func (b *batch) line(ctx context.Context, line, where string) bool {
	s := b.session
	fail := func(err error) bool {
		if where != "" {
			fmt.Fprintf(b.err, "%s:\n", where)
		}
		report(b.err, err, line, -1)
		return false
	}
	if cli.Comment(line) {
		return true
	}
	p, perr := s.parse(line)
	if perr != nil {
		return fail(perr)
	}
	if !p.secret() {
		b.lines = append(b.lines, p.Canonical)
	}
	p, err := s.ask(p)
	if err == nil {
		err = s.run(ctx, p, b.out)
	}
	if err != nil {
		return fail(err)
	}
	if b.monitor { // the rest of a script cannot come before the end of the log
		b.monitor = false
		if err := s.backend.Monitor(ctx, b.out); err != nil && ctx.Err() == nil {
			return fail(err)
		}
	}
	if c := p.Command; c.Owner != cli.SessionOwner { // a hostname, a daemon, may be new
		if err := s.refresh(ctx); err != nil {
			return fail(err)
		}
	}
	return true
}

// commands runs the arguments of -c in order.
func (b *batch) commands(ctx context.Context, lines []string) bool {
	for _, arg := range lines {
		for line := range strings.SplitSeq(arg, "\n") {
			if b.session.done {
				return true
			}
			if !b.line(ctx, line, "") {
				return false
			}
		}
	}
	return true
}

// script runs a file or standard input. A text that begins with a line that only
// the configuration knows, such as a saved configuration, is run in configuration
// mode.
func (b *batch) script(ctx context.Context, in io.Reader, name string) bool {
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 4*cli.MaxLine)
	first := true
	for n := 1; sc.Scan() && !b.session.done; n++ {
		line := strings.TrimRight(sc.Text(), "\r")
		if first && !cli.Comment(line) {
			first = false
			b.guessMode(line)
		}
		if !b.line(ctx, line, fmt.Sprintf("%s:%d", name, n)) {
			return false
		}
	}
	if err := sc.Err(); err != nil {
		fmt.Fprintf(b.err, "%% %s: %v\n", name, err)
		return false
	}
	return true
}

// guessMode enters configuration mode if only that knows the line.
func (b *batch) guessMode(line string) {
	s := b.session
	if s.mode == cli.ModeConfig {
		return
	}
	if _, err := s.parse(line); err == nil {
		return
	}
	if _, err := s.state.Grammar.Parse([]string{cli.ModeConfig}, line); err == nil {
		s.mode, s.path = cli.ModeConfig, nil
	}
}

// runBatch runs -c arguments, then files, or else standard input.
func runBatch(ctx context.Context, s *session, o Options) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	b := newBatch(s, o.Out, o.Err)
	if !b.commands(ctx, o.Commands) {
		return 1
	}
	if o.File != "" {
		in, err := open(o.File, o.In)
		if err != nil {
			fmt.Fprintf(o.Err, "%% %v\n", err)
			return 1
		}
		defer in.Close()
		if !b.script(ctx, in, o.File) {
			return 1
		}
		return 0
	}
	if len(o.Commands) == 0 && !b.script(ctx, o.In, "stdin") {
		return 1
	}
	return 0
}

// open opens a file; "-" is standard input.
func open(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(name)
}
