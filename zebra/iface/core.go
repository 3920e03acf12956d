package iface

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// Effect is something that follows from the inputs. The set is closed: Desire,
// Changed, Gone.
type Effect interface{ effect() }

// Desire is a change of what the data plane should have.
type Desire struct{ Op dataplane.Op }

// Changed tells the present state of an interface, new or changed.
type Changed struct{ Interface rib.Interface }

// Gone tells that an interface is neither configured nor in the kernel any more.
type Gone struct{ Name string }

func (Desire) effect()  {}
func (Changed) effect() {}
func (Gone) effect()    {}

// Core is the state. Make it by New.
type Core struct {
	cfg     Config
	configs map[string]*Interface // by configuration name
	byAlias map[string]string     // kernel name → configuration name

	links  map[string]*link  // by kernel name
	tables map[string]uint32 // VRF → table
	dirty  bool

	resync  map[string]bool // kernel names not repeated since a Resync; nil outside of one
	desired map[dataplane.Key]dataplane.Object
	told    map[string]rib.Interface

	// By kernel name the tunnels that are to be protected, until their devices are
	// gone, each with the addresses from which it may send.
	guarded map[string]map[netip.Addr]bool

	lines   map[string]bool // by configuration name: whether the line protocol is held down, where somebody says
	settled bool            // who does not say now does not mean to
}

type link struct {
	info  dataplane.LinkInfo
	addrs []address
	fresh map[netip.Prefix]bool // addresses repeated since a Resync
}

type address struct {
	dataplane.Addr
	secondary, tentative bool
}

// New returns a core without configuration and links.
func New() *Core {
	c := &Core{links: map[string]*link{}, tables: map[string]uint32{},
		desired: map[dataplane.Key]dataplane.Object{}, told: map[string]rib.Interface{}, lines: map[string]bool{}}
	c.SetConfig(Config{})
	return c
}

// SetConfig replaces the configuration.
func (c *Core) SetConfig(cfg Config) {
	c.cfg, c.dirty = cfg, true
	c.configs, c.byAlias = map[string]*Interface{}, map[string]string{}
	for i := range cfg.Interfaces {
		c.configs[cfg.Interfaces[i].Name] = &cfg.Interfaces[i]
	}
	for name, kernel := range cfg.Aliases {
		c.byAlias[kernel] = name
	}
}

// SetLineProtocol says whether the line protocol of an interface is held down,
// whatever its device says.
func (c *Core) SetLineProtocol(name string, down bool) {
	if was, ok := c.lines[name]; !ok || was != down {
		c.lines[name], c.dirty = down, true
	}
}

// ClearLineProtocol takes a SetLineProtocol back: the device alone decides.
func (c *Core) ClearLineProtocol(name string) {
	if _, ok := c.lines[name]; ok {
		delete(c.lines, name)
		c.dirty = true
	}
}

// Settled says that all line protocols that are to be held down were set. Until
// then a tunnel that an earlier zebra held down stays so.
func (c *Core) Settled() { c.settled, c.dirty = true, true }

// heldDown reports whether the line protocol of an interface is to be held down; l
// may be nil.
func (c *Core) heldDown(name string, l *link) bool {
	if down, ok := c.lines[name]; ok || c.settled {
		return down
	}
	return l != nil && l.info.Dormant
}

// Kernel returns the kernel name for a configuration name.
func (c *Core) Kernel(name string) string {
	if kernel, ok := c.cfg.Aliases[name]; ok {
		return kernel
	}
	return name
}

// Name returns the configuration name for a kernel name.
func (c *Core) Name(kernel string) string {
	if name, ok := c.byAlias[kernel]; ok {
		return name
	}
	return kernel
}

// Interface returns what was last told of an interface.
func (c *Core) Interface(name string) (rib.Interface, bool) {
	i, ok := c.told[name]
	return i, ok
}

// Interfaces returns what was last told of all interfaces, by name.
func (c *Core) Interfaces() []rib.Interface {
	out := make([]rib.Interface, 0, len(c.told))
	for _, name := range slices.Sorted(maps.Keys(c.told)) {
		out = append(out, c.told[name])
	}
	return out
}

// VRFs returns the configured VRFs, in configuration order.
func (c *Core) VRFs() []VRF { return slices.Clone(c.cfg.VRFs) }

// Table returns the routing table of a VRF; ok is false if there is no such VRF.
func (c *Core) Table(vrf string) (table uint32, ok bool) {
	if vrf == "" {
		return dataplane.TableMain, true
	}
	table, ok = c.tables[vrf]
	return table, ok
}

// VRFOfTable is the inverse of Table.
func (c *Core) VRFOfTable(table uint32) (vrf string, ok bool) {
	if table == dataplane.TableMain {
		return "", true
	}
	for name, t := range c.tables {
		if t == table {
			return name, true
		}
	}
	return "", false
}

