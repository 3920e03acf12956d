package fsm

import (
	"fmt"
	"strings"
	"testing"
)

// neighborCells is section 10.3 of RFC 2328 read once more: states, event, what it depends on
// (w: an adjacency is wanted, W: it is not; c: nothing to be requested, C: something is), then
// the next state (=: the same) and actions.
const neighborCells = `
Down                                        Start              Attempt  SendHello StartInactivity
Attempt                                     HelloReceived      Init     StartInactivity
Down                                        HelloReceived      Init     StartInactivity
Init 2-Way ExStart Exchange Loading Full    HelloReceived      =        StartInactivity
Init                                        2-WayReceived w    ExStart  Negotiate
Init                                        2-WayReceived W    2-Way
ExStart                                     NegotiationDone    Exchange ListDatabase
Exchange                                    ExchangeDone c     Full
Exchange                                    ExchangeDone C     Loading  SendRequests
Loading                                     LoadingDone        Full
2-Way                                       AdjOK? w           ExStart  Negotiate
2-Way                                       AdjOK? W           =
ExStart Exchange Loading Full               AdjOK? w           =
ExStart Exchange Loading Full               AdjOK? W           2-Way    ClearLists
Exchange Loading Full                       SeqNumberMismatch  ExStart  ClearLists Negotiate
Exchange Loading Full                       BadLSReq           ExStart  ClearLists Negotiate
Down Attempt Init 2-Way ExStart Exchange Loading Full   KillNbr          Down   ClearLists StopInactivity
Down Attempt Init 2-Way ExStart Exchange Loading Full   LLDown           Down   ClearLists StopInactivity
Down Attempt Init 2-Way ExStart Exchange Loading Full   InactivityTimer  Down   ClearLists
2-Way ExStart Exchange Loading Full         1-WayReceived      Init     ClearLists
2-Way ExStart Exchange Loading Full         2-WayReceived      =
Init                                        1-WayReceived      =
`

var neighborActions = []string{"ClearLists", "StartInactivity", "StopInactivity", "SendHello", "Negotiate", "ListDatabase", "SendRequests"}

// bits names the bits of a set.
func bits(set uint8, names []string) (s string) {
	for i, name := range names {
		if set&(1<<i) != 0 {
			s += " " + name
		}
	}
	return s
}

// ordered puts actions in the order of their bits.
func ordered(words []string, names []string) (s string) {
	for _, name := range names {
		for _, w := range words {
			if w == name {
				s += " " + name
			}
		}
	}
	return s
}

// named returns the words of a line that are names of states, and the rest.
func named[S fmt.Stringer](line string, all []S) (states []string, rest []string) {
	words := strings.Fields(line)
	for len(words) > 0 {
		found := false
		for _, s := range all {
			found = found || s.String() == words[0]
		}
		if !found {
			break
		}
		states, words = append(states, words[0]), words[1:]
	}
	return states, words
}

// Section 10.3, cell by cell.
func TestNeighborTable(t *testing.T) {
	var all []NeighborState
	for s := range neighborStates {
		all = append(all, s)
	}
	want := map[string]string{} // by state, event, conditions
	for line := range strings.Lines(strings.TrimSpace(neighborCells)) {
		states, words := named(line, all)
		event, words := words[0], words[1:]
		when := ""
		if len(words[0]) == 1 && words[0] != "=" {
			when, words = words[0], words[1:]
		}
		for _, s := range states {
			for _, c := range []string{"wc", "wC", "Wc", "WC"} {
				if strings.Contains(c, when) {
					want[s+" "+event+" "+c] = strings.Replace(words[0], "=", s, 1) + ordered(words[1:], neighborActions)
				}
			}
		}
	}
	for s := range neighborStates {
		for e := range neighborEvents {
			for _, c := range []string{"wc", "wC", "Wc", "WC"} {
				t.Run(fmt.Sprintf("%v %v %s", s, e, c), func(t *testing.T) {
					next, do, ok := NextNeighbor(s, e, c[0] == 'w', c[1] == 'c')
					got, want := next.String()+bits(uint8(do), neighborActions), want[fmt.Sprintf("%v %v %s", s, e, c)]
					if want == "" && (ok || next != s || do != 0) {
						t.Errorf("%s, want nothing", got)
					} else if want != "" && (!ok || got != want) {
						t.Errorf("%s (%v), want %s", got, ok, want)
					}
				})
			}
		}
	}
	if _, _, ok := NextNeighbor(neighborStates, Start, true, true); ok {
		t.Error("an unknown state")
	}
	if _, _, ok := NextNeighbor(NeighborDown, neighborEvents, true, true); ok {
		t.Error("an unknown event")
	}
}

