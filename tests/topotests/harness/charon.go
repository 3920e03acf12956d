package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// charonProgram is strongSwan's IKE daemon in Debian's package charon-systemd.
const charonProgram = "/usr/sbin/charon-systemd"

// charonPlugins are what the daemon loads: OpenSSL has all the cryptography.
const charonPlugins = "random nonce openssl kdf pem x509 revocation constraints pubkey pkcs1 pkcs8 socket-default kernel-netlink vici"

// Charon is an instance of strongSwan's IKE daemon in a node, as a peer in
// interoperation tests.
type Charon struct {
	node    *Node
	dir     string
	process *Process
}

// StartCharon starts the daemon in the node, with lines for the section of
// strongswan.conf that is its own, and waits until it answers. Its socket and its log
// are the instance's own, so that several run side by side. It has no connection yet.
func (n *Node) StartCharon(options string) *Charon {
	n.t.Helper()
	c := &Charon{node: n, dir: filepath.Join(n.Rundir(), "charon")}
	n.check("charon", os.MkdirAll(c.dir, 0o750))
	log := c.file("charon.log")
	n.Log(log)
	text := fmt.Sprintf("charon-systemd {\n load = %s\n install_routes = no\n plugins {\n  vici {\n   socket = unix://%s\n  }\n }\n"+
		" filelog {\n  log {\n   path = %s\n   default = 1\n   ike = 2\n   time_format = %%H:%%M:%%S\n   flush_line = yes\n  }\n }\n%s\n}\n",
		charonPlugins, c.socket(), log, options)
	n.check("charon", os.WriteFile(c.file("strongswan.conf"), []byte(text), 0o640))
	c.Start()
	return c
}

func (c *Charon) file(name string) string { return filepath.Join(c.dir, name) }
func (c *Charon) socket() string          { return c.file("vici") }

// Start starts the daemon again, after Stop or Kill, with the options that it had and
// nothing loaded.
func (c *Charon) Start() {
	n := c.node
	n.t.Helper()
	if _, err := os.Stat(charonProgram); err != nil {
		n.t.Fatalf("%v (Debian package charon-systemd)", err)
	}
	_ = os.Remove(c.socket())
	c.process = n.Start("charon", "/usr/bin/env", "STRONGSWAN_CONF="+c.file("strongswan.conf"), charonProgram)
	Eventually(n.t, peerLimit, func() error {
		if !c.process.Running() {
			n.t.Fatalf("%s: charon ended: %v", n.name, c.process.err)
		}
		_, err := c.Ask("version", nil)
		return err
	})
}

// Stop ends the daemon in order: it deletes its SAs.
func (c *Charon) Stop() { c.node.t.Helper(); _ = c.process.Terminate(peerLimit) }

// Kill kills the daemon as kill -9: its SAs stay in the kernel, its peers are not told.
func (c *Charon) Kill() { c.node.t.Helper(); c.process.Kill() }

// Process is the daemon, for signals.
func (c *Charon) Process() *Process { return c.process }

// Ask sends a command of vici and returns the answer; one without success is an error.
func (c *Charon) Ask(command string, request Section) (Section, error) {
	answer, _, err := viciAsk(c.socket(), peerLimit, command, "", request)
	return answer, err
}

// must is Ask for commands that must succeed.
func (c *Charon) must(command string, request Section) {
	c.node.t.Helper()
	_, err := c.Ask(command, request)
	c.node.check("charon", err)
}

// Load loads connections and secrets in the syntax of swanctl.conf: the sections
// "connections" and "secrets", the latter with sections "ike…" only.
func (c *Charon) Load(text string) {
	c.node.t.Helper()
	conf, err := parseSwanctl(text)
	c.node.check("charon's configuration", err)
	if s, ok := conf["secrets"].(Section); ok {
		for name := range s {
			c.must("load-shared", Section{"id": name, "type": "IKE", "data": s.At(name, "secret"), "owners": owners(s[name].(Section))})
		}
	}
	conns, _ := conf["connections"].(Section)
	for name, conn := range conns {
		c.must("load-conn", Section{name: conn})
	}
}

