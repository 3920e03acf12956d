package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/iface"
)

// Config is what zebra's part of the configuration says.
type Config struct {
	Hostname string          // "" if not set
	LogLevel string          // Cisco's word; "" for the default
	Daemons  map[string]bool // by name: true for "daemon X", false for "no daemon X"
	Iface    iface.Config
	Static   []rib.Route // one for each prefix and distance, in configuration order
	Policy   *policy.Set // prefix-lists, access-lists, route-maps, key chains
}

// maxECMP is the largest number of next hops of one static route.
const maxECMP = 64

// reader collects what the lines mean and which are refused.
type reader struct {
	cfg  Config
	vrfs map[string]bool
	// static has the place of each route in cfg.Static.
	static map[rib.Key]int
	errs   []plugin.LineError
	path   []string
}

func (r *reader) refuse(n *conf.Node, format string, args ...any) {
	path := append(append([]string(nil), r.path...), n.Key)
	r.errs = append(r.errs, plugin.LineError{Path: path, Msg: fmt.Sprintf(format, args...)})
}

// Read turns the configuration into values. Lines that contradict others are
// returned; what they say is left out of the values.
func Read(tree *conf.Tree) (Config, []plugin.LineError) {
	r := reader{cfg: Config{Daemons: map[string]bool{}, Iface: iface.Config{Aliases: map[string]string{}}}, vrfs: map[string]bool{}, static: map[rib.Key]int{}}
	for _, n := range tree.All(Owner, CmdVRF) {
		r.vrf(n)
	}
	for _, n := range tree.Nodes {
		if n.Owner == Owner {
			r.global(n)
		}
	}
	var refused []conf.Refusal
	r.cfg.Policy, refused = policy.Read(tree)
	for _, e := range refused {
		r.errs = append(r.errs, plugin.LineError(e))
	}
	return r.cfg, r.errs
}

func (r *reader) vrf(n *conf.Node) {
	name := n.Args.String("name")
	if !iface.KernelNameOK(name) {
		r.refuse(n, "the name cannot be that of a Linux device")
		return
	}
	v := iface.VRF{Name: name}
	if d := n.Find(Owner, CmdVRFDesc); d != nil {
		v.Description = d.Args.String("text")
	}
	r.vrfs[name] = true
	r.cfg.Iface.VRFs = append(r.cfg.Iface.VRFs, v)
}

func (r *reader) global(n *conf.Node) {
	switch n.ID {
	case CmdHostname:
		name := n.Args.String("name")
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
			r.refuse(n, "a hostname has letters, digits, hyphens, dots and underscores only")
			return
		}
		r.cfg.Hostname = name
	case CmdLogLevel:
		r.cfg.LogLevel = n.Args.String("level")
	case CmdDaemon:
		r.cfg.Daemons[n.Args.String("name")] = !n.No
	case CmdAlias:
		r.alias(n)
	case CmdInterface:
		r.iface(n)
	case CmdRoute, CmdRouteLen, CmdRoute6:
		r.route(n)
	}
}

func (r *reader) alias(n *conf.Node) {
	name, kernel := n.Args.String("name"), n.Args.String("kernel")
	switch {
	case !iface.KernelNameOK(kernel):
		r.refuse(n, "%q cannot be the name of a Linux device", kernel)
	case iface.IsTunnel(name) || iface.IsLoopback(name):
		r.refuse(n, "%s is made under its own name", name)
	default:
		for other, k := range r.cfg.Iface.Aliases {
			if k == kernel {
				r.refuse(n, "%s already stands for %s", other, kernel)
				return
			}
		}
		r.cfg.Iface.Aliases[name] = kernel
	}
}

func (r *reader) iface(n *conf.Node) {
	i := iface.Interface{Name: n.Args.String("name")}
	isTunnel := iface.IsTunnel(i.Name)
	if strings.HasPrefix(i.Name, "Null") {
		r.refuse(n, "Null0 has nothing to configure; use it in routes")
		return
	}
	for name, kernel := range r.cfg.Iface.Aliases { // no two have the same kernel name
		if kernel == i.Name && name != i.Name {
			r.refuse(n, "%s stands for it here, by an interface-alias", name)
			return
		}
	}
	r.path = []string{n.Key}
	defer func() { r.path = nil }()
	for _, line := range n.Nodes {
		if line.Owner != Owner {
			continue
		}
		if strings.HasPrefix(line.ID, "tunnel.") {
			if !isTunnel {
				r.refuse(line, "%s is no tunnel", i.Name)
				continue
			}
			r.tunnelLine(i.Name, &i.Tunnel, line)
			continue
		}
		r.ifaceLine(&i, line)
	}
	if isTunnel {
		r.tunnel(n, &i.Tunnel)
	}
	r.cfg.Iface.Interfaces = append(r.cfg.Iface.Interfaces, i)
}

