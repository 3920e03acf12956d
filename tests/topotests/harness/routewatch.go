package harness

import (
	"fmt"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// RouteChange is one change of a node's kernel table, in the kernel's order.
type RouteChange struct {
	At      time.Time // when it was read
	Route   Route
	Removed bool
}

// RouteWatch records each change of the main table's routes of one protocol, so
// that a test can say that nothing was withdrawn meanwhile, or when something came,
// without asking again and again.
type RouteWatch struct {
	mu      sync.Mutex
	changes []RouteChange
	present map[string]int // routes of a prefix that came less those that went
	prefix  int            // prefixes with a route
	lost    error          // why changes may be missing
	changed chan struct{}  // closed and replaced at each change
	stop    chan struct{}
	once    sync.Once
}

// watchBuffer is the size of the socket's buffer: 10,000 routes come at once.
const watchBuffer = 32 << 20

// WatchRoutes starts recording, until [RouteWatch.Stop] or the end of the test.
// Routes that are there already are not recorded.
func (n *Node) WatchRoutes(protocol int) *RouteWatch {
	n.t.Helper()
	names := n.deviceNames()
	w := &RouteWatch{present: map[string]int{}, changed: make(chan struct{}), stop: make(chan struct{})}
	updates := make(chan netlink.RouteUpdate, 1024)
	err := netlink.RouteSubscribeWithOptions(updates, w.stop, netlink.RouteSubscribeOptions{
		Namespace: &n.ns, ReceiveBufferSize: watchBuffer, ReceiveBufferForceSize: true,
		ErrorCallback: w.fail,
	})
	n.check("watching routes", err)
	go func() {
		for u := range updates {
			if int(u.Protocol) != protocol || u.Table != MainTable {
				continue
			}
			w.add(RouteChange{At: time.Now(), Route: routeOf(&u.Route, familyOf(&u.Route), names),
				Removed: u.Type == unix.RTM_DELROUTE}, u.NlFlags&unix.NLM_F_REPLACE != 0)
		}
	}()
	n.background = append(n.background, w.Stop)
	return w
}

func familyOf(r *netlink.Route) int {
	if r.Dst != nil && r.Dst.IP.To4() == nil {
		return netlink.FAMILY_V6
	}
	return netlink.FAMILY_V4
}

// fail notes that changes may be missing; the end of the watch is no failure.
func (w *RouteWatch) fail(err error) {
	select {
	case <-w.stop:
		return
	default:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost == nil {
		w.lost = fmt.Errorf("changes of routes were lost: %w", err)
	}
}

func (w *RouteWatch) add(c RouteChange, replaced bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = append(w.changes, c)
	prefix := c.Route.Prefix.String()
	before := w.present[prefix]
	switch {
	case c.Removed:
		w.present[prefix] = max(0, before-1)
	case !replaced || before == 0:
		w.present[prefix]++
	}
	if after := w.present[prefix]; before == 0 && after > 0 {
		w.prefix++
	} else if before > 0 && after == 0 {
		w.prefix--
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

// Changes returns what was recorded so far, and an error if some may be missing.
func (w *RouteWatch) Changes() ([]RouteChange, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]RouteChange(nil), w.changes...), w.lost
}

// Withdrawn returns an error that names the routes that were removed and not
// merely replaced since the watch began, nil if there are none.
func (w *RouteWatch) Withdrawn() error {
	changes, err := w.Changes()
	if err != nil {
		return err
	}
	var gone []string
	for _, c := range changes {
		if c.Removed {
			gone = append(gone, fmt.Sprintf("%s %v", c.At.Format("15:04:05.000"), c.Route))
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return fmt.Errorf("%d routes were withdrawn: %v", len(gone), gone[:min(len(gone), 20)])
}

// WaitPrefixes waits until routes to n different prefixes have come since the
// watch began, less those that went again, and returns when that was.
func (w *RouteWatch) WaitPrefixes(n int, limit time.Duration) (time.Time, error) {
	timeout := time.After(limit)
	for {
		w.mu.Lock()
		have, lost, changed := w.prefix, w.lost, w.changed
		var last time.Time
		if len(w.changes) > 0 {
			last = w.changes[len(w.changes)-1].At
		}
		w.mu.Unlock()
		if lost != nil {
			return last, lost
		}
		if have == n {
			return last, nil
		}
		select {
		case <-changed:
		case <-timeout:
			return last, fmt.Errorf("routes to %d prefixes within %v, want %d", have, limit, n)
		}
	}
}

// Stop ends the recording; what was recorded stays.
func (w *RouteWatch) Stop() { w.once.Do(func() { close(w.stop) }) }
