package dual

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cells is Figure 1 and clauses 1 to 16 of RFC 7868 section 3.5, written by hand
// from the text and not from the code: for each state and event the clause, what is
// done and the next state, if the condition is met, and after a slash if it is not.
const cells = `
P  querySuccessor  1,2 settle answer P       / 3 owe diffuse A3
P  queryOther      1 settle answer P         / 4 diffuse answer A1
P  increase        2 settle P                / 4 diffuse A1
P  change          2 settle P                / 4 diffuse A1
P  reply           4.3 P                     / 4.3 P
P  lastReply       4.3 P                     / 4.3 P
A0 querySuccessor  5 owe A2                  / 5 owe A2
A0 queryOther      6 answer A0               / 6 answer A0
A0 increase        9 A0                      / 9 A0
A0 change          7 A0                      / 7 A0
A0 reply           8 A0                      / 8 A0
A0 lastReply       14 settle P               / 11 diffuse A1
A1 querySuccessor  5 owe A2                  / 5 owe A2
A1 queryOther      6 answer A1               / 6 answer A1
A1 increase        9 A0                      / 9 A0
A1 change          7 A1                      / 7 A1
A1 reply           8 A1                      / 8 A1
A1 lastReply       15 reset settle P         / 15 reset settle P
A2 querySuccessor  5 owe A2                  / 5 owe A2
A2 queryOther      6 answer A2               / 6 answer A2
A2 increase        10 A2                     / 10 A2
A2 change          7 A2                      / 7 A2
A2 reply           8 A2                      / 8 A2
A2 lastReply       16 settle pay P           / 12 owe? diffuse A3
A3 querySuccessor  5 owe A2                  / 5 owe A2
A3 queryOther      6 answer A3               / 6 answer A3
A3 increase        10 A2                     / 10 A2
A3 change          7 A3                      / 7 A3
A3 reply           8 A3                      / 8 A3
A3 lastReply       13 reset settle pay P     / 13 reset settle pay P
`

var (
	stateNames  = []string{"P", "A0", "A1", "A2", "A3"}
	eventNames  = []string{"querySuccessor", "queryOther", "increase", "change", "reply", "lastReply"}
	actionNames = []string{"owe", "reset", "settle", "diffuse", "answer", "pay"}
)

func (c cell) String() string {
	words := []string{c.clause}
	for k, name := range actionNames {
		if c.do&(1<<k) != 0 {
			words = append(words, name)
		}
	}
	return strings.Join(append(words, stateNames[c.next]), " ")
}

// TestFSM compares the machine with the table above.
func TestFSM(t *testing.T) {
	var got, want []string
	for s, name := range stateNames {
		for e, event := range eventNames {
			got = append(got, fmt.Sprintf("%s %s %v / %v", name, event, fsm[s][e][1], fsm[s][e][0]))
		}
	}
	for line := range strings.Lines(strings.TrimSpace(cells)) {
		words := slices.DeleteFunc(strings.Fields(line), func(w string) bool { return w == "owe?" })
		want = append(want, strings.Join(words, " "))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// at returns a router whose route is in a state, with the Feasibility Condition met
// or not: successor 1, another neighbour 2 and a third 3, each on its interface.
// What is met is met by neighbour 3.
func at(s State, met bool) (*router, *route[vector]) {
	r := newRouter(Config{ActiveTime: -1})
	for id := range NeighborID(3) {
		r.arithmetic.cost[id+1] = 1
		r.step(0, NeighborUp{ID: id + 1, Interface: InterfaceID(id + 1)})
	}
	r.step(0, Received[vector]{1, Message[vector]{Kind: Update, Prefix: destination, Attribute: vector{metric: 10}}})
	e := r.routes[destination]
	e.state, e.fd = s, 11
	rd := Distance(20)
	if met {
		rd = 5
	}
	if s != Passive {
		e.waiting = []NeighborID{2, 3}
	}
	e.put(r.through(3, destination, vector{metric: rd}, rd))
	if !met { // the nearest is 3, who is too far to be a successor
		e.put(r.through(1, destination, vector{metric: 30}, 30))
	}
	return r, e
}

// TestCells takes a route through each cell: by step, and looks at what it did.
func TestCells(t *testing.T) {
	for s := range states {
		for e := range events {
			for _, met := range []bool{false, true} {
				cell := fsm[s][e][bit(met)]
				t.Run(fmt.Sprintf("%v/%s/%v", s, eventNames[e], met), func(t *testing.T) {
					checkCell(t, s, e, met, cell)
				})
			}
		}
	}
}

func checkCell(t *testing.T, s State, e event, met bool, cell cell) {
	r, route := at(s, met)
	if route.feasible() != met {
		t.Fatalf("condition met: %v", !met)
	}
	owed, by := NeighborID(0), NeighborID(2)
	if e == querySuccessor {
		by = 1
	}
	if cell.do&pay != 0 {
		route.owed, owed = 1, 1
	}
	if e == lastReply {
		route.waiting = nil
	}
	r.Table.step(route, e, cause{by, true})
	var replies, queries []NeighborID
	for _, effect := range r.Drain(nil) {
		if m, ok := effect.(Send[vector]); ok && m.Kind == Reply {
			replies = append(replies, m.To...)
			replies = append(replies, r.receivers(Send[vector]{Interface: m.Interface})...)
		} else if ok && m.Kind == Query {
			queries = append(queries, r.receivers(m)...)
		}
	}
	var wantReplies, wantQueries []NeighborID
	if cell.do&answer != 0 {
		wantReplies = []NeighborID{by}
	}
	if cell.do&pay != 0 {
		wantReplies = []NeighborID{owed}
	}
	if cell.do&diffuse != 0 {
		wantQueries = []NeighborID{1, 2, 3}
		if cell.next == Active3 {
			wantQueries = []NeighborID{2, 3} // (3): not back to the successor
		}
	}
	if !slices.Equal(slices.Compact(replies), wantReplies) || !slices.Equal(queries, wantQueries) {
		t.Errorf("replies %v, want %v; queries %v, want %v", replies, wantReplies, queries, wantQueries)
	}
	if route.state != cell.next {
		t.Errorf("state %v, want %v", route.state, cell.next)
	}
	if cell.do&owe != 0 && route.owed != 1 || cell.do&pay != 0 && route.owed != 0 {
		t.Errorf("owed %d", route.owed)
	}
	checkChoice(t, route, met, cell)
}

// checkChoice looks at what is frozen and what is chosen.
func checkChoice(t *testing.T, route *route[vector], met bool, cell cell) {
	successor, fd := via(1), Distance(11)
	switch {
	case cell.do&settle != 0 && met:
		successor, fd = via(3), 6
	case cell.do&settle != 0: // after a reset
		successor, fd = via(3), 21
	case cell.do&diffuse != 0:
		fd = 31
	}
	if route.successor != successor || route.fd != fd {
		t.Errorf("successor %v with FD %d, want %v with %d", route.successor, route.fd, successor, fd)
	}
}