func (r *reader) ifaceLine(i *iface.Interface, n *conf.Node) {
	a := n.Args
	switch n.ID {
	case CmdIfDesc:
		i.Description = a.String("text")
	case CmdIfVRF:
		if i.VRF = a.String("vrf"); !r.vrfs[i.VRF] {
			r.refuse(n, "there is no vrf definition %s", i.VRF)
			i.VRF = ""
		}
	case CmdIfShutdown:
		i.Shutdown = true
	case CmdIfMTU:
		i.MTU = int(a.Uint("bytes"))
	case CmdIfIPMTU:
		i.IPMTU = int(a.Uint("bytes"))
	case CmdIfMSS:
		i.AdjustMSS = int(a.Uint("bytes"))
	case CmdIfBW:
		i.Bandwidth = a.Uint("kbit")
	case CmdIfDelay:
		i.Delay = uint32(a.Uint("tens"))
	case CmdIfAddress, CmdIfSecond, CmdIfAddress6, CmdIfLocal6:
		r.address(i, n)
	}
}

func (r *reader) address(i *iface.Interface, n *conf.Node) {
	p := n.Args.Prefix("addr")
	if n.Args.Has("mask") {
		p, _ = n.Args.MaskedPrefix("addr", "mask")
	}
	if n.ID == CmdIfLocal6 {
		p = netip.PrefixFrom(n.Args.Addr("addr"), linkLocalBits)
	}
	host := p.Addr()
	switch {
	case n.ID == CmdIfLocal6 && !host.IsLinkLocalUnicast():
		r.refuse(n, "%v is not a link-local address", host)
		return
	case host.IsMulticast(), host.IsUnspecified(), host.IsLoopback() && !iface.IsLoopback(i.Name):
		r.refuse(n, "%v is not an address of an interface", host)
		return
	case p.Bits() == 0:
		r.refuse(n, "a subnet of length 0 is not possible")
		return
	case host.Is4() && p.Bits() < 31 && (host == p.Masked().Addr() || host == broadcast(p)):
		r.refuse(n, "%v is the network's own or its broadcast address", host)
		return
	}
	for _, other := range i.Addresses {
		if other.Prefix.Addr() == host {
			r.refuse(n, "%v is already an address of this interface", host)
			return
		}
	}
	r.cfg.Iface.IPv6 = r.cfg.Iface.IPv6 || host.Is6()
	i.Addresses = append(i.Addresses, rib.Address{Prefix: p, Secondary: n.ID == CmdIfSecond})
}

// linkLocalBits is the length of the link-local subnet (RFC 4291 section 2.5.6).
const linkLocalBits = 64

// broadcast returns the last address of an IPv4 subnet.
func broadcast(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(b)
}

func (r *reader) tunnelLine(name string, t *iface.Tunnel, n *conf.Node) {
	a := n.Args
	switch n.ID {
	case CmdTunSource:
		if t.SourceInterface = a.String("ifname"); t.SourceInterface == name {
			r.refuse(n, "a tunnel cannot be its own source")
		}
		t.Source = a.Addr("addr")
	case CmdTunDest:
		t.Destination = a.Addr("addr")
	case CmdTunMode:
		t.Multipoint, t.IPv6 = a.Has("multipoint"), a.Has("ipv6")
	case CmdTunKey:
		t.HasKey, t.Key = true, uint32(a.Uint("key"))
	case CmdTunVRF:
		if t.VRF = a.String("vrf"); !r.vrfs[t.VRF] {
			r.refuse(n, "there is no vrf definition %s", t.VRF)
			t.VRF = ""
		}
	case CmdTunTTL:
		t.TTL = uint8(a.Uint("hops"))
	case CmdTunTOS:
		t.TOS = uint8(a.Uint("tos"))
	case CmdTunPMTU:
		t.PathMTU = true
	case CmdTunIPsec:
		t.Protection, t.Shared = a.String("profile"), a.Has("shared")
	case cmdTunIKEv1:
		r.refuse(n, "not supported: IKEv1 is not spoken: ikev2-profile")
	}
}

