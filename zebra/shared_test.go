package zebra

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

// teller is a daemon that knows exec commands and nothing else.
type teller struct {
	plugin.Daemon // the other methods are not called
	exec          func(ctx context.Context, cmd plugin.Command, out io.Writer) error
}

func (d *teller) Exec(ctx context.Context, cmd plugin.Command, out io.Writer) error {
	return d.exec(ctx, cmd, out)
}

// says is a daemon that answers with a text, or with other if JSON is wanted.
func says(text, other string) *teller {
	return &teller{exec: func(_ context.Context, cmd plugin.Command, out io.Writer) error {
		if cmd.JSON {
			text = other
		}
		_, err := io.WriteString(out, text)
		return err
	}}
}

// fails is a daemon that answers a text and then an error.
func fails(text string, err error) *teller {
	return &teller{exec: func(_ context.Context, _ plugin.Command, out io.Writer) error {
		io.WriteString(out, text)
		return err
	}}
}

// hangs is a daemon that answers a text and then nothing.
func hangs(text string) *teller {
	return &teller{exec: func(ctx context.Context, _ plugin.Command, out io.Writer) error {
		io.WriteString(out, text)
		<-ctx.Done()
		return fmt.Errorf("%w: stuck", ctx.Err())
	}}
}

// execRouter is a router with these daemons enabled; nil ones are not attached.
func execRouter(daemons_ map[string]plugin.Daemon) *router {
	r := &router{log: slog.New(slog.DiscardHandler)}
	r.daemons = &daemons{router: r, enabled: map[string]bool{}, live: map[string]plugin.Daemon{},
		changed: make(chan struct{}), turns: map[string]*sync.Mutex{}}
	for name, d := range daemons_ {
		r.daemons.enabled[name] = true
		if d != nil {
			r.daemons.live[name] = d
		}
	}
	return r
}

// shared runs a shared command of all daemons that a test has.
func (r *router) shared(t *testing.T, id string, asJSON bool) string {
	t.Helper()
	of := &cli.Command{ID: id, Shared: true, Owner: zcli.Owner,
		Owners: []string{zcli.Owner, "nhrpd", "ripd", "eigrpd", "ospfd", "bgpd", "ipsecd", "otherd"}}
	var out bytes.Buffer
	if err := r.Exec(t.Context(), of, plugin.Command{ID: id, JSON: asJSON}, &out); err != nil {
		t.Errorf("%s: %v", id, err)
	}
	return out.String()
}

// TestSharedText joins the sections of zebra and daemons in every state. It takes
// as long as one slow daemon, however many there are.
func TestSharedText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := execRouter(map[string]plugin.Daemon{
			"nhrpd":  says("", ""),
			"ripd":   says("rip\n  two\n", ""),
			"eigrpd": nil,
			"ospfd":  hangs("ospf, half"),
			"bgpd":   fails("", fmt.Errorf("%w: EOF", plugin.ErrGone)),
			"ipsecd": fails("ipsec", errors.New("no such VRF")),
			"otherd": hangs(""),
		})
		start := time.Now()
		got := r.shared(t, cli.UndebugAll, false)
		want := "All possible debugging has been turned off\n" +
			"\nrip\n  two\n" +
			"\n% eigrpd is not running\n" +
			"\nospf, half\n% ospfd does not answer\n" +
			"\n% bgpd is not running\n" +
			"\nipsec\n% ipsecd: no such VRF\n" +
			"\n% otherd does not answer\n"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if took := time.Since(start); took != sharedWithin {
			t.Errorf("took %v", took)
		}
		if got := execRouter(nil).shared(t, cli.ShowDebugging, false); got != "" {
			t.Errorf("nobody says %q", got)
		}
	})
}

// TestSharedJSON merges objects: lists are joined in order, objects merged, and
// what cannot be merged is told and leaves the rest alone.
func TestSharedJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			name    string
			daemons map[string]plugin.Daemon
			want    string
		}{
			{"nobody", nil, `{}`},
			{"lists, objects and exact numbers", map[string]plugin.Daemon{
				"nhrpd": says("", `{"p":[1,{"a":12345678901234567890}],"o":{"x":1,"l":[1]},"n":1.50}`),
				"ripd":  says("", `{"p":[],"o":{"y":{},"l":[2]}}`),
				"bgpd":  says("", `{"p":[3],"b":null}`),
			}, `{"b":null,"n":1.50,"o":{"l":[1,2],"x":1,"y":{}},"p":[1,{"a":12345678901234567890},3]}`},
			{"faults", map[string]plugin.Daemon{
				"nhrpd":  says("", `{"v":1,"o":{"x":1},"l":[1]}`),
				"ripd":   says("", `{"a":1,"v":1}`),
				"eigrpd": says("", `{"o":{"x":2}}`),
				"ospfd":  says("", `{"l":{"x":2}}`),
				"bgpd":   nil,
				"ipsecd": hangs(`{"half":`),
			}, `{"errors":{"bgpd":"bgpd is not running","eigrpd":"eigrpd: key \"o\": key \"x\": another daemon has answered it already",` +
				`"ipsecd":"ipsecd does not answer","ospfd":"ospfd: key \"l\": another daemon has answered it already",` +
				`"ripd":"ripd: key \"v\": another daemon has answered it already"},"l":[1],"o":{"x":1},"v":1}`},
			{"no objects", map[string]plugin.Daemon{
				"nhrpd":  says("", `[1]`),
				"ripd":   says("", `null`),
				"eigrpd": says("", ``),
				"ospfd":  says("", `{"a":1`),
				"bgpd":   says("", `{"errors":{}}`),
				"ipsecd": says("", `{"l":null}`),
			}, `{"errors":{"bgpd":"bgpd: the answer has the key \"errors\"","eigrpd":"eigrpd: the answer is no JSON object",` +
				`"nhrpd":"nhrpd: the answer is no JSON object","ospfd":"ospfd: the answer is no JSON object",` +
				`"ripd":"ripd: the answer is no JSON object"},"l":null}`},
		} {
			got := execRouter(tc.daemons).shared(t, cli.ShowDebugging, true)
			if got = compact(t, got); got != tc.want {
				t.Errorf("%s:\ngot  %s\nwant %s", tc.name, got, tc.want)
			}
		}
	})
}

// TestSharedTooLong bounds what a daemon may say.
func TestSharedTooLong(t *testing.T) {
	r := execRouter(map[string]plugin.Daemon{
		"nhrpd": &teller{exec: func(_ context.Context, _ plugin.Command, out io.Writer) error {
			for {
				if _, err := out.Write(make([]byte, 1<<20)); err != nil {
					return err
				}
			}
		}},
		"ripd": says("rip\n", "")})
	got := r.shared(t, cli.ShowDebugging, false)
	if !strings.HasSuffix(got, "\n% nhrpd: the answer is too long\n\nrip\n") || len(got) > maxPart+100 {
		t.Errorf("%d bytes, at the end %q", len(got), got[max(0, len(got)-100):])
	}
}

// TestSharedCancelled: who has gone away gets nothing.
func TestSharedCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := execRouter(map[string]plugin.Daemon{"nhrpd": &teller{exec: func(ctx context.Context, _ plugin.Command, _ io.Writer) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}})
	var out bytes.Buffer
	of := &cli.Command{Shared: true, Owners: []string{"nhrpd"}}
	if err := r.Exec(ctx, of, plugin.Command{}, &out); !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
}
