// Package simnet runs many protocol cores in one virtual network, without
// sockets, goroutines or waiting: an hour of ten thousand routers takes seconds,
// and two runs with the same seed are the same in every event.
//
// A Network holds nodes and links. A Node is a sm.Machine with two adapters: one
// makes an input of a packet that arrived, the other carries out an effect, that
// is, sends packets, asks for inputs later on, or tells the test. A Link joins
// any number of ports: two for a wire, a few for a LAN (Multicast set), thousands
// for the NBMA network below a DMVPN. Packets find their port by address, take
// the link's latency and jitter, and may be lost, doubled or held back. A NAT may
// stand between some ports and the rest of a link.
//
//	hub ──┐                     ┌── spoke 1
//	      ├── Link (underlay) ──┤
//	 NAT ─┘                     └── spoke 2 …
//	  └── spoke 3
//
// Virtual time starts at 0 and jumps from event to event. All events lie on one
// heap, ordered by instant and then by when they were put there. Machines take
// no time to think. As in sm.Driver, a machine is ticked before it gets an input
// if its earliest timer is due by then.
//
// Every event goes into a trace hash, and invariants are checked every so many
// events; see Network.Hash and Network.Check.
package simnet
