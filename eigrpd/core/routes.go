package core

import (
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// attribute is what DUAL hands on of a route.
type attribute struct {
	wide    metric.Wide    // of an instance in named mode
	classic metric.Classic // of one in classic mode
}

// routes is what an instance keeps of routes beside DUAL's table.
type routes struct{}

func (in *instance) routesBegin(now clock.Instant)                                    {}
func (in *instance) routesConfigured(now clock.Instant, old InstanceConfig)           {}
func (in *instance) routesIfaceUp(now clock.Instant, i *iface)                        {}
func (in *instance) routesIfaceChanged(now clock.Instant, i *iface)                   {}
func (in *instance) routesIfaceDown(now clock.Instant, i *iface)                      {}
func (in *instance) routesNeighborUp(now clock.Instant, n *neighbor)                  {}
func (in *instance) routesNeighborDown(now clock.Instant, n *neighbor)                {}
func (in *instance) routesReceived(now clock.Instant, n *neighbor, m *packet.Message) {}
func (in *instance) routesRedistribution(now clock.Instant, c RouteChanged)           {}
func (in *instance) routesRedistributionKnown(now clock.Instant, w rib.Watch)         {}
func (in *instance) routesTick(now clock.Instant)                                     {}
func (in *instance) routesFlush(now clock.Instant)                                    {}
func (in *instance) routesEnd(now clock.Instant)                                      {}
func (in *instance) routesWake() (at clock.Instant, ok bool)                          { return 0, false }
