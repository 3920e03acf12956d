package rib

import (
	"net/netip"
	"slices"
)

// InterfaceType tells what an interface is.
type InterfaceType uint8

// The types of interfaces.
const (
	TypeEthernet InterfaceType = iota
	TypeLoopback
	TypeTunnel
	TypeVRF
	TypePointToPoint
)

// Interface is what the daemons know of an interface: its configuration and
// its state in the kernel.
type Interface struct {
	Name        string // configuration name
	KernelName  string // "" while the kernel has no such device
	Index       int    // kernel index; 0 while the kernel has no such device
	Type        InterfaceType
	VRF         string
	AdminUp     bool
	Up          bool // line protocol: up and running
	HeldDown    bool // not Up, but only since a LineProtocol says so: the device sends and receives
	Multicast   bool
	MTU         int    // bytes of IP packet that fit
	Bandwidth   uint64 // kbit/s, configured or the default of the type
	Delay       uint32 // tens of microseconds, configured or the default of the type
	Description string
	Addresses   []Address
	Tunnel      *Tunnel // for TypeTunnel
}

// Equal reports whether two descriptions are the same.
func (i Interface) Equal(o Interface) bool {
	switch {
	case i.Name != o.Name, i.KernelName != o.KernelName, i.Index != o.Index, i.Type != o.Type, i.VRF != o.VRF,
		i.AdminUp != o.AdminUp, i.Up != o.Up, i.HeldDown != o.HeldDown, i.Multicast != o.Multicast, i.MTU != o.MTU,
		i.Bandwidth != o.Bandwidth, i.Delay != o.Delay, i.Description != o.Description,
		(i.Tunnel == nil) != (o.Tunnel == nil):
		return false
	}
	return (i.Tunnel == nil || *i.Tunnel == *o.Tunnel) && slices.Equal(i.Addresses, o.Addresses)
}

// Address is an address of an interface.
type Address struct {
	Prefix    netip.Prefix // address and length, not masked
	Peer      netip.Prefix // the far side's address of a point-to-point link; zero otherwise
	Secondary bool
}

// TunnelMode is the encapsulation of a tunnel.
type TunnelMode uint8

// The tunnel modes.
const (
	TunnelGRE           TunnelMode = iota // tunnel mode gre ip
	TunnelGREMultipoint                   // tunnel mode gre multipoint
)

// Tunnel is the tunnel side of an interface.
type Tunnel struct {
	Mode            TunnelMode
	SourceInterface string     // configuration name, if the source is an interface
	Source          netip.Addr // NBMA address in use; zero while there is none
	Destination     netip.Addr // of a point-to-point tunnel
	HasKey          bool
	Key             uint32 // RFC 2890 key, if HasKey
	VRF             string // VRF of the transport (front-door VRF)
	IPv6Transport   bool
	Protection      string // name of the IPsec profile that protects it; "" for none
	Shared          bool   // its associations serve other tunnels of the same source
}
