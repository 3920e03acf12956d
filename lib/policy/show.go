package policy

import (
	"fmt"
	"io"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Exec runs a show command of Grammar. now tells which keys are valid. ok is
// false if the ID is of no such command.
func Exec(s *Set, id string, args cli.Args, now time.Time) (out cli.Output, ok bool) {
	if s == nil {
		s = &Set{}
	}
	name := args.String("name")
	switch id {
	case ShowPrefixList:
		return showPrefixLists("ip", pick(s.prefix4, name)), true
	case ShowPrefixList6:
		return showPrefixLists("ipv6", pick(s.prefix6, name)), true
	case ShowAccessList:
		return showAccessLists(pick(s.access, name)), true
	case ShowRouteMap:
		return showRouteMaps(pick(s.maps, name)), true
	case ShowASPathList:
		return showASPathLists(pick(s.paths, name)), true
	case ShowCommunityList:
		return showCommunityLists("Community", "communityLists", pick(s.communities, name)), true
	case ShowExtList:
		return showCommunityLists("Extended community", "extendedCommunityLists", pick(s.extended, name)), true
	case ShowLargeList:
		return showCommunityLists("Large community", "largeCommunityLists", pick(s.large, name)), true
	case ShowKeyChain:
		return showKeyChains(pick(s.chains, name), now), true
	}
	return cli.Output{}, false
}

// pick returns the value of that name, or all in the order of their names.
func pick[V any](m map[string]V, name string) []V {
	out := []V{}
	if name != "" {
		if v, ok := m[name]; ok {
			out = append(out, v)
		}
		return out
	}
	for _, n := range sortedNames(m) {
		out = append(out, m[n])
	}
	return out
}

// prefixListJSON is a prefix-list for programs.
type prefixListJSON struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Entries     []prefixEntryJSON `json:"entries"`
}

type prefixEntryJSON struct {
	Seq    uint32 `json:"seq"`
	Action string `json:"action"`
	Prefix string `json:"prefix"`
	Min    int    `json:"minLength"`
	Max    int    `json:"maxLength"`
}

func showPrefixLists(family string, lists []*PrefixList) cli.Output {
	all := make([]prefixListJSON, len(lists))
	for i, l := range lists {
		all[i] = prefixListJSON{Name: l.Name, Description: l.Description, Entries: []prefixEntryJSON{}}
		for _, e := range l.Entries {
			all[i].Entries = append(all[i].Entries, prefixEntryJSON{e.Seq, verb(e.Permit), e.Prefix.String(), e.Min, e.Max})
		}
	}
	return cli.Output{JSON: map[string]any{"prefixLists": all}, Text: func(w io.Writer) {
		for _, l := range lists {
			fmt.Fprintf(w, "%s prefix-list %s: %d entries\n", family, l.Name, len(l.Entries))
			if l.Description != "" {
				fmt.Fprintf(w, "   Description: %s\n", l.Description)
			}
			for _, e := range l.Entries {
				fmt.Fprintf(w, "   %v\n", e)
			}
		}
	}}
}

// accessListJSON is an access-list for programs.
type accessListJSON struct {
	Name    string            `json:"name"`
	Type    string            `json:"type"`
	Entries []accessEntryJSON `json:"entries"`
}

type accessEntryJSON struct {
	Seq         uint32 `json:"seq"`
	Action      string `json:"action"`
	Protocol    string `json:"protocol,omitempty"`
	Source      string `json:"source"`
	SourcePort  string `json:"sourcePort,omitempty"`
	Destination string `json:"destination,omitempty"`
	DestPort    string `json:"destinationPort,omitempty"`
	Established bool   `json:"established,omitempty"`
}

func (e AccessEntry) json(extended bool) accessEntryJSON {
	j := accessEntryJSON{Seq: e.Seq, Action: verb(e.Permit), Source: e.Source.describe(true)}
	if extended {
		j.Protocol, j.Destination, j.Established = protocolName(e.Protocol), e.Destination.describe(true), e.Established
		j.SourcePort, j.DestPort = e.SourcePort.describe(e.Protocol), e.DestPort.describe(e.Protocol)
	}
	return j
}

func showAccessLists(lists []*AccessList) cli.Output {
	kind := func(l *AccessList) string {
		if l.Extended {
			return "Extended"
		}
		return "Standard"
	}
	all := make([]accessListJSON, len(lists))
	for i, l := range lists {
		all[i] = accessListJSON{Name: l.Name, Type: kind(l), Entries: []accessEntryJSON{}}
		for _, e := range l.Entries {
			all[i].Entries = append(all[i].Entries, e.json(l.Extended))
		}
	}
	return cli.Output{JSON: map[string]any{"accessLists": all}, Text: func(w io.Writer) {
		for _, l := range lists {
			fmt.Fprintf(w, "%s IP access list %s\n", kind(l), l.Name)
			for _, e := range l.Entries {
				fmt.Fprintf(w, "    %d %s\n", e.Seq, e.describe(l.Extended))
			}
		}
	}}
}

