package cli

// Names of the modes that every grammar has.
const (
	ModeExec   = "exec"   // unprivileged: prompt "hub1>"
	ModeEnable = "enable" // privileged: prompt "hub1#", knows the exec commands too
	ModeConfig = "config" // global configuration: prompt "hub1(config)#"
	ModePipe   = "pipe"   // what may follow "|" after an exec command
)

// Tree is what a daemon declares of its command line. It is a plain value and
// is sent as JSON.
type Tree struct {
	Modes    []Mode    `json:"modes,omitempty"`
	Commands []Command `json:"commands,omitempty"`
	// Help has a text for words that many commands share ("show", "ip").
	// Command.Help comes first.
	Help Help `json:"help,omitempty"`
}

// Help maps a keyword, or the name of an argument, to one line of help.
type Help map[string]string

// Mode is a level of the configuration, entered by a command with that name in
// Command.Enters.
type Mode struct {
	Name   string `json:"name"`
	Parent string `json:"parent"`           // the mode around it: "config" or another mode
	Prompt string `json:"prompt,omitempty"` // Cisco's text: "(config-if)#"
	// Closers leave the mode from itself or from any level inside of it:
	// "exit-address-family".
	Closers []string `json:"closers,omitempty"`
}

// NoForm says what a "no" before the line means.
type NoForm string

// The values of Command.NoForm.
const (
	NoByMode  NoForm = ""      // configuration lines can be negated, exec commands cannot
	NoAllowed NoForm = "yes"   // an exec command with a "no" form: "no debug nhrp"
	NoRefused NoForm = "never" // a line that cannot be negated
	NoOnly    NoForm = "only"  // only the "no" form exists: "no ip redirects"
)

// Command is one line that a daemon understands.
type Command struct {
	// ID is what the owner dispatches on: "nhrp.map". Several patterns may
	// have the same ID in one mode: they are forms of one line.
	ID string `json:"id"`
	// Owner is the name of the daemon. Merge fills it in.
	Owner   string `json:"owner,omitempty"`
	Mode    string `json:"mode"`
	Pattern string `json:"pattern"`
	Help    Help   `json:"help,omitempty"`
	// Enters is the mode that the line opens; its children are lines of that mode.
	Enters string `json:"enters,omitempty"`
	// Close is the first closer of the mode that the line enters, printed at
	// the end of the block. Merge fills it in.
	Close string `json:"close,omitempty"`
	// Key names the arguments that identify the line together with its ID: a
	// second line with the same identity replaces the first. Empty: there is
	// at most one such line ("tunnel key").
	Key []string `json:"key,omitempty"`
	// Default is the canonical line that equals the default: it is accepted,
	// removes what was set, and is neither stored nor printed.
	Default string `json:"default,omitempty"`
	// DefaultOn marks a feature that is on by default: its "no" line is stored
	// and the positive line removes that. If Default is set too, only that
	// positive line does so and others are stored.
	DefaultOn bool `json:"defaultOn,omitempty"`
	// NoExact demands that a "no" line with arguments repeats the stored ones
	// ("no ip address 10.0.0.1 255.255.255.0"); otherwise the key decides.
	NoExact bool   `json:"noExact,omitempty"`
	NoForm  NoForm `json:"noForm,omitempty"`
	// Weight orders the lines of one mode when they are printed, small first.
	Weight int `json:"weight,omitempty"`
	// Ordered keeps the lines of this command in the order of entry, instead
	// of sorting them.
	Ordered bool `json:"ordered,omitempty"`
	// Sort names the arguments by which the lines of the command are sorted,
	// where their text is not it: "route-map X deny 20" behind "route-map X
	// permit 10". Together with Ordered it keeps the lines of one list
	// together, and within it in the order of entry.
	Sort []string `json:"sort,omitempty"`
	// AutoSeq numbers a line of a list that was entered without its number.
	AutoSeq *AutoSeq `json:"autoSeq,omitempty"`
	// Split names the repeated argument at the end of the pattern of which each
	// word is a line of its own: "match tag 1 2" says "match tag 1" and "match
	// tag 2", to which further lines add and from which "no match tag 1" takes.
	Split string `json:"split,omitempty"`
	// Removes has the IDs of the commands of the same mode whose lines the "no"
	// form removes: all lines that agree with it in each of its arguments, as
	// in "no access-list 10". Only such a line's "no" form exists (NoOnly), and
	// it is not stored.
	Removes []string `json:"removes,omitempty"`
	// Ignored is the reason why a line is accepted though it does nothing:
	// what it asks for is always so. It is shown as help and is not stored.
	Ignored string `json:"ignored,omitempty"`
	// Immediate is a line of a configuration mode that is carried out when it is
	// entered and is no part of the configuration, nor of a file with one.
	Immediate bool `json:"immediate,omitempty"`
	// Ask names a SECRET at the end of the pattern that a shell asks for, unseen
	// and twice, where a line is entered without it.
	Ask string `json:"ask,omitempty"`
	// Hidden commands work but are not offered by help and completion.
	Hidden bool `json:"hidden,omitempty"`
	// Shared is a command of an exec mode that several owners may contribute, all
	// with the very same declaration: "show ip protocols". zebra runs it on each
	// of them and joins the outputs.
	Shared bool `json:"shared,omitempty"`
	// Owners are all who contribute a Shared command, in the order in which their
	// trees were merged; Owner is the first. Merge fills it in.
	Owners []string `json:"owners,omitempty"`
}

// AutoSeq says how the lines of a list are numbered. A line that is entered
// without its number becomes the last of its list, unless the list has the very
// same line already; a "no" line without number means the line with its content.
type AutoSeq struct {
	Arg     string `json:"arg"`               // the argument that is the number, one of Command.Key
	Keyword string `json:"keyword,omitempty"` // the keyword before it: "seq"
	// Words is how many words stand before the keyword or number. They say which
	// list it is; none: there is one list in the block.
	Words int    `json:"words,omitempty"`
	Step  uint64 `json:"step"` // the first number, and how far the next is from the last
	Max   uint64 `json:"max"`  // the largest number
}

// configuration tells whether the command belongs to a configuration mode.
func (c *Command) configuration() bool {
	return c.Mode != ModeExec && c.Mode != ModeEnable && c.Mode != ModePipe
}

// canNo tells whether "no" may stand before the command.
func (c *Command) canNo() bool {
	switch c.NoForm {
	case NoAllowed, NoOnly:
		return true
	case NoRefused:
		return false
	}
	return c.configuration() && c.Owner != SessionOwner
}

// builtinModes are the modes of every grammar.
func builtinModes() []Mode {
	return []Mode{
		{Name: ModeExec, Prompt: ">"},
		{Name: ModeEnable, Parent: ModeExec, Prompt: "#"},
		{Name: ModeConfig, Prompt: "(config)#"},
		{Name: ModePipe},
	}
}
