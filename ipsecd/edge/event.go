package edge

import (
	"net/netip"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// event takes in what zebra tells.
func (e *Edge) event(ev rib.Event) {
	switch ev := ev.(type) {
	case rib.Attached:
		e.topics.attached(ev.Epoch)
		e.refused(e.sas.attached(ev.Epoch))
		e.driver.Post(core.Attached{Stale: ev.Stale})
	case rib.InterfaceChanged:
		e.sockets.interfaceChanged(ev.Interface)
		e.driver.Post(core.InterfaceChanged{Interface: ev.Interface})
	case rib.InterfaceGone:
		e.sockets.interfaceGone(ev.Name)
		e.driver.Post(core.InterfaceGone{Name: ev.Name})
	case rib.InterfacesKnown:
		e.driver.Post(core.InterfacesKnown{})
		if !e.dump.learned() { // an earlier life's SAs belong to tunnels, which are known now
			e.dump.ask()
		}
	case rib.Acquired:
		e.driver.Offer(core.Acquire{Local: ev.Source, Remote: ev.Destination})
	case rib.SAExpired:
		e.driver.Post(core.Expired{Destination: ev.SA.Addr, SPI: ev.SA.Instance, Hard: ev.Hard})
	case rib.MappingChanged:
		e.driver.Offer(core.MappingChanged{Destination: ev.SA.Addr, SPI: ev.SA.Instance, New: ev.New})
	case rib.SADump:
		e.dumped(ev)
	case rib.TopicMessage:
		if in := e.topics.message(ev); in != nil {
			e.driver.Post(in)
		}
	case rib.Ack:
		e.acknowledged(ev)
	}
}

// acknowledged takes in what became of objects.
func (e *Edge) acknowledged(ack rib.Ack) {
	for _, f := range ack.Failures {
		if f.Key.Kind != rib.KindSA || f.Error == "" {
			continue
		}
		e.sas.complain(e.log, f)
		e.driver.Post(core.SAGone{Destination: f.Key.Addr, SPI: f.Key.Instance})
	}
	e.topics.inForce(ack.Seq)
	e.hold.acknowledged(ack.Seq)
}

// refused tells the core of SAs that cannot be stated.
func (e *Edge) refused(keys []rib.Key) {
	for _, k := range keys {
		e.driver.Post(core.SAGone{Destination: k.Addr, SPI: k.Instance})
	}
}

// handle carries out effects. It runs on the core's goroutine.
func (e *Edge) handle(effects []core.Effect) {
	for _, eff := range effects {
		switch eff := eff.(type) {
		case core.TxPacket:
			e.hold.transmit(eff)
		case core.Listen:
			e.sockets.listen(eff)
		case core.Unlisten:
			e.sockets.unlisten(eff)
		case core.PutSA:
			e.putSA(eff)
		case core.DelSA:
			e.hold.stated(eff.Destination, e.sas.remove(rib.SA{ESP: rib.ESP{Destination: eff.Destination, SPI: eff.SPI}}.Key()))
		case core.PutAlias:
			e.putAlias(eff.Alias)
		case core.DelAlias:
			for _, o := range aliasObjects(eff.Alias) {
				e.client.Delete(o.Key())
			}
		case core.WatchSAs:
			e.dump.ask()
		case core.PeerState:
			e.topics.tell(eff, e.sas.last())
		case core.PeerGone:
			e.topics.forget(eff)
		case core.EndOfReplay:
			e.topics.whole()
			e.client.EndOfReplay()
		case core.Log:
			e.logMessage(eff)
		case core.Trace:
			e.trace(eff)
		case core.Answer:
			e.inquiries.Answer(eff.ID, eff.Report)
		}
	}
}

// putSA states an SA.
func (e *Edge) putSA(eff core.PutSA) {
	if err := e.sas.put(eff.SA); err != nil {
		e.log.Error("security association refused", "error", err)
		e.refused([]rib.Key{rib.SA{ESP: eff.SA}.Key()})
		return
	}
	e.hold.stated(eff.SA.Source, e.sas.last())
}

// putAlias states what an alias needs.
func (e *Edge) putAlias(a core.Alias) {
	for _, o := range aliasObjects(a) {
		if _, err := e.client.Put(o); err != nil {
			e.log.Error("alias refused", "alias", a.Addr, "error", err)
		}
	}
}

// aliasObjects are the policy of an alias, and a route that follows the one to the address
// that packets for it get.
func aliasObjects(a core.Alias) []rib.Object {
	to := netip.PrefixFrom(a.Addr, a.Addr.BitLen())
	return []rib.Object{
		rib.Policy{Local: a.Local, Peer: to, Outer: a.Outer},
		rib.Route{VRF: a.VRF, Prefix: to, Protocol: rib.NHRP, Distance: rib.NHRP.Distance(), NextHops: []rib.NextHop{{Addr: a.Outer}}},
	}
}
