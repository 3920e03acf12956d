package edge

import (
	"net/netip"
	"sync"

	"github.com/godmvpn/godmvpn/bgpd/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// installs knows which routes zebra has not acknowledged yet, where somebody waits for it.
type installs struct {
	mu      sync.Mutex
	acked   uint64
	waiting []install // by sequence number
}

type install struct {
	seq uint64
	key rib.Key
}

// putRoute states a route to zebra.
func (e *Edge) putRoute(r rib.Route) {
	if e.Debug().On(cli.DebugZebra) {
		e.Debug().Printf(cli.DebugZebra, "BGP(%s): %v put into the routing table, distance %d, metric %d, next hops %v", vrfName(r.VRF), r.Prefix, r.Distance, r.Metric, r.NextHops)
	}
	seq, err := e.Client.Put(r)
	if err != nil {
		e.log.Error("route refused", "error", err)
		return
	}
	if !e.waits(r.VRF) {
		return
	}
	in := &e.installs
	in.mu.Lock()
	done := seq <= in.acked
	if !done {
		in.waiting = append(in.waiting, install{seq, r.Key()})
	}
	in.mu.Unlock()
	if done {
		e.tell(r.VRF, func(run *runner) { run.install([]netip.Prefix{r.Prefix}) })
	}
}

// waits reports whether routes of a VRF are told to neighbours only once installed.
func (e *Edge) waits(vrf string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.runners[vrf]
	return r != nil && r.config.WaitInstall
}

// acknowledged takes in what zebra has applied. Of a failure that ended zebra tells with
// an empty error.
func (e *Edge) acknowledged(a rib.Ack) {
	failed := map[rib.Key]bool{}
	done := map[string][]netip.Prefix{}
	for _, f := range a.Failures {
		if f.Error == "" {
			done[f.Key.VRF] = append(done[f.Key.VRF], f.Key.Prefix)
			continue
		}
		failed[f.Key] = true
		e.log.Warn("zebra could not install", "route", f.Key.Prefix, "vrf", f.Key.VRF, "error", f.Error)
	}
	in := &e.installs
	in.mu.Lock()
	in.acked = a.Seq
	n := 0
	for ; n < len(in.waiting) && in.waiting[n].seq <= a.Seq; n++ {
		if k := in.waiting[n].key; !failed[k] {
			done[k.VRF] = append(done[k.VRF], k.Prefix)
		}
	}
	in.waiting = in.waiting[n:]
	in.mu.Unlock()
	for vrf, prefixes := range done { // unordered: independent of each other
		e.tell(vrf, func(r *runner) { r.install(prefixes) })
	}
}
