package shell

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// complete answers a help key: what it shows, and what it appends to the line
// before the cursor. It is a pure function of its arguments.
func complete(g *cli.Grammar, stack []string, head string, key byte, width int) (shown, appended string) {
	c := g.Complete(stack, head)
	var b strings.Builder
	if key == '?' {
		listHelp(&b, c)
		return b.String(), ""
	}
	if strings.TrimSpace(head) == "" || c.Extension != "" {
		return "", c.Extension
	}
	keywords := slices.DeleteFunc(slices.Clone(c.Candidates), func(x cli.Candidate) bool { return !x.Keyword })
	if c.Partial != "" && len(keywords) == 1 {
		return "", ""
	}
	listWords(&b, c.Candidates, width)
	return b.String(), ""
}

// listHelp writes one candidate a line, with its help.
func listHelp(w io.Writer, c cli.Completion) {
	if len(c.Candidates) == 0 {
		msg := "Unrecognized command"
		if c.Err != nil && c.Err.Kind == cli.ErrAmbiguous {
			msg = c.Err.Msg
		}
		fmt.Fprintf(w, "%% %s\n", msg)
		return
	}
	width := 0
	for _, x := range c.Candidates {
		width = max(width, min(len(x.Word), 28))
	}
	for _, x := range c.Candidates {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, x.Word, x.Help), " "))
	}
	fmt.Fprintln(w)
}

// listWords writes the candidates side by side.
func listWords(w io.Writer, list []cli.Candidate, width int) {
	if len(list) == 0 {
		return
	}
	cell := 0
	for _, x := range list {
		cell = max(cell, len(x.Word)+2)
	}
	columns := max(width/cell, 1)
	for i, x := range list {
		if i%columns == columns-1 || i == len(list)-1 {
			fmt.Fprintln(w, x.Word)
		} else {
			fmt.Fprintf(w, "%-*s", cell, x.Word)
		}
	}
}
