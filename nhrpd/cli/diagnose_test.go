package cli_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// healthy are the facts of a spoke at which nothing fails: one server, one peer with
// a shortcut behind it.
func healthy() cli.Facts {
	nhs := core.NHSEntry{Interface: "Tunnel0", Family: rib.IPv4, Addr: addr("172.31.0.1"), NBMA: addr("192.0.2.1"), State: core.NHSResponding,
		Since: 12 * time.Minute, Sent: 5, Received: 5, LastReply: 2 * time.Second, LastHeard: 2 * time.Second}
	iface := core.InterfacePeers{Interface: "Tunnel0", Family: rib.IPv4, NetworkID: 1, Known: true, Up: true, AdminUp: true, LineUp: true,
		Addr: addr("172.31.0.11"), Subnet: prefix("172.31.0.11/24"), Mode: rib.TunnelGREMultipoint, Source: addr("198.51.100.1"),
		SourceFrom: "GigabitEthernet1", HasKey: true, Key: 100, TransportVRF: "INET", NBMAPeers: 2, Servers: []core.NHSEntry{nhs}}
	entry := func(target, hop, nbma string, typ core.EntryType, flags core.EntryFlags) core.CacheEntry {
		return core.CacheEntry{Interface: "Tunnel0", Family: rib.IPv4, Target: prefix(target), NextHop: addr(hop), NBMA: addr(nbma), Type: typ, Flags: flags,
			Age: 9 * time.Second, Expires: 9 * time.Minute}
	}
	answer := func(p string, proto rib.Protocol, hop, ifname string) rib.NextHopChanged {
		h := rib.NextHop{Interface: ifname}
		if hop != "" {
			h.Addr = addr(hop)
		}
		return rib.NextHopChanged{Prefix: prefix(p), Protocol: proto, NextHops: []rib.NextHop{h}}
	}
	return cli.Facts{
		Peers: &core.PeerReport{Interfaces: []core.InterfacePeers{iface}},
		Cache: &core.CacheReport{Entries: []core.CacheEntry{
			entry("172.31.0.1/32", "172.31.0.1", "192.0.2.1", core.EntryStatic, core.FlagUsed),
			entry("172.31.0.12/32", "172.31.0.12", "203.0.113.1", core.EntryDynamic, core.FlagRouter|core.FlagNexthop|core.FlagRIB),
			entry("10.12.0.0/24", "172.31.0.12", "203.0.113.1", core.EntryDynamic, core.FlagRouter|core.FlagRIB|core.FlagNHO),
			entry("172.31.0.11/32", "172.31.0.11", "198.51.100.1", core.EntryLocal, core.FlagLocal),
		}},
		Traffic: &core.TrafficReport{Interfaces: []core.InterfaceTraffic{{Interface: "Tunnel0", Family: rib.IPv4}}},
		Routes: map[cli.Question]rib.NextHopChanged{
			{VRF: "INET", Addr: addr("192.0.2.1")}:   answer("0.0.0.0/0", rib.Static, "198.51.100.2", "GigabitEthernet1"),
			{VRF: "INET", Addr: addr("203.0.113.1")}: answer("0.0.0.0/0", rib.Static, "198.51.100.2", "GigabitEthernet1"),
			{Addr: addr("172.31.0.1")}:               answer("172.31.0.0/24", rib.Connected, "", "Tunnel0"),
			{Addr: addr("172.31.0.12")}:              answer("172.31.0.0/24", rib.Connected, "172.31.0.12", "Tunnel0"),
		},
	}
}

// layer returns what is said of a layer in the first diagnosis.
func layer(t *testing.T, found []cli.Diagnosis, name string) cli.Layer {
	t.Helper()
	if len(found) > 0 {
		for _, l := range found[0].Layers {
			if l.Name == name {
				return l
			}
		}
	}
	t.Fatalf("no layer %s in %+v", name, found)
	return cli.Layer{}
}

