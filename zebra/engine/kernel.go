package engine

import (
	"slices"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// foreign are the routes that somebody else on this machine installed. The
// kernel tells when they come and when somebody removes them, but not when it
// drops them with their device.
type foreign struct {
	routes map[dataplane.Key]foreignRoute
	down   map[string]bool        // devices that are down
	fresh  map[dataplane.Key]bool // repeated since a Resync; nil outside of one
}

type foreignRoute struct {
	route dataplane.Route
	key   librib.Key // in the RIB
}

// foreignEvent keeps the RIB's kernel routes in line with the kernel's.
func (e *Engine) foreignEvent(ev dataplane.Event) {
	f := &e.foreign
	switch ev := ev.(type) {
	case dataplane.Resync:
		f.fresh = map[dataplane.Key]bool{}
	case dataplane.Known:
		if fresh := f.fresh; fresh != nil {
			f.fresh = nil
			e.forgetForeign(func(r foreignRoute) bool { return !fresh[r.route.Key()] })
		}
	case dataplane.RouteChanged:
		e.foreignRoute(ev)
	case dataplane.LinkGone:
		delete(f.down, ev.Name)
		e.forgetForeign(func(r foreignRoute) bool { return r.route.Uses(ev.Name) })
	case dataplane.LinkChanged:
		if ev.Link.Up {
			delete(f.down, ev.Link.Name)
		} else if !f.down[ev.Link.Name] {
			f.down[ev.Link.Name] = true
			e.forgetForeign(func(r foreignRoute) bool { return r.route.Uses(ev.Link.Name) && f.dead(r.route) })
		}
	}
}

// dead reports whether all next hops of a route are on devices that are down:
// then the kernel drops the route.
func (f *foreign) dead(r dataplane.Route) bool {
	return !slices.ContainsFunc(r.NextHops, func(h dataplane.NextHop) bool { return !f.down[h.Device] })
}

// forgetForeign takes routes out of the RIB that the kernel has no more.
func (e *Engine) forgetForeign(gone func(foreignRoute) bool) {
	for k, r := range e.foreign.routes { // the order does not matter: the keys are different
		if gone(r) {
			e.dropForeign(k, r)
		}
	}
}

func (e *Engine) dropForeign(k dataplane.Key, r foreignRoute) {
	delete(e.foreign.routes, k)
	e.seq++
	e.rib.Step(e.Now(), rib.Delete{Owner: rib.OwnerKernel, Seq: e.seq, Key: r.key})
}

// foreignRoute takes in a route that came, changed or went.
func (e *Engine) foreignRoute(ev dataplane.RouteChanged) {
	k := ev.Route.Key()
	if ev.Gone {
		if r, ok := e.foreign.routes[k]; ok {
			e.dropForeign(k, r)
		}
		return
	}
	if e.foreign.fresh != nil {
		e.foreign.fresh[k] = true
	}
	vrf, known := e.iface.VRFOfTable(k.Table)
	if old, ok := e.foreign.routes[k]; ok {
		vrf = old.key.VRF
	} else if !known {
		return
	}
	r := librib.Route{VRF: vrf, Prefix: k.Prefix, Protocol: librib.Kernel, Instance: k.Metric,
		Distance: librib.Kernel.Distance(), Metric: k.Metric}
	for _, h := range ev.Route.NextHops {
		r.NextHops = append(r.NextHops, librib.NextHop{Addr: h.Gateway, Interface: e.iface.Name(h.Device), OnLink: h.OnLink, Weight: h.Weight})
	}
	if ev.Route.Blackhole {
		r.NextHops = []librib.NextHop{{Discard: true}}
	}
	e.foreign.routes[k] = foreignRoute{ev.Route, r.Key()}
	e.seq++
	e.rib.Step(e.Now(), rib.Put{Owner: rib.OwnerKernel, Seq: e.seq, Object: r})
}
