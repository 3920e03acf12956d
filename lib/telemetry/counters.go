package telemetry

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Desc declares a counter or gauge.
type Desc struct {
	Name  string // constant of the program, e.g. "nhrp_registration_requests_received"
	Help  string
	Gauge bool   // it may fall
	Label string // name of its one label, e.g. "reason"; "" for none
}

// Sample is the value of a counter or gauge.
type Sample struct {
	Name  string
	Label string // value of the label; "" without one
	Value uint64
}

// Source adds samples of counters that live elsewhere, in a core for one.
type Source func(add func(Sample))

// Counter is a number that a registry holds. It may be used concurrently.
type Counter struct{ v atomic.Uint64 }

// Inc adds one.
func (c *Counter) Inc() { c.v.Add(1) }

// Add adds n.
func (c *Counter) Add(n uint64) { c.v.Add(n) }

// Set sets a gauge.
func (c *Counter) Set(n uint64) { c.v.Store(n) }

// Value returns the number.
func (c *Counter) Value() uint64 { return c.v.Load() }

// Registry holds what a program counts. It may be used concurrently.
type Registry struct {
	mu       sync.Mutex // guards the fields below
	descs    map[string]Desc
	counters map[series]*Counter
	sources  []Source
}

type series struct{ name, label string }

// NewRegistry returns a registry of what is declared. It panics where a name is
// declared twice or is not made of a-z, 0-9 and _.
func NewRegistry(descs ...Desc) *Registry {
	r := &Registry{descs: map[string]Desc{}, counters: map[series]*Counter{}}
	for _, d := range descs {
		if _, twice := r.descs[d.Name]; twice || !validName(d.Name) || d.Label != "" && !validName(d.Label) {
			panic(fmt.Sprintf("telemetry: bad declaration %+v", d))
		}
		r.descs[d.Name] = d
	}
	return r
}

func validName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" && s[0] > '9'
}

// Counter returns the counter of that name and label value, which is 0 at first.
// It panics where the name was not declared. Label values are a fixed few, never
// taken from packets.
func (r *Registry) Counter(name, label string) *Counter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.descs[name]; !ok {
		panic("telemetry: counter " + name + " was not declared")
	}
	key := series{name, label}
	c := r.counters[key]
	if c == nil {
		c = &Counter{}
		r.counters[key] = c
	}
	return c
}

// AddSource has Snapshot ask a source as well. A source does not use the
// registry. Samples of names that were not declared are left out.
func (r *Registry) AddSource(s Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sources = append(r.sources, s)
}

// Descs returns what was declared, by name.
func (r *Registry) Descs() []Desc {
	return slices.SortedFunc(maps.Values(r.descs), func(a, b Desc) int { return cmp.Compare(a.Name, b.Name) })
}

// Snapshot returns all samples by name and label; those of the same name and
// label are added up.
func (r *Registry) Snapshot() []Sample {
	r.mu.Lock()
	sums := make(map[series]uint64, len(r.counters))
	for key, c := range r.counters {
		sums[key] = c.Value()
	}
	sources := slices.Clone(r.sources)
	r.mu.Unlock()
	for _, source := range sources {
		source(func(s Sample) {
			if _, ok := r.descs[s.Name]; ok { // descs does not change
				sums[series{s.Name, s.Label}] += s.Value
			}
		})
	}
	out := make([]Sample, 0, len(sums))
	for key, v := range sums {
		out = append(out, Sample{key.name, key.label, v})
	}
	slices.SortFunc(out, func(a, b Sample) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Label, b.Label))
	})
	return out
}
