package harness

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Node is a router or a host: a network namespace with what runs in it.
type Node struct {
	t          TB
	tp         *Topology
	name       string
	ns         netns.NsHandle
	inode      uint64 // of the namespace, by which its processes are found
	nl         *netlink.Handle
	nsName     string // under /run/netns, "" for none
	logs       []string
	captures   []*Capture
	background []func()
	consoles   consoles
	kills      int // of processes, by KillPid
}

// newNode makes the namespace, with lo up.
func newNode(tp *Topology, name string) (*Node, error) {
	n := &Node{t: tp.t, tp: tp, name: name}
	if tp.named != "" {
		n.nsName = tp.named + name
	}
	if err := n.makeNamespace(); err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(n.ns), &st); err != nil {
		return nil, err
	}
	n.inode = st.Ino
	nl, err := netlink.NewHandleAt(n.ns)
	if err != nil {
		return nil, err
	}
	n.nl = nl
	lo, err := nl.LinkByName("lo")
	if err != nil {
		return nil, err
	}
	return n, nl.LinkSetUp(lo)
}

// makeNamespace makes the namespace in a thread that ends with it, so that no
// thread of this process is ever left in the wrong namespace.
func (n *Node) makeNamespace() error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		if n.nsName != "" {
			n.ns, err = netns.NewNamed(n.nsName)
		} else {
			n.ns, err = netns.New()
		}
		result <- err
	}()
	return <-result
}

// release lets the namespace go.
func (n *Node) release() {
	n.nl.Close()
	n.ns.Close()
	if n.nsName != "" {
		_ = netns.DeleteNamed(n.nsName)
	}
}

// Name is the node's name in the topology.
func (n *Node) Name() string { return n.name }

// Rundir is the directory of the node's daemons: sockets, logs, configuration.
func (n *Node) Rundir() string {
	dir := filepath.Join(n.tp.dir, n.name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		n.t.Fatalf("%s: %v", n.name, err)
	}
	return dir
}

// Netlink is a handle on the node's kernel tables.
func (n *Node) Netlink() *netlink.Handle { return n.nl }

// Do calls f with the calling goroutine in the node's network namespace. Sockets
// opened by f belong to it, and so do processes started by f. f must not start
// goroutines that need the namespace.
func (n *Node) Do(f func() error) error {
	runtime.LockOSThread()
	old, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer old.Close()
	if err := netns.Set(n.ns); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("entering the namespace of %s: %w", n.name, err)
	}
	err = f()
	if back := netns.Set(old); back != nil {
		// The thread stays locked and ends with its goroutine.
		return errors.Join(err, fmt.Errorf("leaving the namespace of %s: %w", n.name, back))
	}
	runtime.UnlockOSThread()
	return err
}

// check ends the test when something that sets up the topology fails.
func (n *Node) check(what string, err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatalf("%s: %s: %v", n.name, what, err)
	}
}

// Sysctl sets a kernel parameter of the namespace, such as net.ipv4.ip_forward.
func (n *Node) Sysctl(name, value string) {
	n.t.Helper()
	path := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
	n.check(name, n.Do(func() error { return os.WriteFile(path, []byte(value), 0o644) }))
}

// link looks a device up.
func (n *Node) link(device string) netlink.Link {
	n.t.Helper()
	l, err := n.nl.LinkByName(device)
	n.check(device, err)
	return l
}

// Up sets a device up.
func (n *Node) Up(device string) { n.t.Helper(); n.check(device, n.nl.LinkSetUp(n.link(device))) }

// Down sets a device down.
func (n *Node) Down(device string) { n.t.Helper(); n.check(device, n.nl.LinkSetDown(n.link(device))) }

