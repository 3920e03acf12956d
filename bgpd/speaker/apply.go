package speaker

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/api"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// applying is one Apply. What it has done it notes in old, so that after an error
// the next one starts from the truth.
type applying struct {
	s   *Speaker
	ctx context.Context
	old *Config
	new Config

	soft map[netip.Addr]bool // neighbours that are to be sent other routes
}

func (c *applying) run() error {
	c.soft = map[netip.Addr]bool{}
	c.prepare()
	if err := c.removeNeighbors(); err != nil {
		return err
	}
	if err := c.removeGroups(); err != nil {
		return err
	}
	// Paths have the tags of new classes before anybody is in them, and policies are in
	// force before anybody whom they are for.
	if err := c.s.flush(); err != nil {
		return err
	}
	c.s.mu.Lock()
	c.s.export.leave(&c.new)
	c.s.mu.Unlock()
	if err := c.s.flush(); err != nil {
		return err
	}
	if err := c.holdBack(); err != nil {
		return err
	}
	if err := c.putGroups(); err != nil {
		return err
	}
	if err := c.putNeighbors(); err != nil {
		return err
	}
	c.s.applied = true
	*c.old = c.new
	c.old.Neighbors = slices.Clone(c.new.Neighbors)
	c.old.Groups = slices.Clone(c.new.Groups)
	for a := range c.soft { // unordered: independent of each other
		if err := c.s.ClearSoft(a, Out); err != nil {
			return fmt.Errorf("neighbor %v: %w", a, err)
		}
	}
	return nil
}

// prepare makes the part of a change that GoBGP knows nothing of.
func (c *applying) prepare() {
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.want
	s.want = c.new
	s.want.Neighbors, s.want.Groups = slices.Clone(c.new.Neighbors), slices.Clone(c.new.Groups)
	s.table.Configure(s.want.table())
	s.table.SetAggregates(s.want.Aggregates)
	anew := map[*locrib.Neighbor]bool{}
	for _, n := range s.neighbors { // unordered: independent of each other
		settings, group := s.want.lookup(n.Address)
		if group != n.group {
			settings = nil // it is removed, and comes back otherwise
		}
		if s.configure(n, settings) {
			anew[&n.Neighbor] = true
		}
	}
	if len(anew) > 0 {
		s.table.Reimport(func(n *locrib.Neighbor) bool { return anew[n] })
	}
	audience := len(s.want.Neighbors)
	if len(s.want.Groups) > 0 {
		audience = 2
	}
	audience = min(audience, 2)
	if added := s.export.enter(&s.want); added || audience != s.audience || old.WaitInstall != s.want.WaitInstall ||
		additional(&s.want) != s.additional {
		s.table.MarkAll()
	}
	s.additional = additional(&s.want)
	s.audience, s.defaults = audience, true
	if !s.want.WaitInstall {
		clear(s.pending)
	}
}

// additional returns how many paths neighbours may be sent, by family.
func additional(c *Config) (most [2]int) {
	for _, x := range c.settings() {
		most[0], most[1] = max(most[0], int(x.IPv4.AddPathSend)), max(most[1], int(x.IPv6.AddPathSend))
	}
	return most
}

// lookup returns the settings of a neighbour, and the group if it is one of a listen
// range; nil: there are none.
func (c *Config) lookup(a netip.Addr) (settings *Settings, group string) {
	if n := c.neighbor(a); n != nil {
		return &n.Settings, ""
	}
	longest := -1
	for i := range c.Groups {
		g := &c.Groups[i]
		for _, r := range g.Ranges {
			if r.Bits() > longest && r.Contains(a.WithZone("")) {
				settings, group, longest = &g.Settings, g.Name, r.Bits()
			}
		}
	}
	return settings, group
}

// GroupOf returns the group of listen ranges that an address comes to; nil: there is none.
func (c *Config) GroupOf(a netip.Addr) *Group {
	if _, group := c.lookup(a); group != "" {
		return c.group(group)
	}
	return nil
}

// configure gives a neighbour its settings, and tells whether its paths are to be let
// in anew.
func (s *Speaker) configure(n *neighbor, settings *Settings) bool {
	n.settings = settings
	if settings == nil {
		return false
	}
	rules := func(f *Family) locrib.Rules {
		return locrib.Rules{Import: f.Import, AllowASIn: f.AllowASIn, Client: f.ReflectorClient}
	}
	was4, was6, weight := n.IPv4, n.IPv6, n.Weight
	n.IPv4, n.IPv6, n.Weight = rules(&settings.IPv4), rules(&settings.IPv6), settings.Weight
	return was4 != n.IPv4 || was6 != n.IPv6 || weight != n.Weight
}

