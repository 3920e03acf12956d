package conf

// Refusal is a line that was understood and that its owner refuses, for what
// other lines say or for what it asks.
type Refusal struct {
	Path []string // Node.Key of the blocks around the line and of the line; empty: the configuration as a whole
	Msg  string   // what is wrong, without the line
}

// Error returns the message.
func (r Refusal) Error() string { return r.Msg }
