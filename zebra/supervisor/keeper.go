package supervisor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/session"
)

// want is what a keeper shall bring about.
type want uint8

const (
	wantStop    want = iota // no process
	wantRun                 // a process, attached
	wantRelease             // no attachment; the process is left alone
)

// keeper keeps one daemon in the state that is wanted.
type keeper struct {
	sup  *Supervisor
	name string

	mu      sync.Mutex
	want    want
	again   bool          // restart is asked for
	left    bool          // run is about to return and heeds no more wishes
	changed chan struct{} // closed and replaced at every change of want and again
	status  Status

	backoff backoff
	done    chan struct{}
}

func newKeeper(s *Supervisor, name string) *keeper {
	return &keeper{sup: s, name: name, changed: make(chan struct{}), done: make(chan struct{}),
		status: Status{Name: name, State: Stopped}}
}

// set changes what is wanted and wakes the keeper up. It reports false if the
// keeper has left and another one is needed.
func (k *keeper) set(f func()) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left {
		return false
	}
	f()
	close(k.changed)
	k.changed = make(chan struct{})
	return true
}

// leave reports whether the daemon is not wanted any more; then set fails.
func (k *keeper) leave() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left = k.want != wantRun
	return k.left
}

func (k *keeper) wanted() (w want, changed <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.want, k.changed
}

// takeAgain reports and forgets that a restart is asked for.
func (k *keeper) takeAgain() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	again := k.again
	k.again = false
	return again
}

// tell changes the status and reports it.
func (k *keeper) tell(f func(*Status)) {
	k.mu.Lock()
	f(&k.status)
	st := k.status
	k.mu.Unlock()
	if k.sup.cfg.Changed != nil {
		k.sup.cfg.Changed(st)
	}
}

// run is the keeper's goroutine. It ends when the daemon is not wanted any more
// and has ended, or is released.
func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	for first := true; ; first = false {
		w, _ := k.wanted()
		if w == wantStop && first {
			k.retire(ctx)
		}
		if k.leave() {
			k.tell(func(s *Status) { s.State, s.PID = Stopped, 0 })
			return
		}
		i, err := k.bring(ctx)
		if err == nil {
			err = k.attend(ctx, i)
		}
		if err == nil {
			k.backoff.reset()
			continue // not wanted any more, released, or restarted on request
		}
		k.pause(err)
	}
}

// retire ends a daemon that an earlier zebra left and that is not wanted now.
func (k *keeper) retire(ctx context.Context) {
	r, ok := readRecord(k.sup.dir, k.name)
	if !ok {
		return
	}
	k.tell(func(s *Status) { s.State, s.PID = Stopping, r.PID })
	if i, err := k.reattach(ctx, r); err == nil {
		i.end(ctx, k.sup, true)
	}
}

// bring re-attaches to the daemon's process if there is one, or starts it.
func (k *keeper) bring(ctx context.Context) (*instance, error) {
	k.tell(func(s *Status) { s.State, s.PID = Starting, 0 })
	if r, ok := readRecord(k.sup.dir, k.name); ok {
		i, err := k.reattach(ctx, r)
		if err == nil {
			return i, nil
		}
		k.sup.log.Warn("cannot re-attach, starting anew", "daemon", k.name, "pid", r.PID, "error", err)
	}
	return k.launch(ctx)
}

// pause waits until the daemon may be started again or the user intervenes.
func (k *keeper) pause(cause error) {
	now := k.sup.now()
	at := k.backoff.failed(now)
	wait := at.Sub(now)
	k.sup.log.Error("daemon failed", "daemon", k.name, "cause", cause, "restart_in", wait)
	k.tell(func(s *Status) {
		s.State, s.PID = Backoff, 0
		s.LastExit, s.LastExitAt = cause.Error(), time.Now()
		s.NextStart = s.LastExitAt.Add(wait)
		s.Restarts++
	})
	t := time.NewTimer(wait)
	defer t.Stop()
	for {
		w, changed := k.wanted()
		if w != wantRun || k.takeAgain() {
			return
		}
		select {
		case <-t.C:
			return
		case <-changed:
		}
	}
}

