package core

import (
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// routesState is what the routes of an instance are computed from, and what was stated.
type routesState struct{}

// What adjacencies tell the routes. Nothing of it may come back at once: what follows is
// done in routesSettle.

// routesBegin: the instance runs, with a router ID, and no interface yet.
func (in *instance) routesBegin(now clock.Instant) {}

// routesEnd: the instance ends; its own LSAs were flushed, routes are to be taken back. Of
// a restart nothing comes here.
func (in *instance) routesEnd(now clock.Instant) {}

// routesChanged: an LSA of a database came, changed or went, an own one too.
func (in *instance) routesChanged(now clock.Instant, s *scope, c lsdb.Change) {}

// routesInterface: something about an interface or its neighbours changed that an own LSA
// may depend on: state, cost, designated router, address, neighbours that are full.
func (in *instance) routesInterface(now clock.Instant, i *iface) {}

// routesSelf: an LSA of this router of a former life came, and is in the database (RFC
// 2328 section 13.4): it is to be originated anew or flushed.
func (in *instance) routesSelf(now clock.Instant, s *scope, lsa packet.LSA) {}

// routesConfigured: the configuration of the instance or what a policy says changed.
func (in *instance) routesConfigured(now clock.Instant) {}

// routesAttached: a session to zebra opened; all routes are to be stated again.
func (in *instance) routesAttached(now clock.Instant) {}

// routesTick: timerRoutes has come.
func (in *instance) routesTick(now clock.Instant) {}

// routesRedistribution: a route of another protocol came, changed or went.
func (in *instance) routesRedistribution(now clock.Instant, r RouteChanged) {}

// routesRedistributionKnown: the routes of a watch are all told.
func (in *instance) routesRedistributionKnown(now clock.Instant, w rib.Watch) {}

// routesSettle ends each Step: own LSAs are compared with what they should say, and
// computations are scheduled. It reports whether it originated or flushed anything.
func (in *instance) routesSettle(now clock.Instant) (again bool) { return false }

// routesDone reports whether routes are computed of all that the databases say.
func (in *instance) routesDone() bool { return true }

// routesCleared: `clear ip ospf redistribution` or `force-spf`.
func (in *instance) routesCleared(now clock.Instant, kind ClearKind) {}

// routesStatus and routesReport fill in their parts of reports.
func (in *instance) routesStatus(now clock.Instant, st *InstanceStatus) {}

func (in *instance) routesReport(now clock.Instant) InstanceRoutes {
	return InstanceRoutes{Identity: in.identity()}
}
