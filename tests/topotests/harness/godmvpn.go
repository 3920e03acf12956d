package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// BinaryVariable names a directory with zebra, vtysh and the daemons, in place of
// the repository's bin.
const BinaryVariable = "GODMVPN_BIN"

// readyLimit is how long zebra may take to be ready, where twenty start side by side.
const readyLimit = 150 * time.Second

// Binary is the path of a built program.
func Binary(name string) (string, error) {
	dir := os.Getenv(BinaryVariable)
	if dir == "" {
		root, err := repositoryRoot()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, "bin")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w (run make build)", err)
	}
	return path, nil
}

// Zebra is a running zebra, with the daemons that it started.
type Zebra struct {
	*Process
	node   *Node
	config string
	args   []string
}

// StartZebra starts zebra in the node, with this configuration and further
// arguments, and waits until it is ready.
func (n *Node) StartZebra(config string, args ...string) *Zebra {
	n.t.Helper()
	file := filepath.Join(n.Rundir(), "godmvpn.conf")
	n.check("configuration", os.WriteFile(file, []byte(config), 0o640))
	return n.RestartZebra(args...)
}

// RestartZebra starts zebra with the configuration that is in the run directory.
func (n *Node) RestartZebra(args ...string) *Zebra {
	n.t.Helper()
	z := n.LaunchZebra(args...)
	z.WaitReady()
	return z
}

// LaunchZebra is RestartZebra without the waiting, for starts that are to fail.
func (n *Node) LaunchZebra(args ...string) *Zebra {
	n.t.Helper()
	bin, err := Binary("zebra")
	n.check("zebra", err)
	dir := n.Rundir()
	log := filepath.Join(dir, "zebra.log")
	n.Log(log)
	if err := os.Remove(filepath.Join(dir, "ready")); err != nil && !errors.Is(err, os.ErrNotExist) {
		n.t.Fatalf("%s: %v", n.name, err)
	}
	all := append([]string{"--config", filepath.Join(dir, "godmvpn.conf"), "--rundir", dir,
		"--log-file", log, "--log-level", "debug"}, args...)
	return &Zebra{Process: n.Start("zebra", bin, all...), node: n, config: all[1], args: args}
}

// WaitReady waits until zebra has written its ready file.
func (z *Zebra) WaitReady() {
	z.t.Helper()
	ready := filepath.Join(z.node.Rundir(), "ready")
	err := Poll(readyLimit, func() error {
		if !z.Running() {
			return nil
		}
		_, err := os.Stat(ready)
		return err
	})
	if err != nil {
		z.t.Fatalf("%s: zebra is not ready: %v", z.node.name, err)
	}
	if !z.Running() {
		z.t.Fatalf("%s: zebra ended: %v", z.node.name, z.err)
	}
}

// StartZebras starts the zebras of several nodes side by side, each with its
// configuration, and waits for all.
func StartZebras(t TB, configs map[*Node]string) {
	t.Helper()
	var zebras []*Zebra
	for n, config := range configs {
		zebras = append(zebras, n.LaunchWith(config))
	}
	for _, z := range zebras {
		z.WaitReady()
	}
}

// LaunchWith is LaunchZebra with a configuration in place of the one that there is.
func (n *Node) LaunchWith(config string) *Zebra {
	n.t.Helper()
	n.check("configuration", os.WriteFile(filepath.Join(n.Rundir(), "godmvpn.conf"), []byte(config), 0o640))
	return n.LaunchZebra()
}

// Logged tells whether the log of a node's zebra has these texts.
func (n *Node) Logged(texts ...string) func() error {
	return func() error {
		out, err := n.Vtysh("show logging")
		for _, text := range texts {
			if err == nil && !strings.Contains(out, text) {
				err = fmt.Errorf("the log of %s does not have %q:\n%s", n.Name(), text, out)
			}
		}
		return err
	}
}
