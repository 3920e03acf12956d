// Package router tests what one router does by itself: ping and traceroute in its
// VRFs, and how few privileges its processes have.
//
//	inet 192.0.2.2 ── wan R1 blue (VRF BLUE) 10.20.0.1 ── r2 10.20.0.2, 10.21.0.1 ── host 10.21.0.10
package router_test

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

//go:embed router.conf
var config string

// settle is how long the kernel and the daemons may take.
const settle = 30 * time.Second

func build(t *testing.T) (r1 *harness.Node, zebra *harness.Zebra) {
	tp := harness.New(t)
	inet, r2, r1 := tp.Internet("inet"), tp.Router("r2"), tp.Node("r1")
	tp.Link(inet, "to-r1", "192.0.2.2/30", r1, "wan", "")
	tp.Link(r2, "eth0", "10.20.0.2/24", r1, "blue", "")
	r2.Addr("eth0", "2001:db8:20::2/64")
	r2.Route("default", "10.20.0.1")
	tp.Host("host", r2, "10.21.0.10/24", "10.21.0.1")
	inet.Route("10.255.0.1/32", "192.0.2.1")
	return r1, r1.StartZebra(config + "ip route vrf BLUE 10.21.0.0 255.255.255.0 10.20.0.2\n")
}

// times stands for what differs from run to run.
var times = regexp.MustCompile(`\d+(/\d+/\d+ ms| msec)`)

// TestPing pings and traces in the global table and in a VRF, which know nothing
// of each other.
func TestPing(t *testing.T) {
	r1, _ := build(t)
	harness.Eventually(t, settle, func() error {
		return r1.ShowJSON("ping vrf BLUE 10.21.0.10 repeat 1 timeout 1", `{"received": 1}`)
	})
	harness.Eventually(t, settle, func() error {
		return r1.ShowJSON("ping vrf BLUE 2001:db8:20::2 repeat 1 timeout 1", `{"received": 1}`)
	})
	const head = "Type escape sequence to abort.\n"
	for command, want := range map[string]string{
		"ping 192.0.2.2": head + "Sending 5, 100-byte ICMP Echos to 192.0.2.2, timeout is 2 seconds:\n!!!!!\n" +
			"Success rate is 100 percent (5/5), round-trip min/avg/max = N\n",
		"ping 192.0.2.2 repeat 2 size 1500 df-bit source Loopback0": head + "Sending 2, 1500-byte ICMP Echos to 192.0.2.2, timeout is 2 seconds:\n" +
			"Packet sent with a source address of 10.255.0.1\nPacket sent with the DF bit set\n!!\n" +
			"Success rate is 100 percent (2/2), round-trip min/avg/max = N\n",
		"ping vrf BLUE 10.21.0.10 repeat 3 source gi2": head + "Sending 3, 100-byte ICMP Echos to 10.21.0.10, timeout is 2 seconds:\n" +
			"Packet sent with a source address of 10.20.0.1\n!!!\nSuccess rate is 100 percent (3/3), round-trip min/avg/max = N\n",
		"ping 10.21.0.10 repeat 1": head + "Sending 1, 100-byte ICMP Echos to 10.21.0.10, timeout is 2 seconds:\nU\n" +
			"Success rate is 0 percent (0/1)\n", // inet has no route to it
		"ping vrf BLUE 2001:db8:20::2 repeat 2": head + "Sending 2, 100-byte ICMP Echos to 2001:db8:20::2, timeout is 2 seconds:\n!!\n" +
			"Success rate is 100 percent (2/2), round-trip min/avg/max = N\n",
		"traceroute vrf BLUE 10.21.0.10": head + "Tracing the route to 10.21.0.10\nVRF info: BLUE\n" +
			"  1 10.20.0.2 N N N\n  2 10.21.0.10 N N N\n",
	} {
		if diff := cmp.Diff(want, times.ReplaceAllString(r1.MustVtysh(command), "N")); diff != "" {
			t.Errorf("%s: %s", command, diff)
		}
	}
	for command, want := range map[string]string{
		"ping vrf RED 10.21.0.10":                     "VRF RED does not exist",
		"ping 192.0.2.2 source GigabitEthernet2":      "it is in VRF BLUE",
		"ping vrf BLUE 10.21.0.10 source 192.0.2.1":   "no address of an interface that is up in VRF BLUE",
		"ping 192.0.2.3":                              "broadcast address",
		"traceroute 192.0.2.2 source Null0":           "Null0",
		"ping vrf BLUE 2001:db8:20::2 size 40":        "56-9200",
		"ping vrf BLUE fe80::1":                       "link-local",
		"traceroute vrf BLUE 10.21.0.10 source Tu999": "no such interface",
	} {
		if out, err := r1.Vtysh(command); !strings.Contains(fmt.Sprint(out, err), want) {
			t.Errorf("%s: %q, %v, want %q", command, out, err, want)
		}
	}
}

