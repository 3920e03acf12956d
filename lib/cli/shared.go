package cli

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// IDs of the shared commands of the suite. Their definitions are below, so that
// all that contribute one say the same.
const (
	ShowProtocols = "shared.show-protocols" // arguments: "vrf"
	ShowDebugging = "shared.show-debugging"
	UndebugAll    = "shared.undebug-all"
)

// ProtocolsCommands returns "show ip protocols", which every routing protocol
// answers with its own section. Its JSON is {"protocols": [{…}]}, an element for
// each instance of the protocol, so that the sections join to one list.
func ProtocolsCommands() []Command {
	return []Command{{ID: ShowProtocols, Mode: ModeExec, Shared: true, Pattern: "show ip protocols [vrf vrf:WORD(15)]",
		Help: Help{"show": "Show running system information", "ip": "Internet Protocol",
			"protocols": "State of the routing protocols", "vrf": "Routing protocols of one VRF"}}}
}

// DebuggingCommands returns what concerns the debugging of every daemon: "show
// debugging", "undebug all" and "no debug all".
func DebuggingCommands() []Command {
	all := Help{"undebug": "Turn debugging off", "debug": "Debugging", "all": "All debugging"}
	return []Command{
		{ID: ShowDebugging, Mode: ModeEnable, Shared: true, Pattern: "show debugging",
			Help: Help{"show": "Show running system information", "debugging": "What is being debugged"}},
		{ID: UndebugAll, Mode: ModeEnable, Shared: true, Pattern: "undebug all", Help: all},
		{ID: UndebugAll, Mode: ModeEnable, Shared: true, Pattern: "debug all", NoForm: NoOnly, Help: all},
	}
}

// form names a shared command within its mode.
type form struct {
	pattern string
	noOnly  bool
}

// contribution is a shared command as its first owner declared it.
type contribution struct {
	declared Command
	cmd      *command
	at       int // index in the tree of the grammar
}

func (c *Command) form() form { return form{c.Pattern, c.NoForm == NoOnly} }

// join makes c one more contribution to a shared command that the mode has. ok is
// false if it has none.
func (g *Grammar) join(m *mode, c Command) (ok bool, err error) {
	old, ok := m.shared[c.form()]
	if !ok {
		return false, nil
	}
	if differ := differences(old.declared, c); len(differ) > 0 {
		return true, fmt.Errorf("%q is shared with %s, but differs in %s", c.Pattern, old.declared.Owner, strings.Join(differ, ", "))
	}
	if slices.Contains(old.cmd.Owners, c.Owner) {
		return true, fmt.Errorf("%q is declared twice", c.Pattern)
	}
	old.cmd.Owners = append(old.cmd.Owners, c.Owner)
	g.tree.Commands[old.at].Owners = old.cmd.Owners
	return true, nil
}

// checkShared refuses what only one daemon can answer for.
func (c *Command) checkShared() error {
	if c.Shared && c.Mode != ModeExec && c.Mode != ModeEnable {
		return errors.New("only a command of an exec mode can be shared")
	}
	return nil
}

// share files a shared command for those who contribute to it later.
func (m *mode) share(declared Command, cmd *command, at int) {
	if m.shared == nil {
		m.shared = map[form]contribution{}
	}
	m.shared[declared.form()] = contribution{declared, cmd, at}
}

// differences names the fields in which two declarations of a command differ,
// as in JSON. Its owner is not compared.
func differences(a, b Command) []string {
	var out []string
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		field := va.Type().Field(i)
		fa, fb := va.Field(i), vb.Field(i)
		switch {
		case field.Name == "Owner", field.Name == "Owners":
		case (fa.Kind() == reflect.Map || fa.Kind() == reflect.Slice) && fa.Len() == 0 && fb.Len() == 0:
		case !reflect.DeepEqual(fa.Interface(), fb.Interface()):
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			out = append(out, fmt.Sprintf("%s (%v, not %v)", name, fb.Interface(), fa.Interface()))
		}
	}
	return out
}

// checkForms sees to it that whoever contributes one form of a shared command
// contributes them all: otherwise the word that was typed would decide who answers.
func (g *Grammar) checkForms() []error {
	var errs []error
	type line struct{ mode, id string }
	first := map[line]*Command{}
	for i := range g.tree.Commands {
		c := &g.tree.Commands[i]
		key := line{c.Mode, c.ID}
		old, seen := first[key]
		switch {
		case !seen:
			first[key] = c
		case c.Shared && old.Shared && !slices.Equal(c.Owners, old.Owners):
			errs = append(errs, fmt.Errorf("command %s is shared: %q is of %s, but %q of %s", c.ID,
				old.Pattern, strings.Join(old.Owners, ", "), c.Pattern, strings.Join(c.Owners, ", ")))
		}
	}
	return errs
}
