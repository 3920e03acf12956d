package engine_test

import (
	"strings"
	"testing"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/iface"
)

// spoke has a tunnel with a static route by it, and one by the LAN that is worse.
func (w *world) spoke(dormant bool) {
	w.engine.Event(dataplane.Resync{})
	w.device("eth0", 2, "192.0.2.1/30")
	w.device("lan", 3, "10.1.0.1/24")
	w.tunnelDevice(dormant)
	w.engine.Event(dataplane.Known{})
	floating := static("", "10.9.0.0/16", librib.NextHop{Addr: addr("10.1.0.9")})
	floating.Distance, floating.Instance = 250, 2
	w.engine.Configure(iface.Config{Interfaces: []iface.Interface{{Name: "eth0"}, {Name: "lan"}, {Name: "Tunnel0",
		Addresses: []librib.Address{{Prefix: prefix("172.31.0.11/24")}}, Tunnel: iface.Tunnel{SourceInterface: "eth0", Multipoint: true}}}},
		[]librib.Route{static("", "10.9.0.0/16", librib.NextHop{Addr: addr("172.31.0.1")}), floating})
	w.engine.Enabled([]string{"nhrpd"})
	w.engine.Configured()
}

func (w *world) tunnelDevice(dormant bool) {
	w.engine.Event(dataplane.LinkChanged{Link: dataplane.LinkInfo{Name: "Tunnel0", Index: 7, Kind: "gre", Own: true, Up: true,
		Running: !dormant, Dormant: dormant, LowerUp: true, MTU: 1476}})
	w.engine.Event(dataplane.AddrChanged{Addr: dataplane.Addr{Device: "Tunnel0", Prefix: prefix("172.31.0.11/24")}, Index: 7})
}

// line returns the state of the tunnel: as daemons see it, and what is wanted of
// the kernel.
func (w *world) line() string {
	w.wanted()
	var out []string
	if err := w.engine.Do(w.t.Context(), func() {
		i, _ := w.engine.Interfaces().Interface("Tunnel0")
		if i.Up {
			out = append(out, "up")
		}
		if i.HeldDown {
			out = append(out, "held down")
		}
	}); err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.want[dataplane.Key{Kind: dataplane.KindTunnel, Name: "Tunnel0"}].(dataplane.Tunnel).Dormant {
		out = append(out, "dormant")
	}
	return strings.Join(out, ", ")
}

const (
	byTunnel = "route 254 10.9.0.0/16 p196 172.31.0.1@Tunnel0"
	byLAN    = "route 254 10.9.0.0/16 p196 10.1.0.9@lan"
)

// TestLineProtocol: a tunnel that a daemon holds down has no routes, and they are
// back when it lets go; while the daemon is dead all stays as it was.
func TestLineProtocol(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.spoke(false)
		down := librib.LineProtocol{Interface: "Tunnel0", Down: true}
		up := librib.LineProtocol{Interface: "Tunnel0"}
		w.attach("nhrpd", session.Begin{}, session.Put{Seq: 1, Object: up}, session.EndOfReplay{Seq: 1})
		w.expect("at first", w.line()+"; "+w.wanted(dataplane.KindRoute), "up; "+byTunnel)
		w.say("nhrpd", session.Put{Seq: 2, Object: down})
		w.expect("held down", w.line()+"; "+w.wanted(dataplane.KindRoute), "held down, dormant; "+byLAN)
		w.tunnelDevice(true)
		w.expect("and the kernel knows", w.line()+"; "+w.wanted(dataplane.KindRoute), "held down, dormant; "+byLAN)
		if got := w.told("nhrpd"); !strings.Contains(got, "ack 2 []") {
			t.Errorf("nhrpd was told %s", got)
		}

		w.attach("nhrpd", session.Begin{})
		w.expect("nhrpd is new and has not said", w.line()+"; "+w.wanted(dataplane.KindRoute), "held down, dormant; "+byLAN)
		w.say("nhrpd", session.Put{Seq: 1, Object: up})
		w.expect("let go", w.line()+"; "+w.wanted(dataplane.KindRoute), "held down; "+byLAN) // until the kernel says
		w.tunnelDevice(false)
		w.expect("awake", w.line()+"; "+w.wanted(dataplane.KindRoute), "up; "+byTunnel)
		w.say("nhrpd", session.Put{Seq: 2, Object: down}, session.Delete{Seq: 3, Key: down.Key()})
		w.expect("withdrawn", w.line()+"; "+w.wanted(dataplane.KindRoute), "up; "+byTunnel)
	})
}

// TestLineProtocolOutlivesZebra: a new zebra finds a tunnel dormant, and leaves it
// so until the daemon that held it down, or all who might have, have spoken.
func TestLineProtocolOutlivesZebra(t *testing.T) {
	for name, then := range map[string]struct {
		says []session.Up
		want string
	}{
		"down":    {[]session.Up{session.Put{Seq: 1, Object: librib.LineProtocol{Interface: "Tunnel0", Down: true}}, session.EndOfReplay{Seq: 1}}, "held down, dormant; " + byLAN},
		"up":      {[]session.Up{session.Put{Seq: 1, Object: librib.LineProtocol{Interface: "Tunnel0"}}}, "up; " + byTunnel},
		"nothing": {[]session.Up{session.EndOfReplay{}}, "up; " + byTunnel},
	} {
		inWorld(t, nil, func(w *world) {
			w.spoke(true)
			w.expect(name+": at first", w.line()+"; "+w.wanted(dataplane.KindRoute), "held down, dormant; "+byLAN)
			w.attach("nhrpd", session.Begin{})
			w.expect(name+": attached", w.line()+"; "+w.wanted(dataplane.KindRoute), "held down, dormant; "+byLAN)
			w.say("nhrpd", then.says...)
			if !strings.Contains(w.line(), "dormant") {
				w.tunnelDevice(false)
			}
			w.expect(name, w.line()+"; "+w.wanted(dataplane.KindRoute), then.want)
		})
	}
}
