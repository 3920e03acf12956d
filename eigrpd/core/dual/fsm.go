package dual

// State is the state of a route: PASSIVE, or ACTIVE with the QUERY origin flag
// (RFC 7868 sections 3.2 and 3.5, Figure 1).
type State uint8

// The states.
const (
	Passive State = iota
	Active0       // oij=0: distance through the successor grew while ACTIVE
	Active1       // oij=1: this router originated the QUERY
	Active2       // oij=2: QUERY from, or growth through, the successor while ACTIVE
	Active3       // oij=3: the successor's QUERY made the route ACTIVE
	states
)

// String returns the state in the RFC's words.
func (s State) String() string {
	return [...]string{"PASSIVE", "ACTIVE 0", "ACTIVE 1", "ACTIVE 2", "ACTIVE 3", "?"}[min(s, states)]
}

// event is what happened to a route, after the topology table has been given what
// the event says. Of a neighbour that is lost while its REPLY is awaited there are
// two: that its path is gone, and that it need not answer any more.
type event uint8

const (
	querySuccessor event = iota // a QUERY from the successor
	queryOther                  // a QUERY from another neighbour
	increase                    // otherwise: the distance through the successor grew, or it is lost
	change                      // any other change of a distance
	reply                       // a REPLY, or the loss of who owes one; more are awaited
	lastReply                   // the same; none is awaited any more
	events
)

// action is a set of the things below, done in this order.
type action uint8

const (
	owe     action = 1 << iota // the successor gets its REPLY when the route is PASSIVE
	reset                      // FD is infinite
	settle                     // choose successors, install them, tell changes by UPDATE
	diffuse                    // freeze successor, FD and RD; QUERY
	answer                     // REPLY to the neighbour whose QUERY this is
	pay                        // REPLY to the successor, if it is owed one
)

// cell is what a state does at an event.
type cell struct {
	clause string // the numbers of RFC 7868 section 3.5
	do     action
	next   State
}

// fsm is the DUAL finite state machine of RFC 7868 section 3.5: a state, an event,
// and whether the Feasibility Condition is met (second) or not (first).
var fsm = [states][events][2]cell{
	Passive: {
		querySuccessor: {{"3", owe | diffuse, Active3}, {"1,2", settle | answer, Passive}},
		queryOther:     {{"4", diffuse | answer, Active1}, {"1", settle | answer, Passive}},
		increase:       {{"4", diffuse, Active1}, {"2", settle, Passive}},
		change:         {{"4", diffuse, Active1}, {"2", settle, Passive}},
		reply:          {{"4.3", 0, Passive}, {"4.3", 0, Passive}},
		lastReply:      {{"4.3", 0, Passive}, {"4.3", 0, Passive}},
	},
	Active0: {
		querySuccessor: {{"5", owe, Active2}, {"5", owe, Active2}},
		queryOther:     {{"6", answer, Active0}, {"6", answer, Active0}},
		increase:       {{"9", 0, Active0}, {"9", 0, Active0}},
		change:         {{"7", 0, Active0}, {"7", 0, Active0}},
		reply:          {{"8", 0, Active0}, {"8", 0, Active0}},
		lastReply:      {{"11", diffuse, Active1}, {"14", settle, Passive}},
	},
	Active1: {
		querySuccessor: {{"5", owe, Active2}, {"5", owe, Active2}},
		queryOther:     {{"6", answer, Active1}, {"6", answer, Active1}},
		increase:       {{"9", 0, Active0}, {"9", 0, Active0}},
		change:         {{"7", 0, Active1}, {"7", 0, Active1}},
		reply:          {{"8", 0, Active1}, {"8", 0, Active1}},
		lastReply:      {{"15", reset | settle, Passive}, {"15", reset | settle, Passive}},
	},
	Active2: {
		querySuccessor: {{"5", owe, Active2}, {"5", owe, Active2}},
		queryOther:     {{"6", answer, Active2}, {"6", answer, Active2}},
		increase:       {{"10", 0, Active2}, {"10", 0, Active2}},
		change:         {{"7", 0, Active2}, {"7", 0, Active2}},
		reply:          {{"8", 0, Active2}, {"8", 0, Active2}},
		lastReply:      {{"12", diffuse, Active3}, {"16", settle | pay, Passive}},
	},
	Active3: {
		querySuccessor: {{"5", owe, Active2}, {"5", owe, Active2}},
		queryOther:     {{"6", answer, Active3}, {"6", answer, Active3}},
		increase:       {{"10", 0, Active2}, {"10", 0, Active2}},
		change:         {{"7", 0, Active3}, {"7", 0, Active3}},
		reply:          {{"8", 0, Active3}, {"8", 0, Active3}},
		lastReply:      {{"13", reset | settle | pay, Passive}, {"13", reset | settle | pay, Passive}},
	},
}
