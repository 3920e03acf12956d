// Package shelltest runs a shell on a pseudo-terminal for testscript tests: it
// types keys and waits for what should be on the screen.
package shelltest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// screenLimit bounds the wait for what should be on the screen.
const screenLimit = 20 * time.Second

// Terminal returns the testscript command "terminal FILE [ROWS]". It runs the
// program found as name in the script's PATH, with the arguments and environment
// that start returns, on a pseudo-terminal and follows a file of lines: send
// "keys", expect "text" (after what was expected before), never "text" (since
// then), keys "" (the terminal makes no signals), term "" (send SIGTERM), exit "N".
func Terminal(name string, start func(*testscript.TestScript) (args, env []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) < 1 {
			ts.Fatalf("usage: terminal FILE [ROWS]")
		}
		rows := 24
		if len(args) > 1 {
			rows, _ = strconv.Atoi(args[1])
		}
		programArgs, env := start(ts)
		program, err := lookPath(ts.Getenv("PATH"), name)
		ts.Check(err)
		cmd := exec.Command(program, programArgs...)
		cmd.Env = append(append(os.Environ(), "TERM=vt100"), env...)
		s, err := startScreen(cmd, rows)
		ts.Check(err)
		s.follow(ts, args[0])
	}
}

// follow carries out the lines of a file.
func (s *screen) follow(ts *testscript.TestScript, file string) {
	defer s.close()
	for i, l := range strings.Split(ts.ReadFile(file), "\n") {
		verb, arg, _ := strings.Cut(strings.TrimSpace(l), " ")
		if verb == "" || verb[0] == '#' {
			continue
		}
		text, err := strconv.Unquote(arg)
		if err != nil {
			ts.Fatalf("%s:%d: %q: %v", file, i+1, arg, err)
		}
		switch verb {
		case "send":
			_, err = s.pty.WriteString(text)
		case "expect":
			err = s.expect(text)
		case "never":
			if strings.Contains(s.shown(), text) {
				err = fmt.Errorf("%q is on the screen", text)
			}
		case "keys": // Ctrl-C and Ctrl-Z are keys, not signals, while a command runs
			err = s.keysOnly()
		case "term":
			err = s.cmd.Process.Signal(syscall.SIGTERM)
		case "exit":
			err = s.exit(text)
		default:
			err = fmt.Errorf("unknown verb %q", verb)
		}
		if err != nil {
			ts.Fatalf("%s:%d: %v\nscreen: %q", file, i+1, err, s.shown())
		}
	}
}

// screen is a shell on a pseudo-terminal.
type screen struct {
	pty  *os.File
	cmd  *exec.Cmd
	out  chan []byte
	seen []byte // what has come
	from int    // what was expected ends here
	done chan error
}

func startScreen(cmd *exec.Cmd, rows int) (*screen, error) {
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	fd := int(pty.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: 80})); err != nil {
		return nil, err
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer tty.Close()
	s := &screen{pty: pty, cmd: cmd, out: make(chan []byte, 64), done: make(chan error, 1)}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, tty
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(s.out)
		for {
			b := make([]byte, 4096)
			n, err := pty.Read(b)
			if err != nil {
				return
			}
			s.out <- b[:n]
		}
	}()
	go func() { s.done <- s.cmd.Wait() }()
	return s, nil
}

// lookPath finds a program in a PATH.
func lookPath(path, name string) (string, error) {
	for _, dir := range strings.Split(path, ":") {
		if _, err := os.Stat(dir + "/" + name); err == nil {
			return dir + "/" + name, nil
		}
	}
	return exec.LookPath(name)
}

// shown is what came since the last text that was expected.
func (s *screen) shown() string { return string(s.seen[s.from:]) }

func (s *screen) expect(text string) error {
	limit := time.After(screenLimit)
	for {
		if i := bytes.Index(s.seen[s.from:], []byte(text)); i >= 0 {
			s.from += i + len(text)
			return nil
		}
		select {
		case b, ok := <-s.out:
			if !ok {
				return fmt.Errorf("the shell ended before %q", text)
			}
			s.seen = append(s.seen, b...)
		case <-limit:
			return fmt.Errorf("%q did not come", text)
		}
	}
}

func (s *screen) exit(status string) error {
	select {
	case <-s.done:
		s.done <- nil
	case <-time.After(screenLimit):
		return errors.New("the shell did not end")
	}
	if got := strconv.Itoa(s.cmd.ProcessState.ExitCode()); got != status {
		return fmt.Errorf("exit status %s", got)
	}
	const cooked = unix.ISIG | unix.ICANON | unix.ECHO
	if t, err := unix.IoctlGetTermios(int(s.pty.Fd()), unix.TCGETS); err != nil || t.Lflag&cooked != cooked {
		return fmt.Errorf("the terminal was left in another mode: %v", err)
	}
	return nil
}

func (s *screen) keysOnly() error {
	t, err := unix.IoctlGetTermios(int(s.pty.Fd()), unix.TCGETS)
	if err == nil && t.Lflag&unix.ISIG != 0 {
		err = errors.New("the terminal turns keys into signals")
	}
	return err
}

func (s *screen) close() {
	select {
	case <-s.done:
	default:
		s.cmd.Process.Kill()
		<-s.done
	}
	s.pty.Close()
}
