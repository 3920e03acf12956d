package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// Event is something that happened, for `show monitor event-trace dmvpn all`.
type Event struct {
	Time     time.Time
	Trace    core.Trace
	Repeated int // how often the very same happened again, directly after it; Time is that of the last
}

// eventJSON is an event for programs.
type eventJSON struct {
	Time      time.Time `json:"time"`
	Event     string    `json:"event"`
	Interface string    `json:"interface,omitempty"`
	Peer      string    `json:"peer,omitempty"`
	Target    string    `json:"target,omitempty"`
	NBMA      string    `json:"nbma,omitempty"`
	Code      uint16    `json:"code,omitempty"`
	RequestID uint32    `json:"requestId,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Repeated  int       `json:"repeated,omitempty"`
}

// ShowEvents prints what happened, oldest first: `show monitor event-trace dmvpn all`.
func ShowEvents(events []Event) cli.Output {
	list := []eventJSON{}
	for _, e := range events {
		t := e.Trace
		j := eventJSON{Time: e.Time, Event: t.Event.String(), Interface: t.Interface, Peer: text(t.Peer), NBMA: text(t.NBMA), Code: t.Code,
			RequestID: t.RequestID, Reason: t.Reason, Repeated: e.Repeated}
		if t.Target.IsValid() {
			j.Target = t.Target.String()
		}
		list = append(list, j)
	}
	return cli.Output{JSON: map[string]any{"events": list}, Text: func(w io.Writer) {
		for _, e := range events {
			again := ""
			if e.Repeated > 0 {
				again = fmt.Sprintf(" (and %d times before)", e.Repeated)
			}
			fmt.Fprintf(w, "*%s: %s%s\n", e.Time.Format("Jan _2 15:04:05.000"), TraceLine(e.Trace), again)
		}
	}}
}

// Stats counts what happened on each tunnel since a time.
type Stats struct {
	Since  time.Duration
	Counts map[string]map[core.TraceEvent]uint64 // by interface, "" for what is about none
}

// ShowStats prints how often what happened: `show nhrp stats`. Only is the one
// interface that is shown, "" for all; detail shows what never happened as well.
func ShowStats(s Stats, only string, detail bool) cli.Output {
	type row struct {
		Interface string            `json:"interface"`
		Counts    map[string]uint64 `json:"counts"`
	}
	list := []row{}
	names := slices.Sorted(maps.Keys(s.Counts))
	names = slices.DeleteFunc(names, func(name string) bool { return only != "" && name != only })
	for _, name := range names {
		r := row{name, map[string]uint64{}}
		for event, n := range s.Counts[name] {
			r.Counts[event.String()] = n
		}
		list = append(list, r)
	}
	return cli.Output{JSON: map[string]any{"since": s.Since.Seconds(), "interfaces": list}, Text: func(w io.Writer) {
		fmt.Fprintf(w, "Counted for %s\n", cli.Duration(s.Since))
		for _, name := range names {
			if name == "" {
				fmt.Fprintln(w, "Global:")
			} else {
				fmt.Fprintln(w, name+":")
			}
			for _, event := range core.TraceEvents() {
				if n := s.Counts[name][event]; Happened(event) && (n > 0 || detail) {
					fmt.Fprintf(w, "   %-45s %d\n", strings.ToUpper(words(event)[:1])+words(event)[1:], n)
				}
			}
		}
	}}
}

// ShowInterfaces prints a line for each tunnel with NHRP: `show nhrp interfaces`.
func ShowInterfaces(r *core.PeerReport) cli.Output {
	type row struct {
		Interface string `json:"interface"`
		Family    string `json:"family"`
		VRF       string `json:"vrf,omitempty"`
		NetworkID uint32 `json:"networkId"`
		Type      string `json:"type"`
		Up        bool   `json:"up"`
		Address   string `json:"address,omitempty"`
		NBMA      string `json:"nbma,omitempty"`
		Peers     int    `json:"nbmaPeers"`
		Servers   int    `json:"servers"`
		Serving   int    `json:"serversUp"`
	}
	list := []row{}
	for _, i := range r.Interfaces {
		j := row{i.Interface, familyName(i.Family), i.VRF, i.NetworkID, i.Role.String(), i.Up, text(i.Addr), text(i.Source), i.NBMAPeers, len(i.Servers), 0}
		for _, s := range i.Servers {
			if s.State == core.NHSResponding {
				j.Serving++
			}
		}
		list = append(list, j)
	}
	return cli.Output{JSON: map[string]any{"interfaces": list}, Text: func(w io.Writer) {
		table := cli.Table{W: w, Format: "%-10s %-4s %10v %-9s %-5s %5v %7s  %-15s %s"}
		table.Row("Interface", "AF", "Network-id", "Type", "State", "Peers", "Servers", "NBMA address", "Address")
		for _, j := range list {
			table.Row(j.Interface, j.Family, j.NetworkID, j.Type, upDown(j.Up), j.Peers, fmt.Sprintf("%d/%d", j.Serving, j.Servers), j.NBMA, j.Address)
		}
	}}
}
