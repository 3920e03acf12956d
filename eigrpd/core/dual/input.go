package dual

import (
	"net/netip"
	"time"
)

// Input is what a Table is told; the types below are all there are.
type Input interface{ isInput() }

// Received is a message of a neighbour, in the order in which the neighbour sent
// it: the transport is reliable and keeps the order.
type Received[A comparable] struct {
	Neighbor NeighborID
	Message[A]
}

// Own states a route of this router itself, or changes its attribute.
type Own[A comparable] struct {
	Prefix    netip.Prefix
	Source    Source
	Attribute A
}

// OwnGone takes a route of this router back.
type OwnGone struct {
	Prefix netip.Prefix
	Source Source
}

// Interface states whether split horizon holds on an interface; it does on those
// that were never stated. Report may have changed for it as well.
type Interface struct {
	ID             InterfaceID
	NoSplitHorizon bool
}

// NeighborUp says that a neighbour can be sent messages, no longer pending
// (RFC 7868 section 5.3.5). It is told the whole table. One that is already up
// goes down first.
type NeighborUp struct {
	ID        NeighborID
	Interface InterfaceID
	Stub      bool // has no routes of others: it is not queried
}

// NeighborDown says that a neighbour is gone, and all that it reported.
type NeighborDown struct{ ID NeighborID }

// LinkChanged says that Via has other results: the link's cost changed, or a filter.
// It is about one neighbour, or, if Neighbor is 0, about those on an interface, or, if
// that is 0 as well, about all.
type LinkChanged struct {
	Neighbor  NeighborID
	Interface InterfaceID
}

// Retell tells a neighbour the whole table again.
type Retell struct{ Neighbor NeighborID }

// Config is what can be configured. Zero values are the defaults.
type Config struct {
	MaximumPaths int           // 4
	Variance     int           // 1: equal cost only
	ActiveTime   time.Duration // 3 minutes; negative: a route may stay ACTIVE for ever
}

// Tick says that time has passed.
type Tick struct{}

func (Received[A]) isInput()  {}
func (Own[A]) isInput()       {}
func (OwnGone) isInput()      {}
func (Interface) isInput()    {}
func (NeighborUp) isInput()   {}
func (NeighborDown) isInput() {}
func (LinkChanged) isInput()  {}
func (Retell) isInput()       {}
func (Config) isInput()       {}
func (Tick) isInput()         {}

const (
	defaultMaximumPaths = 4
	defaultActiveTime   = 3 * time.Minute // RFC 7868 section 2.2, Stuck In Active
)

// filled returns the configuration with its defaults.
func (c Config) filled() Config {
	if c.MaximumPaths < 1 {
		c.MaximumPaths = defaultMaximumPaths
	}
	c.Variance = max(c.Variance, 1)
	if c.ActiveTime == 0 {
		c.ActiveTime = defaultActiveTime
	}
	return c
}
