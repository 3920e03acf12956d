package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/peterh/liner"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// editor is the shell on a terminal.
type editor struct {
	session *session
	hist    *history
	keys    *keys
	out     io.Writer
	length  int // rows by "terminal length"; -1: those of the terminal
	liner   *liner.State

	mu      sync.Mutex
	monitor context.CancelFunc // ends "terminal monitor"
	wg      sync.WaitGroup
}

func (e *editor) setLength(lines int) { e.length = lines }
func (e *editor) history() []string   { return e.hist.lines }

// secret reads a line that does not show, in which no key has a meaning of ours.
func (e *editor) secret(prompt string) (string, error) {
	e.keys.setPlain(true)
	defer e.keys.setPlain(false)
	text, err := e.liner.PasswordPrompt(prompt)
	if err != nil {
		return "", errors.New("nothing was entered")
	}
	return text, nil
}

// setMonitor starts or ends the copying of log messages to the terminal.
func (e *editor) setMonitor(on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.monitor != nil {
		e.monitor()
		e.monitor = nil
	}
	if !on {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.monitor = cancel
	e.wg.Go(func() {
		err := e.session.backend.Monitor(ctx, freshLines{e.out})
		if err != nil && ctx.Err() == nil {
			fmt.Fprintf(e.out, "\r\n%% terminal monitor has ended: %v\n", err)
		}
	})
}

// freshLines begins a new line before each message, since a prompt may stand on
// the present one.
type freshLines struct{ w io.Writer }

func (f freshLines) Write(b []byte) (int, error) {
	_, err := f.w.Write(append([]byte("\r\n"), strings.TrimRight(string(b), "\n")...))
	return len(b), err
}

// interactive runs the shell on a terminal until the user leaves.
func interactive(ctx context.Context, s *session, hist *history) int {
	e := &editor{session: s, hist: hist, out: os.Stdout, length: -1}
	s.host = e
	k, err := grab()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%% %v\n", err)
		return 1
	}
	e.keys = k
	line := liner.NewLiner()
	defer line.Close()
	e.liner = line
	if liner.TerminalSupported() {
		signalsOff()
	}
	defer restoreOn(line)()
	line.SetCtrlCAborts(true)
	line.SetWordCompleter(e.complete)
	for _, l := range hist.lines {
		line.AppendHistory(l)
	}
	defer e.wg.Wait()
	defer e.setMonitor(false)
	for !s.done && ctx.Err() == nil {
		e.once(ctx, line)
	}
	return 0
}

// restoreOn puts the terminal back before a signal ends the shell. The function it
// returns stops watching.
func restoreOn(line *liner.State) (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case <-signals:
			line.Close()
			os.Exit(128 + int(syscall.SIGTERM))
		case <-done:
		}
	}()
	return func() { signal.Stop(signals); close(done) }
}

// once reads a line and carries it out.
func (e *editor) once(ctx context.Context, line *liner.State) {
	s := e.session
	if err := s.refresh(ctx); err != nil {
		fmt.Fprintf(e.out, "%% %v\n", err)
	}
	prompt := s.prompt()
	text, err := line.Prompt(prompt)
	switch {
	case errors.Is(err, liner.ErrPromptAborted):
		s.end()
		return
	case errors.Is(err, io.EOF):
		fmt.Fprintln(e.out)
		s.done = s.mode != cli.ModeConfig
		s.end()
		return
	case err != nil:
		fmt.Fprintf(e.out, "%% %v\n", err)
		s.done = true
		return
	}
	if text == endLine {
		s.end()
		return
	}
	p, perr := s.parse(text)
	t := strings.TrimSpace(text)
	secret := perr == nil && p.secret() || perr != nil && perr.Line != strings.TrimRight(text, " ")
	if t != "" && !cli.Comment(text) && !secret {
		e.hist.add(t, perr != nil)
		line.AppendHistory(t)
	}
	if perr != nil {
		report(e.out, perr, strings.TrimRight(text, " \t"), len([]rune(prompt)))
		return
	}
	if p, err = s.ask(p); err != nil {
		report(e.out, err, "", -1)
		return
	}
	e.carryOut(ctx, p, text)
}

// carryOut runs a line with paging; Ctrl-C ends it.
func (e *editor) carryOut(ctx context.Context, p parsed, text string) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.keys.setRunning(cancel)
	defer e.keys.setRunning(nil)
	defer e.keys.pageDone()
	rows, width := e.size()
	pg := newPager(ctx, e.out, rows, width, e.keys.page)
	pg.quit, pg.hold = cancel, e.keys.hold
	err := e.session.run(ctx, p, pg)
	if pg.column > 0 && err == nil {
		fmt.Fprintln(e.out)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, errQuit) {
		report(e.out, err, strings.TrimRight(text, " \t"), -1)
	}
}

// signalsOff makes Ctrl-C and Ctrl-Z keys like others for as long as the shell
// runs: liner does so only while it prompts, and a key that comes between two
// prompts would be lost or end the shell. liner.Close puts the old mode back.
func signalsOff() {
	t, err := unix.IoctlGetTermios(syscall.Stdin, unix.TCGETS)
	if err != nil {
		return
	}
	t.Lflag &^= unix.ISIG
	unix.IoctlSetTermios(syscall.Stdin, unix.TCSETS, t)
}

// size returns the rows and columns for the pager.
func (e *editor) size() (rows, width int) {
	rows, width = 24, 80
	if ws, err := unix.IoctlGetWinsize(syscall.Stdout, unix.TIOCGWINSZ); err == nil && ws.Row > 0 {
		rows, width = int(ws.Row), int(ws.Col)
	}
	if e.length >= 0 {
		rows = e.length
	}
	return rows, width
}

// complete is liner's word completer. It returns one candidate always: liner
// would swallow keys in a loop of its own for more, and not redraw for none.
func (e *editor) complete(line string, pos int) (head string, list []string, tail string) {
	runes := []rune(line)
	head, tail = string(runes[:pos]), string(runes[pos:])
	rows, width := e.size()
	shown, appended := complete(e.session.state.Grammar, e.session.stack(), head, e.keys.help(), width)
	if shown != "" {
		fmt.Fprintln(e.out)
		pg := newPager(context.Background(), e.out, rows, width, e.keys.page)
		pg.hold = e.keys.hold
		io.WriteString(pg, shown)
		e.keys.pageDone()
	}
	if appended != "" && strings.HasPrefix(tail, " ") {
		appended = strings.TrimSuffix(appended, " ")
	}
	return head, []string{appended}, tail
}
