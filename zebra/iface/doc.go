// Package iface is the part of zebra that knows interfaces: a pure core that
// brings together what the configuration wants and what the kernel has.
//
//	configuration ──SetConfig──▶ ┌──────┐ ──Desire──▶ fib (links, tunnels, clamps, addresses, sysctls)
//	                             │ Core │
//	kernel events ──Link, Addr─▶ └──────┘ ──Changed/Gone──▶ RIB and daemons
//
// Two kinds of names meet here. The configuration name is what engineers type
// ("GigabitEthernet0/0"); the kernel name is what Linux allows (at most 15
// characters, no slash). An alias joins them; without one they are equal. All
// of godmvpn but this package, fib and the data plane uses configuration names.
//
// Whether an interface exists, is up, and which addresses it has, is always the
// kernel's word: what the configuration wants becomes true by way of fib and
// comes back as a kernel event. So an address that a DHCP client set counts as
// much as a configured one, and a tunnel follows its source interface by
// itself: whenever the source's first address changes, the tunnel that is
// wanted changes with it. While a source has no address, or its interface is
// down, the tunnel is left in the kernel as it was and its line protocol is
// reported as down.
//
// A daemon may hold the line protocol of a tunnel down (rib.LineProtocol). The
// device is then made dormant in the kernel, where it goes on to send and receive,
// and is told to be held down. The kernel is the memory of that: a new zebra finds
// the tunnel dormant and leaves it so until it is known what the daemons want.
//
// Inputs may come in any order and in any number; the effects are worked out
// once, when they are drained, from the whole picture. That is simple, and fast
// enough for thousands of interfaces, since events arrive in batches.
package iface
