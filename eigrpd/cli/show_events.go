package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// eventsJSON is the event log of an instance for programs, newest first.
type eventsJSON struct {
	identityJSON
	Events []eventJSON `json:"events"`
}

type eventJSON struct {
	Number    uint64  `json:"number"` // in order of time, from 1
	Age       float64 `json:"age"`    // seconds ago
	Kind      string  `json:"kind"`   // the word of `debug eigrp` that would have told
	Text      string  `json:"text"`
	Interface string  `json:"interface,omitempty"`
	Peer      string  `json:"peer,omitempty"`
	Prefix    string  `json:"prefix,omitempty"`
	Drop      string  `json:"drop,omitempty"` // key of "dropped" in `show ip eigrp traffic`
}

func eventOf(e *core.Event) eventJSON {
	t := &e.Trace
	out := eventJSON{Number: e.Number, Age: e.Age.Seconds(), Kind: strings.TrimPrefix(Facilities.List[FacilityOf(t.Event)].Words, "eigrp "),
		Text: eventText(t), Interface: t.Interface, Peer: text(t.Peer)}
	if t.Prefix.IsValid() {
		out.Prefix = t.Prefix.String()
	}
	if t.Event == core.TraceDropped {
		out.Drop = dropKey(t.Drop)
	}
	return out
}

// ShowEvents prints what happened last, with the time since then: `show ip eigrp
// events`.
func ShowEvents(r *core.EventReport, v View) cli.Output {
	list := make([]eventsJSON, len(r.Instances))
	for i, in := range r.Instances {
		list[i] = eventsJSON{identityOf(in.Identity), []eventJSON{}}
		for j := range in.Events {
			list[i].Events = append(list[i].Events, eventOf(&in.Events[j]))
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		v.each(w, len(r.Instances), func(i int) {
			in := &r.Instances[i]
			fmt.Fprintf(w, "Event information for AS %d%s:\n", in.AS, eventScope(in.Identity))
			for j := range in.Events {
				e := &in.Events[j]
				fmt.Fprintf(w, "%-4d %s %s\n", e.Number, millis(e.Age), eventText(&e.Trace))
			}
		})
	}}
}

// eventScope is what the AS alone does not say of an instance.
func eventScope(id core.Identity) string {
	var words []string
	if id.Family == rib.IPv6 {
		words = append(words, "IPv6")
	}
	if id.VRF != "" {
		words = append(words, "VRF "+id.VRF)
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}