// owners are the identities of a secret.
func owners(secret Section) (ids []string) {
	for key := range secret {
		if strings.HasPrefix(key, "id") {
			ids = append(ids, secret.At(key))
		}
	}
	slices.Sort(ids)
	return ids
}

// Unload ends all IKE SAs of a connection and forgets it.
func (c *Charon) Unload(connection string) {
	c.node.t.Helper()
	_, _ = c.Ask("terminate", Section{"ike": connection, "force": "yes"}) // there may be none
	c.must("unload-conn", Section{"name": connection})
}

// LoadPEM loads a certificate of its own, one of a certification authority, and a
// private key, each in PEM and each where not nil.
func (c *Charon) LoadPEM(cert, authority, key []byte) {
	c.node.t.Helper()
	if cert != nil {
		c.must("load-cert", Section{"type": "X509", "flag": "NONE", "data": string(cert)})
	}
	if authority != nil {
		c.must("load-cert", Section{"type": "X509", "flag": "CA", "data": string(authority)})
	}
	if key != nil {
		c.must("load-key", Section{"type": "any", "data": string(key)})
	}
}

// Initiate begins the negotiation of a child, or with "" of the IKE SA alone, and waits
// until it is there.
func (c *Charon) Initiate(connection, child string) error {
	request := Section{"ike": connection, "timeout": "20000"}
	if child != "" {
		request["child"] = child
	}
	_, err := c.Ask("initiate", request)
	return err
}

// SAs are the IKE SAs of a connection, "" for all, each as vici tells of it.
func (c *Charon) SAs(connection string) ([]Section, error) {
	var request Section
	if connection != "" {
		request = Section{"ike": connection}
	}
	_, events, err := viciAsk(c.socket(), peerLimit, "list-sas", "list-sa", request)
	var all []Section
	for _, e := range events {
		all = append(all, e.Sections()...)
	}
	return all, err
}

// Established tells whether a connection has exactly one IKE SA, established, and this
// number of children that are installed, and returns it and them.
func (c *Charon) Established(connection string, children int) (sa Section, installed []Section, err error) {
	sas, err := c.SAs(connection)
	if err != nil {
		return nil, nil, err
	}
	if len(sas) != 1 || sas[0].At("state") != "ESTABLISHED" {
		return nil, nil, fmt.Errorf("%s: charon has %v, want one IKE SA", c.node.name, sas)
	}
	all, _ := sas[0]["child-sas"].(Section)
	for _, child := range all.Sections() {
		if child.At("state") == "INSTALLED" {
			installed = append(installed, child)
		}
	}
	if len(installed) != children {
		return nil, nil, fmt.Errorf("%s: charon has %d children, want %d: %v", c.node.name, len(installed), children, sas[0])
	}
	return sas[0], installed, nil
}

// Logged tells how often the daemon's log has a text.
func (c *Charon) Logged(text string) int {
	b, _ := os.ReadFile(c.file("charon.log"))
	return strings.Count(string(b), text)
}

// lists are the keys of swanctl.conf whose values are lists.
var lists = []string{"local_addrs", "remote_addrs", "proposals", "esp_proposals", "local_ts", "remote_ts", "auth_lists", "certs", "cacerts"}

// errSwanctl is a text that is not of swanctl.conf's syntax.
var errSwanctl = errors.New("braces do not match")

// parseSwanctl reads swanctl.conf: a line begins a section, ends one, or has a key and a
// value.
func parseSwanctl(text string) (Section, error) {
	stack := []Section{{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		top := stack[len(stack)-1]
		if name, ok := strings.CutSuffix(line, "{"); ok {
			sub := Section{}
			top[strings.TrimSpace(name)] = sub
			stack = append(stack, sub)
		} else if line == "}" {
			if stack = stack[:len(stack)-1]; len(stack) == 0 {
				return nil, errSwanctl
			}
		} else if key, value, ok := strings.Cut(line, "="); ok {
			key, value = strings.TrimSpace(key), strings.TrimSpace(value)
			top[key] = value
			if slices.Contains(lists, key) {
				top[key] = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
			}
		} else if line != "" {
			return nil, fmt.Errorf("what is %q", line)
		}
	}
	if len(stack) != 1 {
		return nil, errSwanctl
	}
	return stack[0], nil
}