// TestDiagnoseFaults breaks one thing at a time.
func TestDiagnoseFaults(t *testing.T) {
	iface := func(f *cli.Facts) *core.InterfacePeers { return &f.Peers.Interfaces[0] }
	nhs := func(f *cli.Facts) *core.NHSEntry { return &f.Peers.Interfaces[0].Servers[0] }
	down := func(f *cli.Facts) *core.NHSEntry {
		s := nhs(f)
		s.State, s.Since, s.Sent, s.Received, s.LastReply, s.LastHeard = core.NHSDown, time.Minute, 9, 0, core.NoExpiry, core.NoExpiry
		s.Asked = 63 * time.Second
		return s
	}
	reported := func(f *cli.Facts, code uint16, text string) {
		s := down(f)
		s.LastHeard, s.Trouble = 3*time.Second, core.Trouble{Text: text, Code: code, Error: true, Since: 12 * time.Second, Last: 3 * time.Second}
	}
	refused := func(f *cli.Facts, code uint16, text string) {
		reported(f, code, text)
		nhs(f).Trouble.Error = false
	}
	transport := cli.Question{VRF: "INET", Addr: addr("192.0.2.1")}
	for _, c := range []struct {
		name, failing, layer string
		verdict              cli.Verdict
		text                 string
		spoil                func(*cli.Facts)
	}{
		{"nothing", "", "NHRP", cli.VerdictOK, "registered with 172.31.0.1 for 00:12:00", func(*cli.Facts) {}},
		{"behind a NAT", "", "NHRP", cli.VerdictOK, "which sees this router as 192.0.2.66 behind a NAT", func(f *cli.Facts) { nhs(f).Translated = addr("192.0.2.66") }},
		{"no tunnel", "Interface", "Interface", cli.VerdictFails, "there is no tunnel Tunnel0", func(f *cli.Facts) { iface(f).Known = false }},
		{"shut", "Interface", "Interface", cli.VerdictFails, "Tunnel0 is shut down", func(f *cli.Facts) { iface(f).AdminUp = false }},
		{"source without address", "Interface", "Interface", cli.VerdictFails, "GigabitEthernet1, its tunnel source, has none", func(f *cli.Facts) { iface(f).Source = netip.Addr{} }},
		{"no source", "Interface", "Interface", cli.VerdictFails, "Tunnel0 has no tunnel source", func(f *cli.Facts) { iface(f).Source, iface(f).SourceFrom = netip.Addr{}, "" }},
		{"no address", "Interface", "Interface", cli.VerdictFails, "Tunnel0 has no IPv4 address", func(f *cli.Facts) { iface(f).Addr = netip.Addr{} }},
		{"no destination", "Interface", "Interface", cli.VerdictFails, "has no tunnel destination", func(f *cli.Facts) { iface(f).Mode = rib.TunnelGRE }},
		{"line down", "Interface", "Interface", cli.VerdictFails, "the line protocol of Tunnel0 is down", func(f *cli.Facts) { iface(f).LineUp, iface(f).Up = false, false }},
		{"if-state", "GRE", "Interface", cli.VerdictOK, "held down by \"if-state nhrp\" until", func(f *cli.Facts) { iface(f).LineUp = false; down(f) }},
		{"no route", "Transport", "Transport", cli.VerdictFails, "there is no route to NBMA address 192.0.2.1 in VRF INET", func(f *cli.Facts) { f.Routes[transport] = rib.NextHopChanged{}; down(f) }},
		{"recursion", "Transport", "Transport", cli.VerdictFails, "recursion: 192.0.2.1 by rip 0.0.0.0/0 in VRF INET, Tunnel0 via 172.31.0.1", func(f *cli.Facts) {
			f.Routes[transport] = rib.NextHopChanged{Prefix: prefix("0.0.0.0/0"), Protocol: rib.RIP, NextHops: []rib.NextHop{{Addr: addr("172.31.0.1"), Interface: "Tunnel0"}}}
		}},
		{"discarded", "Transport", "Transport", cli.VerdictFails, "Null0: it is discarded", func(f *cli.Facts) {
			f.Routes[transport] = rib.NextHopChanged{Prefix: prefix("192.0.2.0/24"), Protocol: rib.Static, NextHops: []rib.NextHop{{Discard: true}}}
		}},
		{"zebra is silent", "", "Transport", cli.VerdictUnknown, "zebra did not say", func(f *cli.Facts) { f.Routes = nil }},
		{"name unknown", "Transport", "Transport", cli.VerdictFails, "Cannot resolve hub.example: no such name", func(f *cli.Facts) {
			s := down(f)
			s.State, s.NBMA, s.Name, s.Trouble = core.NHSWaiting, netip.Addr{}, "hub.example", core.Trouble{Text: "Cannot resolve hub.example: no such name"}
		}},
		{"no map", "Transport", "Transport", cli.VerdictFails, "no \"nbma\" behind it and no map", func(f *cli.Facts) { s := down(f); s.State, s.NBMA = core.NHSWaiting, netip.Addr{} }},
		{"silence", "GRE", "GRE", cli.VerdictFails, "no packet came from 192.0.2.1: is IP protocol 47 let through both ways, has the other end tunnel key 100, and does a tunnel with NHRP run there, without \"tunnel protection\"?", func(f *cli.Facts) { down(f) }},
		{"another key", "GRE", "GRE", cli.VerdictFails, "packets come from 192.0.2.1 with key 99, for no tunnel: Tunnel0 has key 100 (17 so far)", func(f *cli.Facts) {
			down(f)
			f.Unmatched = []rib.UnmatchedRow{{Source: addr("203.0.113.7"), Destination: addr("192.0.2.77")},
				{Source: addr("192.0.2.1"), Destination: addr("198.51.100.1"), HasKey: true, Key: 99, Packets: 17, Why: "Tunnel0 has key 100"}}
		}},
		{"another key before", "", "GRE", cli.VerdictOK, "NHRP packets come from 192.0.2.1", func(f *cli.Facts) {
			f.Unmatched = []rib.UnmatchedRow{{Source: addr("192.0.2.1"), Destination: addr("198.51.100.1"), Packets: 17, Why: "Tunnel0 has key 100"}}
		}},
		{"silence for a while", "GRE", "GRE", cli.VerdictFails, "the last packet came 00:10:00 ago from 192.0.2.1", func(f *cli.Facts) { down(f).LastHeard = 10 * time.Minute }},
		{"a packet from before the first request", "GRE", "GRE", cli.VerdictFails, "the last packet came 00:01:04 ago", func(f *cli.Facts) { down(f).LastHeard = 64 * time.Second }},
		{"an answer long ago", "GRE", "GRE", cli.VerdictFails, "the last packet came 00:01:30 ago", func(f *cli.Facts) { down(f).LastHeard = 90 * time.Second }},
		{"at the beginning", "", "GRE", cli.VerdictUnknown, "no answer yet, for 00:00:01", func(f *cli.Facts) { s := down(f); s.State, s.Since, s.Sent = core.NHSExpecting, time.Second, 1 }},
		{"authentication", "NHRP", "NHRP", cli.VerdictFails, "authentication: the hub reports Authentication Failure (11) since 00:00:12", func(f *cli.Facts) { reported(f, 11, "Authentication Failure (11)") }},
		{"wrong NHS address", "NHRP", "NHRP", cli.VerdictFails, "NHS 172.31.0.1 is unknown at 192.0.2.1: it reports Protocol Address Unreachable (6) since 00:00:12", func(f *cli.Facts) { reported(f, 6, "Protocol Address Unreachable (6)") }},
		{"another error", "NHRP", "NHRP", cli.VerdictFails, "the hub reports Unrecognized Extension (1)", func(f *cli.Facts) { reported(f, 1, "Unrecognized Extension (1)") }},
		{"unique", "NHRP", "NHRP", cli.VerdictFails, "unique: the hub has another NBMA address for 172.31.0.11: Unique Internetworking", func(f *cli.Facts) {
			refused(f, 14, "Unique Internetworking Layer Address Already Registered (14)")
		}},
		{"prohibited", "NHRP", "NHRP", cli.VerdictFails, "Administratively Prohibited (4) since 00:00:12", func(f *cli.Facts) { refused(f, 4, "Administratively Prohibited (4)") }},
		{"standing by", "", "NHRP", cli.VerdictNone, "enough better servers", func(f *cli.Facts) { down(f).State = core.NHSStandby }},
		{"own address", "NHRP", "NHRP", cli.VerdictFails, "registration waits: Own Address", func(f *cli.Facts) { s := down(f); s.State, s.Reason = core.NHSWaiting, "Own Address" }},
		{"another route", "Routing", "Routing", cli.VerdictFails, "172.31.0.1 by static 172.31.0.1/32, GigabitEthernet2 via 10.0.0.9: it does not go by Tunnel0", func(f *cli.Facts) {
			f.Routes[cli.Question{Addr: addr("172.31.0.1")}] = rib.NextHopChanged{Prefix: prefix("172.31.0.1/32"), Protocol: rib.Static,
				NextHops: []rib.NextHop{{Addr: addr("10.0.0.9"), Interface: "GigabitEthernet2"}}}
		}},
		{"no route to the tunnel address", "Routing", "Routing", cli.VerdictFails, "there is no route to 172.31.0.1", func(f *cli.Facts) {
			f.Routes[cli.Question{Addr: addr("172.31.0.1")}] = rib.NextHopChanged{}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			c.spoil(&f)
			found := cli.Diagnose(f, netip.Addr{})
			l := layer(t, found, c.layer)
			if found[0].Failing != c.failing || l.Verdict != c.verdict || !strings.Contains(l.Text, c.text) {
				t.Errorf("fails at %q; %+v", found[0].Failing, l)
			}
		})
	}
}

