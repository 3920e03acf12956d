package uml

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// listen offers the machine on a control socket that only this user may use.
func (m *Machine) listen(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return fmt.Errorf("uml: a machine is up already at %s", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	old := unix.Umask(0o077)
	l, err := net.Listen("unix", path)
	unix.Umask(old)
	if err != nil {
		return err
	}
	m.ctl = l
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serveClient(conn)
		}
	}()
	return nil
}

// serveClient serves one client of the control socket: a program in the guest,
// whose frames pass through as they are, or the order to stop.
func (m *Machine) serveClient(conn net.Conn) {
	defer conn.Close()
	req, err := readRequest(conn)
	if err != nil {
		return
	}
	if req.Op == opStop {
		m.stopMain()
		<-m.dead
		return
	}
	stream, err := m.mux.Open()
	if err != nil {
		return
	}
	defer stream.Close()
	if err := (&frameWriter{w: stream}).writeJSON(frameRequest, req); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(stream, conn)
		stream.Close()
	}()
	_, _ = io.Copy(conn, stream)
}

// stopMain ends the main command, and kills the machine should it not obey.
func (m *Machine) stopMain() {
	m.mu.Lock()
	main := m.main
	m.mu.Unlock()
	if main == nil || main.write(frameSignal, []byte{byte(unix.SIGTERM)}) != nil {
		m.kill()
		return
	}
	go func() {
		select {
		case <-m.dead:
		case <-time.After(stopLimit):
			m.kill()
		}
	}()
}

// stopLimit is how long a machine's main command may take to end on request.
const stopLimit = 60 * time.Second

// dialControl connects to a machine's control socket.
func dialControl(socket string) (net.Conn, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("uml: no machine is up at %s: %w", socket, err)
	}
	return conn, nil
}

// Exec runs a command in the machine whose control socket is given, which
// another process may have booted. It behaves as [Machine.Run].
func Exec(ctx context.Context, socket string, c Command) (int, error) {
	conn, err := dialControl(socket)
	if err != nil {
		return -1, err
	}
	defer conn.Close()
	return runOn(ctx, conn, &frameWriter{w: conn}, c)
}

// Stop ends the machine whose control socket is given, and returns when it is
// gone: its main command gets SIGTERM.
func Stop(socket string) error {
	conn, err := dialControl(socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := (&frameWriter{w: conn}).writeJSON(frameRequest, request{Op: opStop}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, conn)
	return err
}

// Attach runs an interactive command in the machine whose control socket is
// given: this process's terminal becomes that of the command, size included.
// Where standard input is no terminal it behaves as a pipe does.
func Attach(ctx context.Context, socket string, args []string) (int, error) {
	c := Command{Args: args, Dir: "/", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if !IsTerminal(os.Stdin) {
		return Exec(ctx, socket, c)
	}
	size := terminalSize(os.Stdin)
	resize := make(chan Size, 1)
	c.TTY, c.Resize = &size, resize
	winch := make(chan os.Signal, 1)
	signal.Notify(winch, unix.SIGWINCH)
	defer signal.Stop(winch)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			select {
			case <-winch:
				select {
				case resize <- terminalSize(os.Stdin):
				case <-ctx.Done():
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	fd := int(os.Stdin.Fd())
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return -1, err
	}
	if err := makeRaw(fd); err != nil {
		return -1, err
	}
	defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, saved) }()
	return Exec(ctx, socket, c)
}