// routeMapJSON is a route-map for programs.
type routeMapJSON struct {
	Name    string         `json:"name"`
	Entries []mapEntryJSON `json:"entries"`
}

type mapEntryJSON struct {
	Seq         uint32   `json:"seq"`
	Action      string   `json:"action"`
	Description string   `json:"description,omitempty"`
	Match       []string `json:"match"`
	Set         []string `json:"set"`
	Call        string   `json:"call,omitempty"`
	Continue    string   `json:"continue,omitempty"`
}

func (e *MapEntry) json() mapEntryJSON {
	j := mapEntryJSON{Seq: e.Seq, Action: verb(e.Permit), Description: e.Description, Match: e.match.lines(), Set: e.set.lines(), Call: e.Call}
	switch {
	case e.Continue && e.ContinueAt > 0:
		j.Continue = fmt.Sprintf("sequence %d", e.ContinueAt)
	case e.Continue:
		j.Continue = "next sequence"
	}
	return j
}

func showRouteMaps(maps []*RouteMap) cli.Output {
	all := make([]routeMapJSON, len(maps))
	for i, m := range maps {
		all[i] = routeMapJSON{Name: m.Name, Entries: []mapEntryJSON{}}
		for _, e := range m.Entries {
			all[i].Entries = append(all[i].Entries, e.json())
		}
	}
	return cli.Output{JSON: map[string]any{"routeMaps": all}, Text: func(w io.Writer) {
		for _, m := range all {
			for _, e := range m.Entries {
				e.write(w, m.Name)
			}
		}
	}}
}

func (e mapEntryJSON) write(w io.Writer, name string) {
	fmt.Fprintf(w, "route-map %s, %s, sequence %d\n", name, e.Action, e.Seq)
	if e.Description != "" {
		fmt.Fprintf(w, "  Description:\n    %s\n", e.Description)
	}
	fmt.Fprintln(w, "  Match clauses:")
	for _, line := range e.Match {
		fmt.Fprintf(w, "    %s\n", line)
	}
	if e.Continue != "" {
		fmt.Fprintf(w, "  Continue: %s\n", e.Continue)
	}
	fmt.Fprintln(w, "  Set clauses:")
	for _, line := range e.Set {
		fmt.Fprintf(w, "    %s\n", line)
	}
	if e.Call != "" {
		fmt.Fprintf(w, "  Call: %s\n", e.Call)
	}
}

// keyChainJSON is a key chain for programs, without its secrets.
type keyChainJSON struct {
	Name string    `json:"name"`
	Keys []keyJSON `json:"keys"`
}

type keyJSON struct {
	ID        uint32       `json:"id"`
	Algorithm string       `json:"algorithm,omitempty"`
	Accept    lifetimeJSON `json:"accept"`
	Send      lifetimeJSON `json:"send"`
}

type lifetimeJSON struct {
	Start *time.Time `json:"start,omitempty"`
	End   *time.Time `json:"end,omitempty"`
	Valid bool       `json:"validNow"`
}

func (l Lifetime) json(now time.Time) lifetimeJSON {
	j := lifetimeJSON{Valid: l.Contains(now)}
	if !l.Start.IsZero() {
		j.Start = &l.Start
	}
	if !l.End.IsZero() {
		j.End = &l.End
	}
	return j
}

// describe is Cisco's text.
func (l Lifetime) describe(now time.Time) string {
	const layout = "15:04:05 UTC Jan 2 2006"
	start, end := "always valid", "always valid"
	if !l.Start.IsZero() {
		start, end = l.Start.Format(layout), "infinite"
	}
	if !l.End.IsZero() {
		end = l.End.Format(layout)
	}
	text := "(" + start + ") - (" + end + ")"
	if l.Contains(now) {
		text += " [valid now]"
	}
	return text
}

func showKeyChains(chains []*KeyChain, now time.Time) cli.Output {
	all := make([]keyChainJSON, len(chains))
	for i, c := range chains {
		all[i] = keyChainJSON{Name: c.Name, Keys: []keyJSON{}}
		for _, k := range c.Keys {
			all[i].Keys = append(all[i].Keys, keyJSON{k.ID, k.Algorithm.String(), k.Accept.json(now), k.Send.json(now)})
		}
	}
	return cli.Output{JSON: map[string]any{"keyChains": all}, Text: func(w io.Writer) {
		for _, c := range chains {
			fmt.Fprintf(w, "Key-chain %s:\n", c.Name)
			for _, k := range c.Keys {
				fmt.Fprintf(w, "    key %d -- text \"%v\"\n", k.ID, k.Secret)
				if k.Algorithm != AlgorithmDefault {
					fmt.Fprintf(w, "        cryptographic-algorithm: %v\n", k.Algorithm)
				}
				fmt.Fprintf(w, "        accept lifetime %s\n        send lifetime %s\n", k.Accept.describe(now), k.Send.describe(now))
			}
		}
	}}
}
