package engine

import (
	"fmt"
	"net/netip"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/fib"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// route turns a route of the RIB into one of the data plane: names of the
// configuration into those of the kernel, a VRF into its table. ok is false,
// and the RIB is told, if the VRF does not exist.
func (e *Engine) route(put rib.FIBPut) (r dataplane.Route, ok bool) {
	k, ok := e.routeKey(put.VRF, put.Prefix, put.Gen, put.Key())
	if !ok {
		return r, false
	}
	r = dataplane.Route{Table: k.Table, Prefix: put.Prefix, Metric: k.Metric, Protocol: put.Protocol.KernelNumber()}
	for _, h := range put.NextHops {
		if h.Discard {
			continue
		}
		r.NextHops = append(r.NextHops, dataplane.NextHop{Device: e.iface.Kernel(h.Interface), Gateway: h.Addr, OnLink: h.OnLink, Weight: h.Weight})
	}
	r.Blackhole = len(r.NextHops) == 0
	return r, true
}

func (e *Engine) routeKey(vrf string, p netip.Prefix, gen uint64, key librib.Key) (k dataplane.Key, ok bool) {
	table, ok := e.iface.Table(vrf)
	if !ok {
		e.results = append(e.results, rib.Result{Key: key, Gen: gen, Error: fmt.Sprintf("there is no VRF %s", vrf)})
		return k, false
	}
	k = dataplane.Key{Kind: dataplane.KindRoute, Table: table, Prefix: p, Metric: dataplane.MetricDefault}
	e.gens[k] = pending{key, gen}
	return k, true
}

func (e *Engine) neighbor(put rib.NeighborPut) dataplane.Neighbor {
	n := dataplane.Neighbor{Device: e.iface.Kernel(put.Neighbor.Interface), Addr: put.Neighbor.Addr, NBMA: put.Neighbor.NBMA}
	e.gens[n.Key()] = pending{put.Key(), put.Gen}
	return n
}

func (e *Engine) neighborKey(del rib.NeighborDelete) dataplane.Key {
	k := dataplane.Neighbor{Device: e.iface.Kernel(del.Interface), Addr: del.Addr}.Key()
	e.gens[k] = pending{del.Key(), del.Gen}
	return k
}

// Outcomes takes in what became of operations. It is fit for fib.Options.Report.
func (e *Engine) Outcomes(outcomes []fib.Outcome) {
	kept := make([]fib.Outcome, 0, len(outcomes))
	for _, o := range outcomes {
		switch o.Key.Kind {
		case dataplane.KindRoute, dataplane.KindNeighbor:
			kept = append(kept, o)
		default:
			if o.Err != nil {
				e.log.Warn("not in force", "object", o.Key.String(), "error", o.Err)
			}
		}
	}
	if len(kept) > 0 {
		e.Post(func() { e.outcomes(kept) })
	}
}

func (e *Engine) outcomes(outcomes []fib.Outcome) {
	results := make([]rib.Result, 0, len(outcomes))
	for _, o := range outcomes {
		p, ok := e.gens[o.Key]
		if !ok {
			continue
		}
		r := rib.Result{Key: p.key, Gen: p.gen}
		if o.Err != nil {
			r.Error = o.Err.Error()
		} else if o.Object == nil {
			delete(e.gens, o.Key)
		}
		results = append(results, r)
	}
	e.rib.Step(e.Now(), rib.Installed{Results: results})
}

// Event takes in an event of the data plane. It is fit for fib.Options.Event.
func (e *Engine) Event(ev dataplane.Event) {
	e.Post(func() { e.event(ev) })
}

func (e *Engine) event(ev dataplane.Event) {
	e.iface.Event(ev)
	switch ev := ev.(type) {
	case dataplane.Known:
		e.start.links = true
	case dataplane.RouteChanged:
		e.kernelRoute(ev)
	case dataplane.NeighborMiss:
		miss := librib.NeighborMiss{Interface: e.iface.Name(ev.Device), Addr: ev.Addr}
		for _, name := range e.names() {
			if e.daemons[name].misses[miss.Interface] {
				e.hub.Send(name, miss)
			}
		}
	}
}

// kernelRoute takes in a route that somebody else installed.
func (e *Engine) kernelRoute(ev dataplane.RouteChanged) {
	k := ev.Route.Key()
	vrf, known := e.tables[k]
	if !known {
		if vrf, known = e.iface.VRFOfTable(k.Table); !known {
			return
		}
	}
	r := librib.Route{VRF: vrf, Prefix: k.Prefix, Protocol: librib.Kernel, Instance: k.Metric,
		Distance: librib.Kernel.Distance(), Metric: k.Metric}
	e.seq++
	if ev.Gone {
		delete(e.tables, k)
		e.rib.Step(e.Now(), rib.Delete{Owner: rib.OwnerKernel, Seq: e.seq, Key: r.Key()})
		return
	}
	for _, h := range ev.Route.NextHops {
		r.NextHops = append(r.NextHops, librib.NextHop{Addr: h.Gateway, Interface: e.iface.Name(h.Device), OnLink: h.OnLink, Weight: h.Weight})
	}
	if ev.Route.Blackhole {
		r.NextHops = []librib.NextHop{{Discard: true}}
	}
	e.tables[k] = vrf
	e.rib.Step(e.Now(), rib.Put{Owner: rib.OwnerKernel, Seq: e.seq, Object: r})
}
