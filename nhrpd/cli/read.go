package cli

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// Read turns nhrpd's part of the configuration into the core's. Lines that
// contradict others are returned.
func Read(tree *conf.Tree) (core.Config, []plugin.LineError) {
	var cfg core.Config
	var errs []plugin.LineError
	for _, block := range tree.Nodes {
		if block.ID == CmdPolicyMap {
			cfg.Policies = append(cfg.Policies, readPolicy(block, &errs))
		}
		if block.Enters != "interface" {
			continue
		}
		for _, family := range []rib.Family{rib.IPv4, rib.IPv6} {
			if c, configured := readBlock(block, family, &errs); configured {
				cfg.Interfaces = append(cfg.Interfaces, c)
			}
		}
	}
	return cfg, append(errs, checkGroups(tree, cfg.Policies)...)
}

// readPolicy reads a policy-map.
func readPolicy(block *conf.Node, errs *[]plugin.LineError) core.Policy {
	p := core.Policy{Name: block.Args.String("name")}
	for _, class := range block.Nodes {
		if name := class.Args.String("name"); class.ID == CmdClass && name != "class-default" {
			*errs = append(*errs, plugin.LineError{Path: []string{block.Key, class.Key},
				Msg: "there is no class " + name + ": a policy treats all packets for a client alike, as class-default"})
		}
		for _, n := range class.Nodes {
			switch n.ID {
			case CmdShape:
				p.Rate, p.Burst = n.Args.Uint("rate"), uint32(n.Args.Uint("bc")/8)
			case CmdNoShape:
				*errs = append(*errs, plugin.LineError{Path: []string{block.Key, class.Key, n.Key}, Msg: `not done here: a policy is a rate, "shape average"`})
			}
		}
	}
	return p
}

// checkGroups refuses groups whose policy does not exist or is no rate.
func checkGroups(tree *conf.Tree, policies []core.Policy) (errs []plugin.LineError) {
	for _, block := range tree.Nodes {
		for _, n := range block.Nodes {
			if n.ID != CmdMapGroup {
				continue
			}
			name := n.Args.String("policy")
			at := slices.IndexFunc(policies, func(p core.Policy) bool { return p.Name == name })
			var msg string
			switch {
			case !packet.ValidGroup(n.Args.String("name")):
				msg = badGroup
			case at < 0:
				msg = "there is no policy-map " + name
			case policies[at].Rate == 0:
				msg = "policy-map " + name + ` has no "shape average" in class class-default`
			default:
				continue
			}
			errs = append(errs, plugin.LineError{Path: []string{block.Key, n.Key}, Msg: msg})
		}
	}
	return errs
}

const badGroup = "the name of a group is made of printable ASCII characters"

// readBlock reads the lines of an interface that concern a family; configured tells
// whether there are some, for IPv6 some of its own.
func readBlock(block *conf.Node, family rib.Family, errs *[]plugin.LineError) (c core.InterfaceConfig, configured bool) {
	name := block.Args.String("name")
	c = core.DefaultInterfaceConfig(name, family)
	for _, n := range block.Nodes {
		if n.Owner != Owner || !concerns(n, family) {
			continue
		}
		_, of := Split(n.ID)
		configured = configured || of == family
		msg := name + " is no tunnel; NHRP is for tunnels"
		if isTunnel(name) {
			msg = readLine(&c, n)
		}
		said := func(e plugin.LineError) bool { return e.Msg == msg && slices.Equal(e.Path, []string{block.Key, n.Key}) }
		if msg != "" && !slices.ContainsFunc(*errs, said) { // a line may concern both families
			*errs = append(*errs, plugin.LineError{Path: []string{block.Key, n.Key}, Msg: msg})
		}
	}
	return c, configured
}

