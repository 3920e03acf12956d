package dual

import "slices"

// cause is what led to an event.
type cause struct {
	neighbor NeighborID // who
	message  bool       // by a message, and not by the loss of its link or a change of its cost
}

// receive takes a message in. First the topology table gets its distance, then
// the state machine runs, and then an answer goes out with the latest
// (RFC 7868 sections 3.5, 4.2, 4.3).
func (t *Table[A]) receive(in Received[A]) {
	if t.neighbors[in.Neighbor] == nil {
		t.effect(Trace{Event: UnknownNeighbor, Prefix: in.Prefix, Neighbor: in.Neighbor})
		return
	}
	rd := Infinity
	if !in.Unreachable {
		rd = t.arithmetic.Distance(in.Attribute)
	}
	new := t.through(in.Neighbor, in.Prefix, in.Attribute, rd)
	r := t.routes[in.Prefix]
	switch in.Kind {
	case Update:
		t.receiveUpdate(r, in, new)
	case Query:
		t.receiveQuery(r, in, new)
	case Reply:
		t.receiveReply(r, in, new)
	case SIAQuery:
		t.receiveSIAQuery(r, in, new)
	case SIAReply:
		t.receiveSIAReply(r, in, new)
	default:
		t.effect(Trace{Event: UnknownKind, Prefix: in.Prefix, Neighbor: in.Neighbor})
	}
}

func (t *Table[A]) receiveUpdate(r *route[A], in Received[A], new path[A]) {
	if r == nil && new.rd == Infinity {
		return
	}
	r = t.entry(in.Prefix)
	r.answered = remove(r.answered, in.Neighbor) // it is PASSIVE: it has what it asked for
	t.learn(r, new, cause{in.Neighbor, true})
}

// receiveQuery answers a QUERY for an unknown destination at once; there is an
// entry if the QUERY has a distance (RFC 7868 section 4.3).
func (t *Table[A]) receiveQuery(r *route[A], in Received[A], new path[A]) {
	if r == nil && new.rd == Infinity {
		t.send(t.neighbors[in.Neighbor].on.id, []NeighborID{in.Neighbor}, nil,
			Message[A]{Kind: Reply, Prefix: in.Prefix, Attribute: in.Attribute, Unreachable: true})
		return
	}
	r = t.entry(in.Prefix)
	e := queryOther
	if r.successor == via(in.Neighbor) {
		e = querySuccessor
	}
	r.answered = remove(r.answered, in.Neighbor)
	r.put(new)
	t.lost(r)
	t.run(r, e, cause{in.Neighbor, true})
}

func (t *Table[A]) receiveReply(r *route[A], in Received[A], new path[A]) {
	if r == nil || r.state == Passive {
		t.effect(Trace{Event: UnwantedReply, Prefix: in.Prefix, Neighbor: in.Neighbor})
		return
	}
	t.learn(r, new, cause{in.Neighbor, true})
	if has(r.waiting, in.Neighbor) {
		t.replied(r, in.Neighbor)
	}
}

// learn enters a path, or removes it if its rd is infinite, and runs the state
// machine if that is a topology change (RFC 7868 section 2.2).
func (t *Table[A]) learn(r *route[A], new path[A], c cause) {
	i, ok := r.at(new.hop)
	if !ok && new.rd == Infinity || ok && r.paths[i] == new {
		return
	}
	e := change
	if r.successor == new.hop && new.cd > r.distance(new.hop) {
		e = increase
	}
	r.put(new)
	t.lost(r)
	t.run(r, e, c)
}

// lost withdraws an ACTIVE route whose successor is lost: it cannot be used, and so
// must not be reported (RFC 7868 section 5.4).
func (t *Table[A]) lost(r *route[A]) {
	if r.state != Passive && len(r.used) > 0 && r.distance(r.used[0]) == Infinity {
		t.use(r, nil)
	}
}

// replied clears the REPLY status flag of a neighbour.
func (t *Table[A]) replied(r *route[A], n NeighborID) {
	r.waiting = remove(r.waiting, n)
	e := reply
	if len(r.waiting) == 0 {
		e = lastReply
	}
	t.run(r, e, cause{neighbor: n})
}

