package uml

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
	"golang.org/x/sys/unix"
)

// muxConfig is yamux for a line that cannot break but may be slow: no
// keep-alives, and no time limit that a busy machine could miss.
func muxConfig() *yamux.Config {
	c := yamux.DefaultConfig()
	c.EnableKeepAlive = false
	c.ConnectionWriteTimeout = time.Hour
	c.StreamOpenTimeout = 0
	c.StreamCloseTimeout = time.Hour
	c.LogOutput = io.Discard
	return c
}

// serveLine serves exec requests until the line hangs up.
func serveLine(line io.ReadWriteCloser) error {
	mux, err := yamux.Server(line, muxConfig())
	if err != nil {
		return err
	}
	go reap()
	for {
		stream, err := mux.Accept()
		if err != nil {
			if errors.Is(err, io.EOF) || mux.IsClosed() {
				return nil
			}
			return err
		}
		go serveExec(stream)
	}
}

// serveExec runs the program of one stream.
func serveExec(stream net.Conn) {
	defer stream.Close()
	out := &frameWriter{w: stream}
	req, err := readRequest(stream)
	if err != nil {
		return
	}
	status, err := runRequest(req, stream, out)
	e := exit{Status: status}
	if err != nil {
		e.Error = err.Error()
	}
	_ = out.writeJSON(frameExit, e)
}

// drainLimit is how long output is still taken after a program has ended, while
// something that it left behind holds the other end open.
const drainLimit = 2 * time.Second

// runRequest runs the program of req, its input and output being frames, and
// returns its status.
func runRequest(req request, in io.Reader, out *frameWriter) (int, error) {
	if req.Op != opExec || len(req.Args) == 0 {
		return 127, errors.New("not a request for a program")
	}
	program, err := lookup(req)
	if err != nil {
		return 127, err
	}
	cmd := exec.Command(program, req.Args[1:]...)
	cmd.Args[0] = req.Args[0]
	cmd.Env = append(req.Env, GuestVariable+"=1")
	cmd.Dir = req.Dir
	p, err := wire(cmd, req.TTY)
	if err != nil {
		return 127, err
	}
	if err := start(cmd); err != nil {
		p.abandon()
		return 127, err
	}
	p.started()
	gone := make(chan struct{})
	go p.input(in, cmd.Process.Pid, gone)
	drained := make(chan struct{})
	go func() { defer close(drained); p.output(out) }()
	err = wait(cmd)
	close(gone)
	select {
	case <-drained:
	case <-time.After(drainLimit):
	}
	p.close()
	<-drained
	return exitStatus(cmd, err)
}

// lookup finds the program of a request in the request's own PATH.
func lookup(req request) (string, error) {
	name := req.Args[0]
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, v := range req.Env {
		path, ok := strings.CutPrefix(v, "PATH=")
		if !ok {
			continue
		}
		for _, dir := range filepath.SplitList(path) {
			file := filepath.Join(dir, name)
			if unix.Access(file, unix.X_OK) == nil {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("%s: %w", name, exec.ErrNotFound)
}

// exitStatus is the status of a program that was waited for, as a shell
// reports it.
func exitStatus(cmd *exec.Cmd, err error) (int, error) {
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		return 127, err
	}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// plumbing is the host side of a program's standard files.
type plumbing struct {
	stdin          io.WriteCloser
	stdout, stderr *os.File
	pty            *os.File   // the master, when there is a terminal
	child          []*os.File // the program's ends
}

// wire gives cmd its standard files: pipes, or a terminal of its own.
func wire(cmd *exec.Cmd, tty *Size) (*plumbing, error) {
	if tty != nil {
		master, term, err := OpenPTY(*tty)
		if err != nil {
			return nil, err
		}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = term, term, term
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		return &plumbing{stdin: master, stdout: master, pty: master, child: []*os.File{term}}, nil
	}
	var fds [6]*os.File
	for i := 0; i < 6; i += 2 {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		fds[i], fds[i+1] = r, w
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = fds[0], fds[3], fds[5]
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &plumbing{stdin: fds[1], stdout: fds[2], stderr: fds[4],
		child: []*os.File{fds[0], fds[3], fds[5]}}, nil
}

// started drops the program's ends.
func (p *plumbing) started() {
	for _, f := range p.child {
		f.Close()
	}
}

// abandon drops everything.
func (p *plumbing) abandon() {
	p.started()
	p.close()
}

func (p *plumbing) close() {
	p.stdin.Close()
	p.stdout.Close()
	if p.stderr != nil {
		p.stderr.Close()
	}
}

// output forwards what the program writes until all who hold its output have
// closed it, or close cuts it off.
func (p *plumbing) output(out *frameWriter) {
	var wg sync.WaitGroup
	if p.stderr != nil {
		wg.Go(func() { _ = out.pump(frameStderr, p.stderr) })
	}
	_ = out.pump(frameStdout, p.stdout)
	wg.Wait()
}

// input forwards input, sizes and signals to the program until it is gone. When
// the client goes first, the program is hung up, and killed if that does not
// end it.
func (p *plumbing) input(in io.Reader, pid int, gone <-chan struct{}) {
	kill := func(sig unix.Signal) {
		select {
		case <-gone:
		default:
			_ = unix.Kill(-pid, sig)
		}
	}
	for {
		kind, payload, err := readFrame(in)
		if err != nil {
			kill(unix.SIGHUP)
			select {
			case <-gone:
			case <-time.After(hangupLimit):
				kill(unix.SIGKILL)
			}
			return
		}
		switch kind {
		case frameStdin:
			p.feed(payload)
		case frameResize:
			var s Size
			if p.pty != nil && json.Unmarshal(payload, &s) == nil {
				_ = setSize(p.pty, s)
			}
		case frameSignal:
			if len(payload) == 1 {
				kill(unix.Signal(payload[0]))
			}
		}
	}
}

// hangupLimit is how long a program may take to end when its client has gone.
const hangupLimit = 5 * time.Second

// feed writes input to the program; an empty payload is the end of input.
func (p *plumbing) feed(payload []byte) {
	switch {
	case len(payload) > 0:
		_, _ = p.stdin.Write(payload)
	case p.pty != nil:
		_, _ = p.pty.Write([]byte{4}) // Ctrl-D
	default:
		p.stdin.Close()
	}
}