// interfaceCells is section 9.3 read once more: states, event, type of network (*: any) and
// priority (e: above 0, E: 0, *: any), then the next state and actions; ? is the election's.
const interfaceCells = `
Down                     InterfaceUp     point-to-point *       Point-to-Point StartHello
Down                     InterfaceUp     point-to-multipoint *  Point-to-Point StartHello
Down                     InterfaceUp     virtual *              Point-to-Point StartHello
Down                     InterfaceUp     broadcast E            DROther        StartHello
Down                     InterfaceUp     nbma E                 DROther        StartHello
Down                     InterfaceUp     broadcast e            Waiting        StartHello StartWait
Down                     InterfaceUp     nbma e                 Waiting        StartHello StartWait StartNeighbors
Waiting                  BackupSeen      * *                    ?              RunElection
Waiting                  WaitTimer       * *                    ?              RunElection
DROther Backup DR        NeighborChange  * *                    ?              RunElection
Down Loopback Waiting Point-to-Point DROther Backup DR  InterfaceDown * *  Down      Reset
Down Loopback Waiting Point-to-Point DROther Backup DR  LoopInd       * *  Loopback  Reset
Loopback                 UnloopInd       * *                    Down
`

var interfaceActions = []string{"Reset", "StartHello", "StartWait", "StartNeighbors", "RunElection"}

var networkTypes = map[NetworkType]string{Broadcast: "broadcast", NonBroadcast: "nbma", PointToPoint: "point-to-point",
	PointToMultipoint: "point-to-multipoint", VirtualLink: "virtual"}

// Section 9.3, cell by cell.
func TestInterfaceTable(t *testing.T) {
	type line struct{ states, event, network, priority, next, do string }
	var lines []line
	for text := range strings.Lines(strings.TrimSpace(interfaceCells)) {
		words := strings.Fields(text)
		i := 0
		for words[i] != "InterfaceUp" && words[i] != "BackupSeen" && words[i] != "WaitTimer" && words[i] != "NeighborChange" &&
			words[i] != "InterfaceDown" && words[i] != "LoopInd" && words[i] != "UnloopInd" {
			i++
		}
		lines = append(lines, line{" " + strings.Join(words[:i], " ") + " ", words[i], words[i+1], words[i+2], words[i+3], ordered(words[i+4:], interfaceActions)})
	}
	name := func(s InterfaceState) string { return strings.ReplaceAll(s.String(), " ", "") }
	for s := range interfaceStates {
		for e := range interfaceEvents {
			for network := Broadcast; network <= VirtualLink; network++ {
				for _, priority := range []string{"e", "E"} {
					t.Run(fmt.Sprintf("%s %v %s %s", name(s), e, networkTypes[network], priority), func(t *testing.T) {
						want := ""
						for _, l := range lines {
							if strings.Contains(l.states, " "+name(s)+" ") && l.event == e.String() && (l.network == "*" || l.network == networkTypes[network]) &&
								(l.priority == "*" || l.priority == priority) {
								want += strings.Replace(l.next, "?", name(s), 1) + l.do
							}
						}
						next, do, ok := NextInterface(s, e, network, priority == "e")
						got := name(next) + bits(uint8(do), interfaceActions)
						if want == "" && (ok || next != s || do != 0) {
							t.Errorf("%s, want nothing", got)
						} else if want != "" && (!ok || got != want) {
							t.Errorf("%s (%v), want %s", got, ok, want)
						}
					})
				}
			}
		}
	}
	if _, _, ok := NextInterface(interfaceStates, LoopInd, Broadcast, true); ok {
		t.Error("an unknown state")
	}
	if _, _, ok := NextInterface(InterfaceDR, interfaceEvents, Broadcast, true); ok {
		t.Error("an unknown event")
	}
}

// Section 10.4: the seven conditions, of which one is enough.
func TestAdjacent(t *testing.T) {
	for network := Broadcast; network <= VirtualLink; network++ {
		for s := range interfaceStates {
			for i := range 4 {
				designated, backup := i&1 != 0, i&2 != 0
				want := network == PointToPoint || network == PointToMultipoint || network == VirtualLink ||
					s == InterfaceDR || s == InterfaceBackup || designated || backup
				if Adjacent(network, s, designated, backup) != want {
					t.Errorf("%s, %v, neighbour DR %v, Backup %v: not %v", networkTypes[network], s, designated, backup, want)
				}
			}
		}
	}
}

// Section 9.2: "the state of the neighbor has transitioned to 2-Way or higher", or "to Init or
// lower".
func TestBidirectional(t *testing.T) {
	low := []NeighborState{NeighborDown, NeighborAttempt, NeighborInit}
	high := []NeighborState{NeighborTwoWay, NeighborExStart, NeighborExchange, NeighborLoading, NeighborFull}
	for _, a := range low {
		for _, b := range high {
			if !Bidirectional(a, b) || !Bidirectional(b, a) || Bidirectional(a, a) || Bidirectional(b, b) || Bidirectional(b, NeighborFull) || Bidirectional(a, NeighborInit) {
				t.Errorf("%v, %v", a, b)
			}
		}
	}
}
