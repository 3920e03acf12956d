package telemetry

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// Facility is something of a protocol that can be debugged.
type Facility struct {
	Words string // what stands behind "debug": "rip", "rip events"
	Text  string // what is on or off: "RIP event debugging"
	Help  string // for the last of Words
}

// Facilities are what a program can debug, under the heading that "show
// debugging" prints, such as "RIP". At most 64. The number of a facility is its
// place in List: a program has constants for them. One whose words begin with
// those of another belongs to it: "debug rip" turns on "rip events" as well.
type Facilities struct {
	Heading string
	List    []Facility
}

// Debug tells which facilities of a process are being debugged, and takes their
// lines. Everything is off at the start of the process; it is no configuration.
// It may be used concurrently and never blocks.
type Debug struct {
	facilities Facilities
	send       func(text string)
	changed    func()
	on         atomic.Uint64 // a bit for each facility
	mu         sync.Mutex    // held while facilities are turned on or off
}

// NewDebug returns the debugging of a process. send is given each line of a
// facility that is on and must not block; changed is called after each change of
// what is on, one call at a time, and may be nil.
func NewDebug(f Facilities, send func(text string), changed func()) *Debug {
	if len(f.List) > 64 {
		panic("telemetry: more than 64 facilities")
	}
	return &Debug{facilities: f, send: send, changed: changed}
}

// Facilities returns what can be debugged.
func (d *Debug) Facilities() Facilities { return d.facilities }

// On tells whether the facility with the number is being debugged. It costs one
// atomic load.
func (d *Debug) On(facility int) bool { return d.on.Load()&(1<<facility) != 0 }

// Printf emits a line of the facility, if that is on. Where lines are many, ask
// On first: the arguments of a call cost memory even if nobody reads the line.
func (d *Debug) Printf(facility int, format string, args ...any) {
	if d.On(facility) {
		d.send(fmt.Sprintf(format, args...))
	}
}

// Set turns the facility with these words and those that belong to it on or off.
// It returns its Text; ok is false if there is no such facility.
func (d *Debug) Set(words string, on bool) (text string, ok bool) {
	var mask uint64
	for i, f := range d.facilities.List {
		if f.Words == words {
			text, ok = f.Text, true
		}
		if strings.HasPrefix(f.Words+" ", words+" ") {
			mask |= 1 << i
		}
	}
	if ok {
		d.set(mask, on)
	}
	return text, ok
}

// Clear turns everything off.
func (d *Debug) Clear() { d.set(^uint64(0), false) }

func (d *Debug) set(mask uint64, on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.on.Load()
	now := old &^ mask
	if on {
		now = old | mask
	}
	if d.on.Store(now); now != old && d.changed != nil {
		d.changed()
	}
}

// Active returns the facilities that are being debugged, in the order of the list.
func (d *Debug) Active() []Facility {
	var out []Facility
	for i, f := range d.facilities.List {
		if d.On(i) {
			out = append(out, f)
		}
	}
	return out
}
