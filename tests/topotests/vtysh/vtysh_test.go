package vtysh_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/lab1"
	"github.com/godmvpn/godmvpn/tests/topotests/labs"
	"github.com/godmvpn/godmvpn/vtysh/client"
	"github.com/godmvpn/godmvpn/vtysh/shell/shelltest"
)

func TestMain(m *testing.M) { harness.Main(m) }

// base is the configuration with which the routers of the scripts start.
const base = "hostname R1\ninterface-alias GigabitEthernet1 wan\ninterface GigabitEthernet1\n ip address 192.0.2.1 255.255.255.252\n"

// router starts a router with two links.
func router(t *testing.T, config string) (*harness.Node, *harness.Zebra) {
	tp := harness.New(t)
	n := tp.Node("r1")
	tp.Link(n, "wan", "", tp.Node("inet"), "eth0", "192.0.2.2/30")
	tp.Link(n, "lan", "", tp.Node("host"), "eth0", "10.10.0.10/24")
	return n, n.StartZebra(config)
}

func binDir(t *testing.T) string {
	t.Helper()
	path, err := harness.Binary("vtysh")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(path)
}

// TestScripts runs the scripts. In them $RUN is the run directory; "restart" ends
// zebra in order and starts it again.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			n, z := router(t, base)
			restart := func(ts *testscript.TestScript, neg bool, args []string) {
				if err := z.Terminate(30 * time.Second); err != nil {
					ts.Fatalf("zebra ended with %v", err)
				}
				z = n.RestartZebra()
			}
			screen := func(ts *testscript.TestScript) (args, env []string) {
				return []string{"--rundir", n.Rundir()}, []string{"HOME=" + ts.Getenv("WORK")}
			}
			testscript.Run(t, testscript.Params{
				Files: []string{file},
				Cmds: map[string]func(*testscript.TestScript, bool, []string){"restart": restart, "json": isJSON,
					"eventually": eventually, "terminal": shelltest.Terminal("vtysh", screen)},
				Setup: func(e *testscript.Env) error {
					e.Setenv("RUN", n.Rundir())
					e.Setenv("PATH", binDir(t)+":"+e.Getenv("PATH"))
					return nil
				},
			})
		})
	}
}

// isJSON checks that the last output is one JSON value.
func isJSON(ts *testscript.TestScript, neg bool, _ []string) {
	if json.Valid([]byte(ts.ReadFile("stdout"))) == neg {
		ts.Fatalf("JSON: %v", !neg)
	}
}

// eventually runs a command until its output has a text: eventually TEXT PROGRAM ARG...
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	var out []byte
	err := harness.Poll(30*time.Second, func() error {
		var err error
		cmd := exec.Command(filepath.Join(strings.Split(ts.Getenv("PATH"), ":")[0], args[1]), args[2:]...)
		if out, err = cmd.CombinedOutput(); err == nil && bytes.Contains(out, []byte(args[0])) == neg {
			err = os.ErrNotExist
		}
		return err
	})
	if err != nil {
		ts.Fatalf("%q: %s", args[0], out)
	}
}

