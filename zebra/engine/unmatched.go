package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

var unmatchedGRE = telemetry.Message{Facility: "TUN", Severity: telemetry.Warning, Mnemonic: "UNMATCHED"}

const (
	// maxUnmatched bounds what is remembered; the oldest goes first.
	maxUnmatched = 1024
	// A row is logged once in unmatchedQuiet, and all rows together no more often
	// than unmatchedBurst at once and one in unmatchedPause: their sources may be forged.
	unmatchedQuiet = 5 * time.Minute
	unmatchedBurst = 10
	unmatchedPause = 30 * time.Second
)

// UnmatchedView is a row of `show tunnel unmatched`: GRE packets that came for no
// tunnel.
type UnmatchedView struct {
	dataplane.UnmatchedRow
	Since, Last clock.Instant // when it was first and last told of
	Why         string        // what of the configured tunnels does not match
	Mended      bool          // a tunnel would take such packets now
}

// unmatched is what is known of GRE packets for no tunnel.
type unmatched struct {
	rows     map[dataplane.UnmatchedRow]*UnmatchedView // by the row without its packets
	wanted   bool                                      // fib has the counter
	row, all *telemetry.Limiter
}

func newUnmatched() unmatched {
	return unmatched{rows: map[dataplane.UnmatchedRow]*UnmatchedView{},
		row: telemetry.NewLimiter(1, unmatchedQuiet), all: telemetry.NewLimiter(unmatchedBurst, unmatchedPause)}
}

// unmatchedObjects are what fib has while there are tunnels: the counter, and a second
// lock should somebody remove it: what comes in by the fallback device, to which no
// route leads, is then dropped for that.
func unmatchedObjects() []dataplane.Object {
	return []dataplane.Object{
		dataplane.Sysctl{Path: "ipv4/conf/" + dataplane.FallbackGRE + "/rp_filter", Value: "1"},
		dataplane.Unmatched{Device: dataplane.FallbackGRE},
	}
}

// settleUnmatched has fib want the counter as long as there are tunnels over IPv4.
func (e *Engine) settleUnmatched() {
	want := slices.ContainsFunc(e.iface.Interfaces(), func(i librib.Interface) bool { return i.Tunnel != nil && !i.Tunnel.IPv6Transport })
	if want == e.unmatched.wanted {
		return
	}
	e.unmatched.wanted = want
	for _, o := range unmatchedObjects() {
		if want {
			e.change.put(o)
		} else {
			e.change.delete(o.Key())
		}
	}
	e.change.hand(e.fib)
}

// foundUnmatched takes in rows that grew.
func (e *Engine) foundUnmatched(ev dataplane.UnmatchedFound) {
	now := e.Now()
	for _, r := range ev.Rows {
		key := r
		key.Packets = 0
		v := e.unmatched.rows[key]
		if v == nil {
			e.unmatched.makeRoom()
			v = &UnmatchedView{Since: now}
			e.unmatched.rows[key] = v
		}
		v.UnmatchedRow, v.Last = r, now
		if ok, _ := e.unmatched.row.Allow(fmt.Sprint(key)); !ok {
			continue
		}
		if ok, hidden := e.unmatched.all.Allow(""); ok {
			why, _ := e.mismatch(r)
			text := fmt.Sprintf("GRE packets from %v to %v with %s are for no tunnel: %s", r.Source, r.Destination, KeyText(r.HasKey, r.Key), why)
			if hidden > 0 {
				text += fmt.Sprintf(" (%d others not shown)", hidden)
			}
			unmatchedGRE.Log(e.log, "%s", text)
		}
	}
	e.tellUnmatched()
}

// tellUnmatched gives daemons that watch the present picture.
func (e *Engine) tellUnmatched() {
	for _, name := range e.names() {
		if e.daemons[name].nomatch {
			e.hub.Send(name, e.unmatchedNow())
		}
	}
}

// unmatchedNow is the picture for daemons: the rows that grew last, as many as a
// message holds, without those that a tunnel would take by now.
func (e *Engine) unmatchedNow() librib.UnmatchedGRE {
	rows := slices.DeleteFunc(e.Unmatched(), func(v UnmatchedView) bool { return v.Mended })
	slices.SortStableFunc(rows, func(a, b UnmatchedView) int { return cmp.Compare(b.Last, a.Last) })
	var out librib.UnmatchedGRE
	for _, r := range rows[:min(len(rows), session.MaxUnmatched)] {
		out.Rows = append(out.Rows, librib.UnmatchedRow{Source: r.Source, Destination: r.Destination,
			HasKey: r.HasKey, Key: r.Key, Packets: r.Packets, Why: r.Why})
	}
	return out
}

// makeRoom forgets the row that was not told of for longest, if there are too many.
func (u *unmatched) makeRoom() {
	if len(u.rows) < maxUnmatched {
		return
	}
	var oldest *UnmatchedView
	var at dataplane.UnmatchedRow
	for k, v := range u.rows {
		if oldest == nil || v.Last < oldest.Last {
			oldest, at = v, k
		}
	}
	delete(u.rows, at)
}

// KeyText returns a GRE key in words.
func KeyText(has bool, key uint32) string {
	if !has {
		return "no key"
	}
	return fmt.Sprintf("key %d", key)
}

// mismatch tells what of the tunnels does not match the packets of a row: of those
// with its destination as their source, if there are any.
func (e *Engine) mismatch(r dataplane.UnmatchedRow) (text string, mended bool) {
	var why []string
	for _, i := range e.iface.Interfaces() {
		if t := i.Tunnel; t != nil && t.Source == r.Destination {
			s, none := tunnelMismatch(i, r)
			if none {
				return s, true
			}
			why = append(why, s)
		}
	}
	if len(why) == 0 {
		return fmt.Sprintf("no tunnel has the source %v", r.Destination), false
	}
	slices.Sort(why)
	return strings.Join(why, "; "), false
}

// tunnelMismatch tells what of one tunnel does not match; none says that nothing does.
func tunnelMismatch(i librib.Interface, r dataplane.UnmatchedRow) (text string, none bool) {
	t := i.Tunnel
	switch {
	case t.Destination.IsValid() && t.Destination != r.Source:
		return fmt.Sprintf("%s leads to %v", i.Name, t.Destination), false
	case t.HasKey != r.HasKey || t.HasKey && t.Key != r.Key:
		return i.Name + " has " + KeyText(t.HasKey, t.Key), false
	case !i.AdminUp:
		return i.Name + " is down", false
	}
	return i.Name + " would take them now", true
}

// Unmatched returns the rows, by source, destination and key.
func (e *Engine) Unmatched() []UnmatchedView {
	out := make([]UnmatchedView, 0, len(e.unmatched.rows))
	for _, v := range e.unmatched.rows {
		row := *v
		row.Why, row.Mended = e.mismatch(v.UnmatchedRow)
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b UnmatchedView) int {
		return cmp.Or(a.Source.Compare(b.Source), a.Destination.Compare(b.Destination), cmp.Compare(a.Key, b.Key), compareBool(a.HasKey, b.HasKey))
	})
	return out
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
