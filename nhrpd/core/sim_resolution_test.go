package core_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// simNBMA returns where spoke k is reached.
func simNBMA(k int) netip.Addr {
	if k%20 == 0 {
		return simPublic(k)
	}
	return netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)})
}

// simTraffic is what the spokes send: each to a few others, all the time. The
// kernel of a spoke tells of a neighbour that it has not.
type simTraffic struct {
	*simCloud
	targets [][]int // of each spoke
}

func newSimTraffic(seed uint64, spokes int, loss float64) *simTraffic {
	c := &simTraffic{simCloud: newSimCloud(seed, spokes, loss)}
	for k := range spokes {
		c.targets = append(c.targets, []int{(k + 1) % spokes, (k + 7) % spokes, (k + spokes/2) % spokes})
	}
	return c
}

// send has every spoke send one packet to each of its targets, and returns how
// many had to ask for a neighbour, how many go directly and how many by the hub.
func (c *simTraffic) send() (missed, direct, byHub int) {
	for k, s := range c.spokes {
		for _, target := range c.targets[k] {
			switch c.tables[s.ID()][simOverlay(target)] {
			case netip.Addr{}:
				missed++
				s.Post(core.NeighborMiss{Interface: "Tunnel0", Addr: simOverlay(target)})
			case hubNBMA:
				byHub++
			case simNBMA(target):
				direct++
			}
		}
	}
	return missed, direct, byHub
}

// run sends for some seconds, and checks that a miss is followed by a neighbour
// within the same instant as long as the hub is up.
func (c *simTraffic) run(t *testing.T, seconds int, done func(direct, byHub int) bool) (spent int) {
	t.Helper()
	for spent = range seconds {
		missed, direct, byHub := c.send()
		all := 3 * len(c.spokes)
		if missed+direct+byHub != all {
			t.Fatalf("%v: %d of %d packets go to a wrong place", c.Now(), all-missed-direct-byHub, all)
		}
		if done(direct, byHub) {
			return spent
		}
		if err := c.RunFor(time.Second); err != nil {
			t.Fatal(err)
		}
	}
	return seconds
}

// story: all register, all send, all find each other; one is purged from all; the
// hub dies, and direct
// tunnels outlive it while nothing is left that would go by way of it.
func (c *simTraffic) story(t *testing.T) {
	n := len(c.spokes)
	if err := c.RunUntil(400*simSecond, func() bool { return c.up == n && len(c.neighbors) == n }); err != nil {
		t.Fatalf("%v: %d up", err, c.up)
	}
	before := c.total()
	c.send()
	if err := c.RunFor(time.Millisecond); err != nil {
		t.Fatal(err)
	}
	missed, direct, byHub := c.send()
	if missed > 0 || direct > 0 || byHub != 3*n {
		t.Fatalf("a millisecond after the first packets: %d missed, %d direct, %d by the hub", missed, direct, byHub)
	}
	spent := c.run(t, 300, func(direct, _ int) bool { return direct == 3*n })
	if spent > 200 { // five requests that are all lost, and a life of three minutes
		t.Errorf("not all are direct after %d s", spent)
	}
	// With 20 % of loss a request takes 1.56 attempts; registrations come on top.
	if sent := c.total() - before; sent > 3*n*2*3+n*2*3 {
		t.Errorf("%d messages for %d resolutions", sent, 3*n)
	}
	// A spoke dies, and the hub is told to forget it: it purges that from all that it
	// told, again and again until they answer.
	const dead = 3
	c.spokes[dead].Crash()
	c.hub.Post(core.Clear{Entries: true, Target: netip.PrefixFrom(simOverlay(dead), 32)})
	if err := c.RunFor(20 * time.Second); err != nil {
		t.Fatal(err)
	}
	for k, s := range c.spokes {
		if at := c.tables[s.ID()][simOverlay(dead)]; k != dead && at.IsValid() && at != hubNBMA {
			t.Errorf("spoke %d still sends to the dead one, at %v", k, at)
		}
	}
	c.hub.Crash()
	if err := c.RunFor(210 * time.Second); err != nil { // a registration period, and its retries
		t.Fatal(err)
	}
	_, direct, byHub = c.send()
	if byHub > 0 || direct < 3*n*9/10 {
		t.Errorf("after the death of the hub %d go to it and %d are direct", byHub, direct)
	}
}

// TestSimResolution has small clouds with much loss resolve each other, each seed
// twice: the same events, the same hash.
func TestSimResolution(t *testing.T) {
	for seed := range uint64(10) {
		var hashes [2]uint64
		for k := range hashes {
			c := newSimTraffic(seed, 40, 0.2)
			c.story(t)
			hashes[k] = c.Hash()
		}
		if hashes[0] != hashes[1] {
			t.Errorf("seed %d: two runs differ: %x", seed, hashes)
		}
	}
}
