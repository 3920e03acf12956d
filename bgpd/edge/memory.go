package edge

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// memoryTopic is the topic under which zebra keeps who is there of listen ranges: a key
// for each, its address and its VRF if that is not the default one.
const memoryTopic = "bgpd.dynamic"

// memoryValue is the value of all keys.
var memoryValue = []byte{1}

// endOfMemory is a question that zebra answers when it has told all values of the topics
// that were watched before: about the all-systems group of RFC 1112, which is no next hop.
var endOfMemory = rib.Watch{Kind: rib.WatchNextHop, Addr: netip.AddrFrom4([4]byte{224, 0, 0, 1})}

// maxMemory bounds what is remembered in a VRF: what one more costs is that its routes go
// while the daemon restarts.
const maxMemory = 16384

// memory is who was there of listen ranges. The edge's lock guards it.
type memory struct {
	before map[string][]netip.Addr // by VRF, of an earlier life
	whole  bool                    // all of an earlier life came
}

func memoryKey(vrf string, a netip.Addr) string { return strings.TrimSpace(a.String() + " " + vrf) }

// recall takes in a value of an earlier life.
func (m *memory) recall(t rib.TopicMessage) {
	if m.whole || t.Payload == nil {
		return // this life's own
	}
	addr, vrf, _ := strings.Cut(t.Key, " ")
	if a, err := netip.ParseAddr(addr); err == nil && len(m.before[vrf]) < maxMemory {
		if m.before == nil {
			m.before = map[string][]netip.Addr{}
		}
		m.before[vrf] = append(m.before[vrf], a)
	}
}

func (e *Edge) recall(t rib.TopicMessage) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.memory.recall(t)
}

// recalled says that all of an earlier life has come: speakers may run.
func (e *Edge) recalled() {
	e.mu.Lock()
	e.memory.whole = true
	e.mu.Unlock()
	e.wakeKeeper()
}

// replayed ends what counts after a restart only.
func (e *Edge) replayed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.again, e.memory.before = false, nil
}

// remember notes that somebody has come by a listen range of a VRF, or has gone.
func (e *Edge) remember(r *runner, a netip.Addr, up bool) {
	key := memoryKey(r.vrf, a)
	if !up {
		if r.members[a] {
			delete(r.members, a)
			_ = e.Client.Publish(memoryTopic, key, nil) // fails for keys only that are refused below
		}
		return
	}
	if len(r.members) >= maxMemory || r.members[a] {
		return
	}
	if err := e.Client.Publish(memoryTopic, key, memoryValue); err != nil {
		e.log.Warn("a dynamic neighbor will not outlive the daemon", "neighbor", a, "error", err)
		return
	}
	r.members[a] = true
}

// forget ends the memory of a speaker that has said goodbye.
func (e *Edge) forget(r *runner) {
	for a := range r.members { // unordered: independent of each other
		_ = e.Client.Publish(memoryTopic, memoryKey(r.vrf, a), nil)
	}
	clear(r.members)
}

// returning gives the groups of a speaker that begins after a restart those who were there
// before, and returns them with the families that each is to tell.
func returning(c *speaker.Config, before []netip.Addr) (out []core.Neighbor) {
	if !c.Process.Restarting {
		return nil
	}
	c.Groups = slices.Clone(c.Groups)
	for _, a := range before {
		g := c.GroupOf(a)
		if g == nil || g.RestartTime == 0 {
			continue // it will not tell its end of RIB
		}
		g.Returning = append(g.Returning, a)
		for _, f := range []struct {
			family rib.Family
			active bool
		}{{rib.IPv4, g.IPv4.Active}, {rib.IPv6, g.IPv6.Active}} {
			if f.active {
				out = append(out, core.Neighbor{Addr: a, Family: f.family})
			}
		}
	}
	return out
}