// TestDiagnosePeers asks about one peer, by what is known of it.
func TestDiagnosePeers(t *testing.T) {
	entry := func(f *cli.Facts) *core.CacheEntry { return &f.Cache.Entries[1] }
	for _, c := range []struct {
		name, peer, failing, layer string
		verdict                    cli.Verdict
		text                       string
		spoil                      func(*cli.Facts)
	}{
		{"resolved", "172.31.0.12", "", "NHRP", cli.VerdictOK, "resolved 00:00:09 ago, expires in 00:09:00", nil},
		{"with a shortcut", "203.0.113.1", "", "Routing", cli.VerdictOK, "shortcuts to 10.12.0.0/24", nil},
		{"the server", "192.0.2.1", "", "NHRP", cli.VerdictOK, "registered with 172.31.0.1", nil},
		{"registered", "172.31.0.12", "", "NHRP", cli.VerdictOK, "registered 3 times, for 00:00:09, expires in 00:09:00; refused 00:00:05 ago: Unique", func(f *cli.Facts) {
			entry(f).Flags, entry(f).Refreshed = core.FlagRegistered, 3
			entry(f).Trouble = core.Trouble{Text: "Unique Internetworking Layer Address Already Registered (14) to NBMA 203.0.113.66", Last: 5 * time.Second}
		}},
		{"registered, heard", "172.31.0.12", "", "GRE", cli.VerdictOK, "NHRP packets come from 203.0.113.1", func(f *cli.Facts) { entry(f).Flags = core.FlagRegistered }},
		{"a map", "172.31.0.12", "", "NHRP", cli.VerdictUnknown, "a map says where it is", func(f *cli.Facts) { entry(f).Type, entry(f).Flags = core.EntryStatic, 0 }},
		{"a map and no server", "172.31.0.1", "NHRP", "NHRP", cli.VerdictFails, "there is no \"ip nhrp nhs\": this router registers nowhere", func(f *cli.Facts) { f.Peers.Interfaces[0].Servers = nil }},
		{"a map at a hub", "172.31.0.1", "", "NHRP", cli.VerdictUnknown, "a map says where it is", func(f *cli.Facts) {
			f.Peers.Interfaces[0].Servers, entry(f).Flags = nil, core.FlagRegistered
		}},
		{"refused", "172.31.0.12", "NHRP", "NHRP", cli.VerdictFails, "172.31.0.12/32 is not resolved, asked for 00:00:09 ago: No Binding (12); packets go by way of 203.0.113.1", func(f *cli.Facts) {
			entry(f).Type, entry(f).Flags, entry(f).Trouble = core.EntryIncomplete, core.FlagTemporary|core.FlagNegative, core.Trouble{Text: "No Binding (12)"}
		}},
		{"temporary", "172.31.0.12", "NHRP", "Transport", cli.VerdictUnknown, "the NBMA address of 172.31.0.12 is not known", func(f *cli.Facts) { entry(f).Flags = core.FlagTemporary }},
		{"unknown in the subnet", "172.31.0.77", "NHRP", "NHRP", cli.VerdictFails, "172.31.0.77 is not known on Tunnel0: no entry, no map and no next hop server; this router dropped 4 packets: authentication failure",
			func(f *cli.Facts) { f.Traffic.Interfaces[0].Counters.Drops[core.DropAuthentication] = 4 }},
		{"unknown outside", "203.0.113.99", "NHRP", "NHRP", cli.VerdictFails, "203.0.113.99 is not known on Tunnel0", nil},
		{"no network-id there", "203.0.113.99", "NHRP", "NHRP", cli.VerdictFails, "this router dropped 2 packets of other tunnels: no network-id",
			func(f *cli.Facts) { f.Traffic.Other.Drops[core.DropNoNetworkID] = 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := healthy()
			if c.spoil != nil {
				c.spoil(&f)
			}
			found := cli.Diagnose(f, addr(c.peer))
			l := layer(t, found, c.layer)
			if len(found) != 1 || found[0].Failing != c.failing || l.Verdict != c.verdict || !strings.Contains(l.Text, c.text) {
				t.Errorf("%d found, fails at %q; %+v", len(found), found[0].Failing, l)
			}
		})
	}
}

