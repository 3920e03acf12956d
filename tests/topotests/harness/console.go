package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/godmvpn/godmvpn/vtysh/client"
	"github.com/godmvpn/godmvpn/vtysh/shell"
)

// console is vtysh within this process, connected to a node's zebra. In a User-Mode
// Linux the program takes fifty times as much of the processor, most of it to be
// started; that it does the same, the topologies of package vtysh show.
type console struct {
	*client.Client
	socket os.FileInfo // that of the zebra that it is connected to
}

// consoles are a node's connections that nobody uses at the moment.
type consoles struct {
	mu   sync.Mutex
	idle []*console
}

// get returns a connection to the zebra of a run directory.
func (c *consoles) get(rundir string) (*console, error) {
	socket, _ := os.Stat(filepath.Join(rundir, client.SocketName)) // where there is none, the command says so
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.idle) > 0 {
		last := c.idle[len(c.idle)-1]
		c.idle = c.idle[:len(c.idle)-1]
		if socket != nil && os.SameFile(socket, last.socket) && socket.ModTime().Equal(last.socket.ModTime()) {
			return last, nil
		}
		_ = last.Close() // to a zebra that has ended
	}
	conn, err := client.Dial(rundir)
	return &console{conn, socket}, err
}

// put gives one back.
func (c *consoles) put(used *console) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, used)
}

// close ends those that are idle.
func (c *consoles) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.idle {
		_ = conn.Close()
	}
	c.idle = nil
}

// Vtysh runs commands, one after the other, as vtysh with an option -c for each does,
// and returns what they printed; the error holds what vtysh wrote to standard error.
func (n *Node) Vtysh(commands ...string) (string, error) { return n.vtysh(false, commands) }

func (n *Node) vtysh(asJSON bool, commands []string) (string, error) {
	conn, err := n.consoles.get(n.Rundir())
	if err != nil {
		return "", err
	}
	var out, errs bytes.Buffer
	if shell.Run(context.Background(), conn, shell.Options{Commands: commands, JSON: asJSON, Out: &out, Err: &errs}) != 0 {
		_ = conn.Close() // which may be what failed
		return out.String(), fmt.Errorf("%s: vtysh %q: %s", n.name, commands, strings.TrimSpace(errs.String()))
	}
	n.consoles.put(conn)
	return out.String(), nil
}

// MustVtysh is Vtysh for commands that must succeed.
func (n *Node) MustVtysh(commands ...string) string {
	n.t.Helper()
	out, err := n.Vtysh(commands...)
	n.check("vtysh", err)
	return out
}

// Configure enters configuration lines.
func (n *Node) Configure(lines string) {
	n.t.Helper()
	commands := []string{"configure terminal"}
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			commands = append(commands, line)
		}
	}
	n.MustVtysh(append(commands, "end")...)
}

// JSON runs a show command and decodes its JSON.
func (n *Node) JSON(command string) (any, error) {
	out, err := n.vtysh(true, []string{command})
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		return nil, fmt.Errorf("%s: %w in %q", command, err, out)
	}
	return v, nil
}

// ShowJSON tells whether the JSON of a show command contains want (see Subset),
// which is JSON text itself.
func (n *Node) ShowJSON(command, want string) error {
	got, err := n.JSON(command)
	if err != nil {
		return err
	}
	if err := SubsetText(got, want); err != nil {
		return fmt.Errorf("%s: %s: %w", n.name, command, err)
	}
	return nil
}
