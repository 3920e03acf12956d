package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Limits of single steps.
const (
	startLimit = 30 * time.Second // from start to handshake
	helloLimit = 10 * time.Second
	termLimit  = 2 * time.Second // from SIGTERM to SIGKILL
	graceLimit = 2 * time.Second // from the end of the session to that of the process
)

// instance is a running daemon to which zebra is attached.
type instance struct {
	plug       *goplugin.Client
	daemon     *plugin.Client
	process    *process
	record     Record
	identity   plugin.Identity
	reattached bool
}

// errVersion says that a daemon speaks another version of the session.
var errVersion = errors.New("session version differs")

// launch starts the daemon's program.
func (k *keeper) launch(ctx context.Context) (*instance, error) {
	path, args, err := k.sup.cfg.Program(k.name)
	if err != nil {
		return nil, err
	}
	var l *launcher
	plug := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  plugin.Handshake,
		Plugins:          plugin.Set(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		GRPCDialOptions:  plugin.DialOptions(),
		Logger:           hclog.NewNullLogger(),
		StartTimeout:     startLimit,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: k.sup.dir},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			var err error
			l, err = newLauncher(path, args, k.sup.cfg.Env, k.sup.cfg.Stderr, spec)
			return l, err
		},
	})
	addr, err := plug.Start()
	if err != nil {
		plug.Kill()
		return nil, k.startFailure(l, err)
	}
	i := &instance{plug: plug, process: l.process, record: Record{
		Name: k.name, PID: l.process.pid, Start: l.process.start, Socket: addr.String(), Binary: path}}
	// From here on the process can be found again, should zebra die.
	if err := i.record.write(k.sup.dir); err != nil {
		i.end(ctx, k.sup, false)
		return nil, err
	}
	return k.greet(ctx, i)
}

// startFailure adds why the process ended, if it did.
func (k *keeper) startFailure(l *launcher, err error) error {
	if l == nil || l.process.pid == 0 || !l.process.wait(graceLimit) {
		return err
	}
	return fmt.Errorf("no handshake: %s", l.process.reason)
}

// reattach attaches to the process of the record. If that is not possible the
// process is ended: two daemons of one kind must not run.
func (k *keeper) reattach(ctx context.Context, r Record) (*instance, error) {
	p, err := adopt(r.PID, r.Start)
	if err != nil {
		r.remove(k.sup.dir)
		return nil, err
	}
	i := &instance{process: p, record: r, reattached: true}
	if pid, uid, err := listener(r.Socket); err != nil || pid != r.PID || int(uid) != os.Geteuid() {
		i.end(ctx, k.sup, false)
		return nil, fmt.Errorf("socket %s is not the recorded daemon's (pid %d): %v", r.Socket, pid, err)
	}
	i.plug = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  plugin.Handshake,
		Plugins:          plugin.Set(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		GRPCDialOptions:  plugin.DialOptions(),
		Logger:           hclog.NewNullLogger(),
		Reattach: &goplugin.ReattachConfig{
			Protocol:     goplugin.ProtocolGRPC,
			Addr:         &net.UnixAddr{Name: r.Socket, Net: "unix"},
			Pid:          r.PID,
			ReattachFunc: func() (runner.AttachedRunner, error) { return attachment{p}, nil },
		},
	})
	return k.greet(ctx, i)
}

// greet connects to the process and asks who it is.
func (k *keeper) greet(ctx context.Context, i *instance) (*instance, error) {
	err := i.hello(ctx, k.sup.cfg.Host)
	if err == nil && i.identity.Name != k.name {
		err = fmt.Errorf("the program says that it is %q", i.identity.Name)
	}
	if err == nil && i.identity.SessionVersion != session.Version {
		err = fmt.Errorf("%w: daemon %d, zebra %d", errVersion, i.identity.SessionVersion, session.Version)
	}
	if err == nil {
		i.record.Build, i.record.SessionVersion = i.identity.Build, i.identity.SessionVersion
		err = i.record.write(k.sup.dir)
	}
	if err != nil {
		i.end(ctx, k.sup, i.daemon != nil)
		return nil, err
	}
	return i, nil
}

func (i *instance) hello(ctx context.Context, host plugin.Host) error {
	proto, err := i.plug.Client()
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	raw, err := proto.Dispense(plugin.Name)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	i.daemon = raw.(*plugin.Client)
	ctx, cancel := context.WithTimeout(ctx, helloLimit)
	defer cancel()
	host.SessionVersion = session.Version
	i.identity, err = i.daemon.Hello(ctx, host)
	if err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	return nil
}

// end makes sure that the process is gone: with a Shutdown call if polite, then
// SIGTERM, then SIGKILL. It removes the record. ctx does not cut it short, as
// the steps have limits of their own.
func (i *instance) end(ctx context.Context, s *Supervisor, polite bool) {
	if polite && i.daemon != nil && !i.process.wait(0) {
		limit := s.cfg.ShutdownLimit
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
		if err := i.daemon.Shutdown(ctx); err != nil && !errors.Is(err, plugin.ErrGone) {
			s.log.Warn("daemon did not shut down in order", "daemon", i.record.Name, "error", err)
		} else {
			i.process.wait(graceLimit)
		}
		cancel()
	}
	i.terminate(termLimit)
	if !i.process.wait(0) && i.process.kill(syscall.SIGKILL) == nil {
		<-i.process.exited
	}
	i.close()
	i.record.remove(s.dir)
}

// terminate sends SIGTERM to the process, and waits for its end for at most a time.
func (i *instance) terminate(limit time.Duration) {
	if !i.process.wait(0) && i.process.kill(syscall.SIGTERM) == nil {
		i.process.wait(limit)
	}
}

// abort ends a process that does not answer. SIGQUIT makes a Go program write
// down where all of its goroutines are.
func (i *instance) abort(ctx context.Context, s *Supervisor) {
	if i.process.kill(syscall.SIGQUIT) == nil {
		i.process.wait(termLimit)
	}
	i.end(ctx, s, false)
}

// close frees what go-plugin holds for a process that has ended.
func (i *instance) close() {
	if i.plug != nil {
		i.plug.Kill()
	}
	i.process.forget()
}

// release closes the connection and leaves the process alone.
func (i *instance) release() {
	if proto, err := i.plug.Client(); err == nil {
		if c, ok := proto.(*goplugin.GRPCClient); ok {
			c.Conn.Close()
		}
	}
	i.process.forget()
}
