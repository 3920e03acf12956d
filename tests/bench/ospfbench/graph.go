package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// Addresses of the load: the link of feeder and receiver, and where the networks are.
const (
	loadDevice      = "eth0"
	loadNetwork     = "10.255.0.0/24"
	receiverAddress = "10.255.0.1"
	feederAddress   = "10.255.0.2"
	receiverID      = "1.1.1.1"
)

// loadMask is the mask of that link and of all networks of the load.
const loadMask = 0xffffff00

// feederID is greater than that of the receiver: the feeder is the master of the exchange.
const feederID packet.ID = 9<<24 | 9<<16 | 9<<8 | 9

// graphRouter is the router ID of a router behind the feeder.
func graphRouter(k int) packet.ID { return packet.ID(172<<24 | 16<<16 | k) }

// database is what the feeder has: its own router-LSA, those of the routers behind it, a
// ring with a chord for each two, each with a network of its own, and external LSAs that
// these routers originate in turn, with metrics of type 2.
type database struct {
	lsas     []packet.LSA
	external []packet.LSA // a part of lsas
	networks int          // that the receiver gets routes to
}

func newDatabase(routers, external int) (d database) {
	rng := rand.New(rand.NewPCG(1, 2))
	links := make([][]packet.RouterLink, routers)
	join := func(a, b int) {
		metric := uint16(1 + rng.IntN(100))
		for _, x := range [][2]int{{a, b}, {b, a}} {
			links[x[0]] = append(links[x[0]], packet.RouterLink{Type: packet.LinkPointToPoint, ID: graphRouter(x[1]), Data: 192<<24 | uint32(x[0]<<8|x[1]), Metric: metric})
		}
	}
	for k := range routers {
		join(k, (k+1)%routers)
		if k%2 == 0 {
			join(k, (k+2+rng.IntN(routers-4))%routers)
		}
		links[k] = append(links[k], packet.RouterLink{Type: packet.LinkStub, ID: packet.ID(10<<24 | (k+1)<<8), Data: loadMask, Metric: 10})
	}
	entry := packet.RouterLink{Type: packet.LinkPointToPoint, ID: graphRouter(0), Data: 192<<24 | 254<<16, Metric: 10}
	links[0] = append(links[0], packet.RouterLink{Type: packet.LinkPointToPoint, ID: feederID, Data: 192<<24 | 255<<16, Metric: 10})
	address, receiver := packet.IDOf(netip.MustParseAddr(feederAddress)), packet.IDOf(netip.MustParseAddr(receiverID))
	d.add(feederID, packet.RouterLSA, packet.ID(feederID), packet.Router{Links: []packet.RouterLink{entry,
		{Type: packet.LinkPointToPoint, ID: receiver, Data: uint32(address), Metric: 10},
		{Type: packet.LinkStub, ID: address & loadMask, Data: loadMask, Metric: 10}}}.Append(nil))
	for k := range routers {
		d.add(graphRouter(k), packet.RouterLSA, graphRouter(k), packet.Router{Flags: packet.RouterE, Links: links[k]}.Append(nil))
	}
	for k := range external {
		body := packet.External{Mask: loadMask, Type2: true, Metric: 20}.Append(nil)
		d.add(graphRouter(k%routers), packet.ExternalLSA, packet.ID(11<<24+k<<8), body)
	}
	d.external = d.lsas[len(d.lsas)-external:]
	d.networks = routers + external
	return d
}

// add adds an LSA of initial age and sequence number.
func (d *database) add(router packet.ID, t packet.LSType, id packet.ID, body []byte) {
	d.lsas = append(d.lsas, instance(packet.LSAHeader{Age: 1, Options: packet.OptionE, Sequence: packet.InitialSequence,
		LSAKey: packet.LSAKey{Type: t, ID: id, Router: router}}, body))
}

// instance makes an LSA.
func instance(h packet.LSAHeader, body []byte) packet.LSA {
	l, err := packet.NewLSA(h, body)
	if err != nil {
		panic(fmt.Sprint(err)) // bodies here are short
	}
	return l
}
