package ipsecd_test

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestSecured: two daemons secure each other over sockets since nhrpd of one wants it, and
// tell zebra and nhrpd. Packets that were held back have the same effect.
func TestSecured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secured(t)
	})
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.start(config)
		spoke.start(config)
		spoke.tell(rib.Acquired{Source: spoke.addr, Destination: hub.addr})
		time.Sleep(time.Second)
		agree(t, hub, spoke, 2)
	})
}

// TestCommands runs every exec command of the grammar, for people and for programs.
func TestCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := secured(t)
		lines := map[string]string{ // what they must say
			"show crypto ikev2 sa":                            "192.0.2.1/500",
			"show crypto ikev2 sa detailed remote 192.0.2.99": "",
			"show crypto ikev2 session":                       "192.0.2.1/500",
			"show crypto ikev2 stats":                         "Incoming",
			"show crypto ikev2 proposal":                      "default",
			"show crypto ikev2 policy":                        "default",
			"show crypto ikev2 profile P":                     "IKEv2 profile: P",
			"show crypto ipsec sa":                            "current_peer 192.0.2.1 port 500",
			"show crypto ipsec profile":                       "CLOUD",
			"show crypto ipsec transform-set":                 "T",
			"show crypto session":                             "UP-ACTIVE",
			"show crypto socket":                              "Tunnel0",
			"clear crypto ikev2 stats":                        "",
			"clear crypto sa counters":                        "",
			"clear crypto sa peer 192.0.2.99":                 "",
			"clear crypto sa":                                 "",
			"clear crypto session remote 192.0.2.1":           "",
			"clear crypto ikev2 sa":                           "",
			"debug crypto ikev2":                              "IKEv2 default debugging is on",
			"debug crypto ikev2 packet":                       "IKEv2 packet debugging is on",
			"debug crypto ipsec":                              "Crypto IPSEC debugging is on",
			"debug crypto socket":                             "Crypto Secure Socket debugging is on",
			"show debugging":                                  "IKEv2 internal debugging is on",
			"undebug crypto ikev2 internal":                   "IKEv2 internal debugging is off",
			"undebug crypto ipsec":                            "Crypto IPSEC debugging is off",
			"undebug crypto socket":                           "Crypto Secure Socket debugging is off",
			"undebug all":                                     "",
			"no debug all":                                    "",
		}
		seen := map[string]bool{}
		for line, want := range lines {
			if line == "show debugging" {
				spoke.exec("debug crypto ikev2 internal", false)
			}
			time.Sleep(10 * time.Second) // after what was cleared
			if out := spoke.exec(line, false); !strings.Contains(out, want) {
				t.Errorf("%s: %q, want %q", line, out, want)
			}
			if out := spoke.exec(line, true); out != "" && !json.Valid([]byte(out)) {
				t.Errorf("%s: no JSON: %s", line, out)
			}
			m, _ := grammar.Parse([]string{cli.ModeEnable}, line)
			seen[m.Command.ID] = true
		}
		if err := spoke.daemon.Exec(context.Background(), plugin.Command{ID: "ikev2.show-nothing"}, io.Discard); err == nil {
			t.Error("an unknown command was run")
		}
		for _, c := range ipsecd.Grammar().Commands {
			if (c.Mode == cli.ModeExec || c.Mode == cli.ModeEnable) && !seen[c.ID] {
				t.Errorf("command %s (%s) was not tried", c.ID, c.Pattern)
			}
		}
		time.Sleep(time.Minute)
		agree(t, hub, spoke, 2)
		for _, s := range []*station{hub, spoke} {
			if text := s.log.String() + s.zebra.takeLogs(); strings.Contains(text, "a-long-and-random") {
				t.Error("the key was logged")
			}
		}
	})
}

// TestCounters: what SAs did is asked of zebra when somebody wants to see it.
func TestCounters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, spoke := secured(t)
		spoke.zebra.mu.Lock()
		for key, esp := range spoke.zebra.kernel {
			n := uint64(4711)
			if esp.Destination == spoke.addr {
				n = 815
			}
			spoke.zebra.count[key] = rib.SACount{Packets: n, Bytes: 100 * n}
		}
		spoke.zebra.mu.Unlock()
		out := spoke.exec("show crypto ipsec sa", false)
		for _, want := range []string{"#pkts encaps: 4711", "#pkts decaps: 815"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
		spoke.stream.Close() // nobody answers: what is known is shown, without a long wait
		began := time.Now()
		if out := spoke.exec("show crypto ipsec sa", false); !strings.Contains(out, "4711") || time.Since(began) > 3*time.Second {
			t.Errorf("after %v:\n%s", time.Since(began), out)
		}
	})
}

