package cli_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// TestShowEvents has an event of a network, one of a server with its reason, one of a
// packet, and one that repeats.
func TestShowEvents(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC)
	golden(t, "events", cli.ShowEvents([]cli.Event{
		{Time: at, Trace: core.Trace{Event: core.TraceEntryExpired, Interface: "Tunnel0", Peer: addr("10.12.0.0"), Target: prefix("10.12.0.0/24"),
			NBMA: addr("203.0.113.1"), RequestID: 7, Reason: "Expired"}},
		{Time: at.Add(time.Second), Trace: core.Trace{Event: core.TraceNHSDown, Interface: "Tunnel0", Peer: addr("172.31.0.1"), NBMA: addr("192.0.2.1"),
			Reason: "Registration Failure"}},
		{Time: at.Add(time.Minute), Trace: core.Trace{Event: core.TraceRefused, Interface: "Tunnel0", Peer: addr("172.31.0.9"), NBMA: addr("192.0.2.9"), Code: 14}, Repeated: 3},
		{Time: at.Add(time.Hour), Trace: core.Trace{Event: core.TraceReplayEnded}},
	}))
	golden(t, "events-none", cli.ShowEvents(nil))
}

// TestEveryEventHasWords: an event that is only known by its name says little.
func TestEveryEventHasWords(t *testing.T) {
	for _, e := range core.TraceEvents() {
		if line := cli.TraceLine(core.Trace{Event: e}); strings.Contains(line, e.String()) && strings.Contains(e.String(), "-") {
			t.Errorf("%v has no words: %q", e, line)
		}
	}
}

func TestFacilities(t *testing.T) {
	for drop, want := range map[core.DropReason]int{core.DropMaxSend: cli.DebugRate, core.DropErrorLimit: cli.DebugRate, core.DropLoop: cli.DebugError} {
		if got := cli.FacilityOf(core.Trace{Event: core.TraceDropped, Drop: drop}); got != want {
			t.Errorf("%v belongs to facility %d", drop, got)
		}
	}
	if got := cli.FacilityOf(core.Trace{Event: core.TraceInterfaceDown}); got != cli.DebugTunnel {
		t.Errorf("a tunnel belongs to facility %d", got)
	}
}

func TestShowInterfaces(t *testing.T) {
	r := spoke()
	r.Interfaces[0].Servers = []core.NHSEntry{{State: core.NHSResponding}, {State: core.NHSDown}}
	r.Interfaces[0].NetworkID, r.Interfaces[1].NetworkID = 4294967295, 1
	r.Interfaces[1].Family = rib.IPv6
	r.Interfaces[1].Addr, r.Interfaces[1].Source = addr("2001:db8::1"), addr("192.0.2.7")
	golden(t, "interfaces", cli.ShowInterfaces(r))
}

