package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/cli"
)

func TestHelpAndCompletion(t *testing.T) {
	g := newRouter(t).g
	inIf := []string{"config", "interface"}
	exec := []string{"enable"}
	for _, tc := range []struct {
		stack    []string
		head     string
		key      byte
		shown    string
		appended string
	}{
		{inIf, "tunnel m", '?', "  mode  Encapsulation\n  mtu\n\n", ""},
		{inIf, "tunnel mode gre ", '?', "  ip          Over IPv4, point to point\n  multipoint  Over IPv4, multipoint\n\n", ""},
		{inIf, "tunnel mode gre ip ", '?', "  <cr>\n\n", ""},
		{inIf, "tunnel key ", '?', "  <0-4294967295>\n\n", ""},
		{inIf, "tunnel bad ", '?', "% Unrecognized command\n", ""},
		{inIf, "ip address ", '?', "  A.B.C.D/M  Address and length\n\n", ""},
		{inIf, "do show version ", '?', "  |     Output modifiers\n  <cr>\n\n", ""},
		{inIf, "do sh", tab, "", "ow "},
		{exec, "show version | ", '?', "  begin    Begin with the line that matches\n  count    Count the lines, or those that match\n  exclude  Show lines that do not match\n  include  Show lines that match\n  json     Show the output as JSON\n  section  Show the sections whose first line matches\n\n", ""},
		{exec, "show version | inc", tab, "", "lude "},
		{exec, "show v", tab, "", "ersion "},
		{exec, "show version", tab, "", " "},
		{exec, "", tab, "", ""},
		{exec, "  ", tab, "", ""},
		{exec, "d", '?', "  disable  Turn off privileged commands\n\n", ""},
		{inIf, "no tunnel m", tab, "mode  mtu\n", ""},
		{inIf, "tunnel k", tab, "", "ey "},
		{inIf, "interface Tunnel0", tab, "IFNAME\n", ""},
		{[]string{"config", "router", "af"}, "exit-a", tab, "", "ddress-family "},
	} {
		shown, appended := complete(g, tc.stack, tc.head, tc.key, 80)
		if shown != tc.shown || appended != tc.appended {
			t.Errorf("%q %q: appended %q, shown\n%s", tc.head, tc.key, appended, cmp.Diff(tc.shown, shown))
		}
	}
}

