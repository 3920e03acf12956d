package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/zebra/engine"
)

type unmatchedJSON struct {
	Source      string  `json:"source"`
	Destination string  `json:"destination"`
	Key         *uint32 `json:"key"` // null: none
	Packets     uint64  `json:"packets"`
	Since       float64 `json:"since"` // seconds
	Last        float64 `json:"last"`
	Why         string  `json:"why"`
}

// ShowUnmatched prints the GRE packets that came for no tunnel: `show tunnel
// unmatched`.
func ShowUnmatched(rows []engine.UnmatchedView, now clock.Instant) cli.Output {
	list := []unmatchedJSON{}
	for _, r := range rows {
		j := unmatchedJSON{Source: r.Source.String(), Destination: r.Destination.String(), Packets: r.Packets,
			Since: now.Sub(r.Since).Seconds(), Last: now.Sub(r.Last).Seconds(), Why: r.Why}
		if r.HasKey {
			j.Key = &r.Key
		}
		list = append(list, j)
	}
	return cli.Output{JSON: map[string]any{"unmatched": list}, Text: func(w io.Writer) {
		table := cli.Table{W: w, Format: "%-15s %-15s %10s %10s %8s %s"}
		table.Row("Source", "Destination", "Key", "Packets", "Last", "Mismatch")
		for _, r := range rows {
			key := "-"
			if r.HasKey {
				key = fmt.Sprint(r.Key)
			}
			table.Row(r.Source, r.Destination, key, fmt.Sprint(r.Packets), cli.Duration(now.Sub(r.Last)), r.Why)
		}
	}}
}
