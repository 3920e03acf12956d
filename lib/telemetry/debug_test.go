package telemetry_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/telemetry"
)

const (
	debugRIP = iota
	debugEvents
	debugPackets
	debugHello
	debugRipple
)

var facilities = telemetry.Facilities{Heading: "RIP", List: []telemetry.Facility{
	debugRIP:     {Words: "rip", Text: "RIP protocol debugging"},
	debugEvents:  {Words: "rip events", Text: "RIP event debugging"},
	debugPackets: {Words: "rip packets", Text: "RIP packet debugging"},
	debugHello:   {Words: "rip packets hello", Text: "RIP hello debugging"},
	debugRipple:  {Words: "ripple", Text: "Ripple debugging"},
}}

// TestDebug turns facilities on and off and looks at what is on, what is said, and
// which lines come through.
func TestDebug(t *testing.T) {
	var lines []string
	changes := 0
	d := telemetry.NewDebug(facilities, func(s string) { lines = append(lines, s) }, func() { changes++ })
	for i, step := range []struct {
		words   string
		on      bool
		text    string // "" if there is no such facility
		active  string
		changes int
	}{
		{"rip packets", true, "RIP packet debugging", "[2 3]", 1},
		{"rip packets", true, "RIP packet debugging", "[2 3]", 1},
		{"rip packets hello", false, "RIP hello debugging", "[2]", 2},
		{"rip pack", true, "", "[2]", 2},
		{"", true, "", "[2]", 2},
		{"rip", true, "RIP protocol debugging", "[0 1 2 3]", 3},
		{"ripple", true, "Ripple debugging", "[0 1 2 3 4]", 4},
		{"rip", false, "RIP protocol debugging", "[4]", 5},
	} {
		text, ok := d.Set(step.words, step.on)
		lines = nil
		var on []int
		for n := range facilities.List {
			if d.Printf(n, "%d", n); d.On(n) {
				on = append(on, n)
			}
		}
		if ok != (step.text != "") || text != step.text || fmt.Sprint(on) != step.active || changes != step.changes {
			t.Errorf("step %d: %q, %v, on %v, %d changes", i, text, ok, on, changes)
		}
		if fmt.Sprint(lines) != step.active {
			t.Errorf("step %d: lines of %v, on are %v", i, lines, on)
		}
	}
	if diff := cmp.Diff(facilities.List[debugRipple:], d.Active()); diff != "" {
		t.Error(diff)
	}
	if d.Clear(); len(d.Active()) != 0 || changes != 6 {
		t.Errorf("after Clear: %v, %d changes", d.Active(), changes)
	}
}

// TestDebugOffCostsNothing: a core's edge asks before each packet.
func TestDebugOffCostsNothing(t *testing.T) {
	d := telemetry.NewDebug(facilities, func(string) { t.Error("a line of what is off") }, nil)
	n := 0
	if got := testing.AllocsPerRun(100, func() {
		if n++; d.On(debugPackets) {
			d.Printf(debugPackets, "packet %d of %s", n, t.Name())
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// TestDebugConcurrently is for the race detector.
func TestDebugConcurrently(t *testing.T) {
	var mu sync.Mutex
	sent := 0
	d := telemetry.NewDebug(facilities, func(string) { mu.Lock(); sent++; mu.Unlock() }, nil)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 1000 {
				d.Set("rip events", (n+i)%2 == 0)
				d.Printf(debugEvents, "line")
				d.Active()
			}
		})
	}
	all.Wait()
	d.Set("rip events", true)
	before := sent
	if d.Printf(debugEvents, "line"); sent != before+1 {
		t.Errorf("%d lines, then %d", before, sent)
	}
}

func BenchmarkDebugOff(b *testing.B) {
	d := telemetry.NewDebug(facilities, func(string) {}, nil)
	for b.Loop() {
		if d.On(debugPackets) {
			b.Fatal("on")
		}
	}
}