// tunnel refuses lines of a tunnel that contradict each other. While there is no mode
// the addresses may be of IPv6, and the tunnel waits for it: on paper it comes last.
func (r *reader) tunnel(n *conf.Node, t *iface.Tunnel) {
	for _, end := range []struct {
		id   string
		addr *netip.Addr
	}{{CmdTunSource, &t.Source}, {CmdTunDest, &t.Destination}} {
		if end.addr.IsValid() && end.addr.Is6() != t.IPv6 && n.Find(Owner, CmdTunMode) != nil {
			r.refuse(n.Find(Owner, end.id), "%v is not of the family of the tunnel's mode", *end.addr)
			*end.addr = netip.Addr{}
		}
	}
	if !t.Multipoint {
		return
	}
	if t.Destination.IsValid() {
		r.refuse(n.Find(Owner, CmdTunDest), "a multipoint tunnel has no destination")
	}
	if t.IPv6 && t.VRF != "" {
		r.refuse(n.Find(Owner, CmdTunVRF), "a multipoint tunnel over IPv6 cannot have its transport in a VRF")
		t.VRF = ""
	}
	if t.IPv6 && t.TOS == 1 {
		r.refuse(n.Find(Owner, CmdTunTOS), "a multipoint tunnel over IPv6 cannot copy the type of service")
		t.TOS = 0
	}
}

func (r *reader) route(n *conf.Node) {
	a := n.Args
	route := rib.Route{VRF: a.String("vrf"), Prefix: a.Prefix("prefix"), Protocol: rib.Static,
		Distance: uint8(a.UintOr("distance", uint64(rib.Static.Distance()))), Tag: uint32(a.Uint("tag")), Name: a.String("label")}
	if n.ID == CmdRoute {
		p, _ := a.MaskedPrefix("addr", "mask")
		if p != p.Masked() {
			r.refuse(n, "%v has host bits set; the network is %v", p, p.Masked())
			return
		}
		route.Prefix = p
	}
	r.cfg.Iface.IPv6 = r.cfg.Iface.IPv6 || route.Prefix.Addr().Is6()
	if route.VRF != "" && !r.vrfs[route.VRF] {
		r.refuse(n, "there is no vrf definition %s", route.VRF)
		return
	}
	hop := rib.NextHop{Addr: a.Addr("gateway"), Interface: a.String("ifname")}
	if strings.HasPrefix(hop.Interface, "Null") {
		if hop.Interface != "Null0" || hop.Addr.IsValid() {
			r.refuse(n, "a discard route is written with Null0 alone")
			return
		}
		hop = rib.NextHop{Discard: true}
	}
	if hop.Addr.IsValid() && (hop.Addr.IsUnspecified() || hop.Addr.IsMulticast()) {
		r.refuse(n, "%v is not the address of a next hop", hop.Addr)
		return
	}
	r.addStatic(n, route, hop)
}

// addStatic joins lines for the same prefix and distance into one route with
// several next hops; with another distance they are floating routes of their
// own, told apart by the instance.
func (r *reader) addStatic(n *conf.Node, route rib.Route, hop rib.NextHop) {
	route.Instance = uint32(route.Distance)
	at, ok := r.static[route.Key()]
	if !ok {
		r.static[route.Key()] = len(r.cfg.Static)
		route.NextHops = []rib.NextHop{hop}
		r.cfg.Static = append(r.cfg.Static, route)
		return
	}
	s := &r.cfg.Static[at]
	switch {
	case slices.Contains(s.NextHops, hop): // said twice, with a mask and with a length
	case s.Tag != route.Tag:
		r.refuse(n, "routes to %v with the same distance must have the same tag, %d", route.Prefix, s.Tag)
	case len(s.NextHops) >= maxECMP:
		r.refuse(n, "more than %d next hops for %v", maxECMP, route.Prefix)
	default:
		s.NextHops = append(s.NextHops, hop)
	}
}