// Addr adds an address, in CIDR, to a device. IPv6 addresses are usable at once.
func (n *Node) Addr(device, cidr string) {
	n.t.Helper()
	a, err := netlink.ParseAddr(cidr)
	n.check(cidr, err)
	if a.IP.To4() == nil {
		a.Flags = unix.IFA_F_NODAD
	}
	n.check(cidr+" on "+device, n.nl.AddrAdd(n.link(device), a))
}

// DelAddr removes an address from a device.
func (n *Node) DelAddr(device, cidr string) {
	n.t.Helper()
	a, err := netlink.ParseAddr(cidr)
	n.check(cidr, err)
	n.check(cidr+" on "+device, n.nl.AddrDel(n.link(device), a))
}

// Route adds or replaces a route; prefix may be "default".
func (n *Node) Route(prefix, gateway string) {
	n.t.Helper()
	r := &netlink.Route{Gw: net.ParseIP(gateway)}
	if prefix != "default" {
		p, err := netip.ParsePrefix(prefix)
		n.check(prefix, err)
		r.Dst = &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	}
	n.check("route "+prefix, n.nl.RouteReplace(r))
}

// Blackholes adds discard routes to the kernel, as an administrator does who types
// "ip route add blackhole": for tests of "redistribute kernel".
func (n *Node) Blackholes(prefixes ...netip.Prefix) {
	n.t.Helper()
	for _, p := range prefixes {
		n.check("discard route", n.nl.RouteAdd(&netlink.Route{Type: unix.RTN_BLACKHOLE, Protocol: unix.RTPROT_BOOT,
			Dst: &net.IPNet{IP: p.Masked().Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}))
	}
}

// Dummy adds a dummy device, up, with the addresses given.
func (n *Node) Dummy(name string, addrs ...string) {
	n.t.Helper()
	a := netlink.NewLinkAttrs()
	a.Name = name
	n.check(name, n.nl.LinkAdd(&netlink.Dummy{LinkAttrs: a}))
	for _, addr := range addrs {
		n.Addr(name, addr)
	}
	n.Up(name)
}

// Stub adds a LAN with nobody on it, with addresses in CIDR: an Ethernet device whose other
// end is in a namespace of its own. Unlike [Node.Dummy] it needs veth devices only.
func (n *Node) Stub(name string, addrs ...string) {
	n.t.Helper()
	n.tp.Link(n, name, "", n.tp.Node(n.name+"-"+name), "eth0", "")
	for _, addr := range addrs {
		n.Addr(name, addr)
	}
}

// Bridge adds a bridge, up, with an address in CIDR.
func (n *Node) Bridge(name, addr string) {
	n.t.Helper()
	a := netlink.NewLinkAttrs()
	a.Name = name
	n.check(name, n.nl.LinkAdd(&netlink.Bridge{LinkAttrs: a}))
	n.Addr(name, addr)
	n.Up(name)
}

// Enslave makes a device a port of a bridge.
func (n *Node) Enslave(device, bridge string) {
	n.t.Helper()
	n.check(device+" into "+bridge, n.nl.LinkSetMaster(n.link(device), n.link(bridge)))
}

// loss makes a device drop a percentage of what it sends.
func (n *Node) loss(device string, percent float32) error {
	l, err := n.nl.LinkByName(device)
	if err != nil {
		return err
	}
	qa := netlink.QdiscAttrs{LinkIndex: l.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}
	var q netlink.Qdisc = &netlink.GenericQdisc{QdiscAttrs: qa, QdiscType: "blackhole"} // which every kernel has
	if percent < 100 {
		q = netlink.NewNetem(qa, netlink.NetemQdiscAttrs{Loss: percent})
	}
	if percent == 0 {
		if err := n.nl.QdiscDel(q); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINVAL) {
			return err
		}
		return nil // also where there was no loss
	}
	return n.nl.QdiscReplace(q)
}

// stopBackground ends what the harness itself runs for this node: captures, flows
// and connections to zebra.
func (n *Node) stopBackground() {
	n.consoles.close()
	for _, stop := range n.background {
		stop()
	}
	n.background = nil
}
