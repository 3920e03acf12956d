package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/uml"
)

// Variables of the environment that the harness obeys.
const (
	KernelVariable = "GODMVPN_TOPO_KERNEL" // native, uml; unset: whichever works
	OutputVariable = "GODMVPN_TOPO_OUTPUT" // where failed tests leave their files
)

// Config says what kind of kernel a program needs and how a User-Mode Linux for
// it is to be booted.
type Config struct {
	IPsec bool // ESP is needed
	// Ethernet says that veth devices and bridges are all that is needed: more kernels have them, and
	// programs start ten times as fast as in a User-Mode Linux.
	Ethernet bool
	Memory   string        // of the machine, default uml.DefaultMemory
	Limit    time.Duration // for all, default uml.DefaultLimit; below 0: none
	Socket   string        // control socket for uml.Attach; "" for none
	Message  func(string)  // told in one line where the program runs; nil: standard error
}

// Main is the TestMain of a topology test package: it runs the package's tests
// natively or in a User-Mode Linux, and ends the process.
func Main(m *testing.M) { MainConfig(m, Config{}) }

// MainConfig is Main for packages with needs of their own.
func MainConfig(m *testing.M, cfg Config) {
	uml.InitIfRequested()
	flag.Parse()
	if cfg.Limit == 0 {
		cfg.Limit = uml.DefaultLimit
		if f := flag.Lookup("test.timeout"); f != nil {
			if d, err := time.ParseDuration(f.Value.String()); err == nil && d > 0 {
				cfg.Limit = d + time.Minute // the test binary's own limit tells more
			}
		}
	}
	if status, elsewhere := Enter(cfg); elsewhere {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// Enter decides where the program runs. Where this kernel serves, or the program
// is in the User-Mode Linux already, it returns elsewhere = false and the program
// goes on. Otherwise it runs the program again in a User-Mode Linux, with the same
// arguments, and returns its exit status. A program that calls Enter calls
// uml.InitIfRequested before anything else.
func Enter(cfg Config) (status int, elsewhere bool) {
	if cfg.Message == nil {
		cfg.Message = func(s string) { fmt.Fprintln(os.Stderr, s) }
	}
	if uml.InGuest() {
		return 0, false
	}
	want := os.Getenv(KernelVariable)
	var missing error
	if want != "uml" {
		if missing = probe(cfg); missing == nil {
			becomeSubreaper()
			return 0, false
		}
	}
	if want == "native" {
		cfg.Message(fmt.Sprintf("harness: this kernel cannot run topologies: %v", missing))
		return 1, true
	}
	if err := uml.Available(); err != nil {
		cfg.Message(fmt.Sprintf("harness: no kernel for topologies: here: %v; and %v", missing, err))
		return 1, true
	}
	cfg.Message(fmt.Sprintf("harness: running in User-Mode Linux, as this kernel does not serve (%s)", reason(missing)))
	status, err := enterUML(cfg)
	if err != nil {
		cfg.Message(fmt.Sprintf("harness: %v", err))
		return 1, true
	}
	return status, true
}

func reason(missing error) string {
	if missing == nil {
		return "not wanted, " + KernelVariable + "=uml"
	}
	return strings.ReplaceAll(missing.Error(), "\n", "; ")
}

// enterUML runs this very program, with its arguments, in a User-Mode Linux.
func enterUML(cfg Config) (int, error) {
	out := outputRoot()
	if err := os.MkdirAll(out, 0o755); err != nil {
		return -1, err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer cancel()
	modules := append([]string(nil), uml.NetworkModules...)
	if cfg.IPsec {
		modules = append(modules, uml.IPsecModules...)
	}
	m, err := uml.Boot(ctx, uml.Config{Memory: cfg.Memory, Limit: cfg.Limit, Socket: cfg.Socket,
		Modules: modules, Writable: []string{out}})
	if err != nil {
		return -1, err
	}
	defer m.Close()
	self, err := os.Executable()
	if err != nil {
		return -1, err
	}
	return m.Run(ctx, uml.Command{
		Args: append([]string{self}, os.Args[1:]...), Stdout: os.Stdout, Stderr: os.Stderr,
		Env: append(os.Environ(), OutputVariable+"="+out),
	})
}

// outputRoot is the directory for the files of failed tests.
func outputRoot() string {
	if dir := os.Getenv(OutputVariable); dir != "" {
		return dir
	}
	if root, err := repositoryRoot(); err == nil {
		return filepath.Join(root, "build", "topotests")
	}
	return filepath.Join(os.TempDir(), "godmvpn-topotests")
}

// repositoryRoot is the directory of go.mod, upwards from the working directory,
// which for a test is its package's.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}

// becomeSubreaper makes orphans in topologies children of this process, so that
// they can be found and do not outlive it as somebody else's.
func becomeSubreaper() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// Probe tells whether topologies can run in network namespaces of this kernel,
// by making one of each kind of device in a namespace of its own. The error
// names all that is missing.
func Probe(ipsec bool) error { return probe(Config{IPsec: ipsec}) }

func probe(cfg Config) error {
	if os.Geteuid() != 0 {
		return errors.New("not root")
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		ns, err := netns.New()
		if err != nil {
			result <- fmt.Errorf("no network namespaces: %w", err)
			return
		}
		defer ns.Close()
		result <- probeDevices(cfg)
	}()
	return <-result
}

// probeDevices tries each kind of device in the current namespace.
func probeDevices(cfg Config) error {
	attrs := func(name string) netlink.LinkAttrs {
		a := netlink.NewLinkAttrs()
		a.Name = name
		return a
	}
	var missing []error
	kinds, reasons := map[string][]string{}, []string(nil) // devices by what the kernel says
	devices := []netlink.Link{
		&netlink.Veth{LinkAttrs: attrs("veth0"), PeerName: "veth1"},
		&netlink.Bridge{LinkAttrs: attrs("bridge0")},
		&netlink.Dummy{LinkAttrs: attrs("dummy0")},
		&netlink.Vrf{LinkAttrs: attrs("vrf0"), Table: 10},
		&netlink.Gretun{LinkAttrs: attrs("gre1"), Local: []byte{127, 0, 0, 1}, IKey: 1, OKey: 1, Ttl: 64},
	}
	if cfg.Ethernet {
		devices = devices[:2]
	}
	for _, l := range devices {
		if err := netlink.LinkAdd(l); err != nil {
			if kinds[err.Error()] == nil {
				reasons = append(reasons, err.Error())
			}
			kinds[err.Error()] = append(kinds[err.Error()], l.Type())
		}
	}
	for _, reason := range reasons {
		missing = append(missing, fmt.Errorf("no devices of type %s: %s", strings.Join(kinds[reason], ", "), reason))
	}
	if cfg.IPsec {
		if err := probeESP(); err != nil {
			missing = append(missing, fmt.Errorf("no ESP: %w", err))
		}
	}
	return errors.Join(missing...)
}

// probeESP adds a security association in the current namespace.
func probeESP() error {
	return netlink.XfrmStateAdd(&netlink.XfrmState{
		Src: []byte{127, 0, 0, 1}, Dst: []byte{127, 0, 0, 2}, Spi: 0x1000,
		Proto: netlink.XFRM_PROTO_ESP, Mode: netlink.XFRM_MODE_TRANSPORT,
		Aead: &netlink.XfrmStateAlgo{Name: "rfc4106(gcm(aes))", Key: make([]byte, 20), ICVLen: 128},
	})
}
