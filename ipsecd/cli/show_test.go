package cli_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files in testdata")

// golden compares both forms of an output with testdata/NAME.txt and NAME.json.
func golden(t *testing.T, name string, o libcli.Output) {
	t.Helper()
	for ext, asJSON := range map[string]bool{".txt": false, ".json": true} {
		var got bytes.Buffer
		if err := o.Write(&got, asJSON); err != nil {
			t.Fatal(err)
		}
		if asJSON && !json.Valid(got.Bytes()) {
			t.Errorf("%s is no JSON", name)
		}
		path := filepath.Join("testdata", name+ext)
		if *rewrite {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(file(t, name+ext), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// TestKeysAreCamelCase reads all keys of the golden JSON files.
func TestKeysAreCamelCase(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 12 {
		t.Fatal(files, err)
	}
	key := regexp.MustCompile(`"([^"]*)":`)
	camel := regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`)
	for _, name := range files {
		for _, m := range key.FindAllStringSubmatch(file(t, filepath.Base(name)), -1) {
			if !camel.MatchString(m[1]) {
				t.Errorf("%s: key %q", name, m[1])
			}
		}
	}
}

// gre are the selectors of GRE with an address.
func gre(a string) []packet.Selector {
	return []packet.Selector{{Kind: packet.SelectorIPv4, IPProtocol: 47, EndPort: 65535, Start: addr(a), End: addr(a)}}
}

func esp(from, to string, spi uint32) rib.ESP {
	return rib.ESP{Source: addr(from), Destination: addr(to), SPI: spi, Cipher: rib.AESCBC, Integrity: rib.HMACSHA256x128, Window: 128,
		Lifetime: rib.Lifetime{HardBytes: core.DefaultSALifetimeBytes}}
}

// sas are IKE SAs of a hub: one to a spoke with a child SA that was rekeyed, one behind a
// NAT with AEAD, ML-KEM and certificates, one that is negotiated, one over IPv6, and one that
// is behind the same NAT as the second.
func sas() *core.SAReport {
	const hub, spoke, far = "192.0.2.1", "198.51.100.1", "203.0.113.1"
	port := netip.MustParseAddrPort
	identity := func(a string) core.Identity {
		return core.Identity{Kind: core.IdentityAddress, Prefix: netip.PrefixFrom(addr(a), addr(a).BitLen())}
	}
	cbc := suite.IKE{Encryption: cbc(256), Integrity: packet.AuthHMACSHA256, PRF: suite.PRF(packet.PRFHMACSHA2256)}
	old := core.ChildStatus{Tunnel: "Tunnel0", In: esp(spoke, hub, 0x1000), Out: esp(hub, spoke, 0x2000), InCount: rib.SACount{Packets: 10, Bytes: 10 << 10}, OutCount: rib.SACount{Packets: 20, Bytes: 20 << 10},
		Age: 3590 * time.Second, Lifetime: time.Hour, Rekeyed: true, LocalTS: gre(hub), RemoteTS: gre(spoke)}
	young := old
	young.In.SPI, young.Out.SPI, young.Age, young.Rekeyed, young.Group = 0xfa967b19, 0x85094974, 16*time.Second, false, packet.ECP256
	young.InCount = rib.SACount{Packets: 211, Bytes: 100 << 10, Failed: 1, Replayed: 2, Late: 3}
	nat := young
	nat.In, nat.Out, nat.Group = esp(far, hub, 0x3000), esp(hub, far, 0x4000), 0
	for _, e := range []*rib.ESP{&nat.In, &nat.Out} {
		e.Cipher, e.Integrity, e.ESN, e.UDP = rib.AESGCM16, rib.IntegrityNone, true, rib.UDPEncap{Source: 4500, Destination: 1024}
	}
	nat.RemoteTS = gre(far)
	second := nat
	second.In.SPI, second.Out.SPI, second.In.SourceAlias, second.Out.DestinationAlias = 0x5000, 0x6000, addr("250.1.1.1"), addr("250.1.1.1")
	six := core.Identity{Kind: core.IdentityFQDN, Name: "spoke\x1b[2J.example.net"}
	return &core.SAReport{SAs: []core.SAStatus{
		{Number: 1, State: core.StateReady, Local: port("192.0.2.1:500"), Remote: port("198.51.100.1:500"), SPI: 0xDB35EEB4FB5DF11F, PeerSPI: 0x8DDBB406712409D8, Suite: cbc, Group: packet.MODP2048,
			Profile: "DMVPN-IKE", Identity: identity(hub), Peer: identity(spoke), LocalMethod: core.MethodPSK, RemoteMethod: core.MethodPSK, Age: 16 * time.Second, Lifetime: core.DefaultIKELifetime,
			DPD: &core.DPD{Interval: 30 * time.Second, Retry: 5 * time.Second}, Fragmentation: true, PeerWindow: 5, NextRequest: 2, NextExpected: 7, Children: []core.ChildStatus{old, young}},
		{Number: 2, State: core.StateReady, Initiator: true, VRF: "INET", Local: port("192.0.2.1:4500"), Remote: port("203.0.113.1:1024"), SPI: 1, PeerSPI: 2,
			Suite: suite.IKE{Encryption: gcm(256), PRF: suite.PRF(packet.PRFHMACSHA2512)}, Group: packet.Curve25519, Additional: []packet.Group{packet.MLKEM768}, Profile: "CERT",
			Identity: identity(hub), Peer: core.Identity{Kind: core.IdentityFQDN, Name: "far.example.net"}, LocalMethod: core.MethodRSA, RemoteMethod: core.MethodEdDSA, Age: 25 * time.Hour,
			Lifetime: 24 * time.Hour, NATRemote: true, PeerWindow: 1, Children: []core.ChildStatus{nat}},
		{Number: 3, State: core.StateInitSent, Initiator: true, Local: port("192.0.2.1:500"), Remote: port("192.0.2.99:500"), SPI: 3, NATLocal: true},
		{Number: 4, State: core.StateDeleting, Local: port("[2001:db8::1]:500"), Remote: port("[2001:db8::2]:500"), SPI: 5, PeerSPI: 6, Suite: cbc, Group: packet.ECP256, Peer: six},
		{Number: 5, State: core.StateReady, Local: port("192.0.2.1:4500"), Remote: port("203.0.113.1:1025"), Alias: addr("250.1.1.1"), SPI: 7, PeerSPI: 8, Suite: cbc, Group: packet.ECP256, Profile: "CERT",
			Identity: identity(hub), Peer: core.Identity{Kind: core.IdentityFQDN, Name: "second.example.net"}, LocalMethod: core.MethodRSA, RemoteMethod: core.MethodRSA, Age: time.Hour, Lifetime: 24 * time.Hour,
			NATRemote: true, PeerWindow: 1, Children: []core.ChildStatus{second}},
	}}
}

func peers() *core.PeerReport {
	hub := addr("192.0.2.1")
	return &core.PeerReport{Peers: []core.PeerStatus{
		{Tunnel: "Tunnel0", Profile: "DMVPN-IPSEC", Local: hub, Peer: addr("198.51.100.1"), State: core.SecurityUp, Since: 2 * time.Hour, Wanted: true, Identity: "198.51.100.1"},
		{Tunnel: "Tunnel0", Profile: "DMVPN-IPSEC", Local: hub, Peer: addr("198.51.100.7"), State: core.SecurityUp, Since: time.Minute},
		{Tunnel: "Tunnel0", Profile: "DMVPN-IPSEC", Local: hub, Peer: addr("198.51.100.9"), Since: time.Hour, Wanted: true, Reason: "no answer", Attempts: 3, NextTry: 8 * time.Second},
		{Tunnel: "Tunnel0", Profile: "DMVPN-IPSEC", Local: hub, Peer: addr("250.1.1.1"), Outer: addr("203.0.113.1"), State: core.SecurityUp, Since: time.Hour, Wanted: true, Identity: "second.example.net"},
		{Tunnel: "Tunnel0", Profile: "DMVPN-IPSEC", Local: hub, Peer: addr("250.2.2.2"), Wanted: true, Reason: "waits"},
		{Tunnel: "Tunnel1", Profile: "OTHER", Local: hub, Peer: addr("192.0.2.99"), Wanted: true},
	}}
}

func stats() *core.StatsReport {
	r := &core.StatsReport{Incoming: 1, Outgoing: 2, Established: 3, Children: 4, MaxIncoming: 40, MaxOutgoing: 400, MaxSAs: 5, Cookies: true,
		Counters: core.Counters{Resent: 6, Accepted: 7, Refused: 8, Succeeded: 9, Failed: 10, Rekeyed: 11, ChildRekeyed: 12, IKEv1: 13}}
	for i := range r.Counters.Dropped {
		r.Counters.Dropped[i] = 100 + uint64(i)
	}
	for i := range r.Counters.Sent {
		r.Counters.Sent[i], r.Counters.Received[i] = 200+uint64(i), 300+uint64(i)
	}
	return r
}

// TestShow prints each command from reports.
func TestShow(t *testing.T) {
	config := load(t, file(t, "lab.conf")+file(t, "full.conf")).WithDefaults()
	reports := map[core.ReportKind]core.Report{core.ReportSAs: sas(), core.ReportPeers: peers(), core.ReportConfig: &core.ConfigReport{Config: config}, core.ReportStats: stats()}
	for name, line := range map[string]string{
		"ikev2_sa": "show crypto ikev2 sa", "ikev2_sa_detailed": "show crypto ikev2 sa detailed", "ikev2_sa_remote": "show crypto ikev2 sa remote 203.0.113.1",
		"ikev2_session": "show crypto ikev2 session", "ikev2_stats": "show crypto ikev2 stats", "ikev2_proposal": "show crypto ikev2 proposal",
		"ikev2_proposal_default": "show crypto ikev2 proposal default", "ikev2_policy": "show crypto ikev2 policy", "ikev2_profile": "show crypto ikev2 profile",
		"ipsec_sa": "show crypto ipsec sa", "ipsec_sa_peer": "show crypto ipsec sa peer 203.0.113.1", "ipsec_profile": "show crypto ipsec profile",
		"transform_set": "show crypto ipsec transform-set", "session": "show crypto session", "session_detail": "show crypto session detail",
		"session_remote": "show crypto session remote 198.51.100.9 detail", "session_alias": "show crypto session remote 250.1.1.1 detail", "socket": "show crypto socket",
	} {
		m, err := grammar(t).Parse([]string{"enable"}, line)
		if err != nil {
			t.Fatal(err.Report())
		}
		var args []core.Report
		for _, kind := range cli.Kinds(m.Command.ID) {
			args = append(args, reports[kind])
		}
		out, err2 := cli.Show(m.Command.ID, m.Args, args...)
		if err2 != nil {
			t.Fatalf("%s: %v", line, err2)
		}
		golden(t, name, out)
	}
}

// TestEveryShowIsThere: each command that shows something has its reports, and says so if
// it does not get them.
func TestEveryShowIsThere(t *testing.T) {
	for _, c := range cli.Grammar().Commands {
		if c.Owner = cli.Owner; !strings.HasPrefix(c.Pattern, "show crypto ") {
			continue
		}
		if len(cli.Kinds(c.ID)) == 0 {
			t.Errorf("%s shows nothing", c.Pattern)
		}
		if _, err := cli.Show(c.ID, nil); err == nil {
			t.Errorf("%s shows something without a report", c.Pattern)
		}
	}
}

// TestNothingIsShownToTheTerminal: what a peer says of itself holds no control characters,
// and nothing that is shown holds a key.
func TestNothingIsShownToTheTerminal(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 12 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		text := file(t, filepath.Base(name))
		if strings.ContainsRune(text, 0x1b) || strings.Contains(text, "Lab-Psk") || strings.Contains(text, "secret") {
			t.Errorf("%s: %q", name, text)
		}
	}
}
