package core

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// instance is EIGRP of one address family and autonomous system in a VRF.
type instance struct {
	core *Core
	key  Key
	cfg  InstanceConfig // normal
	id   netip.Addr     // router ID

	ifaces    map[string]*iface // those that EIGRP runs on, whether they are up or not
	order     []*iface          // the values of ifaces, by name
	neighbors map[dual.NeighborID]*neighbor
	counters  Counters

	table  *dual.Table[attribute]
	routes routes
	hooks  hooks
}

// title names the instance in messages of the log, as IOS does.
func (in *instance) title() string {
	family := "IPv4"
	if in.key.Family == rib.IPv6 {
		family = "IPv6"
	}
	if in.key.VRF != "" {
		return fmt.Sprintf("EIGRP-%s(%s) %d", family, in.key.VRF, in.key.AS)
	}
	return fmt.Sprintf("EIGRP-%s %d", family, in.key.AS)
}

// iface is an interface that an instance runs on.
type iface struct {
	id   dual.InterfaceID // also of reliable transport
	name string
	link rib.Interface
	cfg  InterfaceConfig // normal
	up   bool            // packets can be sent; of a passive one: its networks are told
	addr netip.Addr      // the source of packets: the primary address, or the link-local one

	routes ifaceRoutes
}

// neighbor is a router that Hellos come from.
type neighbor struct {
	id    dual.NeighborID // also of reliable transport
	addr  netip.Addr
	iface *iface // of a remote neighbour: the source interface
	wide  bool   // reads wide TLVs
	stub  bool
	up    bool // no longer pending: DUAL knows it

	remote bool
	routes neighborRoutes
}
