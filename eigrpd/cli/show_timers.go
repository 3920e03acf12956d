package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// timersJSON are the timers of an instance for programs, in seconds; those that expire
// first come first.
type timersJSON struct {
	identityJSON
	Next       float64     `json:"transport"`  // until the next timer of reliable transport; 0: none
	ActiveTime float64     `json:"activeTime"` // how long a route may be ACTIVE; 0: for ever
	Hello      []timerJSON `json:"hello"`      // until the next Hello
	Holding    []timerJSON `json:"holding"`    // until a neighbour is given up
}

type timerJSON struct {
	Expires   float64 `json:"expires"`
	Interface string  `json:"interface"`
	Neighbor  string  `json:"neighbor,omitempty"`
}

// timersOf joins what two reports say of an instance.
func timersOf(in *core.InstanceStatus, ifaces *core.InterfaceReport) timersJSON {
	out := timersJSON{identityOf(in.Identity), in.NextTimer.Seconds(), max(in.Config.ActiveTime, 0).Seconds(), []timerJSON{}, []timerJSON{}}
	for _, other := range ifaces.Instances {
		if other.Key != in.Key {
			continue
		}
		for _, s := range other.Interfaces {
			if s.Up && !s.Config.Passive {
				out.Hello = append(out.Hello, timerJSON{s.NextHello.Seconds(), s.Config.Name, ""})
			}
		}
	}
	for _, n := range in.Neighbors {
		out.Holding = append(out.Holding, timerJSON{n.Hold.Seconds(), n.Interface, text(n.Addr)})
	}
	first := func(a, b timerJSON) int { return cmp.Compare(a.Expires, b.Expires) }
	slices.SortStableFunc(out.Hello, first)
	slices.SortStableFunc(out.Holding, first)
	return out
}

// ShowTimers prints what runs out when: `show ip eigrp timers`. Both reports are of the
// same instances.
func ShowTimers(r *core.StatusReport, ifaces *core.InterfaceReport, v View) cli.Output {
	list := make([]timersJSON, len(r.Instances))
	for i := range r.Instances {
		list[i] = timersOf(&r.Instances[i], ifaces)
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		v.each(w, len(list), func(i int) {
			fmt.Fprintln(w, heading(r.Instances[i].Identity, "Timers"))
			timerTree(w, "Hello Process", list[i].Hello, func(t timerJSON) string { return "Hello (" + short(t.Interface) + ")" })
			fmt.Fprintln(w)
			timerTree(w, "Update Process", list[i].Holding, func(t timerJSON) string {
				return "Peer holding " + t.Neighbor + " (" + short(t.Interface) + ")"
			})
			if list[i].Next > 0 {
				fmt.Fprintf(w, "\n  Reliable transport: %.3f\n", list[i].Next)
			}
		})
	}}
}

// timerTree prints timers below the one that waits for the first of them.
func timerTree(w io.Writer, title string, list []timerJSON, what func(timerJSON) string) {
	fmt.Fprintf(w, "  %s\n    Expiration    Type\n", title)
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(w, "|%16.3f  (parent)\n", list[0].Expires)
	for _, t := range list {
		fmt.Fprintf(w, "  |%16.3f  %s\n", t.Expires, what(t))
	}
}

// millis is a duration with thousandths of a second, as event logs have it, below a day.
func millis(d time.Duration) string {
	if d >= 24*time.Hour {
		return cli.Duration(d)
	}
	return fmt.Sprintf("%s.%03d", cli.Duration(d), max(d, 0).Milliseconds()%1000)
}
