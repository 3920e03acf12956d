package probe

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Request says in the words of a command where to send to.
type Request struct {
	VRF    string // "" is the global table
	Target string // address or DNS name
	Source string // address or interface of this router; "" leaves the choice to the kernel
}

// Resolver finds the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Path is where packets go and how.
type Path struct {
	VRF    string
	Device string     // the VRF's kernel device; "" for the global table
	Target netip.Addr // with a zone if it is link-local
	Source netip.Addr // zero leaves the choice to the kernel
}

// lookupLimit bounds the wait for a name server.
const lookupLimit = 10 * time.Second

// Resolve finds the path of a request on a router with these interfaces. Names
// are looked up in the global table; IPv4 is preferred unless the source is an
// IPv6 address. The error says which word of the command is wrong.
func Resolve(ctx context.Context, r Request, interfaces []rib.Interface, names Resolver) (Path, error) {
	p := Path{VRF: r.VRF, Device: r.VRF}
	if r.VRF != "" {
		at := slices.IndexFunc(interfaces, func(i rib.Interface) bool { return i.Type == rib.TypeVRF && i.Name == r.VRF && i.Index != 0 })
		if at < 0 {
			return p, fmt.Errorf("VRF %s does not exist", r.VRF)
		}
		p.Device = interfaces[at].KernelName
	}
	var err error
	source, _ := netip.ParseAddr(r.Source)
	if p.Target, err = target(ctx, r.Target, source, names); err != nil {
		return p, err
	}
	if r.Source == "" {
		if p.Target.IsLinkLocalUnicast() && p.Target.Is6() {
			return p, fmt.Errorf("%v is link-local: a source interface says on which link", p.Target)
		}
		return p, checkTarget(p, interfaces)
	}
	var via rib.Interface
	if p.Source, via, err = sourceOf(r, p.Target, source, interfaces); err != nil {
		return p, err
	}
	if p.Target.Is6() && p.Target.IsLinkLocalUnicast() {
		p.Target = p.Target.WithZone(via.KernelName)
	}
	if p.Source.Is6() && p.Source.IsLinkLocalUnicast() {
		p.Source = p.Source.WithZone(via.KernelName)
	}
	return p, checkTarget(p, interfaces)
}

// target reads an address or looks a name up.
func target(ctx context.Context, text string, source netip.Addr, names Resolver) (netip.Addr, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	found, err := names.LookupNetIP(ctx, "ip", text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("unknown host %s: %w", text, err)
	}
	var other netip.Addr
	for _, a := range found {
		if a = a.Unmap(); a.Is6() == source.Is6() {
			return a, nil
		}
		other = a
	}
	switch {
	case !other.IsValid():
		return other, fmt.Errorf("unknown host %s: it has no address", text)
	case source.IsValid():
		return other, fmt.Errorf("%s has no address of the source's family", text)
	}
	return other, nil
}

// checkTarget refuses what is no host.
func checkTarget(p Path, interfaces []rib.Interface) error {
	t := p.Target
	switch {
	case t.IsUnspecified():
		return fmt.Errorf("%v is no target", t)
	case t.IsMulticast():
		return fmt.Errorf("%v is a multicast address: only unicast targets can be probed", t)
	case t == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%v is the broadcast address", t)
	}
	for _, i := range interfaces {
		for _, a := range i.Addresses {
			if i.VRF == p.VRF && t.Is4() && a.Prefix.Addr().Is4() && a.Prefix.Bits() < 31 && t == broadcast(a.Prefix) {
				return fmt.Errorf("%v is the broadcast address of %s", t, i.Name)
			}
		}
	}
	return nil
}

// broadcast is the last address of an IPv4 prefix.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := range b {
		host := max(0, min(8, 8*(i+1)-p.Bits()))
		b[i] |= byte(1<<host - 1)
	}
	return netip.AddrFrom4(b)
}

// sourceOf finds the source address and its interface.
func sourceOf(r Request, target, source netip.Addr, interfaces []rib.Interface) (netip.Addr, rib.Interface, error) {
	if !source.IsValid() {
		return interfaceSource(r, target, interfaces)
	}
	if source = source.Unmap(); source.Is4() != target.Is4() {
		return source, rib.Interface{}, fmt.Errorf("source %v and target %v are of different address families", source, target)
	}
	if source.Is6() && source.IsLinkLocalUnicast() {
		return source, rib.Interface{}, fmt.Errorf("source %v is link-local: name its interface instead", source)
	}
	if target.Is6() && target.IsLinkLocalUnicast() {
		return source, rib.Interface{}, fmt.Errorf("%v is link-local: a source interface says on which link", target)
	}
	for _, i := range interfaces {
		if i.VRF != r.VRF || !i.Up {
			continue
		}
		for _, a := range i.Addresses {
			if a.Prefix.Addr() == source {
				return source, i, nil
			}
		}
	}
	return source, rib.Interface{}, fmt.Errorf("source %v is no address of an interface that is up%s", source, inVRF(r.VRF))
}

// interfaceSource finds the address that an interface gives for a target: its
// first one of the family, for IPv6 one of the target's scope.
func interfaceSource(r Request, target netip.Addr, interfaces []rib.Interface) (netip.Addr, rib.Interface, error) {
	name := cli.InterfaceName(r.Source)
	at := slices.IndexFunc(interfaces, func(i rib.Interface) bool { return i.Name == name })
	if at < 0 {
		return netip.Addr{}, rib.Interface{}, fmt.Errorf("source %s: there is no such interface, and it is no address", name)
	}
	i := interfaces[at]
	family := "IPv4"
	if target.Is6() {
		family = "IPv6"
	}
	var err error
	switch {
	case i.Index == 0:
		err = errors.New("the kernel has no such device now")
	case i.VRF != r.VRF && i.VRF == "":
		err = errors.New("it is in no VRF")
	case i.VRF != r.VRF:
		err = fmt.Errorf("it is in VRF %s", i.VRF)
	case !i.Up:
		err = errors.New("it is down")
	}
	if err != nil {
		return netip.Addr{}, i, fmt.Errorf("source %s: %w", name, err)
	}
	var found netip.Addr
	for _, a := range i.Addresses {
		addr := a.Prefix.Addr()
		if addr.Is4() != target.Is4() {
			continue
		}
		if addr.Is4() || addr.IsLinkLocalUnicast() == target.IsLinkLocalUnicast() {
			return addr, i, nil
		}
		found = addr
	}
	if !found.IsValid() {
		return found, i, fmt.Errorf("source %s: it has no %s address", name, family)
	}
	return found, i, nil
}

func inVRF(vrf string) string {
	if vrf == "" {
		return ""
	}
	return " in VRF " + vrf
}
