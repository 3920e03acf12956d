package plugin_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/plugin/plugintest"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

const debugPackets = 2

var facilities = telemetry.Facilities{Heading: "RIP", List: []telemetry.Facility{
	{Words: "rip", Text: "RIP protocol debugging", Help: "Routing Information Protocol"},
	{Words: "rip events", Text: "RIP event debugging", Help: "Events"},
	{Words: "rip packets", Text: "RIP packet debugging", Help: "Packets"},
}}

// talker is a daemon that can be debugged and does nothing else.
type talker struct {
	plugin.Daemon // the other methods are not called
	client        *session.Client
	debug         *telemetry.Debug
}

func newTalker() *talker {
	d := &talker{client: session.NewClient(func(rib.Event) {})}
	d.debug = plugin.NewDebug(facilities, d.client, nil)
	return d
}

func (d *talker) Grammar(context.Context) (cli.Tree, error) {
	return cli.Tree{Commands: append(plugin.DebugCommands(facilities), cli.ProtocolsCommands()...)}, nil
}

func (d *talker) Session(ctx context.Context, s session.Stream) error { return d.client.Run(ctx, s) }

func (d *talker) Exec(_ context.Context, cmd plugin.Command, out io.Writer) error {
	if done, err := plugin.ExecDebug(d.debug, cmd, out); done {
		return err
	}
	return fmt.Errorf("unknown: %s", cmd.ID)
}

// TestDebugCommands types what an engineer types, through gRPC and the grammar as
// zebra has it.
func TestDebugCommands(t *testing.T) {
	h := plugintest.NewHarness(t, newTalker())
	tree, err := h.Grammar(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g, err := cli.Merge(cli.Owned{Owner: "ripd", Tree: tree})
	if err != nil {
		t.Fatal(err)
	}
	if u := g.Undocumented(); len(u) > 0 {
		t.Errorf("without help: %q", u)
	}
	for _, step := range []struct{ line, want string }{
		{"show debugging", ""},
		{"debug rip packets", "RIP packet debugging is on\n"},
		{"show debugging", "RIP:\n  RIP packet debugging is on\n"},
		{"debug rip", "RIP protocol debugging is on\n"},
		{"undebug rip packets", "RIP packet debugging is off\n"},
		{"sh debug", "RIP:\n  RIP protocol debugging is on\n  RIP event debugging is on\n"},
		{"no debug rip events", "RIP event debugging is off\n"},
		{"show debugging", "RIP:\n  RIP protocol debugging is on\n"},
		{"undebug all", ""},
		{"show debugging", ""},
		{"deb rip", "RIP protocol debugging is on\n"},
		{"undebug rip", "RIP protocol debugging is off\n"},
		{"show debugging", ""},
		{"debug rip ev", "RIP event debugging is on\n"},
		{"no debug all", ""},
		{"show debugging", ""},
		{"show ip protocols", "error: unknown: " + cli.ShowProtocols},
	} {
		m, lineErr := g.Parse([]string{cli.ModeEnable}, step.line)
		if lineErr != nil {
			t.Errorf("%s", lineErr.Report())
			continue
		}
		var out bytes.Buffer
		if err := h.Exec(t.Context(), plugin.Command{ID: m.Command.ID, Args: m.Args, No: m.No}, &out); err != nil {
			fmt.Fprintf(&out, "error: %v", err)
		}
		if out.String() != step.want {
			t.Errorf("%s: %q, want %q", step.line, out.String(), step.want)
		}
	}
	for _, line := range []string{"no undebug rip", "debug all", "debug", "debug rip all"} {
		if m, lineErr := g.Parse([]string{cli.ModeEnable}, line); lineErr == nil {
			t.Errorf("%q is taken for %q", line, m.Canonical)
		}
	}
	if _, lineErr := g.Parse([]string{cli.ModeExec}, "debug rip"); lineErr == nil {
		t.Error("debugging without privileges")
	}
}

// TestDebugJSON wants the same facts for programs.
func TestDebugJSON(t *testing.T) {
	h := plugintest.NewHarness(t, newTalker())
	exec := func(id string, args cli.Args) string {
		t.Helper()
		var out bytes.Buffer
		if err := h.Exec(t.Context(), plugin.Command{ID: id, Args: args, JSON: true}, &out); err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(out.String()), " ")
	}
	for _, step := range [][2]string{
		{exec(cli.ShowDebugging, nil), `{ "debugging": [] }`},
		{exec("debug.rip", cli.Args{"facility": {Text: "events"}}), `{ "text": "RIP event debugging is on" }`},
		{exec(cli.ShowDebugging, nil), `{ "debugging": [ { "heading": "RIP", "facility": "rip events", "text": "RIP event debugging is on" } ] }`},
	} {
		if step[0] != step[1] {
			t.Errorf("%s, want %s", step[0], step[1])
		}
	}
	if err := h.Exec(t.Context(), plugin.Command{ID: "debug.ospf"}, io.Discard); err == nil {
		t.Error("another protocol's debugging")
	}
}

// TestDebugNeverBlocks debugs while nobody takes the lines: what is too much is
// dropped, and the next record that zebra gets says how much.
func TestDebugNeverBlocks(t *testing.T) {
	d := newTalker()
	h := plugintest.NewHarness(t, d)
	const many = 5000
	for i := range many {
		d.debug.Printf(debugPackets, "early %d", i) // off: no line
	}
	d.debug.Set("rip packets", true)
	for i := range many {
		d.debug.Printf(debugPackets, "RIP: packet %d", i)
	}
	zebra, _ := h.Attach()
	seen, dropped, last := 0, uint64(0), ""
	for last != fmt.Sprintf("RIP: packet %d", many-1) {
		batch, err := zebra.Recv()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range batch {
			if l, ok := m.(session.Log); ok {
				seen, dropped, last = seen+1, dropped+l.Dropped, l.Message
				if telemetry.SeverityOf(l.Level) != telemetry.Debugging {
					t.Fatalf("severity of %+v", l)
				}
			}
		}
	}
	if diff := cmp.Diff(many, seen+int(dropped)); diff != "" || dropped == 0 {
		t.Errorf("%d lines came, %d were dropped, of %d", seen, dropped, many)
	}
}

// BenchmarkDebugNobodyListens is what a line costs the daemon while its queue is
// full.
func BenchmarkDebugNobodyListens(b *testing.B) {
	d := newTalker()
	d.debug.Set("rip", true)
	for b.Loop() {
		d.debug.Printf(debugPackets, "RIP: received v2 update from %s on %s", "10.0.0.2", "Tunnel0")
	}
}
