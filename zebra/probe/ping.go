package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// What IOS does if nothing else is said.
const (
	DefaultCount   = 5
	DefaultSize    = 100 // octets of IP packet
	DefaultTimeout = 2 * time.Second
)

// Limits of what is accepted.
const (
	MaxCount   = 100000
	MaxSize    = 9200 // octets of IP packet
	MaxTimeout = time.Minute
	MaxHops    = 255
	MaxProbes  = 10
	maxAtOnce  = 16 // commands
)

// PingOptions say how to ping.
type PingOptions struct {
	Path
	Count   int
	Size    int // octets of the whole IP packet
	Timeout time.Duration
	DF      bool // forbid fragmentation
}

func (o PingOptions) check() error {
	switch least := minSize(o.Target.Is6()); {
	case o.Count < 1 || o.Count > MaxCount:
		return fmt.Errorf("repeat %d is not in 1-%d", o.Count, MaxCount)
	case o.Size < least || o.Size > MaxSize:
		return fmt.Errorf("size %d: a packet to %v has %d-%d bytes", o.Size, o.Target, least, MaxSize)
	case o.Timeout <= 0 || o.Timeout > MaxTimeout:
		return fmt.Errorf("timeout %v is not in 1-%d seconds", o.Timeout, int(MaxTimeout/time.Second))
	}
	return nil
}

// errBusy says that too many people probe at once.
var errBusy = fmt.Errorf("there are %d ping and traceroute commands running already", maxAtOnce)

// running has a place for each command that may run at once.
var running = make(chan struct{}, maxAtOnce)

// begin takes a place and returns what gives it back.
func begin() (end func(), err error) {
	select {
	case running <- struct{}{}:
		return func() { <-running }, nil
	default:
		return nil, errBusy
	}
}

// Ping sends echo requests and writes what becomes of them to out, each at once if
// out has a method Flush() error; as JSON it writes one object at the end. The end
// of ctx is the end of the pinging: the statistics until then are written and
// nil returned.
func Ping(ctx context.Context, o PingOptions, out io.Writer, asJSON bool) error {
	if err := o.check(); err != nil {
		return err
	}
	end, err := begin()
	if err != nil {
		return err
	}
	defer end()
	c, err := dial(ctx, o.Path, o.DF)
	if err != nil {
		return err
	}
	defer c.Close()
	return ping(ctx, o, c, out, asJSON)
}

// defaultHops is the time to live of a ping.
const defaultHops = 255

// marksPerLine is after how many marks IOS begins a new line.
const marksPerLine = 70

func ping(ctx context.Context, o PingOptions, c conn, out io.Writer, asJSON bool) error {
	p, s := newProber(c, o.Target, o.Size, o.Timeout), stats{}
	w := live{w: out, mute: asJSON}
	w.printf("Type escape sequence to abort.\nSending %d, %d-byte ICMP Echos to %v, timeout is %d seconds:\n",
		o.Count, o.Size, o.Target.WithZone(""), int(o.Timeout/time.Second))
	if o.Source.IsValid() {
		w.printf("Packet sent with a source address of %v\n", o.Source.WithZone(""))
	}
	if o.DF {
		w.printf("Packet sent with the DF bit set\n")
	}
	marks := make([]byte, 0, min(o.Count, 1024))
	for s.sent < o.Count && w.err == nil {
		got, err := p.try(ctx, defaultHops)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return errors.Join(err, w.err)
		}
		if s.sent > 0 && s.sent%marksPerLine == 0 {
			w.printf("\n")
		}
		s.add(got)
		marks = append(marks, pingMark(got.kind))
		w.printf("%c", pingMark(got.kind))
	}
	w.printf("\n%s\n", s.line())
	if asJSON && w.err == nil {
		return cli.WriteJSON(out, s.json(o, marks))
	}
	return w.err
}

// pingMark is how IOS shows what became of a request.
func pingMark(k kind) byte {
	switch k {
	case reply:
		return '!'
	case silence:
		return '.'
	case tooBig:
		return 'M'
	case expired:
		return '&'
	case noNet, noHost, noProtocol, noPort, forbidden:
		return 'U'
	}
	return '?'
}

// stats are the numbers of a ping.
type stats struct {
	sent, received int
	min, max, sum  time.Duration
}

func (s *stats) add(o outcome) {
	s.sent++
	if o.kind != reply {
		return
	}
	if s.received == 0 || o.rtt < s.min {
		s.min = o.rtt
	}
	s.received++
	s.max = max(s.max, o.rtt)
	s.sum += o.rtt
}

func (s *stats) percent() int {
	if s.sent == 0 {
		return 0
	}
	return 100 * s.received / s.sent
}

func (s *stats) avg() time.Duration { return s.sum / time.Duration(max(1, s.received)) }

// line is the last line of a ping on IOS.
func (s *stats) line() string {
	line := fmt.Sprintf("Success rate is %d percent (%d/%d)", s.percent(), s.received, s.sent)
	if s.received > 0 {
		line += fmt.Sprintf(", round-trip min/avg/max = %d/%d/%d ms", msec(s.min), msec(s.avg()), msec(s.max))
	}
	return line
}

// msec is a time in milliseconds, rounded up: IOS shows no fractions, and 0 ms
// would look like no time at all.
func msec(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

// fraction is a time in milliseconds to the microsecond.
func fraction(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

type rttJSON struct {
	Min float64 `json:"min"` // milliseconds
	Avg float64 `json:"avg"`
	Max float64 `json:"max"`
}

type pingJSON struct {
	Target   string   `json:"target"`
	Source   string   `json:"source,omitempty"`
	VRF      string   `json:"vrf,omitempty"`
	Size     int      `json:"size"`
	DF       bool     `json:"dfBit"`
	Sent     int      `json:"sent"`
	Received int      `json:"received"`
	Percent  int      `json:"percent"`
	Marks    string   `json:"marks"`
	RTT      *rttJSON `json:"rtt,omitempty"`
}

func (s *stats) json(o PingOptions, marks []byte) pingJSON {
	j := pingJSON{Target: o.Target.String(), VRF: o.VRF, Size: o.Size, DF: o.DF,
		Sent: s.sent, Received: s.received, Percent: s.percent(), Marks: string(marks)}
	if o.Source.IsValid() {
		j.Source = o.Source.String()
	}
	if s.received > 0 {
		j.RTT = &rttJSON{fraction(s.min), fraction(s.avg()), fraction(s.max)}
	}
	return j
}

// live writes text that is seen at once, and remembers the first error.
type live struct {
	w    io.Writer
	mute bool
	err  error
}

func (l *live) printf(format string, args ...any) {
	if l.mute || l.err != nil {
		return
	}
	if _, l.err = fmt.Fprintf(l.w, format, args...); l.err != nil {
		return
	}
	if f, ok := l.w.(interface{ Flush() error }); ok {
		l.err = f.Flush()
	}
}