// TestConditions: what passes under each kind of condition.
func TestConditions(t *testing.T) {
	about := core.Trace{Interface: "Tunnel0", Peer: addr("172.31.0.12"), NBMA: addr("203.0.113.1")}
	network := core.Trace{Interface: "Tunnel0", Target: prefix("10.12.0.0/24")}
	for _, c := range []struct {
		name  string
		one   cli.Condition
		trace core.Trace
		vrf   string
		want  bool
	}{
		{"its tunnel", cli.Condition{Interface: "Tunnel0"}, about, "", true},
		{"another tunnel", cli.Condition{Interface: "Tunnel1"}, about, "", false},
		{"its VRF", cli.Condition{VRF: "RED"}, about, "RED", true},
		{"another VRF", cli.Condition{VRF: "RED"}, about, "", false},
		{"its NBMA address", cli.Condition{NBMA: addr("203.0.113.1")}, about, "", true},
		{"another NBMA address", cli.Condition{NBMA: addr("203.0.113.2")}, about, "", false},
		{"its tunnel address", cli.Condition{Tunnel: addr("172.31.0.12")}, about, "", true},
		{"another tunnel address", cli.Condition{Tunnel: addr("172.31.0.13")}, about, "", false},
		{"in its network", cli.Condition{Tunnel: addr("10.12.0.7")}, network, "", true},
		{"not in its network", cli.Condition{Tunnel: addr("10.13.0.7")}, network, "", false},
		{"about somebody", cli.Condition{Unmatched: true}, about, "", false},
		{"about nobody", cli.Condition{Unmatched: true}, core.Trace{Event: core.TraceReplayEnded}, "", true},
	} {
		if got := (cli.Conditions{{Interface: "Tunnel9"}, c.one}).Pass(c.trace, c.vrf); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if !(cli.Conditions{}).Pass(about, "") {
		t.Error("without conditions it does not pass")
	}
}

// TestConditionsChange: a set of conditions is bounded, and not changed by its
// successors.
func TestConditionsChange(t *testing.T) {
	var all cli.Conditions
	for k := range cli.MaxConditions {
		all, _ = all.With(cli.Condition{NBMA: netip.AddrFrom4([4]byte{192, 0, 2, byte(k)})})
	}
	if again, err := all.With(all[3]); err != nil || len(again) != cli.MaxConditions {
		t.Errorf("once more: %d, %v", len(again), err)
	}
	if _, err := all.With(cli.Condition{Unmatched: true}); err == nil {
		t.Error("there is no bound")
	}
	before := slices.Clone(all)
	if less := all.Without(all[3]); len(less) != cli.MaxConditions-1 || !slices.Equal(all, before) {
		t.Errorf("without one: %d", len(less))
	}
	golden(t, "conditions", cli.ShowConditions(cli.Conditions{{Interface: "Tunnel0"}, {VRF: "RED"}, {NBMA: addr("192.0.2.1")}, {Tunnel: addr("172.31.0.1")}, {Unmatched: true}}))
}

// TestDump: what "debug nhrp detail" says of a packet with every kind of part, and
// the password in none of it.
func TestDump(t *testing.T) {
	auth, err := packet.ClearTextAuthentication("S3CRET")
	if err != nil {
		t.Fatal(err)
	}
	m := &packet.Message{NBMA: packet.AFNIPv4, Protocol: packet.ProtocolIPv4, HopCount: 255, Type: packet.RegistrationRequest,
		Flags: packet.FlagRegistrationUnique | packet.FlagNAT, RequestID: 7, SrcNBMA: addr("198.51.100.1"), SrcProtocol: addr("172.31.0.11"),
		DstProtocol: addr("172.31.0.1"), CIEs: []packet.CIE{{PrefixLength: 32, HoldingTime: 600, MTU: 1400}},
		Extensions: []packet.Extension{{Type: packet.ResponderAddress, Compulsory: true}, auth,
			{Type: packet.NATAddress, CIEs: []packet.CIE{{PrefixLength: 32, NBMA: addr("192.0.2.1"), Protocol: addr("172.31.0.1")}}},
			{Type: 291, Value: []byte{1, 2, 3}}}}
	const want = ` (F) afn: 1, type: 0x0800, hop: 255, ver: 1, packet size: 92
 (M) flags: "unique nat", reqid: 7
     src NBMA: 198.51.100.1
     src protocol: 172.31.0.11, dst protocol: 172.31.0.1
 (C-1) code: Success(0)
       prefix: 32, mtu: 1400, hd_time: 600, pref: 0
       client NBMA: none, client protocol: none
`
	const extensions = ` Responder Address Extension(3, compulsory):
 Authentication Extension(7, compulsory): type: 1, 6 octets
 NAT Address Extension(9):
 (C-1) code: Success(0)
       prefix: 32, mtu: 0, hd_time: 0, pref: 0
       client NBMA: 192.0.2.1, client protocol: 172.31.0.1
 Extension 291 Extension(291): 010203
`
	if got := strings.Join(cli.Dump(m, 92, true, false), "\n") + "\n"; got != want+extensions {
		t.Errorf("details:\n%s", got)
	}
	if got := strings.Join(cli.Dump(m, 92, false, true), "\n") + "\n"; got != extensions {
		t.Errorf("extensions:\n%s", got)
	}
	m = &packet.Message{Type: packet.ErrorIndication, ErrorCode: packet.ErrAuthenticationFailure, ErrorOffset: 52, Payload: make([]byte, 80)}
	if got := strings.Join(cli.Dump(m, 120, true, true), "\n"); !strings.Contains(got, "error code: Authentication Failure(11), offset: 52, encloses 80 octets") {
		t.Errorf("an error:\n%s", got)
	}
}