// shows returns every show command of a grammar that needs no argument.
func shows(g *cli.Grammar) []string {
	var lines []string
	for _, c := range g.Tree().Commands {
		if !strings.HasPrefix(c.Pattern, "show ") || c.Owner == cli.SessionOwner || strings.HasPrefix(c.Pattern, "show eigrp downgrade-cli") {
			continue // the last one has to be given an instance that there is
		}
		for _, words := range variants(strings.Fields(strings.NewReplacer("[", " [ ", "]", " ] ").Replace(c.Pattern))) {
			line := strings.Join(words, " ")
			if m, err := g.Parse([]string{cli.ModeEnable}, line); err == nil && m.Command.ID == c.ID && !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// variants spells a pattern out: optional parts that are keywords with and
// without, choices one by one. What needs an argument does not parse later.
func variants(pattern []string) [][]string {
	if len(pattern) == 0 {
		return [][]string{nil}
	}
	word, rest := pattern[0], pattern[1:]
	if word == "[" {
		end := 1
		for depth := 1; depth > 0; end++ {
			depth += map[string]int{"[": 1, "]": -1}[pattern[end]]
		}
		inside := slices.Concat(pattern[1:end-1], pattern[end:])
		return append(variants(pattern[end:]), variants(inside)...)
	}
	words := []string{word}
	if _, choice, ok := strings.Cut(strings.TrimSuffix(word, "}"), "{"); ok && strings.HasSuffix(word, "}") {
		words = strings.Split(choice, "|")
	}
	var out [][]string
	for _, w := range words {
		for _, tail := range variants(rest) {
			out = append(out, append([]string{w}, tail...))
		}
	}
	return out
}

// TestEveryShow runs every show command as text and as JSON, on a hub that runs
// every daemon.
func TestEveryShow(t *testing.T) {
	n, _ := router(t, labs.Crypto()+lab1.Config("hub")+"router rip\n version 2\n network 172.31.0.0\nrouter eigrp 100\n network 172.31.0.0\n"+
		"router ospf 1\n network 172.31.0.0 0.0.0.255 area 0\nrouter bgp 65000\n neighbor 172.31.0.11 remote-as 65000\n")
	c, err := client.Dial(n.Rundir())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	state, err := c.Refresh(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := shows(state.Grammar)
	if len(lines) < 30 || !slices.Contains(lines, "show ip nhrp brief") || !slices.Contains(lines, "show ipv6 route summary") {
		t.Errorf("found only %q", lines)
	}
	n.MustVtysh(append([]string{"write memory"}, lines...)...)
	for _, line := range lines {
		var out bytes.Buffer
		var v map[string]any
		if err := c.Exec(t.Context(), line, true, &out); err != nil {
			t.Errorf("%s: %v", line, err)
		} else if err := json.Unmarshal(out.Bytes(), &v); err != nil {
			t.Errorf("%s: no JSON object: %v in %q", line, err, out.String())
		}
	}
	t.Logf("%d commands", len(lines))
}

// TestPaste pastes the lines of a lab, as an engineer does, into a router that
// has nothing.
func TestPaste(t *testing.T) {
	n, _ := router(t, "")
	cmd := exec.Command(filepath.Join(binDir(t), "vtysh"), "--rundir", n.Rundir())
	cmd.Stdin = strings.NewReader("configure terminal\n" + lab1.Config("hub") + "end\nwrite memory\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "[OK]") {
		t.Fatalf("%v\n%s", err, out)
	}
	saved, err := os.ReadFile(filepath.Join(n.Rundir(), "godmvpn.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(lab1.Config("hub")) {
		line = strings.TrimRight(line, "\n")
		switch strings.TrimSpace(line) {
		case "no shutdown", "no ip redirects", "ip nhrp map multicast dynamic": // what is so by default
			continue
		}
		if !strings.Contains(string(saved), line+"\n") {
			t.Errorf("%q was pasted and is not in the saved configuration:\n%s", line, saved)
		}
	}
	running := n.MustVtysh("show running-config")
	if running != string(saved) {
		t.Errorf("saved:\n%s\nrunning:\n%s", saved, running)
	}
	harness.Eventually(t, 30*time.Second, func() error {
		return n.ShowJSON("show ip interface brief", `{"interfaces": [{"name": "Tunnel0", "up": true, "addresses": ["172.31.0.1/24"]}]}`)
	})
}

// TestSecondZebra: another zebra with the same run directory ends at once, and
// the first one does not notice.
func TestSecondZebra(t *testing.T) {
	n, z := router(t, base)
	bin, err := harness.Binary("zebra")
	if err != nil {
		t.Fatal(err)
	}
	second := n.Start("second", bin, "--config", filepath.Join(n.Rundir(), "godmvpn.conf"), "--rundir", n.Rundir())
	if err := second.Wait(30 * time.Second); err == nil {
		t.Error("a second zebra ran and ended well")
	}
	out, err := os.ReadFile(filepath.Join(n.Rundir(), "second.out"))
	if err != nil || !strings.Contains(string(out), "another zebra") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(n.Rundir(), "ready")); err != nil || !z.Running() {
		t.Errorf("the first zebra is not ready any more: %v, running %v", err, z.Running())
	}
	n.MustVtysh("show version")
}

// TestFailedStart: a configuration of which one line is refused, after a daemon
// was started to check its own, leaves nothing behind: no process, no socket, no
// device, and zebra starts with a better one.
func TestFailedStart(t *testing.T) {
	tp := harness.New(t)
	n := tp.Node("r1")
	tp.Link(n, "wan", "", tp.Node("inet"), "eth0", "192.0.2.2/30")
	const good = "interface wan\n ip address 192.0.2.1 255.255.255.252\ninterface Tunnel0\n tunnel source wan\n tunnel mode gre multipoint\n ip nhrp network-id 1\n"
	file := filepath.Join(n.Rundir(), "godmvpn.conf")
	for _, bad := range []string{"ip route 10.0.0.1 255.0.0.0 192.0.2.2\n", "daemon nosuchd\n", "interface Tunnel1\n ip nhrp nhs 0.0.0.0\n"} {
		if err := os.WriteFile(file, []byte(good+bad), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := n.LaunchZebra().Wait(60 * time.Second); err == nil {
			t.Errorf("%q: zebra ended well", bad)
		}
		harness.Eventually(t, 30*time.Second, func() error {
			if pids := n.Pids(""); len(pids) > 0 {
				return fmt.Errorf("%q: processes %v are left", bad, pids)
			}
			return nil
		})
		for _, name := range []string{"ready", "zebra.vty"} {
			if _, err := os.Stat(filepath.Join(n.Rundir(), name)); err == nil {
				t.Errorf("%q: %s is left", bad, name)
			}
		}
		for _, d := range n.Devices() {
			if strings.HasPrefix(d.Name, "Tunnel") {
				t.Errorf("%q: %s is left", bad, d.Name)
			}
		}
	}
	n.StartZebra(good)
	n.MustVtysh("show ip nhrp")
}

// TestLinesWhileADaemonDies kills nhrpd and types lines for it all the while. A
// line is taken or refused, and what was taken is what the daemon goes by.
func TestLinesWhileADaemonDies(t *testing.T) {
	n, _ := router(t, lab1.Config("hub"))
	taken, refused, limit := 0, 0, 0
	for range 3 {
		var pids []int
		harness.Eventually(t, 60*time.Second, func() error {
			if pids = n.Pids("nhrpd"); len(pids) != 1 {
				return fmt.Errorf("nhrpd is %v", pids)
			}
			return nil
		})
		n.KillPid(pids[0])
		for end, after := time.Now().Add(60*time.Second), 0; after < 20; { // until it is there again, and a few more
			limit++
			_, err := n.Vtysh("configure terminal", "interface Tunnel0", fmt.Sprintf("ip nhrp max-send %d every 10", limit))
			switch {
			case err == nil:
				taken = limit
				after++
			case strings.Contains(err.Error(), "nhrpd cannot be asked") && time.Now().Before(end):
				refused++
			default:
				t.Fatal(err)
			}
		}
	}
	t.Logf("the last line taken was %d, %d were refused", taken, refused)
	if out := n.MustVtysh("show running-config | include max-send"); out != fmt.Sprintf(" ip nhrp max-send %d every 10\n", taken) {
		t.Errorf("line %d was taken, in force is %q", taken, out)
	}
	harness.Eventually(t, 60*time.Second, func() error {
		out, err := n.Vtysh("show ip nhrp traffic")
		if err == nil && !strings.Contains(out, fmt.Sprintf("Max-send limit:%dPkts/10Sec", taken)) {
			err = fmt.Errorf("line %d was taken, nhrpd goes by\n%s", taken, out)
		}
		return err
	})
}
