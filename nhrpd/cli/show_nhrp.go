package cli

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// View selects entries and layout of `show ip nhrp`.
type View struct {
	Brief, Detail bool
	Type          core.EntryType // 0: all
	Shortcut      bool           // only entries with a route of their own or an overridden next hop
	Target        netip.Prefix   // only the entries that cover or lie in it; zero: all
}

// ViewOf reads the arguments of `show ip nhrp`.
func ViewOf(a cli.Args) View {
	v := View{Brief: a.Has("brief"), Detail: a.Has("detail")}
	switch {
	case a.Has("dynamic"):
		v.Type = core.EntryDynamic
	case a.Has("static"):
		v.Type = core.EntryStatic
	case a.Has("incomplete"):
		v.Type = core.EntryIncomplete
	case a.Has("local"):
		v.Type = core.EntryLocal
	}
	v.Shortcut = a.Has("shortcut")
	if p, ok := Target(a); ok {
		v.Target, v.Detail = p.Masked(), true
	}
	return v
}

func (v View) shows(e core.CacheEntry) bool {
	if v.Brief && (e.Type == core.EntryIncomplete || e.Type == core.EntryLocal) {
		return false
	}
	if v.Shortcut && e.Flags&(core.FlagRIB|core.FlagNHO) == 0 {
		return false
	}
	return (v.Type == 0 || v.Type == e.Type) && (!v.Target.IsValid() || v.Target.Overlaps(e.Target))
}

// entryJSON is an entry for programs. Times are in seconds.
type entryJSON struct {
	Interface   string   `json:"interface"`
	Target      string   `json:"target"`
	NextHop     string   `json:"nextHop,omitempty"`
	NBMA        string   `json:"nbma,omitempty"`
	ClaimedNBMA string   `json:"claimedNbma,omitempty"`
	Type        string   `json:"type"`
	Flags       []string `json:"flags"`
	Created     float64  `json:"created"`
	Expires     *float64 `json:"expires"`
	Holdtime    float64  `json:"holdtime,omitempty"`
	Preference  uint8    `json:"preference"`
	Group       string   `json:"group,omitempty"`
	Requester   string   `json:"requester,omitempty"`
	RequestID   uint32   `json:"requestId,omitempty"`
	Refreshed   uint64   `json:"refreshed"`
	CacheHits   uint64   `json:"cacheHits,omitempty"`
	VRF         string   `json:"vrf,omitempty"`

	Requesters []requesterJSON `json:"requesters,omitempty"`
	LastError  *troubleJSON    `json:"lastError,omitempty"`
}

// requesterJSON is a station that was told of an entry.
type requesterJSON struct {
	Station   string  `json:"station"`
	NBMA      string  `json:"nbma"`
	RequestID uint32  `json:"requestId"`
	Expires   float64 `json:"expires"`
}

// troubleJSON is what went wrong last. Times are in seconds.
type troubleJSON struct {
	Text  string  `json:"text"`
	Since float64 `json:"since"`
	Last  float64 `json:"last"`
}

func troubleOf(t core.Trouble) *troubleJSON {
	if t.Text == "" {
		return nil
	}
	return &troubleJSON{t.Text, t.Since.Seconds(), t.Last.Seconds()}
}

func entryOf(e core.CacheEntry) entryJSON {
	j := entryJSON{
		Interface: e.Interface, Target: e.Target.String(), NextHop: text(e.NextHop), NBMA: text(e.NBMA),
		ClaimedNBMA: text(e.Claimed), Type: e.Type.String(), Flags: append([]string{}, strings.Fields(e.Flags.String())...),
		Created: e.Age.Seconds(), Expires: expires(e.Expires), Holdtime: e.Holdtime.Seconds(), Preference: e.Preference,
		Group: e.Group, Requester: text(e.Requester), RequestID: e.RequestID, Refreshed: e.Refreshed, CacheHits: e.Hits,
		VRF: e.VRF, LastError: troubleOf(e.Trouble)}
	for _, t := range e.Told {
		j.Requesters = append(j.Requesters, requesterJSON{t.Station.String(), text(t.NBMA), t.RequestID, t.Ends.Seconds()})
	}
	return j
}

// expires is nil for never.
func expires(d time.Duration) *float64 {
	if d == core.NoExpiry {
		return nil
	}
	s := d.Seconds()
	return &s
}

