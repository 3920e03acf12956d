package harness

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// Neighbor is an entry of a node's neighbour table.
type Neighbor struct {
	Device  string
	Address netip.Addr
	NBMA    netip.Addr // the link-layer address where it is one of IPv4 or IPv6, as on GRE
	State   int        // NUD_*
}

// Device is a network device of a node.
type Device struct {
	Name  string
	Kind  string
	Up    bool
	MTU   int
	Addrs []netip.Prefix
}

// dumpTries is how often a dump that the kernel reports as interrupted is read
// again.
const dumpTries = 30

// dump reads a kernel table until it was not changed meanwhile.
func dump[T any](f func() ([]T, error)) ([]T, error) {
	var out []T
	var err error
	for range dumpTries {
		if out, err = f(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return out, err
}

func prefixOf(ip, mask []byte) netip.Prefix {
	a, _ := netip.AddrFromSlice(ip)
	bits := 0
	for _, b := range mask {
		for ; b != 0; b <<= 1 {
			bits++
		}
	}
	return netip.PrefixFrom(a.Unmap(), bits)
}

// Neighbors returns the neighbour table of one device, "" for all, sorted. On a GRE
// device each entry's NBMA is the outer destination.
func (n *Node) Neighbors(device string) []Neighbor {
	n.t.Helper()
	names := n.deviceNames()
	var out []Neighbor
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		neighs, err := dump(func() ([]netlink.Neigh, error) { return n.nl.NeighList(0, family) })
		n.check("neighbours", err)
		for _, e := range neighs {
			if device != "" && names[e.LinkIndex] != device {
				continue
			}
			entry := Neighbor{Device: names[e.LinkIndex], State: e.State}
			if a, ok := netip.AddrFromSlice(e.IP); ok {
				entry.Address = a.Unmap()
			}
			lladdr := []byte(e.HardwareAddr)
			if e.LLIPAddr != nil {
				lladdr = e.LLIPAddr
			}
			if a, ok := netip.AddrFromSlice(lladdr); ok {
				entry.NBMA = a.Unmap()
			}
			out = append(out, entry)
		}
	}
	slices.SortFunc(out, func(a, b Neighbor) int {
		return cmp.Or(cmp.Compare(a.Device, b.Device), a.Address.Compare(b.Address))
	})
	return out
}

// Devices returns the network devices with their addresses, sorted by name.
func (n *Node) Devices() []Device {
	n.t.Helper()
	links, err := dump(n.nl.LinkList)
	n.check("devices", err)
	var out []Device
	for _, l := range links {
		a := l.Attrs()
		d := Device{Name: a.Name, Kind: l.Type(), Up: a.RawFlags&1 != 0, MTU: a.MTU}
		addrs, err := dump(func() ([]netlink.Addr, error) { return n.nl.AddrList(l, netlink.FAMILY_ALL) })
		n.check("addresses", err)
		for _, ad := range addrs {
			d.Addrs = append(d.Addrs, prefixOf(ad.IP, ad.Mask))
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Device) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (n *Node) deviceNames() map[int]string {
	links, err := dump(n.nl.LinkList)
	n.check("devices", err)
	names := make(map[int]string, len(links))
	for _, l := range links {
		names[l.Attrs().Index] = l.Attrs().Name
	}
	return names
}

// Dump prints devices, routes and neighbours for a person.
func (n *Node) Dump() string {
	var b strings.Builder
	for _, d := range n.Devices() {
		fmt.Fprintf(&b, "device %-16s %-8s up=%-5v mtu %d %v\n", d.Name, d.Kind, d.Up, d.MTU, d.Addrs)
	}
	for _, r := range n.Routes() {
		fmt.Fprintf(&b, "route  table %d proto %d: %v\n", r.Table, r.Protocol, r)
	}
	for _, e := range n.Neighbors("") {
		fmt.Fprintf(&b, "neigh  %-20s dev %s nbma %v state %#x\n", e.Address, e.Device, e.NBMA, e.State)
	}
	for _, sa := range n.ESP() {
		fmt.Fprintf(&b, "esp    %v\n", sa)
	}
	return b.String()
}