// TestStranger: who sends with another key is diagnosed though nobody knows it.
func TestStranger(t *testing.T) {
	f := healthy()
	f.Unmatched = []rib.UnmatchedRow{
		{Source: addr("203.0.113.9"), Destination: addr("198.51.100.1"), HasKey: true, Key: 99, Packets: 3, Why: "Tunnel0 has key 100"},
		{Source: addr("203.0.113.9"), Destination: addr("198.51.100.1"), Packets: 1, Why: "Tunnel0 has key 100"},
		{Source: addr("203.0.113.8"), Destination: addr("192.0.2.77"), Packets: 1, Why: "no tunnel has the source 192.0.2.77"},
	}
	found := cli.Diagnose(f, netip.Addr{})
	if n := len(found); n != 2 || found[1].NBMA != "203.0.113.9" {
		t.Fatalf("%+v", found)
	}
	if l := layer(t, found[1:], "GRE"); l.Verdict != cli.VerdictFails || !strings.Contains(l.Text, "with key 99, for no tunnel: Tunnel0 has key 100 (3 so far)") {
		t.Errorf("%+v", l)
	}
}

// TestShowDiagnosis: a spoke at which one server is well and another is not, and a
// peer is asked for; a hub without trouble; nothing at all.
func TestShowDiagnosis(t *testing.T) {
	f := healthy()
	other := f.Peers.Interfaces[0].Servers[0]
	other.Addr, other.NBMA, other.State, other.Since, other.LastHeard = addr("172.31.0.9"), addr("192.0.2.9"), core.NHSDown, time.Minute, 3*time.Second
	other.Asked = 63 * time.Second
	other.Trouble = core.Trouble{Text: "Protocol Address Unreachable (6)", Code: 6, Error: true, Since: time.Minute}
	f.Peers.Interfaces[0].Servers = append(f.Peers.Interfaces[0].Servers, other)
	asked := f.Cache.Entries[1]
	asked.Target, asked.NBMA, asked.Type, asked.Flags = prefix("172.31.0.13/32"), netip.Addr{}, core.EntryIncomplete, core.FlagNegative
	asked.Trouble = core.Trouble{Text: "No Next Hop Server responds"}
	f.Cache.Entries = append(f.Cache.Entries, asked)
	golden(t, "diagnose-spoke", cli.ShowDiagnosis(cli.Diagnose(f, netip.Addr{})))

	hub := healthy()
	hub.Peers.Interfaces[0].Servers = nil
	hub.Cache.Entries[1].Flags = core.FlagRegistered
	hub.Traffic.Interfaces[0].Counters.Drops[core.DropAuthentication] = 12
	golden(t, "diagnose-hub", cli.ShowDiagnosis(cli.Diagnose(hub, netip.Addr{})))
	golden(t, "diagnose-peer", cli.ShowDiagnosis(cli.Diagnose(healthy(), addr("172.31.0.12"))))
	golden(t, "diagnose-nothing", cli.ShowDiagnosis(cli.Diagnose(cli.Facts{Peers: &core.PeerReport{}, Cache: &core.CacheReport{}, Traffic: &core.TrafficReport{}}, netip.Addr{})))
}

