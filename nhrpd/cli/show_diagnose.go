package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// verdicts are the verdicts as they are printed.
var verdicts = map[Verdict]string{VerdictOK: "OK", VerdictFails: "FAILS", VerdictUnknown: "?", VerdictNone: "-"}

// ShowDiagnosis prints what was found: `diagnose dmvpn`.
func ShowDiagnosis(found []Diagnosis) cli.Output {
	return cli.Output{JSON: map[string]any{"diagnoses": found}, Text: func(w io.Writer) {
		if len(found) == 0 {
			fmt.Fprintln(w, "NHRP is enabled on no tunnel: there is no \"ip nhrp network-id\"")
			return
		}
		for k, d := range found {
			if k > 0 {
				fmt.Fprintln(w)
			}
			head := d.Interface
			if d.Peer != "" || d.NBMA != "" {
				head += fmt.Sprintf(", peer %s (NBMA %s)", orText(d.Peer, "UNKNOWN"), orText(d.NBMA, "UNKNOWN"))
			}
			if d.Failing == "" {
				fmt.Fprintf(w, "%s: nothing is found to fail\n", head)
			} else {
				fmt.Fprintf(w, "%s: fails at %s\n", head, d.Failing)
			}
			for _, l := range d.Layers {
				fmt.Fprintf(w, "  %-10s %-6s %s\n", l.Name, verdicts[l.Verdict], l.Text)
			}
		}
	}}
}
