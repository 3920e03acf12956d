package harness

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// Where Debian's package frr puts what the harness uses.
const (
	frrDaemons = "/usr/lib/frr"
	frrVtysh   = "/usr/bin/vtysh"
	frrUser    = "frr"
)

// FRR is an instance of FRRouting in a node, as a peer in interoperation tests.
type FRR struct {
	node    *Node
	dir     string
	daemons map[string]*Process
}

// StartFRR starts FRR's zebra and then the daemons named (nhrpd, ripd …) in the
// node, all with the same configuration, of which each takes its part. Sockets and
// pid files are the instance's own, so that several run side by side.
func (n *Node) StartFRR(config string, daemons ...string) *FRR {
	n.t.Helper()
	f := &FRR{node: n, dir: filepath.Join(n.tp.dir, n.name+".frr"), daemons: map[string]*Process{}}
	n.check("frr", os.MkdirAll(f.dir, 0o755))
	n.check("frr", f.giveAway())
	n.check("frr", os.WriteFile(filepath.Join(f.dir, "frr.conf"), []byte(config), 0o644))
	n.check("frr", os.WriteFile(filepath.Join(f.dir, "vtysh.conf"), nil, 0o644))
	for _, d := range append([]string{"zebra"}, daemons...) {
		f.Start(d)
	}
	return f
}

// Start starts one daemon and waits until it answers on its socket.
func (f *FRR) Start(daemon string) {
	n := f.node
	n.t.Helper()
	bin := filepath.Join(frrDaemons, daemon)
	if _, err := os.Stat(bin); err != nil {
		n.t.Fatalf("%v (Debian package frr)", err)
	}
	log := filepath.Join(f.dir, daemon+".log")
	n.Log(log)
	socket := filepath.Join(f.dir, daemon+".vty")
	_ = os.Remove(socket)
	f.daemons[daemon] = n.Start("frr-"+daemon, bin, "-u", frrUser, "-g", frrUser,
		"-f", filepath.Join(f.dir, "frr.conf"), "-i", filepath.Join(f.dir, daemon+".pid"),
		"-z", filepath.Join(f.dir, "zserv.api"), "--vty_socket", f.dir, "-A", "127.0.0.1", "-P", "0",
		"--log", "file:"+log, "--log-level", "debug")
	Eventually(n.t, peerLimit, func() error {
		if !f.daemons[daemon].Running() {
			n.t.Fatalf("FRR's %s ended: %v", daemon, f.daemons[daemon].err)
		}
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// giveAway lets FRR's user reach and own the instance's directory: FRR refuses to
// run as a user outside the group of its sockets, root included.
func (f *FRR) giveAway() error {
	u, err := user.Lookup(frrUser)
	if err != nil {
		return fmt.Errorf("%w (Debian package frr)", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(f.dir, uid, gid); err != nil {
		return err
	}
	return os.Chmod(f.node.tp.dir, 0o711)
}

// Stop ends one of the daemons in order: it withdraws what it announced.
func (f *FRR) Stop(daemon string) { f.node.t.Helper(); _ = f.daemons[daemon].Terminate(peerLimit) }

// Kill kills one of the daemons as kill -9: neighbours notice by their timers. Start
// starts it again.
func (f *FRR) Kill(daemon string) { f.node.t.Helper(); f.daemons[daemon].Kill() }

// Process is one of the daemons, for signals.
func (f *FRR) Process(daemon string) *Process { return f.daemons[daemon] }

// Vtysh runs commands in FRR's shell.
func (f *FRR) Vtysh(commands ...string) (string, error) {
	args := []string{"--vty_socket", f.dir, "--config_dir", f.dir}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := f.node.Run(frrVtysh, args...)
	return strings.TrimPrefix(out, "\n"), err
}

// Configure enters configuration lines in FRR's shell. Lines below a mode follow
// the line that opens it.
func (f *FRR) Configure(lines string) {
	f.node.t.Helper()
	commands := []string{"configure terminal"}
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			commands = append(commands, line)
		}
	}
	_, err := f.Vtysh(commands...)
	f.node.check("FRR's configuration", err)
}

// ShowJSON tells whether the JSON of one of FRR's show commands, such as "show ip
// route rip json", contains want (see Subset), which is JSON text itself. FRR 8.4.4
// has no JSON for "show ip rip".
func (f *FRR) ShowJSON(command, want string) error {
	out, err := f.Vtysh(command)
	if err != nil {
		return err
	}
	var got any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		return fmt.Errorf("FRR's %s: %w in %q", command, err, out)
	}
	if err := SubsetText(got, want); err != nil {
		return fmt.Errorf("FRR's %s: %w", command, err)
	}
	return nil
}