func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// ShowNHRP prints the cache: `show ip nhrp`.
func ShowNHRP(r *core.CacheReport, v View) cli.Output {
	entries := slices.DeleteFunc(slices.Clone(r.Entries), func(e core.CacheEntry) bool { return !v.shows(e) })
	slices.SortStableFunc(entries, func(a, b core.CacheEntry) int { // of each interface the local ones last, as on IOS
		if a.Interface != b.Interface || (a.Type == core.EntryLocal) == (b.Type == core.EntryLocal) {
			return strings.Compare(a.Interface, b.Interface)
		}
		if a.Type == core.EntryLocal {
			return 1
		}
		return -1
	})
	list := []entryJSON{}
	for _, e := range entries {
		list = append(list, entryOf(e))
	}
	return cli.Output{JSON: map[string]any{"entries": list}, Text: func(w io.Writer) {
		if v.Brief {
			briefEntries(w, entries)
			return
		}
		for _, e := range entries {
			printEntry(w, e, v.Detail)
		}
	}}
}

// duration prints a time until expiry.
func duration(d time.Duration) string {
	if d == core.NoExpiry {
		return cli.Never
	}
	return cli.Duration(d)
}

func printEntry(w io.Writer, e core.CacheEntry, detail bool) {
	if e.Type == core.EntryIncomplete {
		fmt.Fprintf(w, "%v\n", e.Target)
	} else {
		fmt.Fprintf(w, "%v via %v\n", e.Target, e.NextHop)
	}
	expire := "expire " + duration(e.Expires)
	if e.Expires == core.NoExpiry {
		expire = "never expire"
	}
	fmt.Fprintf(w, "   %s created %s, %s\n", e.Interface, cli.Duration(e.Age), expire)
	typ := e.Type
	if typ == core.EntryLocal { // on IOS a flag tells those
		typ = core.EntryDynamic
	}
	fmt.Fprintf(w, "   Type: %v, Flags: %v\n", typ, e.Flags)
	if e.Type == core.EntryIncomplete {
		fmt.Fprintf(w, "   Cache hits: %d\n", e.Hits)
	}
	if e.NBMA.IsValid() {
		fmt.Fprintf(w, "   NBMA address: %v\n", e.NBMA)
	}
	if e.Claimed.IsValid() {
		fmt.Fprintf(w, "    (Claimed NBMA address: %v)\n", e.Claimed)
	}
	if e.Type == core.EntryLocal || e.Flags&core.FlagTemporary != 0 {
		fmt.Fprintln(w, "    (no-socket)")
	}
	if e.Group != "" {
		fmt.Fprintf(w, "   Group: %s\n", e.Group)
	}
	if detail {
		entryDetail(w, e)
	}
	if t := e.Trouble; t.Text != "" && (detail || e.Type == core.EntryIncomplete) {
		fmt.Fprintf(w, "   Last error: %s, %s ago\n", t.Text, cli.Duration(t.Last))
	}
}

// entryDetail prints who was told of an entry, and what only those want to know who
// look closely.
func entryDetail(w io.Writer, e core.CacheEntry) {
	for _, t := range e.Told {
		fmt.Fprintf(w, "  Requester: %v Request ID: %d\n", t.Station, t.RequestID)
	}
	fmt.Fprintf(w, "   Preference: %d\n", e.Preference)
	if e.Holdtime <= 0 {
		return
	}
	fmt.Fprintf(w, "   Holding time: %s", cli.Duration(e.Holdtime))
	if e.Flags&core.FlagRegistered != 0 {
		fmt.Fprintf(w, ", registered by %v (Request ID %d), %d times", e.Requester, e.RequestID, e.Refreshed)
	}
	fmt.Fprintln(w)
}

// briefFlags are the letters of `show ip nhrp brief`.
func briefFlags(e core.CacheEntry) string {
	flags := "D/"
	if e.Type == core.EntryStatic {
		flags = "S/"
	}
	for _, f := range []struct {
		flag   core.EntryFlags
		letter string
	}{{core.FlagUnique, "u"}, {core.FlagRegistered, "r"}, {core.FlagTemporary, "e"}, {core.FlagAuthoritative, "a"}, {core.FlagRIB, "t"}} {
		if e.Flags&f.flag != 0 {
			flags += f.letter
		}
	}
	if e.Claimed.IsValid() {
		flags += "c"
	}
	return strings.TrimSuffix(flags, "/")
}

