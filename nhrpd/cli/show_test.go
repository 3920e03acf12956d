package cli_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// check compares an output from the line on that begins so; its JSON must be JSON.
func check(t *testing.T, what string, o libcli.Output, from, want string) {
	t.Helper()
	var text, data bytes.Buffer
	if err := o.Write(&text, false); err != nil {
		t.Fatal(err)
	}
	if err := o.Write(&data, true); err != nil || !json.Valid(data.Bytes()) {
		t.Errorf("%s: JSON %v: %s", what, err, data.String())
	}
	got := text.String()
	if i := strings.Index(got, from); from != "" && i >= 0 {
		got = got[i:]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var rewrite = flag.Bool("rewrite", false, "write the golden files")

// golden compares an output, as text and as JSON, with files of testdata.
func golden(t *testing.T, name string, o libcli.Output) {
	t.Helper()
	for _, ext := range []string{".txt", ".json"} {
		var out bytes.Buffer
		if err := o.Write(&out, ext == ".json"); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+ext)
		if *rewrite {
			if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if diff := cmp.Diff(string(want), out.String()); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", file, err, diff)
		}
	}
}

// spoke is a spoke with a shortcut to another one and its own answered prefix.
func spoke() *core.PeerReport {
	peer := func(nbma, tunnel, target, attributes string, state core.PeerState, since time.Duration) core.Peer {
		p := core.Peer{Target: prefix(target), State: state, Since: since, Attributes: attributes}
		if nbma != "" {
			p.NBMA = addr(nbma)
		}
		p.Tunnel = addr(tunnel)
		return p
	}
	const up = 9 * time.Second
	peers := []core.Peer{
		peer("192.0.2.1", "172.31.0.1", "172.31.0.1/32", "S", core.PeerUp, 12*time.Minute+26*time.Second),
		peer("203.0.113.1", "172.31.0.12", "172.31.0.12/32", "DT1", core.PeerUp, up),
		peer("203.0.113.1", "172.31.0.12", "10.12.0.0/24", "DT2", core.PeerUp, up),
		peer("", "172.31.0.13", "172.31.0.13/32", "IX", core.PeerNHRP, up),
	}
	peers[2].Group, peers[2].Policy = "GOLD", "TEN"
	own := peer("198.51.100.1", "172.31.0.11", "10.11.0.0/24", "DLX", core.PeerUp, up)
	own.Local = true
	peers = append(peers, own, peer("2001:db8:ffff:ffff:ffff:ffff:ffff:fff1", "172.31.0.14", "172.31.0.14/32", "DN", core.PeerUp, up))
	return &core.PeerReport{Interfaces: []core.InterfacePeers{
		{Interface: "Tunnel0", Family: rib.IPv4, Role: core.RoleSpoke, NBMAPeers: 2, AdminUp: true, LineUp: true, Up: true, Addr: addr("172.31.0.11"),
			Source: addr("198.51.100.1"), Mode: rib.TunnelGREMultipoint, Peers: peers},
		{Interface: "Tunnel1", Family: rib.IPv4, Role: core.RoleHub, VRF: "RED", TransportVRF: "INET", Mode: rib.TunnelGRE, Destination: addr("192.0.2.9")}}}
}

func TestShowDMVPN(t *testing.T) {
	check(t, "show dmvpn", cli.ShowDMVPN(spoke(), cli.PeerView{}), "Interface:", `Interface: Tunnel0, IPv4 NHRP Details 
Type:Spoke, NHRP Peers:2, 

 # Ent  Peer NBMA Addr Peer Tunnel Add State  UpDn Tm Attrb
 ----- --------------- --------------- ----- -------- -----
     1 192.0.2.1            172.31.0.1    UP 00:12:26     S
     2 203.0.113.1         172.31.0.12    UP 00:00:09   DT1
                           172.31.0.12    UP 00:00:09   DT2
     1 UNKNOWN             172.31.0.13  NHRP 00:00:09    IX
     1 2001:db8:ffff:ffff:ffff:ffff:ffff:fff1
                           172.31.0.14    UP 00:00:09    DN

`)
	unmatched := cli.PeerView{Detail: true, Unmatched: []rib.UnmatchedRow{
		{Source: addr("203.0.113.9"), Destination: addr("198.51.100.1"), HasKey: true, Key: 99, Packets: 17, Why: "Tunnel0 has key 100"},
		{Source: addr("203.0.113.8"), Destination: addr("198.51.100.1"), Packets: 1, Why: "Tunnel0 has key 100"}}}
	check(t, "show dmvpn detail with packets for no tunnel", cli.ShowDMVPN(spoke(), unmatched), "GRE packets", `GRE packets for no tunnel:
  203.0.113.9 to 198.51.100.1, key 99: 17 packets, Tunnel0 has key 100
  203.0.113.8 to 198.51.100.1, no key: 1 packets, Tunnel0 has key 100

`)
	unmatched.NBMA = addr("203.0.113.8")
	check(t, "the same of one peer", cli.ShowDMVPN(spoke(), unmatched), "GRE packets", `GRE packets for no tunnel:
  203.0.113.8 to 198.51.100.1, no key: 1 packets, Tunnel0 has key 100

`)
	unmatched.Detail, unmatched.NBMA = false, netip.Addr{}
	golden(t, "dmvpn", cli.ShowDMVPN(spoke(), unmatched))
	golden(t, "dmvpn", cli.ShowDMVPN(spoke(), cli.PeerView{}))
	golden(t, "dmvpn-detail", cli.ShowDMVPN(spoke(), cli.PeerView{Detail: true}))
	for name, v := range map[string]cli.PeerView{"static": {Static: true}, "nbma": {NBMA: addr("203.0.113.1")}, "tunnel": {Tunnel: addr("172.31.0.12"), Detail: true},
		"network": {Network: prefix("10.12.0.0/24")}, "nobody": {NBMA: addr("203.0.113.99"), Detail: true}} {
		golden(t, "dmvpn-"+name, cli.ShowDMVPN(spoke(), v))
	}
	check(t, "show dmvpn without peers", cli.ShowDMVPN(&core.PeerReport{}, cli.PeerView{}), strings.Repeat("=", 74), strings.Repeat("=", 74)+"\n\n")
}

// cache has an entry of each type.
func cache() *core.CacheReport {
	const age, left = 9 * time.Second, 9*time.Minute + 50*time.Second
	return &core.CacheReport{Entries: []core.CacheEntry{
		{Interface: "Tunnel0", Target: prefix("10.12.0.0/24"), NextHop: addr("172.31.0.12"), NBMA: addr("203.0.113.1"), Type: core.EntryDynamic,
			Flags: core.FlagRouter | core.FlagUsed | core.FlagRIB | core.FlagNHO, Age: age, Expires: left, Preference: 255},
		{Interface: "Tunnel0", Target: prefix("172.31.0.1/32"), NextHop: addr("172.31.0.1"), NBMA: addr("192.0.2.1"), Type: core.EntryStatic,
			Flags: core.FlagUsed, Age: age, Expires: core.NoExpiry, Preference: 255},
		{Interface: "Tunnel0", Target: prefix("172.31.0.13/32"), NextHop: addr("172.31.0.13"), NBMA: addr("203.0.113.7"), Claimed: addr("192.168.1.2"), Type: core.EntryDynamic,
			Flags: core.FlagUnique | core.FlagRegistered | core.FlagNexthop, Age: age, Expires: left, Group: "GOLD"},
		{Interface: "Tunnel0", Target: prefix("192.0.2.77/32"), Type: core.EntryIncomplete, Flags: core.FlagNegative, Age: age, Expires: time.Minute, Hits: 3,
			Trouble: core.Trouble{Text: "No Internetworking Layer Address to NBMA Address Binding Exists (12)", Since: age, Last: 4 * time.Second}},
		{Interface: "Tunnel0", Target: prefix("10.11.0.0/24"), NextHop: addr("172.31.0.11"), NBMA: addr("198.51.100.1"), Type: core.EntryLocal,
			Flags: core.FlagRouter | core.FlagUnique | core.FlagLocal, Age: age, Expires: left, Requester: addr("172.31.0.12"), RequestID: 2, Preference: 255,
			Told: []core.ToldStation{{Station: addr("172.31.0.12"), NBMA: addr("203.0.113.1"), RequestID: 2, Ends: left},
				{Station: addr("172.31.0.13"), NBMA: addr("203.0.113.7"), RequestID: 9, Ends: time.Minute}}},
	}}
}

const dynamicEntry = `10.12.0.0/24 via 172.31.0.12
   Tunnel0 created 00:00:09, expire 00:09:50
   Type: dynamic, Flags: router used rib nho
   NBMA address: 203.0.113.1
`

const localEntry = `10.11.0.0/24 via 172.31.0.11
   Tunnel0 created 00:00:09, expire 00:09:50
   Type: dynamic, Flags: router unique local
   NBMA address: 198.51.100.1
    (no-socket)
`

func TestShowNHRP(t *testing.T) {
	check(t, "show ip nhrp", cli.ShowNHRP(cache(), cli.View{}), "", dynamicEntry+`172.31.0.1/32 via 172.31.0.1
   Tunnel0 created 00:00:09, never expire
   Type: static, Flags: used
   NBMA address: 192.0.2.1
172.31.0.13/32 via 172.31.0.13
   Tunnel0 created 00:00:09, expire 00:09:50
   Type: dynamic, Flags: unique registered nhop
   NBMA address: 203.0.113.7
    (Claimed NBMA address: 192.168.1.2)
   Group: GOLD
192.0.2.77/32
   Tunnel0 created 00:00:09, expire 00:01:00
   Type: incomplete, Flags: negative
   Cache hits: 3
   Last error: No Internetworking Layer Address to NBMA Address Binding Exists (12), 00:00:04 ago
`+localEntry)
	check(t, "local", cli.ShowNHRP(cache(), cli.View{Type: core.EntryLocal, Detail: true}), "", localEntry+"  Requester: 172.31.0.12 Request ID: 2\n  Requester: 172.31.0.13 Request ID: 9\n   Preference: 255\n")
	for name, v := range map[string]cli.View{"nhrp": {}, "nhrp-detail": {Detail: true}, "nhrp-shortcut": {Shortcut: true}, "nhrp-static": {Type: core.EntryStatic}} {
		golden(t, name, cli.ShowNHRP(cache(), v))
	}
	golden(t, "nhrp-summary", cli.ShowSummary(cache()))
	check(t, "one address", cli.ShowNHRP(cache(), cli.View{Target: prefix("10.12.0.7/32")}), "", dynamicEntry)
	check(t, "brief", cli.ShowNHRP(cache(), cli.View{Brief: true}), "Intf", `Intf     NextHop Address                                    NBMA Address
         Target Network                              T/Flag
-------- ------------------------------------------- ------ ----------------
Tu0      172.31.0.12                                        203.0.113.1
         10.12.0.0/24                                D/t
Tu0      172.31.0.1                                         192.0.2.1
         172.31.0.1/32                               S
Tu0      172.31.0.13                                        203.0.113.7
         172.31.0.13/32                              D/urc
`)
}

// TestShowSelf has a tunnel whose address a NAT changes, one that is registered
// nowhere, and one without an address.
func TestShowSelf(t *testing.T) {
	r := spoke()
	r.Interfaces[0].Servers = []core.NHSEntry{
		{Interface: "Tunnel0", Addr: addr("172.31.0.1"), State: core.NHSResponding, Translated: addr("192.0.2.66")},
		{Interface: "Tunnel0", Addr: addr("172.31.0.2"), State: core.NHSResponding}, {Interface: "Tunnel0", Addr: addr("172.31.0.3"), State: core.NHSDown}}
	r.Interfaces[0].NetworkID = 1
	golden(t, "nhrp-self", cli.ShowSelf(r))
}

// TestShowTraffic has every counter another value.
func TestShowTraffic(t *testing.T) {
	r := &core.TrafficReport{Interfaces: []core.InterfaceTraffic{{Interface: "Tunnel0", VRF: "RED", MaxSend: 10000, MaxSendInterval: 10 * time.Second, Usage: 7},
		{Interface: "Tunnel1", MaxSend: 5, MaxSendInterval: 20 * time.Second}}}
	c := &r.Interfaces[0].Counters
	for k := range c.Sent {
		c.Sent[k], c.Received[k], c.Forwarded[k] = uint64(k), uint64(10+k), uint64(20+k)
	}
	c.Suppressed = 99
	c.Drops[core.DropAuthentication], c.Drops[core.DropLoop], r.Other.Drops[core.DropNoNetworkID] = 3, 4, 5
	golden(t, "traffic", cli.ShowTraffic(r, false))
	golden(t, "traffic-detail", cli.ShowTraffic(r, true))
}

func TestShowRedirects(t *testing.T) {
	golden(t, "redirects", cli.ShowRedirects(&core.RedirectReport{Entries: []core.Redirect{
		{Interface: "Tunnel0", NBMA: addr("198.51.100.1"), Source: addr("10.11.0.10"), Destination: addr("10.12.0.10"), Expires: 5 * time.Second, Suppressed: 3},
		{Interface: "Tunnel0", VRF: "RED", NBMA: addr("203.0.113.1"), Source: addr("10.12.0.10"), Destination: addr("10.11.0.10"), Expires: 8 * time.Second}}}))
	golden(t, "redirects-none", cli.ShowRedirects(&core.RedirectReport{}))
}

// TestTransportIsNamed: a tunnel over IPv6 says so.
func TestTransportIsNamed(t *testing.T) {
	for source, want := range map[string]string{"198.51.100.1": `"multi-GRE/IP"`, "2001:db8::1": `"multi-GRE/IPv6"`} {
		r := spoke()
		r.Interfaces[0].Source = addr(source)
		var out bytes.Buffer
		if err := cli.ShowDMVPN(r, cli.PeerView{Detail: true}).Write(&out, false); err != nil || !strings.Contains(out.String(), "Protocol/Transport: "+want) {
			t.Errorf("%s: %v\n%s", source, err, out.String())
		}
	}
}
