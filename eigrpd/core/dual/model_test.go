package dual

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// vector is the attribute of the models: a distance, and whether a neighbour
// reported it.
type vector struct {
	metric  Distance
	learned bool
}

// arithmetic is that of a router in the models: the cost of the link to each
// neighbour, and whether it is a stub, which tells what it owns and nothing else.
type arithmetic struct {
	cost map[NeighborID]Distance
	stub bool
}

func (a *arithmetic) Distance(v vector) Distance { return v.metric }

func (a *arithmetic) Via(n NeighborID, _ netip.Prefix, v vector) (vector, bool) {
	v.metric += a.cost[n]
	v.learned = true
	return v, true
}

func (a *arithmetic) Report(_ InterfaceID, _ netip.Prefix, v vector) (vector, bool) {
	return v, !a.stub || !v.learned
}

// router is a router in a model, its name one more than its place.
type router struct {
	*Table[vector]
	arithmetic *arithmetic
}

func newRouter(c Config) *router {
	a := &arithmetic{cost: map[NeighborID]Distance{}}
	return &router{New(Arithmetic[vector](a), c), a}
}

// costChanged is an input of a router in a model: LinkChanged to a cost.
type costChanged struct {
	to   NeighborID
	cost Distance
}

func (costChanged) isInput() {}

// step hands an input to the router and returns its effects.
func (r *router) step(now clock.Instant, in Input) []Effect {
	if c, ok := in.(costChanged); ok {
		r.arithmetic.cost[c.to] = c.cost
		in = LinkChanged{Neighbor: c.to}
	}
	r.Step(now, in)
	return r.Drain(nil)
}

// receivers returns to whom an effect goes.
func (r *router) receivers(s Send[vector]) []NeighborID {
	if len(s.To) > 0 {
		return s.To
	}
	return slices.DeleteFunc(slices.Clone(r.on(s.Interface).neighbors), func(n NeighborID) bool { return slices.Contains(s.Except, n) })
}

// next returns the neighbours over which a router forwards.
func (r *router) next(p netip.Prefix) (hops []NeighborID) {
	route := r.routes[p]
	if route == nil {
		return nil
	}
	for _, h := range route.used {
		if h.neighbor != 0 {
			hops = append(hops, h.neighbor)
		}
	}
	return hops
}

// clone copies a router that has no timers.
func (r *router) clone() *router {
	c := &router{&Table[vector]{config: r.config, neighbors: map[NeighborID]*neighbor{}, routes: map[netip.Prefix]*route[vector]{}}, &arithmetic{maps.Clone(r.arithmetic.cost), r.arithmetic.stub}}
	c.Table.arithmetic = c.arithmetic
	for _, on := range r.interfaces {
		c.interfaces = append(c.interfaces, &iface{on.id, on.split, slices.Clone(on.neighbors)})
	}
	for id, n := range r.neighbors {
		c.neighbors[id] = &neighbor{n.NeighborUp, c.on(n.Interface)}
	}
	for _, old := range r.all() {
		new := *old
		new.paths, new.used, new.installed = slices.Clone(old.paths), slices.Clone(old.used), slices.Clone(old.installed)
		new.told, new.waiting = slices.Clone(old.told), slices.Clone(old.waiting)
		new.answered, new.alive = slices.Clone(old.answered), slices.Clone(old.alive)
		c.routes[new.prefix] = &new
		c.order = append(c.order, &new)
	}
	return c
}

// encode appends all of a router that matters to what it will do.
func (r *router) encode(b []byte) []byte {
	for id := range NeighborID(8) {
		n := r.neighbors[id]
		b = append(b, bit(n != nil), byte(r.arithmetic.cost[id]))
		if n != nil {
			b = append(b, byte(n.Interface), bit(n.Stub))
		}
	}
	for _, on := range r.interfaces {
		b = append(b, byte(on.id), bit(on.split))
	}
	for _, e := range r.all() {
		b = append(b, 255, byte(e.state), byte(e.owed), byte(e.successor.neighbor), bit(e.successor.own), bit(e.attr.learned))
		b = distances(b, e.fd, e.rd, e.attr.metric)
		for _, p := range e.paths {
			b = append(b, 254, byte(p.neighbor), byte(p.source), bit(p.reported.learned))
			b = distances(b, p.rd, p.cd)
		}
		for _, w := range e.told {
			b = append(b, 253, byte(w.id), bit(w.ever), bit(w.uneven), bit(w.exposed), bit(w.taken), bit(w.attr.learned))
			b = distances(b, w.rd)
			if w.rd != Infinity {
				b = distances(b, w.attr.metric)
			}
		}
		for k, list := range [][]NeighborID{e.waiting, e.answered} {
			b = append(b, 252-byte(k))
			for _, n := range list {
				b = append(b, byte(n))
			}
		}
		for _, h := range e.used {
			b = append(b, 250, byte(h.neighbor))
		}
	}
	return b
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func distances(b []byte, list ...Distance) []byte {
	for _, d := range list {
		b = binary.AppendUvarint(b, uint64(d+1))
	}
	return b
}

// print renders an input or an effect for people.
func print(v any) string {
	switch v := v.(type) {
	case Received[vector]:
		return fmt.Sprintf("from %d %s", v.Neighbor, printMessage(v.Message))
	case Send[vector]:
		to := fmt.Sprintf("to %v", v.To)
		if len(v.To) == 0 {
			to = "to all"
		}
		if len(v.Except) > 0 {
			to += fmt.Sprintf(" but %v", v.Except)
		}
		return fmt.Sprintf("send on %d %s: %s", v.Interface, to, printMessage(v.Message))
	case Trace:
		if v.Event == Transition {
			return fmt.Sprintf("%v -> %v (%s)", v.From, v.To, v.Clause)
		}
		return fmt.Sprintf("trace %v of %d", v.Event, v.Neighbor)
	case Install[vector]:
		s := fmt.Sprintf("install %v", v.Prefix)
		for _, p := range v.Paths {
			s += ", " + printPath(p)
		}
		return s
	case Withdraw:
		return fmt.Sprintf("withdraw %v", v.Prefix)
	case Stuck:
		return fmt.Sprintf("stuck %d in %v", v.Neighbor, v.Prefix)
	}
	return fmt.Sprintf("%T%v", v, v)
}

func printPath(p Path[vector]) string {
	s := fmt.Sprintf("by %d %s/%s", p.Neighbor, printDistance(p.Distance), printDistance(p.Reported))
	if p.Neighbor == 0 {
		s = fmt.Sprintf("own %d %s", p.Source, printDistance(p.Distance))
	}
	if p.Successor {
		s += " successor"
	} else if p.Feasible {
		s += " feasible"
	}
	return s
}

func printDistance(d Distance) string {
	switch {
	case d == Infinity:
		return "inf"
	case d.IsExternal():
		return fmt.Sprintf("ex%d", d.Metric())
	}
	return fmt.Sprint(d.Metric())
}

func printMessage(m Message[vector]) string {
	s := fmt.Sprintf("%v %v %s", m.Kind, m.Prefix, printDistance(m.Attribute.metric))
	if m.Unreachable {
		s = fmt.Sprintf("%v %v inf", m.Kind, m.Prefix)
	}
	if m.Active {
		s += " active"
	}
	return s
}
