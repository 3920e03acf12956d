package uml

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Names in the machine's directory: the program that the kernel starts as
// process 1, and what that reads.
const (
	initLink  = "init"
	guestFile = "guest.json"
)

// GuestVariable is set to 1 in the environment of every program in a guest.
const GuestVariable = "GODMVPN_UML_GUEST"

// guestConfig is what the host half tells init.
type guestConfig struct {
	ModulesDir string   // of the host, one directory per kernel release
	Modules    []string // to load, in this order
	Writable   []string // host directories that stay writable
	Hostname   string
}

// InGuest reports whether this process runs inside a machine of this package.
func InGuest() bool { return os.Getenv(GuestVariable) == "1" }

// InitIfRequested takes over as the guest's process 1 when the kernel started
// this program as such, and then never returns. Everywhere else it does
// nothing. Programs that call [Boot] call it first of all.
func InitIfRequested() {
	dir, name := filepath.Split(os.Args[0])
	if os.Getpid() != 1 || name != initLink {
		return
	}
	if err := guestMain(dir); err != nil {
		fmt.Fprintln(os.Stderr, "uml init:", err)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}

// guestMain prepares the guest and serves commands until the line hangs up.
func guestMain(dir string) error {
	signal.Ignore(unix.SIGPIPE, unix.SIGHUP)
	var cfg guestConfig
	b, err := os.ReadFile(filepath.Join(dir, guestFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &cfg); err != nil {
		return err
	}
	mods, err := openModules(filepath.Join(cfg.ModulesDir, kernelRelease()))
	if err != nil {
		return err
	}
	if err := mods.load("overlay"); err != nil {
		return err
	}
	if err := switchRoot(); err != nil {
		return err
	}
	if err := mountAll(cfg); err != nil {
		return err
	}
	for _, name := range cfg.Modules {
		if err := mods.load(name); err != nil {
			return err
		}
	}
	if err := settle(cfg); err != nil {
		return err
	}
	if err := behindKernel(); err != nil {
		return err
	}
	line, err := openLine("/dev/ttyS0")
	if err != nil {
		return err
	}
	// The host says nothing before this: what it said while the line was not
	// yet raw would be echoed and held for a newline.
	if _, err := io.WriteString(line, banner); err != nil {
		return err
	}
	return serveLine(&guestLink{line: line})
}

// kernelRelease is what uname -r prints.
func kernelRelease() string {
	var u unix.Utsname
	_ = unix.Uname(&u)
	return unix.ByteSliceToString(u.Release[:])
}

// switchRoot makes an overlay the root: the host's files below, a tmpfs above.
func switchRoot() error {
	const base = "/mnt" // any directory of the host: hidden by the tmpfs for a moment
	if err := unix.Mount("tmpfs", base, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("tmpfs for the overlay: %w", err)
	}
	for _, d := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(base, d), 0o755); err != nil {
			return err
		}
	}
	opts := "lowerdir=/,upperdir=" + base + "/upper,workdir=" + base + "/work"
	if err := unix.Mount("overlay", base+"/root", "overlay", 0, opts); err != nil {
		return fmt.Errorf("overlay: %w", err)
	}
	if err := os.Chdir(base + "/root"); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("moving the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	return os.Chdir("/")
}

// mountAll mounts the kernel's file systems and the writable directories.
func mountAll(cfg guestConfig) error {
	for _, m := range []struct {
		target, kind, opts string
		flags              uintptr
	}{
		{"/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"/dev", "devtmpfs", "mode=755", unix.MS_NOSUID},
		{"/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666", unix.MS_NOSUID | unix.MS_NOEXEC},
		{"/dev/shm", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
		{"/run", "tmpfs", "mode=755", unix.MS_NOSUID | unix.MS_NODEV},
	} {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.target, m.kind, m.flags, m.opts); err != nil {
			return fmt.Errorf("mounting %s: %w", m.target, err)
		}
	}
	for _, dir := range cfg.Writable {
		if err := unix.Mount("none", dir, "hostfs", 0, dir); err != nil {
			return fmt.Errorf("mounting the host's %s: %w", dir, err)
		}
	}
	return nil
}

// settle does what remains before programs can run: device links, the modules'
// usual place, the loopback device, the host name.
func settle(cfg guestConfig) error {
	for link, target := range map[string]string{
		"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0",
		"/dev/stdout": "/proc/self/fd/1", "/dev/stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, link); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	for _, dir := range []string{"/run/lock", "/run/netns", "/lib/modules"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	rel := kernelRelease()
	err := os.Symlink(filepath.Join(cfg.ModulesDir, rel), filepath.Join("/lib/modules", rel))
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := unix.Sethostname([]byte(strings.TrimSpace(cfg.Hostname))); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(lo)
}

// programNice is the nice value of all programs in a machine.
const programNice = 19

// behindKernel has this program, and all that it starts, stand behind the kernel's own
// threads. What is freed of the kernel's vmalloc memory, of which the verifier of BPF programs
// takes a great deal, stays mapped until a kernel thread removes it: on a loaded host that
// thread came so late that the machine reached the host's limit of 65,530 mappings, and died.
func behindKernel() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, programNice); err != nil {
			return err
		}
	}
	return nil
}

// openLine opens a serial line for raw bytes, without blocking the runtime.
func openLine(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := makeRaw(fd); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.NewFile(uintptr(fd), path), nil
}
