package plugin

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// NewDebug returns the debugging of a daemon whose lines go to zebra by client.
// changed is called after each change of what is on; it may be nil.
func NewDebug(f telemetry.Facilities, client *session.Client, changed func()) *telemetry.Debug {
	return telemetry.NewDebug(f, func(text string) {
		client.Log(session.Log{Time: time.Now(), Level: slog.LevelDebug, Message: text})
	}, changed)
}

// IDs of the commands that turn the facilities of one protocol on and off begin
// so; the words of the protocol follow.
const (
	debugID   = "debug."
	undebugID = "undebug."
)

// argFacility is the argument with the words behind those of the protocol.
const argFacility = "facility"

// DebugCommands returns the commands for the facilities of a daemon: "debug rip
// [events|packets]" with its "no" form, "undebug rip [events|packets]", and the
// shared ones of cli.DebuggingCommands. ExecDebug runs them.
func DebugCommands(f telemetry.Facilities) []cli.Command {
	var out []cli.Command
	for _, root := range protocols(f) {
		help := cli.Help{"debug": "Debugging", "undebug": "Turn debugging off"}
		var tails []string
		for _, facility := range f.List {
			if !belongs(facility, root) {
				continue
			}
			words := strings.Fields(facility.Words)
			help[words[len(words)-1]] = facility.Help
			if tail := strings.TrimPrefix(facility.Words[len(root):], " "); tail != "" {
				tails = append(tails, tail)
			}
		}
		pattern := root
		if len(tails) > 0 {
			pattern += " " + argFacility + ":[" + strings.Join(tails, "|") + "]"
		}
		out = append(out,
			cli.Command{ID: debugID + root, Mode: cli.ModeEnable, Pattern: "debug " + pattern, NoForm: cli.NoAllowed, Help: help},
			cli.Command{ID: undebugID + root, Mode: cli.ModeEnable, Pattern: "undebug " + pattern, Help: help})
	}
	return append(out, cli.DebuggingCommands()...)
}

// protocols lists the words of the facilities that belong to no other.
func protocols(f telemetry.Facilities) []string {
	var out []string
next:
	for _, facility := range f.List {
		for _, other := range f.List {
			if other.Words != facility.Words && belongs(facility, other.Words) {
				continue next
			}
		}
		out = append(out, facility.Words)
	}
	return out
}

// belongs tells whether a facility is the one with these words or belongs to it.
func belongs(f telemetry.Facility, words string) bool {
	return strings.HasPrefix(f.Words+" ", words+" ")
}

// ExecDebug runs a command of DebugCommands. done is false if cmd is none.
func ExecDebug(d *telemetry.Debug, cmd Command, out io.Writer) (done bool, err error) {
	root, on := strings.CutPrefix(cmd.ID, debugID)
	root, off := strings.CutPrefix(root, undebugID)
	switch {
	case cmd.ID == cli.UndebugAll: // zebra says that it is done
		d.Clear()
		return true, nil
	case cmd.ID == cli.ShowDebugging:
		return true, showDebugging(d).Write(out, cmd.JSON)
	case !on && !off:
		return false, nil
	}
	on = on && !cmd.No
	text, ok := d.Set(strings.TrimSpace(root+" "+cmd.Args.String(argFacility)), on)
	if !ok {
		return true, fmt.Errorf("there is no debugging of %s %s", root, cmd.Args.String(argFacility))
	}
	text += " is " + map[bool]string{true: "on", false: "off"}[on]
	return true, cli.Output{JSON: map[string]any{"text": text}, Text: func(w io.Writer) { fmt.Fprintln(w, text) }}.Write(out, cmd.JSON)
}

// showDebugging lists what is on below the daemon's heading.
func showDebugging(d *telemetry.Debug) cli.Output {
	type row struct {
		Heading  string `json:"heading"`
		Facility string `json:"facility"`
		Text     string `json:"text"`
	}
	rows := []row{}
	for _, f := range d.Active() {
		rows = append(rows, row{d.Facilities().Heading, f.Words, f.Text + " is on"})
	}
	return cli.Output{JSON: map[string]any{"debugging": rows}, Text: func(w io.Writer) {
		for i, r := range rows {
			if i == 0 {
				fmt.Fprintln(w, r.Heading+":")
			}
			fmt.Fprintln(w, "  "+r.Text)
		}
	}}
}