// TestGoodbye: a daemon that ends in order takes leave, and the peer tells nhrpd.
func TestGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := secured(t)
		if err := spoke.daemon.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		agree(t, hub, spoke, 0)
		same(t, "hub", hub.zebra.states(), "Tunnel0 198.51.100.11 LOST 1")
		time.Sleep(2 * time.Minute)
		same(t, "hub", hub.zebra.states(), "")
		spoke.kill()
	})
}

// TestRestart: after kill -9 the next life takes the SAs over and replaces them, and nhrpd
// notices nothing.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := secured(t)
		before := spoke.zebra.sas()
		spoke.kill()
		same(t, "without the daemon", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 1")
		spoke.start(config)
		for key := range before {
			if _, there := spoke.zebra.sas()[key]; !there {
				t.Errorf("SA %x is gone", key.Instance)
			}
		}
		for range 120 {
			time.Sleep(time.Second)
			same(t, "spoke", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 1")
		}
		agree(t, hub, spoke, 2)
		for key := range spoke.zebra.sas() {
			if _, old := before[key]; old {
				t.Errorf("SA %x is still there", key.Instance)
			}
		}
		if n := spoke.zebra.ends(); n != 2 {
			t.Errorf("%d ends of replay", n)
		}
	})
}

// TestRestartLost: what an earlier life had up, and the kernel has no more, is lost, and
// then up in another generation; or, where nobody answers, not secured.
func TestRestartLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := secured(t)
		hub.stream.Close()
		hub.kill()
		spoke.kill()
		spoke.zebra.mu.Lock()
		clear(spoke.zebra.kernel)
		spoke.zebra.mu.Unlock()
		spoke.start(config)
		same(t, "at once", spoke.zebra.states(), "Tunnel0 192.0.2.1 LOST 1")
		time.Sleep(2 * time.Minute)
		same(t, "without the peer", spoke.zebra.states(), "Tunnel0 192.0.2.1 IKE 1")
		hub.start(config)
		time.Sleep(2 * time.Minute)
		same(t, "with the peer", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 2")
	})
}

// TestZebraRestart: the daemon lives on; SAs that are there stay, and what was not is
// negotiated anew.
func TestZebraRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := secured(t)
		before := spoke.zebra.sas()
		spoke.attach()
		time.Sleep(time.Minute)
		agree(t, hub, spoke, 2)
		for key := range spoke.zebra.sas() {
			if _, ok := before[key]; !ok {
				t.Errorf("SA %x is new", key.Instance)
			}
		}
		same(t, "spoke", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 1")

		epoch := spoke.zebra.epoch
		spoke.zebra = newZebra() // of a kernel that lost all SAs
		spoke.zebra.epoch = epoch
		spoke.attach()
		spoke.want(hub, true)
		time.Sleep(time.Minute)
		agree(t, hub, spoke, 2)
		same(t, "spoke", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 2")
	})
}

// TestWithoutZebra: what is negotiated while there is no zebra comes into force with the
// next one.
func TestWithoutZebra(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.start(config)
		spoke.start(config)
		hub.stream.Close()
		synctest.Wait()
		spoke.want(hub, true)
		time.Sleep(time.Second)
		if n := len(hub.zebra.sas()); n != 0 {
			t.Errorf("%d SAs", n)
		}
		hub.attach()
		agree(t, hub, spoke, 2)
		same(t, "hub", hub.zebra.states(), "Tunnel0 198.51.100.11 UP 1")
	})
}

// TestUpWhenInForce: that a peer is up is told once zebra has the SAs in force.
func TestUpWhenInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.start(config)
		spoke.zebra.mute = true
		spoke.start(config)
		spoke.want(hub, true)
		time.Sleep(time.Second)
		agree(t, hub, spoke, 2)
		same(t, "before", spoke.zebra.states(), "Tunnel0 192.0.2.1 IKE 0")
		spoke.tell(rib.Ack{Seq: 1 << 40})
		same(t, "after", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 1")
	})
}

