package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/tests/topotests/uml"
)

// Shell runs an interactive command in a namespace of a [Named] topology that
// another process keeps up, on this process's terminal, and returns its status.
// socket is the [Config].Socket of that process: where it exists the topology is
// in a User-Mode Linux, otherwise in this kernel.
func Shell(ctx context.Context, socket, namespace string, args []string) (int, error) {
	args = append([]string{"ip", "netns", "exec", namespace}, args...)
	if _, err := os.Stat(socket); err == nil {
		return uml.Attach(ctx, socket, args)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return -1, err
	}
	return cmd.ProcessState.ExitCode(), nil
}

// namespaceDir is where ip netns keeps the names of namespaces.
const namespaceDir = "/run/netns"

// Sweep removes what is left in this kernel of a [Named] topology whose process was
// killed: every process in the namespaces whose names begin with the prefix, and
// the namespaces.
func Sweep(prefix string) error {
	files, err := filepath.Glob(filepath.Join(namespaceDir, prefix+"*"))
	if err != nil || len(files) == 0 {
		return err
	}
	inodes := map[uint64]bool{}
	for _, f := range files {
		var st unix.Stat_t
		if err := unix.Stat(f, &st); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		inodes[st.Ino] = true
	}
	var errs []error
	if left := killIn(inodes); len(left) > 0 {
		errs = append(errs, fmt.Errorf("processes that could not be killed: %v", left))
	}
	for _, f := range files {
		if err := netns.DeleteNamed(filepath.Base(f)); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", f, err))
		}
	}
	return errors.Join(errs...)
}
