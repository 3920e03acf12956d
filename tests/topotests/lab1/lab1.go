// Package lab1 is a DMVPN cloud of Phase 1, or of Phase 3: a hub and two spokes over an
// underlay, each with a LAN, configured in Cisco's words. The tests and the demonstration
// build the same cloud from the same files.
//
//	lan0 10.10.0.0/24 ── hub     192.0.2.1 ─────┐
//	lan1 10.11.0.0/24 ── spoke1  198.51.100.1 ──┤ inet
//	lan2 10.12.0.0/24 ── spoke2  203.0.113.1 ───┘
//
//	Tunnel0 172.31.0.0/24: hub .1 (mGRE), spokes .11 and .12 (point-to-point GRE)
package lab1

import (
	"embed"
	"strings"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

//go:embed *.conf
var files embed.FS

// Config returns the configuration of a router: hub, spoke1 or spoke2.
func Config(router string) string {
	b, err := files.ReadFile(router + ".conf")
	if err != nil {
		panic(err) // the names are the ones above
	}
	return string(b)
}

// Phase3 is Config for Phase 3 in the same cloud: the spokes have multipoint tunnels
// as well, and the hub tells them of shorter ways.
func Phase3(router string) string {
	c := strings.Replace(Config(router), "tunnel destination 192.0.2.1", "tunnel mode gre multipoint", 1)
	if router == "hub" {
		c = strings.Replace(c, " ip nhrp network-id 1\n", " ip nhrp network-id 1\n ip nhrp redirect\n", 1)
	}
	return c
}

// Cloud is the topology. The routers' devices have no addresses yet: their
// configurations set them.
type Cloud struct {
	Topology            *harness.Topology
	Inet                *harness.Node
	Hub, Spoke1, Spoke2 *harness.Node
	LAN0, LAN1, LAN2    *harness.Node // hosts behind hub, spoke1 and spoke2
	Uplinks             map[string]*harness.Link
}

// Build makes namespaces and links, and starts nothing.
func Build(tp *harness.Topology) *Cloud {
	c := &Cloud{Topology: tp, Inet: tp.Internet("inet"), Uplinks: map[string]*harness.Link{}}
	router := func(name, gateway, host, hostAddr, hostGateway string) (*harness.Node, *harness.Node) {
		r, h := tp.Node(name), tp.Node(host)
		c.Uplinks[name] = tp.Link(c.Inet, "to-"+name, gateway, r, "wan", "")
		tp.Link(h, "eth0", hostAddr, r, "lan", "")
		h.Route("default", hostGateway)
		return r, h
	}
	c.Hub, c.LAN0 = router("hub", "192.0.2.2/30", "lan0", "10.10.0.10/24", "10.10.0.1")
	c.Spoke1, c.LAN1 = router("spoke1", "198.51.100.2/30", "lan1", "10.11.0.10/24", "10.11.0.1")
	c.Spoke2, c.LAN2 = router("spoke2", "203.0.113.2/30", "lan2", "10.12.0.10/24", "10.12.0.1")
	return c
}

// Routers returns hub and spokes.
func (c *Cloud) Routers() []*harness.Node { return []*harness.Node{c.Hub, c.Spoke1, c.Spoke2} }

// Start starts a zebra on each router.
func (c *Cloud) Start() map[string]*harness.Zebra {
	zebras := map[string]*harness.Zebra{}
	for _, r := range c.Routers() {
		zebras[r.Name()] = r.StartZebra(Config(r.Name()))
	}
	return zebras
}