// isTunnel reports whether an interface is a tunnel by its name: what it is in
// the kernel may not be known yet.
func isTunnel(name string) bool {
	number, ok := strings.CutPrefix(name, "Tunnel")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// maxAuthentication is the longest string of `ip nhrp authentication`, in bytes, as on IOS.
const maxAuthentication = 8

// readLine takes one line into the configuration of its interface; it returns
// what is wrong with it.
func readLine(c *core.InterfaceConfig, n *conf.Node) string {
	a := n.Args
	seconds := func() time.Duration { return time.Duration(a.Uint("seconds")) * time.Second }
	switch id, _ := Split(n.ID); id {
	case CmdNetworkID:
		c.NetworkID = uint32(a.Uint("id"))
	case CmdAuth:
		s, wrong := policy.ReadSecret(a, maxAuthentication)
		if wrong != "" {
			return wrong
		}
		c.Authentication = string(s.Bytes())
	case CmdHoldtime:
		c.Holdtime = seconds()
	case CmdRegTimeout:
		c.RegistrationTimeout = seconds()
	case CmdRegNoUnique:
		c.RegisterUnique = n.No
	case CmdRegIdentity:
		return readIdentity(c, n)
	case CmdRegRequire:
		c.RequireIdentity = true
	case CmdRedirect:
		c.Redirect = true
		if a.Has("seconds") {
			c.RedirectTimeout = seconds()
		}
	case CmdShortcut:
		c.Shortcut = !n.No
	case CmdKeepalive:
		c.Keepalive = seconds()
	case CmdMinPrefix:
		if c.MinPrefix = int(a.Uint("length")); c.Family == rib.IPv4 && c.MinPrefix > 32 {
			return "the prefix of an IPv4 address has 32 bits at most"
		}
	case CmdMapDynamic:
		c.MulticastDynamic = !n.No
	case CmdMapMcast:
		nbma := a.Addr("nbma")
		if !unicast(nbma) {
			return nbma.String() + " is not the NBMA address of a station"
		}
		c.MulticastMaps = append(c.MulticastMaps, nbma)
	case CmdMaxSend:
		c.MaxSend, c.MaxSendInterval = int(a.Uint("packets")), seconds()
	case CmdGroup:
		if c.Group = a.String("name"); !packet.ValidGroup(c.Group) {
			return badGroup
		}
	case CmdMapGroup:
		c.GroupMaps = append(c.GroupMaps, core.GroupMap{Group: a.String("name"), Policy: a.String("policy")})
	case CmdMap:
		return readMap(c, n)
	case CmdNHS, CmdNHSDynamic:
		return readNHS(c, n, id == CmdNHSDynamic)
	case CmdNHSCluster:
		c.Clusters = append(c.Clusters, core.ClusterConfig{Number: uint8(a.Uint("number")), MaxConnections: uint8(a.Uint("most"))})
	case CmdNHSFallback:
		c.Fallback = seconds()
	case CmdServerOnly:
		c.ServerOnly = true
	case CmdIfState:
		c.IfState = true
	case CmdRecord:
		c.NoRecord = n.No
	case CmdSummaryMap:
		return readSummary(c, n)
	case CmdResponder:
		c.Responder = a.String("ifname")
	default:
		return whyRefused(id)
	}
	return ""
}

func readMap(c *core.InterfaceConfig, n *conf.Node) string {
	p, _ := Target(n.Args)
	if p.Addr().IsMulticast() || p.Addr().IsUnspecified() {
		return "not the protocol address of a station"
	}
	nbma := n.Args.Addr("nbma")
	if !unicast(nbma) {
		return nbma.String() + " is not the NBMA address of a station"
	}
	c.Maps = append(c.Maps, core.StaticMap{Prefix: p, NBMA: nbma})
	return ""
}

func readSummary(c *core.InterfaceConfig, n *conf.Node) string {
	m := core.StaticMap{Prefix: n.Args.Prefix("network"), NBMA: n.Args.Addr("nbma")}
	if m.Prefix.Bits() == 0 || m.Prefix.Addr().IsMulticast() {
		return m.Prefix.String() + " is not a network behind a router"
	}
	if !unicast(m.NBMA) {
		return m.NBMA.String() + " is not the NBMA address of a station"
	}
	c.SummaryMaps = append(c.SummaryMaps, m)
	return ""
}

func readIdentity(c *core.InterfaceConfig, n *conf.Node) string {
	p, _ := Target(n.Args)
	if p = p.Masked(); p.Bits() == 0 || p.Addr().IsMulticast() || p.Addr().IsUnspecified() {
		return "not the protocol address of a station, nor a network of such"
	}
	c.Identities = append(c.Identities, core.IdentityBinding{Identity: n.Args.String("identity"), Prefix: p})
	return ""
}

func readNHS(c *core.InterfaceConfig, n *conf.Node, dynamic bool) string {
	a := n.Args
	s := core.NHSConfig{Addr: a.Addr("addr"), Dynamic: dynamic, Multicast: a.Has("multicast"),
		Priority: uint8(a.Uint("priority")), Cluster: uint8(a.Uint("cluster"))}
	if !dynamic && !unicast(s.Addr) {
		return s.Addr.String() + " is not the protocol address of a server"
	}
	if a.Has("nbma") {
		if s.NBMA = a.Addr("nbma"); !s.NBMA.IsValid() {
			s.Name = a.String("nbma")
		} else if !unicast(s.NBMA) {
			return s.NBMA.String() + " is not the NBMA address of a server"
		}
	}
	c.NHSs = append(c.NHSs, s)
	return ""
}

// unicast reports whether the address can be that of a station.
func unicast(a netip.Addr) bool {
	return a.IsValid() && !a.IsMulticast() && !a.IsUnspecified() && !a.IsLoopback() &&
		a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