// errEnded says that the session ended while the process lived.
var errEnded = errors.New("the session ended")

// attend serves one attachment. It returns nil when it was ended on request, or
// else why it ended.
func (k *keeper) attend(ctx context.Context, i *instance) error {
	k.backoff.started(k.sup.now())
	k.takeAgain()
	k.tell(func(s *Status) {
		s.State, s.PID, s.Since = Running, i.record.PID, time.Now()
		s.Build, s.SessionVersion, s.Reattached = i.identity.Build, i.identity.SessionVersion, i.reattached
		s.NextStart = time.Time{}
	})
	k.sup.log.Info("daemon attached", "daemon", k.name, "pid", i.record.PID, "reattached", i.reattached, "build", i.identity.Build)
	err, requested := k.watch(ctx, i)
	if requested {
		w, _ := k.wanted()
		if w == wantRelease {
			i.release()
			return nil
		}
		k.tell(func(s *Status) { s.State = Stopping })
		i.end(ctx, k.sup, true)
		k.tell(func(s *Status) { s.LastExit, s.LastExitAt = "stopped on request", time.Now() })
		return nil
	}
	return k.conclude(ctx, i, err)
}

// conclude ends what is left of a failed attachment and finds the best reason.
func (k *keeper) conclude(ctx context.Context, i *instance, err error) error {
	switch {
	case errors.Is(err, errNotAlive):
		i.abort(ctx, k.sup)
	case i.process.wait(graceLimit):
		err = errors.New(i.process.reason)
		i.end(ctx, k.sup, false)
	default:
		i.end(ctx, k.sup, true)
	}
	return err
}

// watch runs the session, zebra's service of it and the watchdog until the first
// of them ends, the process exits, or something else is wanted.
func (k *keeper) watch(ctx context.Context, i *instance) (err error, requested bool) {
	ctx, cancel := context.WithCancel(ctx)
	daemonEnd, zebraEnd := session.Pipe()
	ends := make(chan error, 3)
	go func() { ends <- orEnded(i.daemon.Session(ctx, daemonEnd)) }()
	go func() {
		ends <- orEnded(k.sup.cfg.Serve(ctx, Attachment{
			Name: k.name, Daemon: i.daemon, Identity: i.identity, Stream: zebraEnd, Reattached: i.reattached}))
	}()
	go func() { ends <- k.watchdog(ctx, i) }()
	left := 3
	for {
		w, changed := k.wanted()
		if w != wantRun {
			requested = true
			break
		}
		if k.takeAgain() { // the signal says that it is a restart (plugin.Restarter): what the next life is to know still comes
			requested = true
			k.tell(func(s *Status) { s.State = Stopping })
			i.terminate(k.sup.cfg.ShutdownLimit)
			break
		}
		select {
		case err = <-ends:
			left--
		case <-i.process.exited:
			err = errors.New(i.process.reason)
		case <-changed:
			continue
		}
		break
	}
	cancel()
	zebraEnd.Close()
	for ; left > 0; left-- {
		<-ends
	}
	return err, requested
}

func orEnded(err error) error {
	if err == nil {
		return errEnded
	}
	return err
}

// errNotAlive says that the main loop of a daemon does not answer.
var errNotAlive = errors.New("the main loop does not answer")

// watchdog asks the daemon's main loop for a sign of life.
func (k *keeper) watchdog(ctx context.Context, i *instance) error {
	tick := time.NewTicker(k.sup.cfg.WatchdogInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		call, cancel := context.WithTimeout(ctx, k.sup.cfg.WatchdogLimit)
		err := i.daemon.Alive(call)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("%w within %v", errNotAlive, k.sup.cfg.WatchdogLimit)
		case err != nil:
			return fmt.Errorf("watchdog: %w", err)
		}
	}
}