func briefEntries(w io.Writer, entries []core.CacheEntry) {
	fmt.Fprintln(w, "*** Incomplete and local (no-socket) entries are left out ***")
	fmt.Fprintln(w, "Type: S - Static, D - Dynamic")
	fmt.Fprintln(w, "Flags: u - unique, r - registered, e - temporary, c - claimed NBMA differs, a - authoritative, t - route installed")
	fmt.Fprintln(w, strings.Repeat("=", 74))
	fmt.Fprintln(w)
	table := cli.Table{W: w, Format: "%-8s %-43s %-6s %s"}
	table.Row("Intf", "NextHop Address", "", "NBMA Address")
	table.Row("", "Target Network", "T/Flag", "")
	fmt.Fprintln(w, strings.Repeat("-", 8), strings.Repeat("-", 43), strings.Repeat("-", 6), strings.Repeat("-", 16))
	for _, e := range entries {
		table.Row(cli.ShortInterfaceName(e.Interface), e.NextHop, "", text(e.NBMA))
		table.Row("", e.Target, briefFlags(e), "")
	}
}

// nhsJSON is a server for programs. Times are in seconds.
type nhsJSON struct {
	Interface  string   `json:"interface"`
	Addr       string   `json:"address"`
	NBMA       string   `json:"nbma,omitempty"`
	Name       string   `json:"name,omitempty"`
	State      string   `json:"state"`
	Up         bool     `json:"up"`
	Since      float64  `json:"since"`
	Priority   uint8    `json:"priority"`
	Cluster    uint8    `json:"cluster"`
	Sent       uint64   `json:"requestsSent"`
	Failed     uint64   `json:"requestsFailed"`
	Received   uint64   `json:"repliesReceived"`
	LastReply  *float64 `json:"lastReply"`
	Pending    bool     `json:"pending"`
	RequestID  uint32   `json:"requestId"`
	Retry      float64  `json:"retry"`
	NextSend   *float64 `json:"nextSend"`
	LastError  string   `json:"lastError,omitempty"`
	ErrorSince float64  `json:"lastErrorSince,omitempty"`
	VRF        string   `json:"vrf,omitempty"`
	Translated string   `json:"ownNbmaSeenByServer,omitempty"`
	Dynamic    bool     `json:"dynamic,omitempty"`
	Recovery   string   `json:"recovery"` // DOWN, PROBE or UP
	Reason     string   `json:"reason"`
	Most       *int     `json:"maxConnections,omitempty"` // of the cluster
	Fallback   *float64 `json:"fallback,omitempty"`       // until it gives way to better ones
}

func nhsOf(s core.NHSEntry) nhsJSON {
	j := nhsJSON{Interface: s.Interface, Addr: text(s.Addr), NBMA: text(s.NBMA), Name: s.Name, State: s.State.String(),
		Up: s.State == core.NHSResponding, Since: s.Since.Seconds(), Priority: s.Priority, Cluster: s.Cluster,
		Sent: s.Sent, Failed: s.Failed, Received: s.Received, LastReply: expires(s.LastReply), Pending: s.Pending,
		RequestID: s.RequestID, Retry: s.Retry.Seconds(), NextSend: expires(s.NextSend), LastError: s.Trouble.Text,
		ErrorSince: s.Trouble.Since.Seconds(), VRF: s.VRF, Translated: text(s.Translated),
		Dynamic: s.Dynamic, Recovery: s.State.Recovery(), Reason: s.Reason, Fallback: expires(s.Fallback)}
	if s.MaxConnections >= 0 {
		j.Most = &s.MaxConnections
	}
	return j
}

// nhsName is what a server is called: its address, as far as it is known.
func nhsName(s core.NHSEntry) string {
	if !s.Addr.IsValid() {
		return "dynamic"
	}
	return s.Addr.String()
}

// nhsLine is the line of a server, as in `show ip nhrp nhs` and `show dmvpn detail`.
func nhsLine(s core.NHSEntry, detail bool) string {
	nbma := text(s.NBMA)
	if nbma == "" {
		nbma = "unknown"
	}
	state := s.State.String()
	if s.Dynamic {
		state += "D"
	}
	line := fmt.Sprintf("%s  %2s  NBMA Address: %s priority = %d cluster = %d", nhsName(s), state, nbma, s.Priority, s.Cluster)
	if !detail {
		return line
	}
	line += fmt.Sprintf("  req-sent %d  req-failed %d  repl-recv %d", s.Sent, s.Failed, s.Received)
	if s.LastReply != core.NoExpiry {
		line += fmt.Sprintf(" (%s ago)", cli.Duration(s.LastReply))
	}
	return line
}