// TestQuestions: what zebra is asked, each once, and never about nothing.
func TestQuestions(t *testing.T) {
	f := healthy()
	if got := cli.Questions(f, netip.Addr{}); len(got) != 2 || got[0] != (cli.Question{VRF: "INET", Addr: addr("192.0.2.1")}) || got[1] != (cli.Question{Addr: addr("172.31.0.1")}) {
		t.Errorf("asked %v", got)
	}
	if got := cli.Questions(f, addr("203.0.113.99")); len(got) != 1 || got[0] != (cli.Question{VRF: "INET", Addr: addr("203.0.113.99")}) {
		t.Errorf("about a stranger asked %v", got)
	}
	f.Peers.Interfaces[0].Servers = nil
	f.Cache.Entries[1].Flags = core.FlagRegistered
	if got := cli.Questions(f, netip.Addr{}); len(got) != 0 {
		t.Errorf("without peers asked %v", got)
	}
	// However many are stuck, few are looked at.
	for k := range 1000 {
		f.Cache.Entries = append(f.Cache.Entries, core.CacheEntry{Interface: "Tunnel0", Family: rib.IPv4, Type: core.EntryIncomplete,
			Target: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 31, byte(1 + k/256), byte(k)}), 32)})
	}
	if got := cli.Questions(f, netip.Addr{}); len(got) != 32 {
		t.Errorf("with 1,000 stuck peers asked %d questions", len(got))
	}
}
