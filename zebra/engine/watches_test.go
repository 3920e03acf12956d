package engine_test

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/hub"
)

func hairpins(ifname string, group uint32) librib.Watch {
	return librib.Watch{Kind: librib.WatchHairpin, Interface: ifname, Instance: group}
}

// detectors returns the hairpin detectors that the FIB is to have, in words.
func (w *world) detectors() (text string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, device := range []string{"GigabitEthernet1", "eth0", "lan"} {
		if h, ok := w.want[dataplane.Hairpin{Device: device}.Key()].(dataplane.Hairpin); ok {
			text += fmt.Sprintf("%s %d; ", h.Device, h.Group)
		}
	}
	return text
}

// found returns the hairpins that a daemon was told of since the last call.
func (w *world) found(owner string) (text string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.sent[owner] {
		if h, ok := e.(librib.Hairpin); ok {
			text += fmt.Sprintf("%s %s %s; ", h.In, h.Out, h.Packet)
		}
	}
	delete(w.sent, owner)
	return text
}

// TestHairpins: a watch puts a detector, and what is found goes to those who watch
// both interfaces.
func TestHairpins(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Enabled([]string{"a", "nhrpd"})
		w.attach("a", session.Begin{}, session.EndOfReplay{})
		w.attach("nhrpd", session.Begin{}, session.WatchAdd{Watch: hairpins("GigabitEthernet1", 7)}, session.EndOfReplay{})
		w.expect("one", w.detectors(), "eth0 7; ")
		ev := dataplane.HairpinFound{In: "eth0", Out: "lan", Packet: []byte("packet")}
		w.engine.Event(ev)
		w.expect("one watched", w.found("nhrpd"), "")
		w.say("nhrpd", session.WatchAdd{Watch: hairpins("lan", 7)})
		w.expect("two", w.detectors(), "eth0 7; lan 7; ")
		w.engine.Event(ev)
		w.expect("both watched", w.found("nhrpd"), "GigabitEthernet1 lan packet; ")
		w.expect("not a", w.found("a"), "")
		w.say("nhrpd", session.WatchDel{Watch: hairpins("lan", 7)}, session.WatchAdd{Watch: hairpins("lan", 8)})
		w.expect("another group", w.detectors(), "eth0 7; lan 8; ")
		w.say("nhrpd", session.WatchAdd{Watch: hairpins("lan", 9)}, session.WatchDel{Watch: hairpins("lan", 8)})
		w.expect("the old one goes late", w.detectors(), "eth0 7; lan 9; ")
		w.say("nhrpd", session.WatchDel{Watch: hairpins("lan", 9)})
		w.expect("the watch went", w.detectors(), "eth0 7; ")
		w.engine.Configure(config(), nil)
		c := config()
		c.Aliases = nil
		w.engine.Configure(c, nil)
		w.expect("without the alias", w.detectors(), "GigabitEthernet1 7; ")
		w.engine.Enabled([]string{"a"})
		w.expect("disabled", w.detectors(), "")
	})
}

// TestHairpinsOutliveDaemon: detectors stay until the next life has said what it
// watches, or its hold time ends.
func TestHairpinsOutliveDaemon(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Enabled([]string{"nhrpd"})
		w.attach("nhrpd", session.Begin{}, session.WatchAdd{Watch: hairpins("GigabitEthernet1", 7)}, session.WatchAdd{Watch: hairpins("lan", 7)}, session.EndOfReplay{})
		w.detach("nhrpd")
		w.attach("nhrpd", session.Begin{}, session.WatchAdd{Watch: hairpins("lan", 7)})
		w.expect("in the replay", w.detectors(), "eth0 7; lan 7; ")
		w.say("nhrpd", session.EndOfReplay{})
		w.expect("after the replay", w.detectors(), "lan 7; ")
		w.detach("nhrpd")
		w.expect("dead", w.detectors(), "lan 7; ")
		time.Sleep(time.Hour)
		w.expect("after its hold time", w.detectors(), "")
	})
}

func uses(ifname string) librib.Watch {
	return librib.Watch{Kind: librib.WatchPeerUse, Interface: ifname}
}

// watched returns the devices whose peers' use the FIB is to watch.
func (w *world) watched() (text string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, device := range []string{"GigabitEthernet1", "eth0", "lan"} {
		if w.want[dataplane.PeerUse{Device: device}.Key()] == (dataplane.PeerUse{Device: device}) {
			text += device + "; "
		}
	}
	return text
}

// used returns the use of peers that a daemon was told of since the last call.
func (w *world) used(owner string) (text string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.sent[owner] {
		if u, ok := e.(librib.PeersUsed); ok {
			text += fmt.Sprintf("%s %v; ", u.Interface, u.NBMA)
		}
	}
	delete(w.sent, owner)
	return text
}

// TestPeerUse: a watch has the data plane look at a tunnel, beside hairpins, until
// the last daemon that watches has gone.
func TestPeerUse(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.ready()
		w.engine.Enabled([]string{"a", "nhrpd"})
		w.attach("a", session.Begin{}, session.EndOfReplay{})
		w.attach("nhrpd", session.Begin{}, session.WatchAdd{Watch: uses("GigabitEthernet1")},
			session.WatchAdd{Watch: hairpins("GigabitEthernet1", 7)}, session.WatchAdd{Watch: uses("lan")}, session.EndOfReplay{})
		w.expect("two", w.watched(), "eth0; lan; ")
		w.expect("hairpins beside", w.detectors(), "eth0 7; ")
		ev := dataplane.PeersUsed{Device: "eth0", NBMA: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.8")}}
		w.engine.Event(ev)
		w.expect("told", w.used("nhrpd"), "GigabitEthernet1 [192.0.2.7 192.0.2.8]; ")
		w.expect("not a", w.used("a"), "")
		w.say("nhrpd", session.WatchDel{Watch: uses("GigabitEthernet1")})
		w.expect("one", w.watched(), "lan; ")
		w.expect("hairpins stay", w.detectors(), "eth0 7; ")
		w.engine.Event(ev)
		w.expect("told no more", w.used("nhrpd"), "")
		w.detach("nhrpd")
		w.attach("nhrpd", session.Begin{}, session.WatchAdd{Watch: uses("GigabitEthernet1")})
		w.expect("in the replay", w.watched(), "eth0; lan; ")
		w.say("nhrpd", session.EndOfReplay{})
		w.expect("after the replay", w.watched(), "eth0; ")
		w.engine.Enabled([]string{"a"})
		w.expect("disabled", w.watched(), "")
	})
}

// detach ends the session of the daemon that attached last.
func (w *world) detach(owner string) {
	w.engine.Message(hub.Detached{Owner: owner, Epoch: w.epoch})
}
