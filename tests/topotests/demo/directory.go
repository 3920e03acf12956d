package demo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
	"github.com/godmvpn/godmvpn/tests/topotests/uml"
)

// DirectoryVariable names, in the environment, a directory for the demonstration in
// place of the usual one. Demonstrations in different directories do not disturb
// each other.
const DirectoryVariable = "GODMVPN_DEMO_DIR"

// directory is where a demonstration has its files while it is up.
type directory struct{ path string }

// open makes the directory, for this user alone.
func open() (directory, error) {
	d := directory{os.Getenv(DirectoryVariable)}
	switch {
	case d.path != "":
	case os.Getuid() == 0:
		d.path = "/run/godmvpn-demo"
	default:
		d.path = filepath.Join(os.TempDir(), fmt.Sprintf("godmvpn-demo-%d", os.Getuid()))
	}
	if err := os.Mkdir(d.path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return d, err
	}
	var st unix.Stat_t
	if err := unix.Lstat(d.path, &st); err != nil {
		return d, fmt.Errorf("%s: %w", d.path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Getuid() || st.Mode&0o077 != 0 {
		return d, fmt.Errorf("%s is no directory of this user alone", d.path)
	}
	return d, nil
}

func (d directory) lockFile() string { return filepath.Join(d.path, "lock") }
func (d directory) upFile() string   { return filepath.Join(d.path, "up") }

// socket is the control socket of the User-Mode Linux, where there is one.
func (d directory) socket() string { return filepath.Join(d.path, "control") }

// inside is where the routers' files are: in the same directory, but not if the user
// is root in the User-Mode Linux alone. There it is one of the same name that is
// root's own, as zebra gives up the right to read what belongs to others.
func (d directory) inside() string {
	if os.Getuid() == 0 {
		return d.path
	}
	return filepath.Join("/run", filepath.Base(d.path))
}

// prefix begins the names of the namespaces.
func (d directory) prefix() string { return filepath.Base(d.path) + "-" }

// markUp notes that the cloud is up; isUp reads it.
func (d directory) markUp() error { return os.WriteFile(d.upFile(), nil, 0o600) }
func (d directory) isUp() bool    { _, err := os.Stat(d.upFile()); return err == nil }

// removeIfEmpty removes the directory that open made, if nothing came of it.
func (d directory) removeIfEmpty() { _ = os.Remove(d.path) }

// wholeFile is a lock of all of a file.
func wholeFile() *unix.Flock_t { return &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart} }

// holder is the process that holds the lock, by the kernel's word, 0 for none.
func (d directory) holder() int {
	f, err := os.OpenFile(d.lockFile(), os.O_RDWR, 0)
	if err != nil {
		return 0
	}
	defer f.Close()
	l := wholeFile()
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, l); err != nil || l.Type == unix.F_UNLCK {
		return 0
	}
	return int(l.Pid)
}

// acquire takes the lock for this process, until it ends. The file is not to be
// closed, nor opened again, by the holder.
func (d directory) acquire() (*os.File, error) {
	f, err := os.OpenFile(d.lockFile(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, wholeFile())
	if err == nil {
		var mine, there unix.Stat_t
		err = errors.Join(unix.Fstat(int(f.Fd()), &mine), unix.Stat(d.lockFile(), &there))
		if err == nil && mine.Ino != there.Ino {
			err = errors.New("its file was removed")
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("another demo is starting or ending: %w", err)
	}
	return f, nil
}

// sweep removes what a demonstration left whose keeper was killed: processes,
// namespaces, the User-Mode Linux, and all files but the lock.
func (d directory) sweep() error {
	uml.Sweep()
	err := harness.Sweep(d.prefix())
	entries, rerr := os.ReadDir(d.path)
	err = errors.Join(err, rerr)
	for _, e := range entries {
		if file := filepath.Join(d.path, e.Name()); file != d.lockFile() {
			err = errors.Join(err, os.RemoveAll(file))
		}
	}
	return err
}

// Limits of down: for a keeper that is asked to end, and for one that is killed.
const (
	endLimit  = 80 * time.Second
	killLimit = 10 * time.Second
)

// down ends the demonstration and removes whatever there is of it.
func down(out io.Writer) error {
	d, err := open()
	if err != nil {
		return err
	}
	pid := d.holder()
	if pid != 0 {
		fmt.Fprintln(out, "ending the demo")
		if err := d.end(pid); err != nil {
			return err
		}
	}
	// The keeper, ending by itself, has removed the directory.
	if d, err = open(); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return err
	}
	if pid == 0 && len(entries) > 0 {
		fmt.Fprintln(out, "removing what is left of a demo that was killed")
	}
	lock, err := d.acquire()
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := errors.Join(d.sweep(), os.RemoveAll(d.path)); err != nil {
		return err
	}
	if pid == 0 && len(entries) == 0 {
		fmt.Fprintln(out, "nothing was up")
		return nil
	}
	fmt.Fprintln(out, "the demo has ended; nothing of it is left")
	return nil
}

// ended tells whether a process has given its memory back: then it is gone, or about to be.
func ended(pid int) bool {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return len(b) == 0
}

// end ends the keeper and waits until its lock is free and it has ended.
func (d directory) end(pid int) error {
	free := func() error {
		if d.holder() == pid || !ended(pid) {
			return fmt.Errorf("process %d has not ended", pid)
		}
		return nil
	}
	for _, try := range []struct {
		signal unix.Signal
		limit  time.Duration
	}{{unix.SIGTERM, endLimit}, {unix.SIGKILL, killLimit}} {
		if err := unix.Kill(pid, try.signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("ending process %d: %w", pid, err)
		}
		if harness.Poll(try.limit, free) == nil {
			return nil
		}
	}
	return free()
}