// capabilities are the different sets of a process's threads.
func capabilities(t *testing.T, pid int) (answers []string) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatal(pid, err)
	}
	for _, name := range tasks {
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // the thread has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		var answer []string
		for line := range strings.Lines(string(b)) {
			key, value, _ := strings.Cut(line, ":")
			if slices.Contains([]string{"CapPrm", "CapEff", "CapBnd", "NoNewPrivs"}, key) {
				answer = append(answer, key+"="+strings.TrimLeft(strings.TrimSpace(value), "0"))
			}
		}
		if a := strings.Join(answer, " "); !slices.Contains(answers, a) {
			answers = append(answers, a)
		}
	}
	return answers
}

// TestPrivileges looks at the processes while they run, and has them do what
// needs rights: write the configuration, make and delete devices, start nhrpd again.
func TestPrivileges(t *testing.T) {
	r1, zebra := build(t)
	check := func(what string, pid int, want string) {
		t.Helper()
		if diff := cmp.Diff([]string{want}, capabilities(t, pid)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	daemon := func(name string, not int) (pid int) {
		t.Helper()
		harness.Eventually(t, settle, func() error {
			for _, pid = range r1.Pids(name) {
				if pid != not && r1.ShowJSON("show daemons", fmt.Sprintf(`{"daemons": [{"name": %q, "pid": %d, "state": "running"}]}`, name, pid)) == nil {
					return nil
				}
			}
			return fmt.Errorf("%s does not run: %v", name, r1.Pids(name))
		})
		return pid
	}
	// CAP_NET_BIND_SERVICE is 10, CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_PERFMON 38, CAP_BPF 39.
	const zebras = "CapPrm=8000003400 CapEff=8000003400 CapBnd=8000003400 NoNewPrivs=1"
	const daemons = "CapPrm=2000 CapEff=2000 CapBnd=8000003400 NoNewPrivs=1"
	check("zebra", zebra.Pid(), zebras)
	first := daemon("nhrpd", 0)
	check("nhrpd", first, daemons)
	r1.Configure("daemon eigrpd")
	check("eigrpd", daemon("eigrpd", 0), daemons)
	r1.Configure("daemon ipsecd")
	check("ipsecd", daemon("ipsecd", 0), "CapPrm=400 CapEff=400 CapBnd=8000003400 NoNewPrivs=1")
	var core unix.Rlimit
	if err := unix.Prlimit(zebra.Pid(), unix.RLIMIT_CORE, nil, &core); err != nil || core.Max != 0 {
		t.Errorf("core files of zebra: %+v, %v", core, err)
	}
	if err := r1.ShowJSON("show daemons", `{"daemons": [{"name": "nhrpd"}]}`); err != nil {
		t.Error(err)
	}
	r1.MustVtysh("restart daemon nhrpd")
	check("nhrpd, again", daemon("nhrpd", first), daemons)
	r1.Configure("interface Loopback7\nip address 10.255.0.7 255.255.255.255\nno interface Loopback0\nvrf definition RED\nno vrf definition RED")
	harness.Eventually(t, settle, func() error {
		var names []string
		for _, d := range r1.Devices() {
			names = append(names, d.Name)
		}
		if !slices.Contains(names, "Loopback7") || slices.Contains(names, "Loopback0") || slices.Contains(names, "RED") {
			return fmt.Errorf("devices %v", names)
		}
		return nil
	})
	if out := r1.MustVtysh("write memory"); !strings.Contains(out, "[OK]") {
		t.Error(out)
	}
	// What the test made itself is the directory, the configuration and what zebra
	// and the harness print to.
	err := filepath.WalkDir(r1.Rundir(), func(path string, d fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = d.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has another name by now
		}
		if err == nil && path != r1.Rundir() && filepath.Ext(path) != ".out" && info.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s is open to all: %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
