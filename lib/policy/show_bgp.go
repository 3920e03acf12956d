package policy

import (
	"fmt"
	"io"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// pathListJSON is an as-path access-list or community-list for programs.
type pathListJSON struct {
	Name    string          `json:"name"`
	Type    string          `json:"type,omitempty"` // of a community-list
	Entries []pathEntryJSON `json:"entries"`
}

type pathEntryJSON struct {
	Action string `json:"action"`
	Match  string `json:"match"` // regular expression, or communities
}

func showASPathLists(lists []*ASPathList) cli.Output {
	all := make([]pathListJSON, len(lists))
	for i, l := range lists {
		all[i] = pathListJSON{Name: l.Name, Entries: []pathEntryJSON{}}
		for _, e := range l.Entries {
			all[i].Entries = append(all[i].Entries, pathEntryJSON{verb(e.Permit), e.Text})
		}
	}
	return cli.Output{JSON: map[string]any{"asPathAccessLists": all}, Text: func(w io.Writer) {
		for _, l := range all {
			fmt.Fprintf(w, "AS path access list %s\n", l.Name)
			l.print(w)
		}
	}}
}

// showCommunityLists shows lists of a kind; key is their name for programs.
func showCommunityLists[C communityValue[C]](kind, key string, lists []*CommunityListOf[C]) cli.Output {
	all := make([]pathListJSON, len(lists))
	for i, l := range lists {
		all[i] = pathListJSON{Name: l.Name, Type: "standard", Entries: []pathEntryJSON{}}
		if l.Expanded {
			all[i].Type = "expanded"
		}
		for _, e := range l.Entries {
			match := e.Text
			if !l.Expanded {
				match = strings.Join(texts(e.Communities), " ")
			}
			all[i].Entries = append(all[i].Entries, pathEntryJSON{verb(e.Permit), match})
		}
	}
	return cli.Output{JSON: map[string]any{key: all}, Text: func(w io.Writer) {
		for _, l := range all {
			fmt.Fprintf(w, "%s %s list %s\n", kind, l.Type, l.Name)
			l.print(w)
		}
	}}
}

func (l *pathListJSON) print(w io.Writer) {
	for _, e := range l.Entries {
		fmt.Fprintf(w, "     %s %s\n", e.Action, e.Match)
	}
}
