package core

import (
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// source is a protocol whose routes are redistributed.
type source struct{}

func (in *instance) configureSources(now clock.Instant) {}
func (in *instance) endSources()                        {}

func (in *instance) routesRedistribution(now clock.Instant, c RouteChanged)   {}
func (in *instance) routesRedistributionKnown(now clock.Instant, w rib.Watch) {}
