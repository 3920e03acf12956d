package linuxkernel

import (
	"maps"
	"slices"
	"sync"

	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

// names maps devices' names to indices. The listener keeps it; the writer adds
// what it has just made, and forgets what the kernel says is not there.
type names struct {
	mu     sync.RWMutex
	byName map[string]int
	links  map[int]dataplane.LinkInfo
}

func newNames() *names {
	return &names{byName: map[string]int{}, links: map[int]dataplane.LinkInfo{}}
}

func (n *names) index(name string) (int, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	i, ok := n.byName[name]
	return i, ok
}

func (n *names) name(index int) string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.links[index].Name
}

func (n *names) link(index int) (dataplane.LinkInfo, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	l, ok := n.links[index]
	return l, ok
}

// all returns the devices, in no order.
func (n *names) all() []dataplane.LinkInfo {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return slices.Collect(maps.Values(n.links))
}

// put notes a device. It returns the name that the device had before, "" if it
// is new or was not renamed.
func (n *names) put(l dataplane.LinkInfo) (renamed string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if old, ok := n.links[l.Index]; ok && old.Name != l.Name {
		renamed = old.Name
		if n.byName[old.Name] == l.Index {
			delete(n.byName, old.Name)
		}
	}
	// An index that is larger is of a later device with that name.
	if n.byName[l.Name] <= l.Index {
		n.byName[l.Name] = l.Index
	}
	n.links[l.Index] = l
	return renamed
}

func (n *names) drop(index int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l, ok := n.links[index]; ok && n.byName[l.Name] == index {
		delete(n.byName, l.Name)
	}
	delete(n.links, index)
}

// resolve fills in the names of the devices that a link refers to.
func (n *names) resolve(l dataplane.LinkInfo) dataplane.LinkInfo {
	l.Master = n.name(l.MasterIndex)
	if l.GRE != nil && l.GRE.UnderlayIndex != 0 {
		g := *l.GRE
		g.Underlay = n.name(g.UnderlayIndex)
		l.GRE = &g
	}
	return l
}
