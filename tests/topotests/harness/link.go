package harness

import "github.com/vishvananda/netlink"

// Link is a virtual cable between two nodes.
type Link struct {
	t   TB
	end [2]struct {
		node *Node
		name string
	}
}

// Link joins two nodes by a veth pair; addresses are CIDR, "" for none. Both ends
// are up.
func (tp *Topology) Link(a *Node, aName, aAddr string, b *Node, bName, bAddr string) *Link {
	tp.t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = aName
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: bName, PeerNamespace: netlink.NsFd(int(b.ns))}
	if err := a.nl.LinkAdd(veth); err != nil {
		tp.t.Fatalf("link %s:%s - %s:%s: %v", a.name, aName, b.name, bName, err)
	}
	l := &Link{t: tp.t}
	l.end[0].node, l.end[0].name = a, aName
	l.end[1].node, l.end[1].name = b, bName
	for i, addr := range []string{aAddr, bAddr} {
		if addr != "" {
			l.end[i].node.Addr(l.end[i].name, addr)
		}
	}
	l.Up()
	return l
}

// Up sets both ends up.
func (l *Link) Up() {
	l.t.Helper()
	for _, e := range l.end {
		e.node.Up(e.name)
	}
}

// Down sets both ends down: both nodes see it at once.
func (l *Link) Down() {
	l.t.Helper()
	for _, e := range l.end {
		e.node.Down(e.name)
	}
}

// DownAt sets the end at one node down, as by its administrator. The other end
// stays up and loses its carrier.
func (l *Link) DownAt(n *Node) { l.t.Helper(); n.Down(l.deviceAt(n)) }

// UpAt sets the end at one node up.
func (l *Link) UpAt(n *Node) { l.t.Helper(); n.Up(l.deviceAt(n)) }

// Cut lets the link swallow all packets while both ends stay up with carrier: the
// failure that only a protocol's timers notice.
func (l *Link) Cut() { l.t.Helper(); l.Loss(100) }

// Mend undoes Cut and Loss.
func (l *Link) Mend() { l.t.Helper(); l.Loss(0) }

// Loss drops this percentage of the packets in both directions, at random; 0
// ends that.
func (l *Link) Loss(percent float32) {
	l.t.Helper()
	for _, e := range l.end {
		l.LossFrom(e.node, percent)
	}
}

// LossFrom drops this percentage of the packets that one node sends into the link,
// at random; 0 ends that. With 100 the link works in the other direction alone.
func (l *Link) LossFrom(n *Node, percent float32) {
	l.t.Helper()
	device := l.deviceAt(n)
	if err := n.loss(device, percent); err != nil {
		l.t.Fatalf("loss on %s %s: %v", n.name, device, err)
	}
}

// deviceAt is the name of the end at a node.
func (l *Link) deviceAt(n *Node) string {
	l.t.Helper()
	for _, e := range l.end {
		if e.node == n {
			return e.name
		}
	}
	l.t.Fatalf("the link has no end at %s", n.name)
	return ""
}
