package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

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

// downLimit is how long a kept topology may take to end.
const downLimit = 60 * time.Second

// Down ends a topology that another process keeps up, and returns when it is gone:
// by its control socket, or, where it is in this kernel, by SIGTERM to the process
// whose pid is in pidFile.
func Down(socket, pidFile string) error {
	if _, err := os.Stat(socket); err == nil {
		return uml.Stop(socket)
	}
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return fmt.Errorf("nothing is up: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 2 {
		return fmt.Errorf("%s: no pid in %q", pidFile, b)
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		return fmt.Errorf("ending process %d: %w", pid, err)
	}
	return Poll(downLimit, func() error {
		if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("process %d has not ended", pid)
		}
		return nil
	})
}