// run takes a route through the state machine: by an event, and, as long as it is
// ACTIVE and no REPLY is awaited, on to where the last REPLY would take it. Such a
// diffusing computation has nobody to ask.
func (t *Table[A]) run(r *route[A], e event, c cause) {
	t.step(r, e, c)
	for r.state != Passive && len(r.waiting) == 0 {
		t.step(r, lastReply, cause{})
	}
}

// step is one step of the state machine.
func (t *Table[A]) step(r *route[A], e event, c cause) {
	met := 0
	if r.feasible() {
		met = 1
	}
	cell := &fsm[r.state][e][met]
	from := r.state
	r.state = cell.next
	switch {
	case from == Passive && r.state != Passive:
		t.active, r.since = t.active+1, t.now
	case from != Passive && r.state == Passive:
		t.active--
	}
	if from != cell.next {
		t.effect(Trace{Event: Transition, Prefix: r.prefix, Neighbor: c.neighbor, From: from, To: cell.next, Clause: cell.clause})
	}
	if e == lastReply {
		r.asked()
	}
	if cell.do&owe != 0 {
		r.owed = c.neighbor
	}
	if cell.do&reset != 0 {
		r.fd = Infinity
	}
	if cell.do&settle != 0 {
		t.settle(r)
	}
	if cell.do&diffuse != 0 {
		t.diffuse(r, cell.next == Active3 || c.message && r.successor == via(c.neighbor))
	}
	if cell.do&answer != 0 {
		t.answer(r, c.neighbor)
	}
	if cell.do&pay != 0 && r.owed != 0 {
		t.answer(r, r.owed)
		r.owed = 0
	}
}

// settle chooses successors, and with them FD and what is reported.
func (t *Table[A]) settle(r *route[A]) {
	r.waiting, r.alive = nil, nil
	t.timers.Clear(r.prefix)
	// First FD, so that after a reset variance admits nobody who is farther.
	r.fd = min(r.fd, r.nearest())
	hops := r.choose(t.config)
	r.successor, r.rd = none, Infinity
	if len(hops) > 0 {
		i, _ := r.at(hops[0])
		r.successor, r.attr, r.rd = hops[0], r.paths[i].attr, r.paths[i].cd
	}
	t.use(r, hops)
	t.tell(r)
	if len(r.paths) == 0 {
		t.linger(r)
	}
}

// diffuse begins a diffusing computation: successor, FD and RD freeze at what the
// distance through the successor has become, and the neighbours are asked.
// bySuccessor is true if a message of the successor is the reason.
func (t *Table[A]) diffuse(r *route[A], bySuccessor bool) {
	r.rd = Infinity
	var hops []hop
	if i, ok := r.at(r.successor); ok && r.paths[i].cd != Infinity {
		r.attr, r.rd, hops = r.paths[i].attr, r.paths[i].cd, []hop{r.successor}
	}
	r.fd = r.rd
	t.use(r, hops)
	r.computations++
	r.rounds, r.alive = 0, nil
	t.query(r, bySuccessor)
	t.arm(r)
}

// use installs the paths by some hops, or withdraws the route if there are none.
func (t *Table[A]) use(r *route[A], hops []hop) {
	if len(hops) == 0 {
		if len(r.used) > 0 {
			t.effect(Withdraw{r.prefix})
			t.installed--
			t.touch(r)
		}
		r.used, r.installed = nil, nil
		return
	}
	paths := make([]Path[A], len(hops))
	for k, h := range hops {
		i, _ := r.at(h)
		paths[k] = t.show(r, &r.paths[i])
		paths[k].Successor = paths[k].Distance == paths[0].Distance
	}
	if len(r.used) == 0 {
		t.installed++
	}
	if !slices.Equal(paths, r.installed) {
		t.effect(Install[A]{r.prefix, paths})
		t.touch(r)
	}
	r.used, r.installed = hops, paths
}

// touch gives a route that changed the next serial number.
func (t *Table[A]) touch(r *route[A]) {
	t.serial++
	r.serial = t.serial
}