func TestKeys(t *testing.T) {
	k := newKeys(nil)
	for _, tc := range []struct{ in, out, helps string }{
		{"show ?", "show \t", "?"},
		{"sh\t ?", "sh\t \t", "\t?"},
		{"why\x16?", "why?", ""},
		{"\x16\x16", "\x16", ""},
		{"abc\x1a", "abc\x05\x15" + endLine + "\r", ""},
		{"\x03", "\x03", ""},
	} {
		if got := string(k.translate([]byte(tc.in))); got != tc.out {
			t.Errorf("%q: got %q", tc.in, got)
		}
		for i := range len(tc.helps) {
			if got := k.help(); got != tc.helps[i] {
				t.Errorf("%q: key %d is %q", tc.in, i, got)
			}
		}
	}
	stopped := 0
	k.setRunning(func() { stopped++ })
	if got := k.translate([]byte("a\x03b")); string(got) != "ab" || stopped != 1 {
		t.Errorf("Ctrl-C in a command: %q, stopped %d", got, stopped)
	}
	k.setRunning(nil)
	k.hold()
	if got := k.translate([]byte(" q")); len(got) != 0 {
		t.Errorf("%q went past the pager", got)
	}
	if b, err := k.page(t.Context()); b != ' ' || err != nil {
		t.Errorf("the pager got %q %v", b, err)
	}
	k.pageDone()
	if got := string(k.translate([]byte("x"))); got != "x" || len(k.more) != 0 {
		t.Errorf("after the pager: %q, %d keys left", got, len(k.more))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.page(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a pager whose command has ended: %v", err)
	}
}

func TestHelpKeysAreBounded(t *testing.T) {
	k := newKeys(nil)
	out := k.translate(bytes.Repeat([]byte{'?'}, 10*maxQueued))
	if len(out) != maxQueued || len(k.helps) != maxQueued {
		t.Errorf("%d TABs for %d keys", len(out), len(k.helps))
	}
}

func TestPager(t *testing.T) {
	run := func(text string, keys string, rows, width int) (string, error) {
		var out strings.Builder
		i := 0
		p := newPager(t.Context(), &out, rows, width, func(context.Context) (byte, error) {
			if i == len(keys) {
				return 0, errTerminal
			}
			i++
			return keys[i-1], nil
		})
		_, err := p.Write([]byte(text))
		return strings.ReplaceAll(out.String(), more+erase, "^"), err
	}
	for _, tc := range []struct {
		text, keys  string
		rows, width int
		want        string
		quit        bool
	}{
		{"1\n2\n3\n", "", 4, 80, "1\n2\n3\n", false},
		{"1\n2\n3\n4\n", " ", 4, 80, "1\n2\n3\n^4\n", false},
		{"1\n2\n3\n4\n5\n", "x\r\r", 4, 80, "1\n2\n3\n^4\n^5\n", false},
		{"1\n2\n3\n4\n", "q", 4, 80, "1\n2\n3\n^", true},
		{"1\n2\n3\n4\n", "", 4, 80, "1\n2\n3\n^", true}, // the terminal is gone
		{"1\n2\n3\n4\n", "", 0, 80, "1\n2\n3\n4\n", false},
		{"1234567890\n2\n3\n", " ", 4, 5, "1234567890\n2\n^3\n", false}, // a line of two rows
	} {
		got, err := run(tc.text, tc.keys, tc.rows, tc.width)
		if got != tc.want || errors.Is(err, errQuit) != tc.quit {
			t.Errorf("%q with keys %q: %q %v", tc.text, tc.keys, got, err)
		}
	}
}

func TestFilters(t *testing.T) {
	const text = "interface Tunnel0\n ip address 10.0.0.1\n!\nrouter eigrp 1\n network 10.0.0.0\n  deep\nend\nlast"
	for pipe, want := range map[string]string{
		"| include 10\\.":                " ip address 10.0.0.1\n network 10.0.0.0\n",
		"| inc ^router|^end$":            "router eigrp 1\nend\n",
		"| exclude 0":                    "!\nrouter eigrp 1\n  deep\nend\nlast",
		"| begin router":                 "router eigrp 1\n network 10.0.0.0\n  deep\nend\nlast",
		"| section router":               "router eigrp 1\n network 10.0.0.0\n  deep\n",
		"| section exclude router|inter": "!\nend\nlast",
		"| count":                        "Number of lines which match regexp = 8\n",
		"| count 10":                     "Number of lines which match regexp = 2\n",
		"| begin router | include e":     "router eigrp 1\n network 10.0.0.0\n  deep\nend\n",
	} {
		s := testSession(t)
		p, perr := s.parse("show version " + pipe)
		if perr != nil {
			t.Errorf("%s", perr.Report())
			continue
		}
		for _, chunk := range []int{1, 7, len(text)} {
			var out strings.Builder
			w, finish, err := pipeline(p.filters, &out)
			if err != nil {
				t.Fatal(err)
			}
			for b := []byte(text); len(b) > 0; {
				n := min(chunk, len(b))
				if _, err := w.Write(b[:n]); err != nil {
					t.Fatal(err)
				}
				b = b[n:]
			}
			if err := finish(); err != nil || out.String() != want {
				t.Errorf("%s, in chunks of %d: %v\n%s", pipe, chunk, err, cmp.Diff(want, out.String()))
			}
		}
	}
}

func TestFilterHoldsBackABoundedLine(t *testing.T) {
	f := &filter{line: func([]byte) error { return nil }}
	for range 3 * maxFilterLine / 4096 {
		f.Write(make([]byte, 4096))
		if len(f.held) > maxFilterLine {
			t.Fatalf("%d bytes held back", len(f.held))
		}
	}
}

func TestHistoryFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "history")
	h := openHistory(file)
	h.add("one", false)
	h.add("one", false)
	h.add("key s3cret", true)
	h.add("two", false)
	if diff := cmp.Diff([]string{"one", "key s3cret", "two"}, h.lines); diff != "" {
		t.Error(diff)
	}
	if got := openHistory(file).lines; !cmp.Equal(got, []string{"one", "two"}) {
		t.Errorf("read back %q", got)
	}
	var b strings.Builder
	for i := range 3 * maxHistory {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	if err := errors.Join(os.WriteFile(file, []byte(b.String()), 0o644), os.Chmod(file, 0o644)); err != nil {
		t.Fatal(err)
	}
	if got := openHistory(file).lines; len(got) != maxHistory || got[0] != fmt.Sprintf("line %d", 2*maxHistory) {
		t.Errorf("%d lines, first %q", len(got), got[0])
	}
	data, _ := os.ReadFile(file)
	st, _ := os.Stat(file)
	if n := strings.Count(string(data), "\n"); n != maxHistory || st.Mode().Perm() != 0o600 {
		t.Errorf("the file has %d lines and mode %o", n, st.Mode().Perm())
	}
}

