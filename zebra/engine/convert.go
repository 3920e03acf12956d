package engine

import (
	"fmt"
	"net/netip"
	"slices"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/fib"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// route turns a route of the RIB into one of the data plane: names of the
// configuration into those of the kernel, a VRF into its table. ok is false,
// and the RIB is told, if the VRF does not exist; the route waits for it.
func (e *Engine) route(put rib.FIBPut) (o dataplane.Object, ok bool) {
	k, ok := e.routeKey(put.VRF, put.Prefix)
	if !ok {
		e.waiting[put.Key()] = put
		e.results = append(e.results, rib.Result{Key: put.Key(), Gen: put.Gen, Error: fmt.Sprintf("there is no VRF %s", put.VRF)})
		return nil, false
	}
	delete(e.waiting, put.Key())
	hops := e.nextHops(put.NextHops)
	o = dataplane.Route{Table: k.Table, Prefix: put.Prefix, Metric: k.Metric, Protocol: put.Protocol.KernelNumber(), NextHops: hops, Blackhole: len(hops) == 0}
	e.gens.Set(k, &pending{vrf: put.VRF, gen: put.Gen, object: o})
	return o, true
}

// nextHops returns next hops with names of the kernel; nil if there is but Null0. Where
// they are those of the route before, and of a million routes they mostly are, it is the
// same slice.
func (e *Engine) nextHops(of []librib.NextHop) []dataplane.NextHop {
	e.scratch = e.scratch[:0]
	for _, h := range of {
		if !h.Discard {
			e.scratch = append(e.scratch, dataplane.NextHop{Device: e.iface.Kernel(h.Interface), Gateway: h.Addr, OnLink: h.OnLink, Weight: h.Weight})
		}
	}
	if len(e.scratch) == 0 {
		return nil
	}
	if !slices.Equal(e.scratch, e.hops) {
		e.hops = slices.Clone(e.scratch)
	}
	return e.hops
}

// routeGone returns what to delete. A VRF that is gone may have left its routes
// behind: they are found by what was put. ok is false, and the RIB is told that
// all is well, if nothing was.
func (e *Engine) routeGone(del rib.FIBDelete) (k dataplane.Key, ok bool) {
	delete(e.waiting, del.Key())
	k, ok = e.routeKey(del.VRF, del.Prefix)
	if p := e.gens.Get(k); !ok || p == nil || p.vrf != del.VRF {
		ok = false
		for old, p := range e.gens.All() {
			if old.Kind == dataplane.KindRoute && old.Prefix == del.Prefix && p.vrf == del.VRF {
				k, ok = old, true
			}
		}
	}
	if !ok {
		e.results = append(e.results, rib.Result{Key: del.Key(), Gen: del.Gen})
		return k, false
	}
	e.gens.Set(k, &pending{vrf: del.VRF, gen: del.Gen})
	return k, true
}

// putWaiting puts the routes whose VRF has come.
func (e *Engine) putWaiting() {
	for _, put := range e.waiting { // each is on its own
		if _, ok := e.iface.Table(put.VRF); !ok {
			continue
		}
		if o, ok := e.route(put); ok {
			e.change.put(o)
		}
	}
	e.change.hand(e.fib)
}

func (e *Engine) routeKey(vrf string, p netip.Prefix) (k dataplane.Key, ok bool) {
	table, ok := e.iface.Table(vrf)
	return dataplane.Key{Kind: dataplane.KindRoute, Table: table, Prefix: p, Metric: dataplane.MetricDefault}, ok
}

func (e *Engine) neighbor(put rib.NeighborPut) dataplane.Neighbor {
	n := dataplane.Neighbor{Device: e.iface.Kernel(put.Neighbor.Interface), Addr: put.Neighbor.Addr, NBMA: put.Neighbor.NBMA}
	e.note(n.Key(), put.Key(), put.Gen, n)
	return n
}

func (e *Engine) neighborKey(del rib.NeighborDelete) dataplane.Key {
	k := dataplane.Neighbor{Device: e.iface.Kernel(del.Interface), Addr: del.Addr}.Key()
	e.note(k, del.Key(), del.Gen, nil)
	return k
}

func (e *Engine) peer(put rib.PeerPut) dataplane.MulticastPeer {
	p := dataplane.MulticastPeer{Device: e.iface.Kernel(put.Peer.Interface), NBMA: put.Peer.NBMA}
	e.note(p.Key(), put.Key(), put.Gen, p)
	return p
}

func (e *Engine) peerKey(del rib.PeerDelete) dataplane.Key {
	k := dataplane.MulticastPeer{Device: e.iface.Kernel(del.Peer.Interface), NBMA: del.Peer.NBMA}.Key()
	e.note(k, del.Key(), del.Gen, nil)
	return k
}

func (e *Engine) shaper(put rib.ShaperPut) dataplane.Shaper {
	s := dataplane.Shaper{Device: e.iface.Kernel(put.Shaper.Interface), NBMA: put.Shaper.NBMA, Rate: put.Shaper.Rate, Burst: put.Shaper.Burst}
	e.note(s.Key(), put.Key(), put.Gen, s)
	return s
}

func (e *Engine) shaperKey(del rib.ShaperDelete) dataplane.Key {
	k := dataplane.Shaper{Device: e.iface.Kernel(del.Interface), NBMA: del.NBMA}.Key()
	e.note(k, del.Key(), del.Gen, nil)
	return k
}

// Outcomes takes in what became of operations. It is fit for fib.Options.Report.
func (e *Engine) Outcomes(outcomes []fib.Outcome) {
	outcomes = slices.Clone(outcomes)
	if len(outcomes) > 0 {
		e.Post(func() { e.outcomes(outcomes) })
	}
}

// trouble logs why an object is not in force, once for each reason.
func (e *Engine) trouble(o fib.Outcome) {
	if o.Err == nil {
		delete(e.refused, o.Key)
		return
	}
	if why := o.Err.Error(); e.refused[o.Key] != why {
		e.refused[o.Key] = why
		e.log.Warn("not in force", "object", o.Key.String(), "error", o.Err)
	}
}

func (e *Engine) outcomes(outcomes []fib.Outcome) {
	results := make([]rib.Result, 0, len(outcomes))
	for _, o := range outcomes {
		switch o.Key.Kind {
		case dataplane.KindRoute, dataplane.KindNeighbor, dataplane.KindMulticastPeer, dataplane.KindShaper, dataplane.KindSA:
		default:
			if e.gens.Get(o.Key) != nil {
				break // a policy of a daemon
			}
			e.trouble(o)
			continue
		}
		p := e.gens.Get(o.Key)
		if p == nil || !p.is(o.Object) {
			continue // it is about an operation before the last one
		}
		r := rib.Result{Key: p.ribKey(o.Key), Gen: p.gen}
		if o.Err != nil {
			r.Error = o.Err.Error()
		} else if o.Object == nil {
			e.gens.Delete(o.Key)
		}
		results = append(results, r)
	}
	if len(results) > 0 {
		e.rib.Step(e.Now(), rib.Installed{Results: results})
	}
}

// Event takes in an event of the data plane. It is fit for fib.Options.Event.
func (e *Engine) Event(ev dataplane.Event) {
	e.Post(func() { e.event(ev) })
}

func (e *Engine) event(ev dataplane.Event) {
	e.iface.Event(ev)
	e.foreignEvent(ev)
	e.ipsecEvent(ev)
	switch ev := ev.(type) {
	case dataplane.Known:
		e.start.links = true
	case dataplane.HairpinFound:
		e.foundHairpin(ev)
	case dataplane.UnmatchedFound:
		e.foundUnmatched(ev)
	case dataplane.PeersUsed:
		e.peersUsed(ev)
	case dataplane.NeighborMiss:
		miss := librib.NeighborMiss{Interface: e.iface.Name(ev.Device), Addr: ev.Addr}
		for _, name := range e.names() {
			if e.daemons[name].misses[miss.Interface] {
				e.hub.Send(name, miss)
			}
		}
	}
}
