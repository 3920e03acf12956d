package edge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

func (e *Edge) wakeKeeper() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// retryEvery is how often the keeper tries again what failed: a port that is taken, say.
const retryEvery = 10 * time.Second

// keep brings the speakers to what is wanted, until ctx ends.
func (e *Edge) keep(ctx context.Context) {
	ticker := time.NewTicker(retryEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-ticker.C:
		}
		e.reconcile(ctx)
	}
}

// reconcile makes, changes and ends speakers.
func (e *Edge) reconcile(ctx context.Context) {
	wanted := e.wanted()
	e.mu.Lock()
	running := maps.Clone(e.runners)
	e.mu.Unlock()
	for _, vrf := range slices.Sorted(maps.Keys(running)) {
		r := running[vrf]
		c, ok := wanted[vrf]
		if ok {
			c.Process.Restarting, c.Process.Deferral = r.config.Process.Restarting, r.config.Process.Deferral
			err := r.apply(c)
			if err == nil {
				continue
			}
			if !errors.Is(err, speaker.ErrProcess) {
				e.logMessage(notConfigured, "vrf %s: %v", vrfName(vrf), err)
				continue
			}
			c.Process.Restarting = false
			wanted[vrf] = c
		}
		e.stop(ctx, r, speaker.Goodbye)
		delete(running, vrf)
	}
	for _, vrf := range slices.Sorted(maps.Keys(wanted)) {
		if running[vrf] == nil {
			e.start(vrf, wanted[vrf])
		}
	}
}

// Messages about speakers.
var (
	notConfigured = telemetry.Message{Facility: "BGP", Severity: telemetry.Error, Mnemonic: "CONFIG"}
	notStarted    = telemetry.Message{Facility: "BGP", Severity: telemetry.Error, Mnemonic: "START"}
	notEnded      = telemetry.Message{Facility: "BGP", Severity: telemetry.Error, Mnemonic: "END"}
)

// start makes a speaker.
func (e *Edge) start(vrf string, c speaker.Config) {
	first := c
	e.mu.Lock()
	back := returning(&first, e.memory.before[vrf])
	e.mu.Unlock()
	s, err := speaker.New(first, e.log)
	if err != nil {
		e.logMessage(notStarted, "vrf %s: BGP does not run: %v", vrfName(vrf), err)
		return
	}
	r := newRunner(e, vrf, s, c)
	e.mu.Lock()
	ending := e.ending
	if !ending {
		e.runners[vrf] = r
	}
	e.mu.Unlock()
	if ending {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		e.stopped(r, s.Stop(ctx, speaker.Goodbye))
		return
	}
	e.Driver.Post(core.Started{VRF: vrf, Returning: back})
	r.run()
}

// stop ends a speaker and has core forget what it told.
func (e *Edge) stop(ctx context.Context, r *runner, how speaker.Ending) error {
	e.mu.Lock()
	delete(e.runners, r.vrf)
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := r.stop(ctx, how)
	e.stopped(r, err)
	if how == speaker.Goodbye {
		e.forget(r)
		e.Driver.Post(core.Stopped{VRF: r.vrf})
	}
	return err
}

func (e *Edge) stopped(r *runner, err error) {
	if err != nil {
		e.logMessage(notEnded, "vrf %s: %v", vrfName(r.vrf), err)
	}
}

// stopAll ends all speakers.
func (e *Edge) stopAll(ctx context.Context, how speaker.Ending) error {
	e.mu.Lock()
	running := maps.Clone(e.runners)
	e.mu.Unlock()
	errs := make([]error, len(running))
	var all sync.WaitGroup
	for i, vrf := range slices.Sorted(maps.Keys(running)) {
		all.Go(func() {
			if err := e.stop(ctx, running[vrf], how); err != nil {
				errs[i] = fmt.Errorf("vrf %s: %w", vrfName(vrf), err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
