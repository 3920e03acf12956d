package speaker

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/api"
)

// change is one Apply. What it has done it notes in old, so that after an error
// the next one starts from the truth.
type change struct {
	s   *Speaker
	ctx context.Context
	old *Config
	new Config

	soft map[netip.Addr]Direction // neighbours whose policies changed
}

func (c *change) run() error {
	c.soft = map[netip.Addr]Direction{}
	if err := c.removeNeighbors(); err != nil {
		return err
	}
	if err := c.removeGroups(); err != nil {
		return err
	}
	// Policies are in force before anybody whom they are for.
	if err := c.s.bgp.SetPolicies(c.ctx, c.new.policies()); err != nil {
		return fmt.Errorf("policies: %w", err)
	}
	if err := c.putGroups(); err != nil {
		return err
	}
	if err := c.putNeighbors(); err != nil {
		return err
	}
	c.old.Neighbors = slices.Clone(c.new.Neighbors)
	c.old.Groups = slices.Clone(c.new.Groups)
	for a, d := range c.soft { // unordered: independent of each other
		if err := c.s.ClearSoft(a, d); err != nil {
			return fmt.Errorf("neighbor %v: %w", a, err)
		}
	}
	return nil
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
func (c *change) removeNeighbors() error {
	for _, o := range slices.Clone(c.old.Neighbors) {
		if n := c.new.neighbor(o.Address); n != nil && n.kept() == o.kept() {
			continue
		}
		if err := c.s.bgp.DeletePeer(c.ctx, &api.DeletePeerRequest{Address: o.Address.String()}); err != nil {
			return fmt.Errorf("neighbor %v: %w", o.Address, err)
		}
		c.old.Neighbors = slices.DeleteFunc(c.old.Neighbors, func(n Neighbor) bool { return n.Address == o.Address })
	}
	return nil
}

func (c *change) putNeighbors() error {
	for i := range c.new.Neighbors {
		n := &c.new.Neighbors[i]
		o := c.old.neighbor(n.Address)
		var err error
		switch {
		case o == nil:
			err = c.s.bgp.AddPeer(c.ctx, &api.AddPeerRequest{Peer: n.api()})
			if err == nil {
				c.old.Neighbors = append(c.old.Neighbors, *n)
			}
		case *o != *n:
			if o.tuned() != n.tuned() {
				_, err = c.s.bgp.UpdatePeer(c.ctx, &api.UpdatePeerRequest{Peer: n.api()})
			}
			c.policyChanged(n.Address, &o.Settings, &n.Settings)
		}
		if err != nil {
			return fmt.Errorf("neighbor %v: %w", n.Address, err)
		}
	}
	return nil
}

func (c *change) policyChanged(a netip.Addr, o, n *Settings) {
	var d Direction
	if o.Import != n.Import {
		d |= In
	}
	if o.Export != n.Export || o.NextHop != n.NextHop {
		d |= Out
	}
	if d != 0 {
		c.soft[a] |= d
	}
}

// removeGroups removes the groups that go or come back otherwise, with their
// members. A range that goes takes its group along.
func (c *change) removeGroups() error {
	for _, o := range slices.Clone(c.old.Groups) {
		n := c.new.group(o.Name)
		if n != nil && n.kept() == o.kept() && !slices.ContainsFunc(o.Ranges, func(r netip.Prefix) bool { return !slices.Contains(n.Ranges, r) }) {
			continue
		}
		if err := c.removeGroup(&o); err != nil {
			return fmt.Errorf("peer-group %s: %w", o.Name, err)
		}
		c.old.Groups = slices.DeleteFunc(c.old.Groups, func(g Group) bool { return g.Name == o.Name })
	}
	return nil
}

func (c *change) removeGroup(g *Group) error {
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

func (c *change) putGroups() error {
	for i := range c.new.Groups {
		n := &c.new.Groups[i]
		if err := c.putGroup(c.old.group(n.Name), n); err != nil {
			return fmt.Errorf("peer-group %s: %w", n.Name, err)
		}
	}
	return nil
}

func (c *change) putGroup(o, n *Group) error {
	var ranges []netip.Prefix
	if o == nil {
		if err := c.s.bgp.AddPeerGroup(c.ctx, &api.AddPeerGroupRequest{PeerGroup: n.api()}); err != nil {
			return err
		}
		c.old.Groups = append(c.old.Groups, Group{Name: n.Name, Settings: n.Settings})
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

// tuneGroup changes timers, limits and policies. Members that are there keep the
// timers and limits with which they came.
func (c *change) tuneGroup(o, n *Group) error {
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
	_, err = c.s.bgp.UpdatePeerGroup(c.ctx, &api.UpdatePeerGroupRequest{PeerGroup: n.api()})
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
