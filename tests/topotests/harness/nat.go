package harness

import (
	"fmt"
	"net/netip"
)

// iptablesProgram is the packet filter that all kernels have (Debian package
// iptables).
const iptablesProgram = "/usr/sbin/iptables-legacy"

// NAT is a router that translates addresses, with the kernel's connection tracking:
// inside is a network of private addresses, outside a /30 with the provider.
type NAT struct {
	*Node
	tp       *Topology
	inet     *Node
	outside  string // its own address outside
	inside   netip.Prefix
	attached int
}

// NAT adds a NAT router: outside is its address at the provider, in CIDR, and inside
// its own address in the network behind it. It translates nothing yet.
func (tp *Topology) NAT(name string, inet *Node, outside, inside string) *NAT {
	tp.t.Helper()
	out, err := netip.ParsePrefix(outside)
	if err != nil {
		tp.t.Fatalf("NAT %s: %v", name, err)
	}
	in, err := netip.ParsePrefix(inside)
	if err != nil {
		tp.t.Fatalf("NAT %s: %v", name, err)
	}
	n := &NAT{Node: tp.Router(name), tp: tp, inet: inet, outside: out.Addr().String(), inside: in}
	tp.Uplink(inet, n.Node, outside)
	n.Bridge("inside", inside)
	return n
}

// Gateway is the router's address inside.
func (n *NAT) Gateway() string { return n.inside.Addr().String() }

// InsideBits is the prefix length of the network inside.
func (n *NAT) InsideBits() int { return n.inside.Bits() }

// Outside is the router's own address outside.
func (n *NAT) Outside() string { return n.outside }

// Attach links a node to the inside. Its device gets no address.
func (n *NAT) Attach(other *Node, device string) *Link {
	n.t.Helper()
	n.attached++
	port := fmt.Sprintf("port%d", n.attached)
	l := n.tp.Link(n.Node, port, "", other, device, "")
	n.Enslave(port, "inside")
	return l
}

// Static gives a host inside a public address of its own, in both directions and
// for hosts inside too. The provider learns the way.
func (n *NAT) Static(inside, public string) {
	n.t.Helper()
	n.inet.Route(public+"/32", n.outside)
	n.iptables("-t", "nat", "-A", "PREROUTING", "-d", public, "-j", "DNAT", "--to-destination", inside)
	n.iptables("-t", "nat", "-I", "POSTROUTING", "-s", inside, "-j", "SNAT", "--to-source", public)
}

// Masquerade lets the hosts inside share the router's own address outside. What comes
// to that address and answers nothing is dropped, as by most such routers: if the
// router took a packet of GRE for its own, it could not translate what a host inside
// sends to that station any more, since the answers would be the same.
func (n *NAT) Masquerade() {
	n.t.Helper()
	n.iptables("-t", "nat", "-A", "POSTROUTING", "-o", "wan", "-j", "MASQUERADE")
	n.iptables("-A", "INPUT", "-i", "wan", "-j", "DROP")
}

func (n *NAT) iptables(args ...string) {
	n.t.Helper()
	_, err := n.Run(iptablesProgram, append([]string{"-w"}, args...)...)
	n.check("NAT (Debian package iptables)", err)
}
