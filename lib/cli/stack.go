package cli

import "slices"

// Prompt returns the prompt of a mode stack: "hub1(config-if)#".
func (g *Grammar) Prompt(hostname string, stack []string) string {
	if len(stack) == 0 {
		return hostname + ">"
	}
	m, ok := g.modes[stack[len(stack)-1]]
	if !ok || m.Prompt == "" {
		return hostname + "(config)#"
	}
	return hostname + m.Prompt
}

// Configuration tells whether the stack is in a configuration mode.
func Configuration(stack []string) bool { return len(stack) > 0 && stack[0] == ModeConfig }

// Knows tells whether the grammar has the mode.
func (g *Grammar) Knows(mode string) bool { _, ok := g.modes[mode]; return ok }

// Next returns the mode stack after a configuration line: deeper if the line
// opens a block, shorter if it was a line of an outer mode or a closer. "exit"
// and "end" are left to the caller.
func Next(stack []string, m *Match) []string {
	if m.Command == nil {
		return stack
	}
	switch {
	case m.Command.ID == SessionClose && m.Command.Owner == SessionOwner:
		return slices.Clone(stack[:max(m.Level, 1)])
	case m.Command.Owner == SessionOwner || m.Do:
		return stack
	case m.Command.Enters != "" && !m.No && !m.Default:
		return append(slices.Clone(stack[:m.Level+1]), m.Command.Enters)
	}
	return slices.Clone(stack[:m.Level+1])
}