// ShowNHS prints the servers: `show ip nhrp nhs`.
func ShowNHS(r *core.NHSReport, detail bool) cli.Output {
	list := []nhsJSON{}
	for _, s := range r.Servers {
		list = append(list, nhsOf(s))
	}
	return cli.Output{JSON: map[string]any{"servers": list}, Text: func(w io.Writer) {
		fmt.Fprintln(w, "Legend: E=Expecting replies, R=Responding, W=Waiting, D=Dynamic")
		last := ""
		for _, s := range r.Servers {
			if s.Interface != last {
				fmt.Fprintf(w, "%s:\n", s.Interface)
				last = s.Interface
			}
			fmt.Fprintln(w, nhsLine(s, detail))
			if detail {
				nhsRecovery(w, s)
			}
			if detail && s.Name != "" {
				fmt.Fprintf(w, "   NBMA name: %s\n", s.Name)
			}
			if detail && s.Translated.IsValid() {
				fmt.Fprintf(w, "   Own NBMA address as the server sees it: %v\n", s.Translated)
			}
			if detail && s.Trouble.Text != "" {
				fmt.Fprintf(w, "   Last error: %s, since %s\n", s.Trouble.Text, cli.Duration(s.Trouble.Since))
			}
		}
		if detail {
			pendingRequests(w, r.Servers)
		}
	}}
}

// nhsRecovery prints how a server stands among those of its cluster, and why.
func nhsRecovery(w io.Writer, s core.NHSEntry) {
	fmt.Fprintf(w, "   Recovery state: %s", s.State.Recovery())
	if s.Reason != "" {
		fmt.Fprintf(w, ", %s", s.Reason)
	}
	if s.MaxConnections >= 0 {
		fmt.Fprintf(w, "; at most %d of cluster %d connected", s.MaxConnections, s.Cluster)
	}
	if s.Fallback != core.NoExpiry {
		fmt.Fprintf(w, "; gives way to better ones in %s", cli.Duration(s.Fallback))
	}
	fmt.Fprintln(w)
}

func pendingRequests(w io.Writer, servers []core.NHSEntry) {
	title := false
	for _, s := range servers {
		if !s.Pending {
			continue
		}
		if !title {
			fmt.Fprintln(w, "Pending Registration Requests:")
			title = true
		}
		fmt.Fprintf(w, "Registration Request: Reqid %d, Ret %d  NHS %s (%s)\n", s.RequestID, int(s.Retry.Seconds()), nhsName(s), cli.ShortInterfaceName(s.Interface))
	}
}

// ShowRedirects prints what stations were told of shorter ways lately: `show ip nhrp
// redirect`.
func ShowRedirects(r *core.RedirectReport) cli.Output {
	type entry struct {
		Interface   string  `json:"interface"`
		VRF         string  `json:"vrf,omitempty"`
		NBMA        string  `json:"nbma"`
		Source      string  `json:"source"`
		Destination string  `json:"destination"`
		Suppressed  uint64  `json:"suppressed"`
		Expires     float64 `json:"expires"`
	}
	list := []entry{}
	for _, e := range r.Entries {
		list = append(list, entry{e.Interface, e.VRF, e.NBMA.String(), e.Source.String(), e.Destination.String(), e.Suppressed, e.Expires.Seconds()})
	}
	return cli.Output{JSON: map[string]any{"entries": list}, Text: func(w io.Writer) {
		table := cli.Table{W: w, Format: "  %-9s %-17s %-17s %-17s %10v    %s"}
		table.Row("I/F", "NBMA address", "Source", "Destination", "Drop Count", "Expiry")
		for _, e := range r.Entries {
			table.Row(e.Interface, e.NBMA, e.Source, e.Destination, e.Suppressed, cli.Duration(e.Expires))
		}
	}}
}

// ShowMulticast prints where multicast packets go: `show ip nhrp multicast`.
func ShowMulticast(r *core.MulticastReport) cli.Output {
	type entry struct {
		Interface string `json:"interface"`
		NBMA      string `json:"nbma"`
		Type      string `json:"type"`
	}
	list := []entry{}
	for _, e := range r.Entries {
		typ := "static"
		if e.Dynamic {
			typ = "dynamic"
		}
		list = append(list, entry{e.Interface, e.NBMA.String(), typ})
	}
	return cli.Output{JSON: map[string]any{"entries": list}, Text: func(w io.Writer) {
		fmt.Fprintln(w, "  I/F     NBMA address")
		for _, e := range list {
			fmt.Fprintf(w, "%-10s %-16sFlags: %-10s(Enabled)\n", e.Interface, e.NBMA, e.Type)
		}
	}}
}