// TestModes walks through the modes and checks the prompts.
func TestModes(t *testing.T) {
	s := testSession(t)
	s.mode = cli.ModeExec
	s.host = newBatchHost()
	for _, step := range []struct{ line, prompt string }{
		{"enable", "hub1#"},
		{"disable", "hub1>"},
		{"en", "hub1#"},
		{"conf t", "hub1(config)#"},
		{"router eigrp 1", "hub1(config-router)#"},
		{"address-family ipv4", "hub1(config-router-af)#"},
		{"! comment", "hub1(config-router-af)#"},
		{"do show version", "hub1(config-router-af)#"},
		{"no network 10.0.0.0 0.0.0.255", "hub1(config-router-af)#"},
		{"exit-address-family", "hub1(config-router)#"},
		{"address-family ipv4", "hub1(config-router-af)#"},
		{"interface tu 0", "hub1(config-if)#"},
		{"ip route 0.0.0.0/0 192.0.2.1", "hub1(config)#"},
		{"interface Tunnel0", "hub1(config-if)#"},
		{"exit", "hub1(config)#"},
		{"hostname x", "x(config)#"},
		{"router eigrp 1", "x(config-router)#"},
		{"no router eigrp 1", "x(config)#"},
		{"interface Tunnel0", "x(config-if)#"},
		{"end", "x#"},
		{"exit", "x#"},
	} {
		p, perr := s.parse(step.line)
		if perr != nil {
			t.Fatalf("%s", perr.Report())
		}
		if err := s.run(t.Context(), p, &strings.Builder{}); err != nil {
			t.Fatalf("%q: %v", step.line, err)
		}
		if err := s.refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.prompt(); got != step.prompt {
			t.Errorf("after %q: prompt %q, want %q", step.line, got, step.prompt)
		}
	}
	if !s.done {
		t.Error("exit in exec mode does not end the session")
	}
}

func newBatchHost() *batch { return &batch{} }

// TestModeOfALostDaemon: the mode of a daemon that is gone is left.
func TestModeOfALostDaemon(t *testing.T) {
	s := testSession(t)
	s.mode = cli.ModeConfig
	for _, line := range []string{"router eigrp 1", "address-family ipv4"} {
		p, perr := s.parse(line)
		if perr != nil {
			t.Fatal(perr)
		}
		if err := s.run(t.Context(), p, &strings.Builder{}); err != nil {
			t.Fatal(err)
		}
	}
	tree := fakeTree()
	tree.Modes = tree.Modes[:2] // no "af"
	var kept []cli.Command
	for _, c := range tree.Commands {
		if c.Mode != "af" && c.Enters != "af" {
			kept = append(kept, c)
		}
	}
	tree.Commands = kept
	g, err := cli.Merge(cli.Owned{Owner: "zebra", Tree: tree})
	if err != nil {
		t.Fatal(err)
	}
	s.backend.(*router).g = g
	if err := s.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.prompt(); got != "hub1(config-router)#" {
		t.Errorf("prompt %q", got)
	}
}
