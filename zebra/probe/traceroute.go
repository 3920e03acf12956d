package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// What IOS does in a traceroute if nothing else is said.
const (
	DefaultProbes    = 3
	DefaultHops      = 30
	DefaultTraceWait = 3 * time.Second
)

// TraceOptions say how to trace.
type TraceOptions struct {
	Path
	Probes  int // for each hop
	Hops    int // at most
	Timeout time.Duration
}

func (o TraceOptions) check() error {
	switch {
	case o.Probes < 1 || o.Probes > MaxProbes:
		return fmt.Errorf("probe %d is not in 1-%d", o.Probes, MaxProbes)
	case o.Hops < 1 || o.Hops > MaxHops:
		return fmt.Errorf("ttl %d is not in 1-%d", o.Hops, MaxHops)
	case o.Timeout <= 0 || o.Timeout > MaxTimeout:
		return fmt.Errorf("timeout %v is not in 1-%d seconds", o.Timeout, int(MaxTimeout/time.Second))
	}
	return nil
}

// Traceroute sends echo requests with a growing time to live and writes who
// answers, as Ping does. It ends with the hop that is the target or that says that
// the target cannot be reached.
func Traceroute(ctx context.Context, o TraceOptions, out io.Writer, asJSON bool) error {
	if err := o.check(); err != nil {
		return err
	}
	end, err := begin()
	if err != nil {
		return err
	}
	defer end()
	c, err := dial(ctx, o.Path, false)
	if err != nil {
		return err
	}
	defer c.Close()
	return traceroute(ctx, o, c, out, asJSON)
}

// hop is what the probes of one time to live found.
type hop struct {
	TTL    int          `json:"hop"`
	Probes []traceProbe `json:"probes"`
}

type traceProbe struct {
	From string   `json:"address,omitempty"`
	RTT  *float64 `json:"rtt,omitempty"` // milliseconds
	Mark string   `json:"mark,omitempty"`
}

type traceJSON struct {
	Target  string `json:"target"`
	Source  string `json:"source,omitempty"`
	VRF     string `json:"vrf,omitempty"`
	Reached bool   `json:"reached"`
	Hops    []hop  `json:"hops"`
}

// traceSize is the size of the IP packets of a traceroute.
const traceSize = 60

func traceroute(ctx context.Context, o TraceOptions, c conn, out io.Writer, asJSON bool) error {
	p, w := newProber(c, o.Target, traceSize, o.Timeout), &live{w: out, mute: asJSON}
	w.printf("Type escape sequence to abort.\nTracing the route to %v\n", o.Target.WithZone(""))
	if o.VRF != "" {
		w.printf("VRF info: %s\n", o.VRF)
	}
	if o.Source.IsValid() {
		w.printf("Packet sent with a source address of %v\n", o.Source.WithZone(""))
	}
	all := traceJSON{Target: o.Target.String(), VRF: o.VRF, Hops: []hop{}}
	if o.Source.IsValid() {
		all.Source = o.Source.String()
	}
	for ttl, done := 1, false; ttl <= o.Hops && !done && w.err == nil; ttl++ {
		h, last, err := p.hop(ctx, ttl, o.Probes, w)
		if len(h.Probes) > 0 {
			all.Hops = append(all.Hops, h)
		}
		all.Reached = all.Reached || last == reply
		done = last != silence
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			return errors.Join(err, w.err)
		}
	}
	if asJSON && w.err == nil {
		return cli.WriteJSON(out, all)
	}
	return w.err
}

// hop probes one time to live and writes its line. last is the kind of answer
// after which there is no further hop, or silence.
func (p *prober) hop(ctx context.Context, ttl, probes int, w *live) (h hop, last kind, err error) {
	h.TTL = ttl
	w.printf("%3d", ttl)
	var from netip.Addr
	for range probes {
		got, err := p.try(ctx, ttl)
		if err != nil {
			w.printf("\n")
			return h, last, err
		}
		if got.from.IsValid() && got.from != from {
			from = got.from
			w.printf(" %v", from.WithZone(""))
		}
		t := traceProbe{Mark: traceMark(got.kind)}
		if got.from.IsValid() {
			t.From = got.from.String()
		}
		if got.kind == reply || got.kind == expired || got.kind == noPort {
			rtt := fraction(got.rtt)
			t.RTT = &rtt
			w.printf(" %d msec", msec(got.rtt))
		} else {
			w.printf(" %s", t.Mark)
		}
		h.Probes = append(h.Probes, t)
		if got.kind != silence && got.kind != expired && last != reply {
			last = got.kind
		}
	}
	w.printf("\n")
	return h, last, nil
}

// traceMark is how an answer that is not the usual one is shown.
func traceMark(k kind) string {
	switch k {
	case reply, expired:
		return ""
	case silence:
		return "*"
	case noNet:
		return "!N"
	case noHost:
		return "!H"
	case noProtocol:
		return "!P"
	case noPort:
		return "!U"
	case forbidden:
		return "!A"
	case tooBig:
		return "!M"
	}
	return "?"
}
