package dual

import (
	"encoding/binary"
	"flag"
	"fmt"
	"hash/maphash"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

var (
	exploreStates = flag.Int("explore-states", 60_000, "states of each small topology that are explored at most")
	exploreSeeds  = flag.Int("explore-seeds", 200, "small topologies drawn at random to be explored, a tenth of the states each")
)

var destination = netip.MustParsePrefix("10.0.0.0/8")

// link is a link of a topology: its ends, its cost, and the number of the
// interface at each end.
type link struct {
	a, b   int
	cost   Distance
	ia, ib InterfaceID
}

// topology is a small network, with the changes that happen to it in this order,
// at any time.
type topology struct {
	name    string
	nodes   int
	links   []link
	origins []int // who owns the destination, at distance 1
	cold    bool  // nobody knows anything at first
	open    bool  // no split horizon
	partial bool  // split horizon hides ways between neighbours on one interface: distances may be longer
	stubs   []int
	config  Config
	changes []happening
}

// happening is a change of a topology.
type happening struct {
	what string // cost, down, up, own, gone
	n    int    // link or router
	cost Distance
}

// local is a state of one router, seen once and for all.
type local struct {
	r       *router
	passive bool
	next    []int
	rd      Distance
}

type localStep struct {
	router, state, input uint16
}

type localResult struct {
	state uint16
	sends []sending
}

type sending struct {
	to    int
	input uint16
}

// system is a state of the whole network. Queues hold numbers of inputs; the
// slices in it are never written to again.
type system struct {
	locals []uint16
	up     []bool
	costs  []Distance
	owns   []bool
	queues [][]uint16 // of each direction of each link, then of each router what happens at its links
	change int
}

// explorer visits every state of a topology. It remembers what a router does in a
// state at an input, so that a router is stepped once for each.
type explorer struct {
	topology
	locals []local
	names  map[string]uint16
	inputs []Input
	ids    map[Input]uint16
	memo   map[localStep]localResult
	seed   maphash.Seed
	seen   map[uint64]bool // true while on the path from the start
	path   []string
	limit  int
	cut    bool
	quiet  int
	active int
	key    []byte
}

func newExplorer(t topology, limit int) *explorer {
	return &explorer{topology: t, names: map[string]uint16{}, ids: map[Input]uint16{}, memo: map[localStep]localResult{},
		seed: maphash.MakeSeed(), seen: map[uint64]bool{}, limit: limit}
}

func (e *explorer) input(in Input) uint16 {
	id, ok := e.ids[in]
	if !ok {
		id = uint16(len(e.inputs))
		e.ids[in], e.inputs = id, append(e.inputs, in)
	}
	return id
}

// intern numbers a state of a router.
func (e *explorer) intern(node int, r *router) uint16 {
	key := string(r.encode([]byte{byte(node)}))
	id, ok := e.names[key]
	if !ok {
		l := local{r: r, passive: true, rd: Infinity}
		if route := r.routes[destination]; route != nil {
			l.passive, l.rd = route.state == Passive, route.rd
		}
		for _, n := range r.next(destination) {
			l.next = append(l.next, int(n)-1)
		}
		id = uint16(len(e.locals))
		e.names[key], e.locals = id, append(e.locals, l)
	}
	return id
}

// step is what a router does in a state at an input.
func (e *explorer) step(node int, state, input uint16) localResult {
	k := localStep{uint16(node), state, input}
	if res, ok := e.memo[k]; ok {
		return res
	}
	r := e.locals[state].r.clone()
	var res localResult
	for _, effect := range r.step(0, e.inputs[input]) {
		s, ok := effect.(Send[vector])
		if !ok {
			continue
		}
		for _, to := range r.receivers(s) {
			m := s.Message
			if m.Unreachable {
				m.Attribute = vector{}
			}
			res.sends = append(res.sends, sending{int(to) - 1, e.input(Received[vector]{NeighborID(node + 1), m})})
		}
	}
	res.state = e.intern(node, r)
	e.memo[k] = res
	return res
}

func (s *system) clone() *system {
	c := *s
	c.locals, c.up, c.costs = slices.Clone(s.locals), slices.Clone(s.up), slices.Clone(s.costs)
	c.owns, c.queues = slices.Clone(s.owns), slices.Clone(s.queues)
	return &c
}

// find returns the link between two routers and the queue from a to b.
func (e *explorer) find(a, b int) (l, queue int) {
	for i, l := range e.links {
		if l.a == a && l.b == b {
			return i, 2 * i
		}
		if l.a == b && l.b == a {
			return i, 2*i + 1
		}
	}
	panic("no such link")
}

// feed steps a router of a system, and queues what it sends.
func (e *explorer) feed(s *system, node int, input uint16) {
	res := e.step(node, s.locals[node], input)
	s.locals[node] = res.state
	for _, send := range res.sends {
		l, q := e.find(node, send.to)
		if s.up[l] {
			s.push(q, send.input)
		}
	}
}

func (s *system) push(q int, input uint16) {
	s.queues[q] = append(slices.Clone(s.queues[q]), input)
}

// apply makes the next change of the topology happen; false if it cannot yet.
func (e *explorer) apply(s *system) bool {
	c := e.changes[s.change]
	events := 2 * len(e.links)
	switch c.what {
	case "own":
		s.owns[c.n] = true
		s.push(events+c.n, e.input(Own[vector]{Prefix: destination, Attribute: vector{metric: 1}}))
	case "gone":
		s.owns[c.n] = false
		s.push(events+c.n, e.input(OwnGone{Prefix: destination}))
	case "cost":
		l := e.links[c.n]
		s.costs[c.n] = c.cost
		s.push(events+l.a, e.input(costChanged{NeighborID(l.b + 1), c.cost}))
		s.push(events+l.b, e.input(costChanged{NeighborID(l.a + 1), c.cost}))
	case "down":
		l := e.links[c.n]
		s.up[c.n] = false
		s.queues[2*c.n], s.queues[2*c.n+1] = nil, nil
		s.push(events+l.a, e.input(NeighborDown{NeighborID(l.b + 1)}))
		s.push(events+l.b, e.input(NeighborDown{NeighborID(l.a + 1)}))
	case "up":
		l := e.links[c.n]
		if len(s.queues[events+l.a]) > 0 || len(s.queues[events+l.b]) > 0 {
			return false
		}
		s.up[c.n] = true
		s.push(events+l.a, e.input(e.neighbor(l.b, l.ia)))
		s.push(events+l.b, e.input(e.neighbor(l.a, l.ib)))
	}
	s.change++
	return true
}

func (e *explorer) neighbor(n int, on InterfaceID) NeighborUp {
	return NeighborUp{NeighborID(n + 1), on, slices.Contains(e.stubs, n)}
}

// successors returns what may come after a state.
func (e *explorer) successors(s *system) (out []*system, names []string) {
	for q := range s.queues {
		if len(s.queues[q]) == 0 {
			continue
		}
		node := q - 2*len(e.links)
		in := s.queues[q][0]
		if node < 0 {
			l := e.links[q/2]
			node = [2]int{l.b, l.a}[q%2]
			if from := e.inputs[in].(Received[vector]).Neighbor; e.locals[s.locals[node]].r.neighbors[from] == nil {
				continue // its handshake is not through yet
			}
		}
		c := s.clone()
		c.queues[q] = c.queues[q][1:]
		e.feed(c, node, in)
		out, names = append(out, c), append(names, fmt.Sprintf("%d: %s", node+1, print(e.inputs[in])))
	}
	if s.change < len(e.changes) {
		if c := s.clone(); e.apply(c) {
			out, names = append(out, c), append(names, fmt.Sprintf("change %v", e.changes[s.change]))
		}
	}
	return out, names
}

func (e *explorer) hash(s *system) uint64 {
	b := append(e.key[:0], byte(s.change))
	for _, l := range s.locals {
		b = binary.LittleEndian.AppendUint16(b, l)
	}
	for _, q := range s.queues {
		b = append(b, byte(len(q)))
		for _, in := range q {
			b = binary.LittleEndian.AppendUint16(b, in)
		}
	}
	e.key = b
	return maphash.Bytes(e.seed, b)
}

// start returns the network converged, or, if cold, knowing nothing yet.
func (e *explorer) start() *system {
	s := &system{locals: make([]uint16, e.nodes), owns: make([]bool, e.nodes), queues: make([][]uint16, 2*len(e.links)+e.nodes)}
	for n := range e.nodes {
		c := e.config
		c.ActiveTime = -1
		r := newRouter(c)
		r.arithmetic.stub = slices.Contains(e.stubs, n)
		for _, l := range e.links {
			if l.a == n || l.b == n {
				peer, on := l.b, l.ia
				if l.b == n {
					peer, on = l.a, l.ib
				}
				r.arithmetic.cost[NeighborID(peer+1)] = l.cost
				r.step(0, Interface{on, e.open})
				r.step(0, e.neighbor(peer, on))
			}
		}
		s.locals[n] = e.intern(n, r)
	}
	for _, l := range e.links {
		s.up, s.costs = append(s.up, true), append(s.costs, l.cost)
	}
	for _, n := range e.origins {
		s.owns[n] = true
		s.push(2*len(e.links)+n, e.input(Own[vector]{Prefix: destination, Attribute: vector{metric: 1}}))
	}
	changes := e.changes
	for e.changes = nil; !e.cold; { // the changes are kept back
		next, _ := e.successors(s)
		if len(next) == 0 {
			break
		}
		s = next[0]
	}
	e.changes = changes
	return s
}

// visit explores what comes after a state, depth first.
func (e *explorer) visit(s *system) error {
	h := e.hash(s)
	if onPath, ok := e.seen[h]; ok {
		if onPath {
			return e.fail("the network comes back to a state: it may never end")
		}
		return nil
	}
	if len(e.seen) >= e.limit || len(e.locals) > math.MaxUint16-64 || len(e.inputs) > math.MaxUint16-64 {
		e.cut = true
		return nil
	}
	e.seen[h] = true
	if err := e.check(s); err != nil {
		return err
	}
	next, names := e.successors(s)
	if len(next) == 0 {
		e.quiet++
		if err := e.final(s); err != nil {
			return err
		}
	}
	for i, c := range next {
		e.path = append(e.path, names[i])
		if err := e.visit(c); err != nil {
			return err
		}
		e.path = e.path[:len(e.path)-1]
	}
	e.seen[h] = false
	return nil
}

func (e *explorer) fail(format string, v ...any) error {
	return fmt.Errorf("%s after\n  %s", fmt.Sprintf(format, v...), strings.Join(e.path, "\n  "))
}

// check wants the successor graph without a loop.
func (e *explorer) check(s *system) error {
	var color [8]byte
	var walk func(n int) bool
	walk = func(n int) bool {
		color[n] = 1
		for _, to := range e.locals[s.locals[n]].next {
			if l, _ := e.find(n, to); !s.up[l] {
				continue
			}
			if color[to] == 1 || color[to] == 0 && !walk(to) {
				return false
			}
		}
		color[n] = 2
		return true
	}
	for n := range e.nodes {
		if color[n] == 0 && !walk(n) {
			return e.fail("loop")
		}
		if !e.locals[s.locals[n]].passive {
			e.active++
		}
	}
	return nil
}

// final wants a network in which nothing is under way to be PASSIVE, with the
// distances of Bellman and Ford.
func (e *explorer) final(s *system) error {
	want := make([]Distance, e.nodes)
	for n := range want {
		want[n] = Infinity
		if s.owns[n] {
			want[n] = 1
		}
	}
	for range e.nodes {
		for i, l := range e.links {
			for _, d := range [][2]int{{l.a, l.b}, {l.b, l.a}} {
				stub := slices.Contains(e.stubs, d[0]) && !s.owns[d[0]]
				if s.up[i] && want[d[0]] != Infinity && !stub {
					want[d[1]] = min(want[d[1]], want[d[0]]+s.costs[i])
				}
			}
		}
	}
	for n, w := range want {
		l := e.locals[s.locals[n]]
		if !l.passive {
			return e.fail("router %d is ACTIVE for ever", n+1)
		}
		if l.rd < w || l.rd != w && !e.partial {
			return e.fail("router %d has distance %s, want %s", n+1, printDistance(l.rd), printDistance(w))
		}
	}
	return nil
}

// p2p returns links between routers, each with interfaces of its own.
func p2p(links ...[3]int) (out []link) {
	for i, l := range links {
		out = append(out, link{l[0], l[1], Distance(l[2]), InterfaceID(2*i + 1), InterfaceID(2*i + 2)})
	}
	return out
}

// TestExplore visits every interleaving of messages and changes in small networks:
// the successor graph has no loop at any instant (RFC 7868 section 3), everything
// ends, PASSIVE, and with the distances of shortest paths.
func TestExplore(t *testing.T) {
	for _, net := range topologies {
		t.Run(net.name, func(t *testing.T) {
			e := newExplorer(net, *exploreStates)
			err := e.visit(e.start())
			all := "all"
			if e.cut {
				all = "the first"
			}
			t.Logf("%s %d states (limit %d), %d ends, %d states of a router, %d of its steps", all, len(e.seen), e.limit, e.quiet, len(e.locals), len(e.memo))
			if err != nil {
				t.Fatal(err)
			}
			if e.active == 0 {
				t.Error("no route was ever ACTIVE")
			}
		})
	}
}

// draw draws a topology: up to five routers, each link an interface of its own or
// on one with others, and two changes.
func draw(seed uint64) topology {
	r := rand.New(rand.NewPCG(seed, 7))
	t := topology{name: fmt.Sprint("seed ", seed), nodes: 3 + r.IntN(3), open: r.IntN(3) == 0, config: Config{Variance: 1 + r.IntN(3), MaximumPaths: 1 + r.IntN(4)}}
	lan := r.IntN(3) == 0
	t.partial = lan && !t.open
	iface := func() InterfaceID {
		if lan {
			return InterfaceID(1 + r.IntN(2))
		}
		return InterfaceID(len(t.links) + 1)
	}
	for b := 1; b < t.nodes; b++ {
		for _, a := range r.Perm(b)[:1+r.IntN(min(b, 2))] {
			t.links = append(t.links, link{a, b, Distance(1 + r.IntN(4)), iface(), iface()})
		}
	}
	t.origins = r.Perm(t.nodes)[:1+r.IntN(5)/4]
	if r.IntN(3) == 0 {
		if stub := r.IntN(t.nodes); !slices.Contains(t.origins, stub) {
			t.stubs = []int{stub}
		}
	}
	for range 2 {
		t.changes = append(t.changes, drawChange(r, &t))
	}
	return t
}

func drawChange(r *rand.Rand, t *topology) happening {
	n := r.IntN(len(t.links))
	if len(t.changes) > 0 && t.changes[0].what == "down" && r.IntN(2) == 0 {
		return happening{what: "up", n: t.changes[0].n}
	}
	switch r.IntN(4) {
	case 0:
		if len(t.changes) == 0 || t.changes[0].what != "down" || t.changes[0].n != n {
			return happening{what: "down", n: n}
		}
	case 1:
		return happening{what: "gone", n: t.origins[0]}
	case 2:
		return happening{what: "own", n: r.IntN(t.nodes)}
	}
	return happening{what: "cost", n: n, cost: Distance(1 + r.IntN(9))}
}

// TestExploreDrawn explores topologies that nobody thought of.
func TestExploreDrawn(t *testing.T) {
	total, cut, active, ends := 0, 0, 0, 0
	for seed := range uint64(*exploreSeeds) {
		e := newExplorer(draw(seed), *exploreStates/10)
		if err := e.visit(e.start()); err != nil {
			t.Fatalf("seed %d: %+v: %v", seed, e.topology, err)
		}
		total, active, ends = total+len(e.seen), active+e.active, ends+e.quiet
		if e.cut {
			cut++
		}
	}
	t.Logf("%d topologies, %d of them not to the end (limit %d), %d states, %d ends, %d times ACTIVE", *exploreSeeds, cut, *exploreStates/10, total, ends, active)
	if active == 0 {
		t.Error("no route was ever ACTIVE")
	}
}