// Event takes in an event of the data plane; events that are not about links
// and addresses are ignored.
func (c *Core) Event(ev dataplane.Event) {
	switch ev := ev.(type) {
	case dataplane.Resync:
		c.resync = map[string]bool{}
		for name, l := range c.links {
			c.resync[name], l.fresh = true, map[netip.Prefix]bool{}
		}
	case dataplane.Known:
		c.known()
	case dataplane.LinkChanged:
		c.linkChanged(ev.Link)
	case dataplane.LinkGone:
		if l := c.links[ev.Name]; l != nil && l.info.Index == ev.Index {
			delete(c.links, ev.Name)
			c.dirty = true
		}
	case dataplane.AddrChanged:
		c.addrChanged(ev)
	}
}

// known sweeps what a Resync did not repeat.
func (c *Core) known() {
	for name := range c.resync {
		delete(c.links, name)
	}
	for _, l := range c.links {
		if l.fresh != nil {
			l.addrs = slices.DeleteFunc(l.addrs, func(a address) bool { return !l.fresh[a.Prefix] })
			l.fresh = nil
		}
	}
	c.resync, c.dirty = nil, true
}

func (c *Core) linkChanged(info dataplane.LinkInfo) {
	delete(c.resync, info.Name)
	c.dirty = true
	for name, l := range c.links { // a renamed link keeps its index
		if l.info.Index == info.Index && name != info.Name {
			delete(c.links, name)
			c.links[info.Name] = l
		}
	}
	l := c.links[info.Name]
	if l == nil || l.info.Index != info.Index {
		l = &link{}
		if c.resync != nil {
			l.fresh = map[netip.Prefix]bool{}
		}
		c.links[info.Name] = l
	}
	l.info = info
}

func (c *Core) addrChanged(ev dataplane.AddrChanged) {
	l := c.links[ev.Addr.Device]
	if l == nil || l.info.Index != ev.Index {
		return
	}
	c.dirty = true
	at := slices.IndexFunc(l.addrs, func(a address) bool { return a.Prefix == ev.Addr.Prefix })
	if ev.Gone {
		if at >= 0 {
			l.addrs = slices.Delete(l.addrs, at, at+1)
		}
		return
	}
	if l.fresh != nil {
		l.fresh[ev.Addr.Prefix] = true
	}
	a := address{ev.Addr, ev.Secondary, ev.Tentative}
	if at >= 0 {
		l.addrs[at] = a
		return
	}
	l.addrs = append(l.addrs, a)
	slices.SortStableFunc(l.addrs, func(a, b address) int {
		if a.secondary != b.secondary {
			return map[bool]int{false: -1, true: 1}[a.secondary]
		}
		return cmp.Compare(a.Prefix.Addr().BitLen(), b.Prefix.Addr().BitLen())
	})
}

// Drain appends what has changed since the last call to dst: first what the
// data plane should do, then what the interfaces are.
func (c *Core) Drain(dst []Effect) []Effect {
	if !c.dirty || c.resync != nil {
		return dst
	}
	c.dirty = false
	c.assignTables()
	dst = c.drainInterfaces(dst)
	return c.drainDesired(dst)
}

func (c *Core) drainDesired(dst []Effect) []Effect {
	want := map[dataplane.Key]dataplane.Object{}
	for _, o := range c.wanted() {
		want[o.Key()] = o
	}
	for _, k := range sortedKeys(c.desired) {
		if _, ok := want[k]; !ok {
			dst = append(dst, Desire{dataplane.Delete(k)})
		}
	}
	for _, k := range sortedKeys(want) {
		if old, ok := c.desired[k]; !ok || !old.Equal(want[k]) {
			dst = append(dst, Desire{dataplane.Put(want[k])})
		}
	}
	c.desired = want
	return dst
}

func sortedKeys(m map[dataplane.Key]dataplane.Object) []dataplane.Key {
	return slices.SortedFunc(maps.Keys(m), func(a, b dataplane.Key) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), a.Prefix.Compare(b.Prefix))
	})
}

func (c *Core) drainInterfaces(dst []Effect) []Effect {
	now := map[string]rib.Interface{}
	for kernel, l := range c.links {
		if name := c.Name(kernel); !fallback[kernel] {
			now[name] = c.describe(name, c.configs[name], l)
		}
	}
	for name, cfg := range c.configs {
		if _, ok := now[name]; !ok {
			now[name] = c.describe(name, cfg, nil)
		}
	}
	c.resolveTunnels(now)
	for _, name := range slices.Sorted(maps.Keys(c.told)) {
		if _, ok := now[name]; !ok {
			dst = append(dst, Gone{name})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if old, ok := c.told[name]; !ok || !old.Equal(now[name]) {
			dst = append(dst, Changed{now[name]})
		}
	}
	c.told = now
	return dst
}
