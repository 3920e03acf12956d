package core

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// shaperKey is an NBMA address to which a tunnel sends no more than a rate. The
// instances of both families share it: the tunnel does not ask of which family a
// packet is.
type shaperKey struct {
	name string // of the tunnel
	nbma netip.Addr
}

// shaping is a shaper that was stated, and the entries that ask for it: if their
// policies differ, the first one's is in force.
type shaping struct {
	entries []*entry // by family and target
	put     rib.Shaper
}

// shaperBasis is what decides, beside the entries, who is held down to what.
type shaperBasis struct {
	source   netip.Addr
	policies map[string]Policy // by group; those that shape. nil on a point-to-point tunnel
}

func (b shaperBasis) equal(o shaperBasis) bool {
	return b.source == o.source && maps.Equal(b.policies, o.policies)
}

// syncShapers brings who is held down to what in line with configuration and tunnel.
// A point-to-point tunnel has one far end, to which the device's own rate applies.
func (c *Core) syncShapers(i *iface) {
	var now shaperBasis
	if i.multipoint {
		now = shaperBasis{source: i.source, policies: make(map[string]Policy)}
		for _, m := range i.cfg.GroupMaps {
			if p, ok := c.policies[m.Policy]; ok && p.Rate > 0 {
				now.policies[m.Group] = p
			}
		}
	}
	if now.equal(i.shapers) {
		return
	}
	i.shapers = now
	for _, e := range i.cache.sorted() {
		c.placeShaper(e, false)
	}
}

// policyOf returns the policy for an entry: for a client that told its group when it
// registered.
func (i *iface) policyOf(e *entry) (Policy, bool) {
	p, ok := i.shapers.policies[e.group]
	return p, ok && e.flags&FlagRegistered != 0 && i.station(e.nbma)
}

// placeShaper brings what an entry asks for in line with it; gone says that it has
// left the cache.
func (c *Core) placeShaper(e *entry, gone bool) {
	i := e.iface
	var want netip.Addr
	if _, ok := i.policyOf(e); ok && !gone {
		want = e.nbma
	}
	if was := e.shaped; was.IsValid() && was != want {
		c.dropShaper(shaperKey{i.key.name, was}, e)
	}
	if e.shaped = want; want.IsValid() {
		c.wantShaper(shaperKey{i.key.name, want}, e)
	}
}

func (c *Core) wantShaper(k shaperKey, e *entry) {
	s := c.shapers[k]
	if s == nil {
		s = &shaping{}
		c.shapers[k] = s
	}
	if at, ok := slices.BinarySearchFunc(s.entries, e, compareShaped); !ok {
		s.entries = slices.Insert(s.entries, at, e)
	}
	c.tellShaper(k, s)
}

func (c *Core) dropShaper(k shaperKey, e *entry) {
	s := c.shapers[k]
	s.entries = slices.DeleteFunc(s.entries, func(o *entry) bool { return o == e })
	if len(s.entries) > 0 {
		c.tellShaper(k, s)
		return
	}
	delete(c.shapers, k)
	c.emit(DelShaper{s.put.Key()})
}

// tellShaper states what the first entry asks for, unless that was stated.
func (c *Core) tellShaper(k shaperKey, s *shaping) {
	p, ok := s.entries[0].iface.policyOf(s.entries[0])
	want := rib.Shaper{Interface: k.name, NBMA: k.nbma, Rate: p.Rate, Burst: p.Burst, Policy: p.Name}
	if !ok || want == s.put { // one that asks no more is about to be dropped
		return
	}
	s.put = want
	c.emit(PutShaper{want})
}

func compareShaped(a, b *entry) int {
	if n := cmp.Compare(a.iface.key.family, b.iface.key.family); n != 0 {
		return n
	}
	return comparePrefix(a.target, b.target)
}

// applied returns the name of the policy by which packets to an entry's NBMA address
// are held down, "" if they are not.
func (c *Core) applied(e *entry) string {
	if s := c.shapers[shaperKey{e.iface.key.name, e.nbma}]; s != nil {
		return s.put.Policy
	}
	return ""
}

// groups makes the `show ip nhrp group-map` part of an instance.
func (i *iface) groups() InterfaceGroups {
	r := InterfaceGroups{Interface: i.key.name, Family: i.key.family}
	members := make(map[string][]GroupPeer)
	for _, e := range i.cache.sorted() {
		if e.group != "" && e.flags&FlagRegistered != 0 {
			members[e.group] = append(members[e.group], GroupPeer{Tunnel: e.nextHop, NBMA: e.nbma})
		}
	}
	for _, m := range i.cfg.GroupMaps {
		r.Groups = append(r.Groups, GroupEntry{Group: m.Group, Policy: m.Policy, Peers: members[m.Group]})
	}
	slices.SortFunc(r.Groups, func(a, b GroupEntry) int { return cmp.Compare(a.Group, b.Group) })
	return r
}

// groupReport makes the report of the instances that have groups.
func groupReport(instances []*iface) *GroupReport {
	r := new(GroupReport)
	for _, i := range instances {
		if g := i.groups(); len(g.Groups) > 0 {
			r.Interfaces = append(r.Interfaces, g)
		}
	}
	return r
}

// policyReport lists the policies.
func (c *Core) policyReport() *PolicyReport {
	byName := func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) }
	return &PolicyReport{Policies: slices.SortedFunc(maps.Values(c.policies), byName)}
}
