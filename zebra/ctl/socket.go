package ctl

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Group is the group whose members may manage the router.
const Group = "godmvpnvty"

// SocketName is the name of the control socket in the run directory.
const SocketName = "zebra.vty"

// Listen opens the control socket of a run directory, making the directory
// where it is missing; one that all users share, as /tmp, is an error. A socket that a dead zebra left is removed; that of a
// living one is an error.
func Listen(dir string) (net.Listener, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if info.Mode()&fs.ModeSticky != 0 {
		return nil, fmt.Errorf("the run directory %s belongs to everybody; it must be one of zebra's own", dir)
	}
	gid := groupID()
	if gid >= 0 && os.Geteuid() == 0 {
		if err := os.Chown(dir, -1, gid); err != nil {
			return nil, err
		}
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, SocketName)
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("another zebra uses the run directory %s", dir)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	old := syscall.Umask(0o117) // the socket is never open to others, not even for a moment
	l, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, err
	}
	if gid >= 0 && os.Geteuid() == 0 {
		if err := os.Chown(path, -1, gid); err != nil {
			l.Close()
			return nil, err
		}
	}
	return l, nil
}

// groupID returns the number of Group, or -1 where it does not exist.
func groupID() int {
	g, err := user.LookupGroup(Group)
	if err != nil {
		return -1
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return -1
	}
	return gid
}
