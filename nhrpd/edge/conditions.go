package edge

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// conditions say about whom there is debugging. Like what is debugged, they belong
// to the process and are no configuration.
type conditions struct {
	now atomic.Pointer[cli.Conditions]
	mu  sync.Mutex // guards what follows, and held while conditions change
	vrf map[string]string
}

// pass reports whether an event is debugged.
func (c *conditions) pass(t core.Trace) bool {
	now := c.now.Load()
	if now == nil || len(*now) == 0 {
		return true
	}
	c.mu.Lock()
	vrf := c.vrf[t.Interface]
	c.mu.Unlock()
	return now.Pass(t, vrf)
}

// learn takes in the VRF of an interface.
func (c *conditions) learn(name, vrf string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.vrf == nil {
		c.vrf = map[string]string{}
	}
	if delete(c.vrf, name); vrf != "" {
		c.vrf[name] = vrf
	}
}

// Conditions returns the conditions of debugging.
func (e *Edge) Conditions() cli.Conditions {
	if now := e.conditions.now.Load(); now != nil {
		return *now
	}
	return nil
}

// SetCondition adds a condition of debugging, or removes it.
func (e *Edge) SetCondition(one cli.Condition, on bool) error {
	e.conditions.mu.Lock()
	defer e.conditions.mu.Unlock()
	next, err := e.Conditions().Without(one), error(nil)
	if on {
		next, err = e.Conditions().With(one)
	}
	e.conditions.now.Store(&next)
	return err
}

// ClearConditions removes all conditions of debugging.
func (e *Edge) ClearConditions() { e.conditions.now.Store(nil) }

// dump tells what is in a packet, if somebody debugs that. The octets are a
// stranger's, and whether they can be decoded is for the core to say: here a fault
// costs nothing but the lines.
func (e *Edge) dump(verb, ifname string, nbma netip.Addr, b []byte) {
	detail, extensions := e.debug.On(cli.DebugDetail), e.debug.On(cli.DebugExtension)
	groups := e.debug.On(cli.DebugGroup)
	if !detail && !extensions && !groups {
		return
	}
	defer func() { _ = recover() }()
	m, err := packet.Parse(b)
	if err != nil {
		return
	}
	t := core.Trace{Interface: ifname, NBMA: nbma, Peer: m.SrcProtocol}
	other := t
	other.Peer = m.DstProtocol
	if !e.conditions.pass(t) && !e.conditions.pass(other) {
		return
	}
	if group := m.Group(); group != "" {
		e.debug.Printf(cli.DebugGroup, "NHRP: %s %v via %s, NBMA %v, group %s", verb, m.Type, ifname, nbma, group)
	}
	if !detail && !extensions {
		return
	}
	facility := cli.DebugExtension
	if detail {
		facility = cli.DebugDetail
	}
	e.debug.Printf(facility, "NHRP: %s %v via %s, NBMA %v:", verb, m.Type, ifname, nbma)
	for _, line := range cli.Dump(m, len(b), detail, extensions) {
		e.debug.Printf(facility, "%s", line)
	}
}
