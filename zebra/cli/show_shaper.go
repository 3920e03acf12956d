package cli

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// Shaper is a shaper with what it did. InForce is false where it could not be brought
// into force, or not yet.
type Shaper struct {
	rib.ShaperView
	InForce bool
	Count   dataplane.ShaperCount
}

// ShaperFilter selects shapers: those of an interface, "" for all, and of a peer, the
// zero Addr for all.
type ShaperFilter struct {
	Interface string
	NBMA      netip.Addr
}

// Shows reports whether a shaper is selected.
func (f ShaperFilter) Shows(s rib.ShaperView) bool {
	return (f.Interface == "" || f.Interface == s.Shaper.Interface) && (!f.NBMA.IsValid() || f.NBMA == s.Shaper.NBMA)
}

type shaperJSON struct {
	Interface  string `json:"interface"`
	NBMA       string `json:"nbma"`
	Policy     string `json:"policy"`
	Rate       uint64 `json:"rate"`  // bits in a second
	Burst      uint64 `json:"burst"` // bits
	InForce    bool   `json:"inForce"`
	Error      string `json:"error,omitempty"`
	Packets    uint64 `json:"packets"`
	Bytes      uint64 `json:"bytes"`
	Drops      uint64 `json:"drops"`
	Queued     uint64 `json:"queued"`
	Overlimits uint64 `json:"overlimits"`
}

// ShowShapers prints who is held down to what rate: `show policy-map multipoint`.
func ShowShapers(shapers []Shaper) cli.Output {
	list := []shaperJSON{}
	for _, s := range shapers {
		want := dataplane.Shaper{Rate: s.Shaper.Rate, Burst: s.Shaper.Burst}.Normal()
		list = append(list, shaperJSON{Interface: s.Shaper.Interface, NBMA: s.Shaper.NBMA.String(), Policy: s.Shaper.Policy,
			Rate: s.Shaper.Rate, Burst: 8 * uint64(want.Burst), InForce: s.InForce, Error: s.Error,
			Packets: s.Count.Packets, Bytes: s.Count.Bytes, Drops: s.Count.Drops, Queued: s.Count.Queued, Overlimits: s.Count.Overlimits})
	}
	return cli.Output{JSON: map[string]any{"shapers": list}, Text: func(w io.Writer) {
		for _, s := range list {
			fmt.Fprintf(w, "Interface %s <--> %s\n\n  Service-policy output: %s\n\n", s.Interface, s.NBMA, s.Policy)
			fmt.Fprint(w, "    Class-map: class-default (match-any)\n      Match: any\n      Queueing\n")
			fmt.Fprintf(w, "      (queue depth/total drops/times delayed) %d/%d/%d\n", s.Queued, s.Drops, s.Overlimits)
			fmt.Fprintf(w, "      (pkts output/bytes output) %d/%d\n", s.Packets, s.Bytes)
			fmt.Fprintf(w, "      shape (average) cir %d, bc %d\n", s.Rate, s.Burst)
			if !s.InForce {
				fmt.Fprintf(w, "      not in force%s\n", reason(s.Error))
			}
			fmt.Fprintln(w)
		}
	}}
}

func reason(err string) string {
	if err == "" {
		return ""
	}
	return ": " + err
}