func (c *Config) neighbor(a netip.Addr) *Neighbor {
	i := slices.IndexFunc(c.Neighbors, func(n Neighbor) bool { return n.Address == a })
	if i < 0 {
		return nil
	}
	return &c.Neighbors[i]
}

func (c *Config) group(name string) *Group {
	i := slices.IndexFunc(c.Groups, func(g Group) bool { return g.Name == name })
	if i < 0 {
		return nil
	}
	return &c.Groups[i]
}

// removeNeighbors removes those that go, and those that come back otherwise.
func (c *applying) removeNeighbors() error {
	for _, o := range slices.Clone(c.old.Neighbors) {
		if n := c.new.neighbor(o.Address); n != nil && n.kept() == o.kept() && c.sameCluster(&o.Settings) {
			continue
		}
		if err := c.s.bgp.DeletePeer(c.ctx, &api.DeletePeerRequest{Address: o.Address.String()}); err != nil {
			return fmt.Errorf("neighbor %v: %w", o.Address, err)
		}
		c.old.Neighbors = slices.DeleteFunc(c.old.Neighbors, func(n Neighbor) bool { return n.Address == o.Address })
	}
	return nil
}

// sameCluster tells whether what a neighbour is told of reflection stays as it is.
func (c *applying) sameCluster(o *Settings) bool {
	return o.external(c.new.Process.AS) || c.old.ClusterID == c.new.ClusterID && c.old.reflects() == c.new.reflects()
}

// reflects tells whether there is a client of a route reflector.
func (c *Config) reflects() bool {
	return slices.ContainsFunc(c.settings(), func(s *Settings) bool { return s.IPv4.ReflectorClient || s.IPv6.ReflectorClient })
}

// nobody is a neighbour that never comes. GoBGP ends the deferral of a speaker that
// restarts as soon as all neighbours have told the end of their RIBs, which is before
// their routes have come by way of us into its table; waiting for nobody it ends it by
// the clock.
var nobody = netip.AddrFrom4([4]byte{0, 0, 0, 1})

func (c *applying) holdBack() error {
	if c.s.applied || !c.new.Process.Restarting {
		return nil
	}
	f := apiFamily(rib.IPv4)
	err := c.s.bgp.AddPeer(c.ctx, &api.AddPeerRequest{Peer: &api.Peer{
		Conf:            &api.PeerConf{NeighborAddress: nobody.String(), PeerAsn: c.new.Process.AS, AdminDown: true},
		Transport:       &api.Transport{PassiveMode: true},
		GracefulRestart: &api.GracefulRestart{Enabled: true, RestartTime: 1},
		AfiSafis: []*api.AfiSafi{{Config: &api.AfiSafiConfig{Family: f, Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: true}}}},
	}})
	if err != nil {
		return fmt.Errorf("deferral: %w", err)
	}
	return nil
}

func (c *applying) putNeighbors() error {
	for i := range c.new.Neighbors {
		n := &c.new.Neighbors[i]
		o := c.old.neighbor(n.Address)
		var err error
		switch {
		case o == nil:
			err = c.s.bgp.AddPeer(c.ctx, &api.AddPeerRequest{Peer: n.api(&c.new, c.s.applied)})
			if err == nil {
				c.old.Neighbors = append(c.old.Neighbors, *n)
			}
		case *o != *n:
			if o.tuned() != n.tuned() {
				_, err = c.s.bgp.UpdatePeer(c.ctx, &api.UpdatePeerRequest{Peer: n.api(&c.new, true)})
			}
			c.policyChanged(n.Address, &o.Settings, &n.Settings)
		}
		if err != nil {
			return fmt.Errorf("neighbor %v: %w", n.Address, err)
		}
	}
	return nil
}

// policyChanged notes a neighbour that is sent other routes. What changes for the routes
// that it sends is done already.
func (c *applying) policyChanged(a netip.Addr, o, n *Settings) {
	if as := c.new.Process.AS; o.class(as, a) != n.class(as, a) {
		c.soft[a] = true
	}
}

