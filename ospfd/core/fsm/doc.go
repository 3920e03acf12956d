// Package fsm has the state machines of OSPF's Hello protocol and adjacencies: of an
// interface (RFC 2328 section 9.3) and of a neighbour (section 10.3), and the election of
// the designated router (section 9.4). All of them are pure functions of tables and values:
// they tell the next state and what is to be done, and who calls them does it.
//
//	Hello ──▶ Heard ──▶ interface event ──▶ NextInterface ──Elect──▶ DR, Backup, state
//	  │                       ▲                                          │
//	  └──▶ neighbour events ──┼──▶ NextNeighbor ◀── AdjOK ◀──────────────┘ if they changed
//	                          └── Bidirectional, if that changed
//
// # Interface
//
// Each cell is the next state, for what is to be done. Elect asks for the election, whose
// result is the next state: ?. What is not in the table changes nothing.
//
//	               Down          Loopback  Waiting  Point-to-Point  DR Other, Backup, DR
//	InterfaceUp    (1)
//	WaitTimer                              ? Elect
//	BackupSeen                             ? Elect
//	NeighborChange                                                  ? Elect
//	LoopInd        Loopback, in any state: Reset
//	UnloopInd                    Down
//	InterfaceDown  Down, in any state: Reset
//
//	(1) StartHello; on a network without designated router Point-to-Point, else with
//	    priority 0 DR Other, else Waiting with StartWait, and StartNeighbors if NBMA.
//
// # Neighbour
//
//	                   Down          Attempt      Init         2-Way  ExStart   Exchange  Loading  Full
//	Start              Attempt (1)
//	HelloReceived      Init (2)      Init (2)     restarts the Inactivity Timer
//	1-WayReceived                                 Init         Init, ClearLists
//	2-WayReceived                                 (3)          no change
//	AdjOK?                                                     (3)    2-Way with ClearLists if not wanted
//	NegotiationDone                                                   Exchange: ListDatabase
//	ExchangeDone                                                                Loading: SendRequests; or Full
//	LoadingDone                                                                           Full
//	SeqNumberMismatch, BadLSReq                                                 ExStart: ClearLists, Negotiate
//	KillNbr, LLDown    Down, in any state: ClearLists, StopInactivity
//	InactivityTimer    Down, in any state: ClearLists
//
//	(1) SendHello, StartInactivity  (2) StartInactivity
//	(3) ExStart with Negotiate if an adjacency is wanted (Adjacent), else 2-Way
//
// ExchangeDone leads to Full if nothing is left to be requested.
//
// # Decisions the RFC leaves open
//
//   - An event that a state has no cell for is ignored, and counted by who calls.
//   - Routers of the same priority and ID, which there should not be, are told apart by
//     address, so that the order of neighbours does not matter.
//
// # How it is tested
//
// Each cell of both tables, for each condition, against a list written from the RFC's text;
// cells that are not on it must be empty. The election against another implementation on
// drawn inputs, against what the RFC tells of it, and on networks of routers that hear each
// other's Hellos until nothing changes.
//
// # What it deliberately does not do
//
// It holds no state, timers or lists. Bringing up adjacencies (sections 10.6 to 10.9) is the
// core's.
package fsm