// TestAnswerWaits: the answer that lets the peer use an SA is sent once zebra has it in
// force, and a second later if zebra does not say so.
func TestAnswerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.start(config)
		spoke.start(config)
		hub.zebra.mute = true
		spoke.want(hub, true)
		time.Sleep(500 * time.Millisecond)
		if n := len(spoke.zebra.sas()); n != 0 {
			t.Errorf("%d SAs at the spoke before those at the hub are in force", n)
		}
		hub.tell(rib.Ack{Seq: 1 << 40})
		agree(t, hub, spoke, 2)
		same(t, "acknowledged", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 1")
	})
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.start(config)
		spoke.start(config)
		hub.zebra.mute = true
		spoke.want(hub, true)
		time.Sleep(1100 * time.Millisecond)
		agree(t, hub, spoke, 2)
		same(t, "not acknowledged", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 1")
	})
}

// TestGone: an SA that is not in force any more is replaced.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := secured(t)
		var lost rib.Key
		for key := range spoke.zebra.sas() {
			lost = key
		}
		spoke.zebra.mu.Lock()
		delete(spoke.zebra.kernel, lost)
		spoke.zebra.mu.Unlock()
		spoke.tell(rib.Ack{Failures: []rib.Failure{{Key: lost, Error: "it was removed"}}})
		time.Sleep(5 * time.Second)
		agree(t, hub, spoke, 2)
		same(t, "spoke", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 2")
		if _, there := spoke.zebra.sas()[lost]; there {
			t.Error("it is back")
		}
		if log := spoke.log.String(); !strings.Contains(log, "it was removed") {
			t.Error(log)
		}
	})
}

// TestExpired: an SA that reached its soft limit is replaced, and nhrpd notices nothing.
func TestExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := secured(t)
		before := spoke.zebra.sas()
		for key := range before {
			spoke.tell(rib.SAExpired{SA: key})
		}
		time.Sleep(time.Minute)
		agree(t, hub, spoke, 2)
		for key := range spoke.zebra.sas() {
			if _, old := before[key]; old {
				t.Errorf("SA %x is still there", key.Instance)
			}
		}
		same(t, "spoke", spoke.zebra.states(), "Tunnel0 192.0.2.1 UP 1")
	})
}

// TestUnwanted: what nhrpd does not say again after zebra was started again is not wanted
// any more.
func TestUnwanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := secured(t)
		clear(spoke.zebra.wanted)
		spoke.attach()
		time.Sleep(10 * time.Minute)
		if out := spoke.exec("show crypto socket", false); strings.Contains(out, hub.addr.String()) && strings.Contains(out, "wanted") {
			t.Error(out)
		}
		hub.kill()
		spoke.exec("clear crypto session", false)
		time.Sleep(10 * time.Minute)
		same(t, "spoke", spoke.zebra.states(), "")
	})
}

// TestBlind: zebra cannot say which SAs there are. After some attempts it goes on without.
func TestBlind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.start(config)
		spoke.zebra.blind = "out of order"
		spoke.start(config)
		if n := spoke.zebra.ends(); n != 0 {
			t.Errorf("%d ends of replay at once", n)
		}
		time.Sleep(time.Minute)
		if n := spoke.zebra.ends(); n != 1 {
			t.Errorf("%d ends of replay", n)
		}
		spoke.want(hub, true)
		time.Sleep(5 * time.Second)
		agree(t, hub, spoke, 2)
	})
}

// TestProfileMissing: a profile that there is not is no fault.
func TestProfileMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, spoke := pair(t)
		spoke.start(strings.Replace(config, "protection ipsec profile CLOUD", "protection ipsec profile NONE", 1))
	})
}

// TestDebug turns facilities on and looks at the lines that reach zebra; no key is in them.
func TestDebug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke := pair(t)
		hub.start(config)
		spoke.start(config)
		spoke.zebra.takeLogs()
		for _, what := range []string{"ikev2", "ikev2 packet", "ikev2 internal", "ipsec", "socket"} {
			spoke.exec("debug crypto "+what, false)
		}
		spoke.want(hub, true)
		time.Sleep(time.Second)
		lines := spoke.zebra.takeLogs()
		for _, want := range []string{"IKEv2-PAK", "IKE_SA_INIT", "IKEv2-INTERNAL", "SA established", "IPSEC", "CRYPTO_SS"} {
			if !strings.Contains(lines, want) {
				t.Errorf("no %q in\n%s", want, lines)
			}
		}
		spoke.exec("undebug all", false)
		spoke.exec("clear crypto session", false)
		time.Sleep(time.Minute)
		for line := range strings.Lines(spoke.zebra.takeLogs()) {
			if !strings.HasPrefix(line, "%") {
				t.Error(line)
			}
		}
	})
}