// removeGroups removes the groups that go or come back otherwise, with their
// members. A range that goes takes its group along.
func (c *applying) removeGroups() error {
	for _, o := range slices.Clone(c.old.Groups) {
		n := c.new.group(o.Name)
		if n != nil && n.kept() == o.kept() && c.sameCluster(&o.Settings) && !slices.ContainsFunc(o.Ranges, func(r netip.Prefix) bool { return !slices.Contains(n.Ranges, r) }) {
			continue
		}
		if err := c.removeGroup(&o); err != nil {
			return fmt.Errorf("peer-group %s: %w", o.Name, err)
		}
		c.old.Groups = slices.DeleteFunc(c.old.Groups, func(g Group) bool { return g.Name == o.Name })
	}
	return nil
}

func (c *applying) removeGroup(g *Group) error {
	for _, r := range g.Ranges {
		err := c.s.bgp.DeleteDynamicNeighbor(c.ctx, &api.DeleteDynamicNeighborRequest{Prefix: r.String(), PeerGroup: g.Name})
		if err != nil {
			return err
		}
	}
	members, err := c.s.members(c.ctx, g.Name)
	if err != nil {
		return err
	}
	for _, a := range members {
		// One that has gone by itself meanwhile is no error.
		if err := c.s.bgp.DeletePeer(c.ctx, &api.DeletePeerRequest{Address: a.String()}); err != nil {
			if now, _ := c.s.members(c.ctx, g.Name); slices.Contains(now, a) {
				return err
			}
		}
	}
	return c.s.bgp.DeletePeerGroup(c.ctx, &api.DeletePeerGroupRequest{Name: g.Name})
}

func (c *applying) putGroups() error {
	for i := range c.new.Groups {
		n := &c.new.Groups[i]
		if err := c.putGroup(c.old.group(n.Name), n); err != nil {
			return fmt.Errorf("peer-group %s: %w", n.Name, err)
		}
	}
	return nil
}

func (c *applying) putGroup(o, n *Group) error {
	var ranges []netip.Prefix
	if o == nil {
		if err := c.s.bgp.AddPeerGroup(c.ctx, &api.AddPeerGroupRequest{PeerGroup: n.api(&c.new)}); err != nil {
			return err
		}
		c.old.Groups = append(c.old.Groups, Group{Name: n.Name, Settings: n.Settings})
		if err := c.expect(n); err != nil {
			return err
		}
		o = c.old.group(n.Name)
	} else {
		ranges = o.Ranges
		if err := c.tuneGroup(o, n); err != nil {
			return err
		}
	}
	for _, r := range n.Ranges {
		if slices.Contains(ranges, r) {
			continue
		}
		err := c.s.bgp.AddDynamicNeighbor(c.ctx, &api.AddDynamicNeighborRequest{
			DynamicNeighbor: &api.DynamicNeighbor{Prefix: r.String(), PeerGroup: n.Name}})
		if err != nil {
			return err
		}
		o.Ranges = append(slices.Clone(o.Ranges), r)
	}
	return nil
}

// expect prepares for the neighbours that return to a group.
func (c *applying) expect(g *Group) error {
	if c.s.applied || !c.new.Process.Restarting || g.RestartTime == 0 {
		return nil
	}
	for _, a := range g.Returning {
		if settings, group := c.new.lookup(a); settings == nil || group != g.Name {
			continue
		}
		if err := c.s.bgp.AddPeer(c.ctx, &api.AddPeerRequest{Peer: g.member(a, &c.new)}); err != nil {
			return fmt.Errorf("%v: %w", a, err)
		}
		c.s.mu.Lock()
		c.s.returning[a] = true
		c.s.mu.Unlock()
	}
	return nil
}

// tuneGroup changes timers, limits and policies. Members that are there keep the
// timers and limits with which they came.
func (c *applying) tuneGroup(o, n *Group) error {
	if o.Settings == n.Settings {
		return nil
	}
	members, err := c.s.members(c.ctx, n.Name)
	if err != nil {
		return err
	}
	for _, a := range members {
		c.policyChanged(a, &o.Settings, &n.Settings)
	}
	if o.tuned() == n.tuned() {
		return nil
	}
	_, err = c.s.bgp.UpdatePeerGroup(c.ctx, &api.UpdatePeerGroupRequest{PeerGroup: n.api(&c.new)})
	return err
}

// members returns the neighbours that are there by a group.
func (s *Speaker) members(ctx context.Context, group string) (out []netip.Addr, err error) {
	err = s.bgp.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) {
		if a, err := netip.ParseAddr(p.State.NeighborAddress); err == nil && p.Conf.PeerGroup == group {
			out = append(out, a)
		}
	})
	return out, err
}
