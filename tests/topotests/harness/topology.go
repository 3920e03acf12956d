package harness

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Topology is a network of nodes, each in its own network namespace.
type Topology struct {
	t       TB
	dir     string // run directories and logs while the test runs
	named   string
	nodes   []*Node
	uplinks int
	ended   bool
}

// Option changes how a topology is made.
type Option func(*Topology)

// Named gives the namespaces names under /run/netns, with this prefix, for the
// use of ip netns and of people.
func Named(prefix string) Option { return func(tp *Topology) { tp.named = prefix } }

// Directory sets the directory below which the nodes' run directories lie. It is
// not removed at the end. Unix sockets must be possible there.
func Directory(dir string) Option { return func(tp *Topology) { tp.dir = dir } }

// New makes an empty topology that ends with the test.
func New(t TB, opts ...Option) *Topology {
	t.Helper()
	tp := &Topology{t: t}
	for _, o := range opts {
		o(tp)
	}
	if tp.dir == "" {
		dir, err := os.MkdirTemp("", "godmvpn-topo-")
		if err != nil {
			t.Fatalf("topology: %v", err)
		}
		tp.dir = dir
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	t.Cleanup(tp.end)
	return tp
}

// end collects what tells about a failure, kills every process in the
// namespaces, and lets the namespaces go.
func (tp *Topology) end() {
	if tp.ended {
		return
	}
	tp.ended = true
	tp.deaths()
	if tp.t.Failed() {
		tp.collect()
	}
	for _, n := range tp.nodes {
		n.stopBackground()
	}
	if left := tp.killAll(); len(left) > 0 {
		tp.t.Errorf("processes that could not be killed: %v", left)
	}
	for _, n := range tp.nodes {
		n.release()
	}
}

// Close ends the topology before the test does, for programs that make many.
func (tp *Topology) Close() { tp.t.Helper(); tp.end() }

// Dir is the directory of this topology's files.
func (tp *Topology) Dir() string { return tp.dir }

// Node adds a plain namespace with its loopback device up.
func (tp *Topology) Node(name string) *Node {
	tp.t.Helper()
	n, err := newNode(tp, name)
	if err != nil {
		tp.t.Fatalf("node %s: %v", name, err)
	}
	tp.nodes = append(tp.nodes, n)
	return n
}

// Router adds a namespace that forwards IPv4 and IPv6.
func (tp *Topology) Router(name string) *Node {
	tp.t.Helper()
	n := tp.Node(name)
	n.Sysctl("net.ipv4.ip_forward", "1")
	n.Sysctl("net.ipv6.conf.all.forwarding", "1")
	return n
}

// Internet adds the router that stands for the provider's network: it forwards,
// knows only what is attached to it, and answers traceroute.
func (tp *Topology) Internet(name string) *Node { tp.t.Helper(); return tp.Router(name) }

// Uplink joins a node to the internet by a subnet of its own: addr, such as
// 203.0.113.1/30, is the node's; the provider takes the other address of the
// /30 or /31 (in larger subnets the next one). The node gets a default route to it,
// unless noDefault. Its device is "wan".
func (tp *Topology) Uplink(internet, n *Node, addr string) *Link {
	tp.t.Helper()
	p, err := netip.ParsePrefix(addr)
	if err != nil {
		tp.t.Fatalf("uplink of %s: %v", n.name, err)
	}
	other := p.Addr().Next()
	if !p.Contains(other) || isBroadcast(p, other) {
		other = p.Addr().Prev()
	}
	tp.uplinks++
	l := tp.Link(internet, fmt.Sprintf("to-%d-%s", tp.uplinks, clip(n.name, 8)),
		netip.PrefixFrom(other, p.Bits()).String(), n, "wan", addr)
	n.Route("default", other.String())
	return l
}

// isBroadcast tells whether a is the last address of an IPv4 subnet that has a
// broadcast address.
func isBroadcast(p netip.Prefix, a netip.Addr) bool {
	return p.Addr().Is4() && p.Bits() < 31 && !p.Contains(a.Next())
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// Host adds a host with one device, "eth0", linked to the router's device "lan-"
// and the host's name. The router takes the gateway's address in the same subnet.
func (tp *Topology) Host(name string, router *Node, addr, gateway string) *Node {
	tp.t.Helper()
	h := tp.Node(name)
	p, err := netip.ParsePrefix(addr)
	if err != nil {
		tp.t.Fatalf("host %s: %v", name, err)
	}
	tp.Link(h, "eth0", addr, router, clip("lan-"+name, 15), fmt.Sprintf("%s/%d", gateway, p.Bits()))
	h.Route("default", gateway)
	return h
}

// death matches what zebra logs of a daemon that ended unasked: by a panic, or killed. A
// zebra that did not start it knows no reason.
var death = regexp.MustCompile(`msg="daemon failed".* cause="?(exit status 2|exited|killed by signal: [a-z ]+)`)

// deaths fails the test where a daemon died that nobody killed: it is back before long, so
// nothing else may show it.
func (tp *Topology) deaths() {
	if tp.named != "" {
		return // a demo's are whoever's plays with it
	}
	for _, n := range tp.nodes {
		kills := n.kills
		for _, f := range n.logs {
			b, _ := os.ReadFile(f)
			for _, line := range death.FindAllString(string(b), -1) {
				if kills > 0 && !strings.Contains(line, "exit status") {
					kills--
					continue
				}
				tp.t.Errorf("%s: a daemon died: %s", n.name, line)
			}
		}
	}
}

// unsafeName matches what does not belong into a file name.
var unsafeName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// collect keeps the topology's files and the nodes' kernel tables in the output
// directory, and says where.
func (tp *Topology) collect() {
	dst := filepath.Join(outputRoot(), unsafeName.ReplaceAllString(tp.t.Name(), "_"))
	_ = os.RemoveAll(dst)
	for _, n := range tp.nodes {
		dir := filepath.Join(dst, n.name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			tp.t.Logf("collecting: %v", err)
			return
		}
		_ = os.WriteFile(filepath.Join(dir, "kernel.txt"), []byte(n.Dump()), 0o644)
		for _, f := range n.logs {
			tp.keep(f, dir)
		}
		for _, c := range n.captures {
			_ = c.WriteFile(filepath.Join(dir, c.device+".pcap"))
		}
	}
	tp.t.Logf("logs, kernel tables and captures: %s", dst)
}

// keep copies one log and shows its end.
func (tp *Topology) keep(file, dir string) {
	b, err := os.ReadFile(file)
	if err != nil {
		return
	}
	_ = os.WriteFile(filepath.Join(dir, filepath.Base(file)), b, 0o644)
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	const shown = 15
	if len(lines) > shown {
		lines = lines[len(lines)-shown:]
	}
	tp.t.Logf("end of %s:\n%s", file, strings.Join(lines, "\n"))
}
