package scripttest

import (
	"fmt"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/sm"
)

// Stage is what machines are put on by a script: it has the time, hands inputs
// to the machine, and collects the text of the effects.
type Stage[In, Out any] struct {
	Machine sm.Machine[In, Out]
	Now     clock.Instant
	Tick    In        // the input that says that time has passed
	Effect  func(Out) // prints one effect, by Printf

	out strings.Builder
}

// maxWakes is more than a machine in order is woken by one Advance.
const maxWakes = 100_000

// Step hands an input to the machine and takes its effects.
func (s *Stage[In, Out]) Step(in In) {
	s.Machine.Step(s.Now, in)
	for _, e := range s.Machine.Drain(nil) {
		s.Effect(e)
	}
}

// Advance lets time pass, from one deadline of the machine to the next. It panics
// if the machine wants to be woken without end.
func (s *Stage[In, Out]) Advance(d time.Duration) {
	end := s.Now.Add(d)
	for n := 0; ; n++ {
		at, ok := s.Machine.Wake()
		if !ok || at > end {
			break
		}
		if n > maxWakes {
			panic(fmt.Sprintf("the machine wants to be woken at %v again and again", at))
		}
		s.Now = max(at, s.Now)
		s.Step(s.Tick)
	}
	s.Now = end
}

// Printf adds a line to the output, behind the time.
func (s *Stage[In, Out]) Printf(format string, v ...any) {
	fmt.Fprintf(&s.out, "%10.3fs  %s\n", time.Duration(s.Now).Seconds(), fmt.Sprintf(format, v...))
}

// Output returns what was printed since it was last asked.
func (s *Stage[In, Out]) Output() string {
	text := s.out.String()
	s.out.Reset()
	return text
}
