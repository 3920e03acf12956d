package cli

import (
	"net/netip"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
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
		if block.Enters != "interface" {
			continue
		}
		name := block.Args.String("name")
		c := core.DefaultInterfaceConfig(name, rib.IPv4)
		any := false
		for _, n := range block.Nodes {
			if n.Owner != Owner {
				continue
			}
			any = true
			msg := name + " is no tunnel; NHRP is for tunnels"
			if isTunnel(name) {
				msg = readLine(&c, n)
			}
			if msg != "" {
				errs = append(errs, plugin.LineError{Path: []string{block.Key, n.Key}, Msg: msg})
			}
		}
		if any {
			cfg.Interfaces = append(cfg.Interfaces, c)
		}
	}
	return cfg, errs
}

// isTunnel reports whether an interface is a tunnel by its name: what it is in
// the kernel may not be known yet.
func isTunnel(name string) bool {
	number, ok := strings.CutPrefix(name, "Tunnel")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// readLine takes one line into the configuration of its interface; it returns
// what is wrong with it.
func readLine(c *core.InterfaceConfig, n *conf.Node) string {
	a := n.Args
	seconds := func() time.Duration { return time.Duration(a.Uint("seconds")) * time.Second }
	switch n.ID {
	case CmdNetworkID:
		c.NetworkID = uint32(a.Uint("id"))
	case CmdAuth:
		c.Authentication = a.String("key")
	case CmdHoldtime:
		c.Holdtime = seconds()
	case CmdRegTimeout:
		c.RegistrationTimeout = seconds()
	case CmdRegNoUnique:
		c.RegisterUnique = n.No
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
			return "the name of a group is made of printable ASCII characters"
		}
	case CmdMap:
		return readMap(c, n)
	case CmdNHS:
		return readNHS(c, n)
	}
	return ""
}

func readMap(c *core.InterfaceConfig, n *conf.Node) string {
	p, _ := n.Args.MaskedPrefix("addr", "mask")
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

func readNHS(c *core.InterfaceConfig, n *conf.Node) string {
	a := n.Args
	s := core.NHSConfig{Addr: a.Addr("addr"), Multicast: a.Has("multicast"),
		Priority: uint8(a.Uint("priority")), Cluster: uint8(a.Uint("cluster"))}
	if !unicast(s.Addr) {
		return s.Addr.String() + " is not the protocol address of a server"
	}
	if a.Has("nbma") {
		if s.NBMA = a.Addr("nbma"); !s.NBMA.IsValid() {
			s.Name = a.String("nbma")
		} else if !unicast(s.NBMA) || !s.NBMA.Is4() {
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
