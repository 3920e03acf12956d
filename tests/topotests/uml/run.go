package uml

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Command is a program to run in a guest.
type Command struct {
	Args   []string  // program and arguments; the program is looked up in the guest's PATH
	Env    []string  // nil means that of this process
	Dir    string    // "" means that of this process
	Stdin  io.Reader // nil means no input
	Stdout io.Writer // nil discards
	Stderr io.Writer // nil discards; unused with a terminal
	TTY    *Size     // gives the program a terminal of this size
	Resize <-chan Size
}

// request is the command as the guest wants to hear it.
func (c *Command) request() (request, error) {
	r := request{Op: opExec, Args: c.Args, Env: c.Env, Dir: c.Dir, TTY: c.TTY}
	if len(c.Args) == 0 {
		return r, errors.New("uml: no program given")
	}
	if r.Env == nil {
		r.Env = os.Environ()
	}
	if r.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return r, err
		}
		r.Dir = dir
	}
	return r, nil
}

// ErrLimit is wrapped when a machine was ended by its limit of time.
var ErrLimit = errors.New("limit of time is over")

// Run runs a command in the machine, passes its input and output as they come,
// and returns its exit status (128 + signal where one ended it). Cancelling ctx
// sends it SIGTERM, and SIGKILL after ten seconds.
func (m *Machine) Run(ctx context.Context, c Command) (int, error) {
	stream, err := m.mux.Open()
	if err != nil {
		return -1, m.explain(err)
	}
	defer stream.Close()
	out := &frameWriter{w: stream}
	m.mu.Lock()
	if m.main == nil {
		m.main = out
		defer func() { m.mu.Lock(); m.main = nil; m.mu.Unlock() }()
	}
	m.mu.Unlock()
	status, err := runOn(ctx, stream, out, c)
	if err != nil && !errors.As(err, new(*StartError)) {
		err = m.explain(err)
	}
	return status, err
}

// explain tells why a stream broke.
func (m *Machine) explain(err error) error {
	dead := false
	select {
	case <-m.dead:
		dead = true
	case <-time.After(time.Second):
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.expired: // also if it takes its time to end
		return fmt.Errorf("uml: the machine was ended: %w", ErrLimit)
	case !dead:
		return err
	}
	return fmt.Errorf("uml: the machine died (%w); its last words:\n%s", err, m.log.tail(40))
}

// StartError is a program that could not be started in the guest.
type StartError struct{ Reason string }

// Error says why it could not be started.
func (e *StartError) Error() string { return "uml: " + e.Reason }

// killAfter is the time between SIGTERM and SIGKILL for a cancelled command.
const killAfter = 10 * time.Second

// runOn speaks the client's half of the exec protocol.
func runOn(ctx context.Context, stream net.Conn, out *frameWriter, c Command) (int, error) {
	req, err := c.request()
	if err != nil {
		return -1, err
	}
	if err := out.writeJSON(frameRequest, req); err != nil {
		return -1, err
	}
	done := make(chan struct{})
	defer close(done)
	go control(ctx, out, c.Resize, done)
	go func() {
		if c.Stdin != nil {
			_ = out.pump(frameStdin, c.Stdin)
		}
		_ = out.write(frameStdin, nil)
	}()
	return receive(stream, c)
}

// control sends signals and sizes until the command is done.
func control(ctx context.Context, out *frameWriter, resize <-chan Size, done <-chan struct{}) {
	cancelled := ctx.Done()
	var kill <-chan time.Time
	for {
		select {
		case <-done:
			return
		case s := <-resize:
			_ = out.writeJSON(frameResize, s)
		case <-cancelled:
			cancelled = nil
			kill = time.After(killAfter)
			_ = out.write(frameSignal, []byte{byte(unix.SIGTERM)})
		case <-kill:
			_ = out.write(frameSignal, []byte{byte(unix.SIGKILL)})
		}
	}
}

// receive passes output on until the exit frame.
func receive(stream io.Reader, c Command) (int, error) {
	for {
		kind, payload, err := readFrame(stream)
		if err != nil {
			return -1, fmt.Errorf("uml: connection to the guest lost: %w", err)
		}
		switch kind {
		case frameStdout:
			writeTo(c.Stdout, payload)
		case frameStderr:
			writeTo(c.Stderr, payload)
		case frameExit:
			var e exit
			if err := json.Unmarshal(payload, &e); err != nil {
				return -1, err
			}
			if e.Error != "" {
				return e.Status, &StartError{e.Error}
			}
			return e.Status, nil
		}
	}
}

func writeTo(w io.Writer, b []byte) {
	if w != nil {
		_, _ = w.Write(b)
	}
}
