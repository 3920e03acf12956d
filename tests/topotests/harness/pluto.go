package harness

import (
	"os"
	"path/filepath"
	"strconv"
)

// Where libreswan's package is unpacked: it cannot be installed beside strongSwan.
const (
	plutoFolder  = "build/libreswan/usr/libexec/ipsec" // below the repository's root
	plutoInstall = "tools/install-debian.sh"
	certutil     = "/usr/bin/certutil"

	// The daemon wants its programs in /usr/libexec/ipsec, and gets them there in a mount
	// namespace of its own.
	plutoMount = `mount -t tmpfs none /usr/libexec && ln -s "$0" /usr/libexec/ipsec && exec /usr/libexec/ipsec/pluto "$@"`
)

// Pluto is an instance of libreswan's IKE daemon in a node, as a peer in
// interoperation tests.
type Pluto struct {
	node    *Node
	dir     string
	folder  string // of its programs
	process *Process
}

// StartPluto starts the daemon in the node, with the text of ipsec.conf and that of
// ipsec.secrets, and waits until it listens. Its sockets, keys and log are the
// instance's own. Connections need `leftupdown=/bin/true`, since strongSwan
// has a script of the name that it looks for, and are there once they are loaded.
func (n *Node) StartPluto(config, secrets string) *Pluto {
	n.t.Helper()
	root, err := repositoryRoot()
	n.check("pluto", err)
	p := &Pluto{node: n, dir: filepath.Join(n.Rundir(), "pluto"), folder: filepath.Join(root, plutoFolder)}
	if _, err := os.Stat(p.folder); err != nil {
		n.t.Fatalf("%v (libreswan, which %s unpacks)", err, plutoInstall)
	}
	n.check("pluto", os.MkdirAll(p.dir, 0o700))
	n.check("pluto", os.WriteFile(p.file("ipsec.conf"), []byte(config), 0o600))
	n.check("pluto", os.WriteFile(p.file("ipsec.secrets"), []byte(secrets), 0o600))
	_, err = n.Run(certutil, "-N", "-d", "sql:"+p.dir, "--empty-password")
	n.check("pluto (Debian package libnss3-tools)", err)
	p.Start()
	return p
}

func (p *Pluto) file(name string) string { return filepath.Join(p.dir, name) }

// Start starts the daemon again, after Stop or Kill, with no connection loaded.
func (p *Pluto) Start() {
	n := p.node
	n.t.Helper()
	_ = os.Remove(p.file("pluto.pid"))
	_ = os.Remove(p.file("pluto.ctl"))
	p.process = n.Start("pluto", "/usr/bin/unshare", "--mount", "sh", "-c", plutoMount, p.folder, "--nofork", "--stderrlog", "--config", p.file("ipsec.conf"),
		"--secretsfile", p.file("ipsec.secrets"), "--nssdir", p.dir, "--ipsecdir", p.dir, "--rundir", p.dir)
	Eventually(n.t, peerLimit, func() error {
		if !p.process.Running() {
			n.t.Fatalf("%s: pluto ended: %v", n.name, p.process.err)
		}
		_, err := p.Whack("--listen")
		return err
	})
}

// Load loads a connection of ipsec.conf.
func (p *Pluto) Load(connection string) {
	p.node.t.Helper()
	_, err := p.node.Run(filepath.Join(p.folder, "addconn"), "--config", p.file("ipsec.conf"), "--ctlsocket", p.file("pluto.ctl"), connection)
	p.node.check("pluto's connection", err)
}

// Whack gives the daemon a command, such as "--initiate", and returns what it printed
// until that was done, which for negotiations that fail is an error after a while.
func (p *Pluto) Whack(args ...string) (string, error) {
	limit := strconv.Itoa(int(peerLimit.Seconds()))
	return p.node.Run("/usr/bin/timeout", append([]string{limit, filepath.Join(p.folder, "whack"), "--rundir", p.dir}, args...)...)
}

// Stop ends the daemon in order: it deletes its SAs.
func (p *Pluto) Stop() {
	p.node.t.Helper()
	_, err := p.Whack("--shutdown")
	p.node.check("pluto", err)
	_ = p.process.Wait(peerLimit)
}

// Kill kills the daemon as kill -9: its SAs stay in the kernel, its peers are not told.
func (p *Pluto) Kill() { p.node.t.Helper(); p.process.Kill() }

// Process is the daemon, for signals.
func (p *Pluto) Process() *Process { return p.process }
