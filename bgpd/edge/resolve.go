package edge

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/bgpd/cli"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// wanted returns the configurations of the speakers that are to run, by VRF.
func (e *Edge) wanted() map[string]speaker.Config {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := map[string]speaker.Config{}
	if e.config == nil || !e.known || !e.memory.whole || !e.attached || e.ending {
		return out
	}
	for i := range e.config.Routers {
		r := &e.config.Routers[i]
		var old netip.Addr
		if run := e.runners[r.VRF]; run != nil {
			old = run.config.Process.RouterID
		}
		if c, ok := resolve(r, e.links, old); ok {
			c.Process.Restarting = e.again
			e.world.Adjust(&c)
			out[r.VRF] = c
		}
	}
	return out
}

// resolve fills in what depends on interfaces. old is the router ID that is in use. ok is
// false if the speaker cannot run.
func resolve(r *cli.Router, links map[string]rib.Interface, old netip.Addr) (c speaker.Config, ok bool) {
	c = r.Speaker
	if r.VRF != "" {
		vrf := links[r.VRF]
		if vrf.Type != rib.TypeVRF || vrf.Index == 0 {
			return c, false
		}
		c.Process.Device = vrf.KernelName
	}
	if c.Process.RouterID = r.RouterID; !r.RouterID.IsValid() {
		c.Process.RouterID = chooseID(r.VRF, links, old)
	}
	c.Neighbors = nil
	for _, n := range r.Speaker.Neighbors {
		if source := r.Peers[n.Address].Source; source != "" {
			if n.Source = addressOf(links[source], rib.FamilyOf(n.Address)); !n.Source.IsValid() {
				continue
			}
		}
		c.Neighbors = append(c.Neighbors, n)
	}
	return c, c.Process.RouterID.IsValid()
}

// chooseID chooses a router ID: the one in use as long as an interface has it; or else
// the highest address of a loopback; or else of an interface that is up.
func chooseID(vrf string, links map[string]rib.Interface, old netip.Addr) netip.Addr {
	var loopback, other netip.Addr
	for _, l := range links { // unordered: the highest of all
		if l.VRF != vrf {
			continue
		}
		for _, a := range l.Addresses {
			addr := a.Prefix.Addr()
			switch {
			case !addr.Is4() || addr.IsLoopback():
			case addr == old:
				return old
			case l.Type == rib.TypeLoopback && loopback.Less(addr):
				loopback = addr
			case l.Up && other.Less(addr):
				other = addr
			}
		}
	}
	if loopback.IsValid() {
		return loopback
	}
	return other
}

// addressOf returns the primary address of an interface, of IPv6 a global one.
func addressOf(l rib.Interface, f rib.Family) netip.Addr {
	i := slices.IndexFunc(l.Addresses, func(a rib.Address) bool {
		addr := a.Prefix.Addr()
		return rib.FamilyOf(addr) == f && !a.Secondary && !addr.IsLinkLocalUnicast()
	})
	if i < 0 {
		return netip.Addr{}
	}
	return l.Addresses[i].Prefix.Addr()
}

// nowAttached takes note of an attachment.
func (e *Edge) nowAttached(stale int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.attached {
		e.attached, e.again = true, stale > 0
	}
	e.unseen = map[string]bool{}
	for name := range e.links { // unordered: a set
		e.unseen[name] = true
	}
}

func (e *Edge) linkChanged(l rib.Interface) {
	e.mu.Lock()
	old, was := e.links[l.Name]
	e.links[l.Name] = l
	delete(e.unseen, l.Name)
	e.mu.Unlock()
	if was && old.Up && !l.Up {
		e.linkDown(old)
	}
	e.wakeKeeper()
}

func (e *Edge) linkGone(name string) {
	e.mu.Lock()
	old, was := e.links[name]
	delete(e.links, name)
	e.mu.Unlock()
	if was && old.Up {
		e.linkDown(old)
	}
	e.wakeKeeper()
}

func (e *Edge) linksKnown() {
	e.mu.Lock()
	e.known = true
	for name := range e.unseen { // unordered: all go
		delete(e.links, name)
	}
	e.unseen = nil
	e.mu.Unlock()
	e.wakeKeeper()
}

// linkDown resets the sessions with external neighbours that are directly connected by
// an interface that went down (bgp fast-external-fallover): their TCP connections would
// take a hold time to notice.
func (e *Edge) linkDown(l rib.Interface) {
	e.tell(l.VRF, func(r *runner) {
		for _, addr := range r.connected(l) {
			r.clear(addr)
		}
	})
}
