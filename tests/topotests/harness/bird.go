package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Where Debian's package bird2 puts what the harness uses.
const (
	birdProgram  = "/usr/sbin/bird"
	birdcProgram = "/usr/sbin/birdc"
)

// peerLimit is how long another routing daemon may take to answer or to end.
const peerLimit = 30 * time.Second

// BIRD is an instance of the BIRD routing daemon in a node, as a peer in
// interoperation tests.
type BIRD struct {
	node    *Node
	dir     string
	process *Process
}

// StartBIRD starts BIRD in the node and waits until it is up. Its control socket,
// pid file and log are the instance's own, so that several run side by side. The
// configuration must not say where to log.
func (n *Node) StartBIRD(config string) *BIRD {
	n.t.Helper()
	b := n.newBIRD(config)
	b.Start()
	return b
}

// LaunchBIRD is StartBIRD without the wait, for many at once.
func (n *Node) LaunchBIRD(config string) *BIRD {
	n.t.Helper()
	b := n.newBIRD(config)
	b.Launch()
	return b
}

func (n *Node) newBIRD(config string) *BIRD {
	n.t.Helper()
	b := &BIRD{node: n, dir: filepath.Join(n.Rundir(), "bird")}
	n.check("bird", os.MkdirAll(b.dir, 0o750))
	b.write(config)
	return b
}

// write puts the configuration where BIRD reads it, with its log.
func (b *BIRD) write(config string) {
	b.node.t.Helper()
	log := filepath.Join(b.dir, "bird.log")
	b.node.Log(log)
	text := fmt.Sprintf("log %q all;\n%s", log, config)
	b.node.check("bird", os.WriteFile(b.file("bird.conf"), []byte(text), 0o640))
}

func (b *BIRD) file(name string) string { return filepath.Join(b.dir, name) }

// Start starts BIRD again, after Stop or Kill, with the configuration it had.
func (b *BIRD) Start() { b.node.t.Helper(); b.start() }

// Recover is Start after Kill for a BIRD that does graceful restart, which tells its
// neighbours that it has restarted.
func (b *BIRD) Recover() { b.node.t.Helper(); b.start("-R") }

// Launch is Start without the wait.
func (b *BIRD) Launch() { b.node.t.Helper(); b.launch() }

func (b *BIRD) launch(args ...string) {
	n := b.node
	n.t.Helper()
	if _, err := os.Stat(birdProgram); err != nil {
		n.t.Fatalf("%v (Debian package bird2)", err)
	}
	_ = os.Remove(b.file("bird.ctl"))
	b.process = n.Start("bird", birdProgram, append(args, "-f", "-c", b.file("bird.conf"),
		"-s", b.file("bird.ctl"), "-P", b.file("bird.pid"))...)
}

func (b *BIRD) start(args ...string) {
	n := b.node
	n.t.Helper()
	b.launch(args...)
	Eventually(n.t, peerLimit, func() error {
		if !b.process.Running() {
			out, _ := os.ReadFile(filepath.Join(n.Rundir(), "bird.out"))
			n.t.Fatalf("%s: BIRD ended: %v\n%s", n.name, b.process.err, out)
		}
		out, err := b.Birdc("show status")
		if err == nil && !strings.Contains(out, "Daemon is up and running") {
			err = fmt.Errorf("BIRD is not up: %s", out)
		}
		return err
	})
}

// Reconfigure gives BIRD another configuration, which it takes without a restart.
func (b *BIRD) Reconfigure(config string) {
	b.node.t.Helper()
	b.write(config)
	out, err := b.Birdc("configure")
	if err == nil && !strings.Contains(out, "Reconfigur") { // "Reconfigured", "Reconfiguration in progress"
		err = fmt.Errorf("BIRD refuses the configuration: %s", out)
	}
	b.node.check("bird", err)
}

// Stop ends BIRD in order, as by "birdc down": it takes its routes out of the
// kernel. Its RIP 2.0.12 tells its neighbours nothing: they notice by their timers.
func (b *BIRD) Stop() {
	b.node.t.Helper()
	_, err := b.Birdc("down")
	b.node.check("bird", err)
	_ = b.process.Wait(peerLimit)
}

// Kill kills BIRD as kill -9: its routes stay in the kernel, its neighbours notice
// by their timers.
func (b *BIRD) Kill() { b.node.t.Helper(); b.process.Kill() }

// Process is the daemon, for signals.
func (b *BIRD) Process() *Process { return b.process }

// Birdc runs a command in BIRD's shell, such as "show protocols all rip1", and
// returns what it printed after its greeting.
func (b *BIRD) Birdc(command string) (string, error) {
	out, err := b.node.Run(birdcProgram, append([]string{"-s", b.file("bird.ctl")}, strings.Fields(command)...)...)
	if _, rest, ok := strings.Cut(out, " ready.\n"); ok {
		out = rest
	}
	return out, err
}
