package cli_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// protected is a spoke over a protected tunnel: its hub is secured, another spoke is being
// secured.
func protected() *core.PeerReport {
	r := spoke()
	i := &r.Interfaces[0]
	i.Protection = "DMVPN-IPSEC"
	i.Peers = i.Peers[:2]
	i.Peers[1].State, i.Peers[1].Attributes = core.PeerIPsec, "D"
	i.Sessions = []core.Session{
		{NBMA: addr("192.0.2.1"), Security: protection.Up, Since: 13 * time.Minute, Generation: 2, Identity: "hub.example.org", Wanted: true},
		{NBMA: addr("203.0.113.1"), Security: protection.IPsec, Since: 9 * time.Second, Reason: "refused: NO_PROPOSAL_CHOSEN", Identity: "spoke2.example.org", Wanted: true, Held: 1},
	}
	r.Interfaces = r.Interfaces[:1]
	return r
}

func TestShowProtected(t *testing.T) {
	check(t, "show dmvpn detail", cli.ShowDMVPN(protected(), cli.PeerView{Detail: true}), "Interface Tunnel0", `Interface Tunnel0 is up/up, Addr. is 172.31.0.11, VRF "global"
   Tunnel Src./Dest. addr: 198.51.100.1/Multipoint, Tunnel VRF "global"
   Protocol/Transport: "multi-GRE/IP", Protect "DMVPN-IPSEC" 
   Interface State Control: Disabled
   nhrp event-publisher : Disabled

Type:Spoke, Total NBMA Peers (v4/v6): 2

# Ent  Peer NBMA Addr Peer Tunnel Add State  UpDn Tm Attrb    Target Network
----- --------------- --------------- ----- -------- ----- -----------------
    1 192.0.2.1            172.31.0.1    UP 00:12:26     S      172.31.0.1/32
    1 203.0.113.1         172.31.0.12 IPSEC 00:00:09     D     172.31.0.12/32

Crypto Session Details: 
--------------------------------------------------------------------------------

Interface: Tunnel0
  Crypto Session Status: UP-ACTIVE
  fvrf: (none), Phase1_id: hub.example.org
  IPSEC FLOW: permit 47   host 198.51.100.1 host 192.0.2.1
    Socket State: Open, for 00:13:00

Pending DMVPN Sessions:

Interface: Tunnel0
  Crypto Session Status: UP-IDLE
  fvrf: (none), Phase1_id: spoke2.example.org
  IPSEC FLOW: permit 47   host 198.51.100.1 host 203.0.113.1
        Reason: refused: NO_PROPOSAL_CHOSEN
        NHRP packets waiting: 1
    Socket State: Closed, for 00:00:09

`)
	golden(t, "dmvpn-protected", cli.ShowDMVPN(protected(), cli.PeerView{Detail: true, NBMA: addr("203.0.113.1")}))
}

// TestShowSessionStatus has a status for each way in which a peer can be.
func TestShowSessionStatus(t *testing.T) {
	for _, c := range []struct {
		s    core.Session
		want string
	}{
		{core.Session{Security: protection.Up}, "UP-ACTIVE"},
		{core.Session{Security: protection.IPsec}, "UP-IDLE"},
		{core.Session{Security: protection.IKE, Wanted: true}, "DOWN-NEGOTIATING"},
		{core.Session{Security: protection.Lost}, "DOWN"},
		{core.Session{}, "DOWN"},
	} {
		r := protected()
		c.s.NBMA = addr("192.0.2.1")
		r.Interfaces[0].Sessions = []core.Session{c.s}
		var out strings.Builder
		if err := cli.ShowDMVPN(r, cli.PeerView{Detail: true}).Write(&out, false); err != nil || !strings.Contains(out.String(), "Status: "+c.want+"\n") {
			t.Errorf("%+v: %v, not %s in\n%s", c.s, err, c.want, out.String())
		}
	}
}

// TestDiagnoseIPsec breaks one thing at a time below NHRP. The reasons are those of ipsecd.
func TestDiagnoseIPsec(t *testing.T) {
	hub := func(security protection.Security, reason string) core.Session {
		return core.Session{NBMA: addr("192.0.2.1"), Security: security, Since: time.Minute, Reason: reason, Wanted: true}
	}
	for _, c := range []struct {
		name, failing, layer string
		verdict              cli.Verdict
		text                 string
		session              core.Session
	}{
		{"secured", "", "IPsec", cli.VerdictOK, `GRE passes encrypted for 00:01:00, by profile "P"`, hub(protection.Up, "")},
		{"ipsecd silent", "IKE", "IKE", cli.VerdictFails, "ipsecd says nothing of 192.0.2.1", hub(0, "")},
		{"negotiating", "", "IKE", cli.VerdictUnknown, "is being negotiated, for 00:01:00", hub(protection.IKE, "")},
		{"lost", "IKE", "IKE", cli.VerdictFails, "no IKE SA with 192.0.2.1, for 00:01:00: peer is dead: it answers no probe", hub(protection.Lost, "peer is dead")},
		{"silence", "IKE", "IKE", cli.VerdictFails, "no answer: is UDP port 500", hub(protection.IKE, "no answer")},
		{"other key", "IKE", "IKE", cli.VerdictFails, "the other end does not prove who it is", hub(protection.IKE, "authentication failed")},
		{"key there", "IKE", "IKE", cli.VerdictFails, "does not accept who this router is", hub(protection.IKE, "refused: AUTHENTICATION_FAILED")},
		{"no key", "IKE", "IKE", cli.VerdictFails, "has no key for this peer", hub(protection.IKE, "no pre-shared key")},
		{"proposal", "IKE", "IKE", cli.VerdictFails, "no proposal is common", hub(protection.IKE, "refused: NO_PROPOSAL_CHOSEN")},
		{"group", "IKE", "IKE", cli.VerdictFails, "no group in common", hub(protection.IKE, "refused: INVALID_KE_PAYLOAD")},
		{"transform set", "IPsec", "IPsec", cli.VerdictFails, "compare \"crypto ipsec transform-set\" and \"set pfs\"", hub(protection.IPsec, "refused: NO_PROPOSAL_CHOSEN")},
		{"no profile", "IKE", "IKE", cli.VerdictFails, "no IPsec profile: there is none of the name", hub(protection.IKE, "no IPsec profile")},
		{"selectors", "IPsec", "IPsec", cli.VerdictFails, `is "tunnel protection" there`, hub(protection.IPsec, "refused: TS_UNACCEPTABLE")},
		{"no reason yet", "", "IPsec", cli.VerdictUnknown, "no SA for GRE with 192.0.2.1, for 00:01:00", hub(protection.IPsec, "")},
		{"something else", "IKE", "IKE", cli.VerdictFails, "for 00:01:00: the dog ate it", hub(protection.IKE, "the dog ate it")},
		{"no key, then GRE", "IKE", "GRE", cli.VerdictUnknown, "waits for IPsec", hub(protection.IKE, "no pre-shared key")},
		{"no key, then NHRP", "IKE", "NHRP", cli.VerdictUnknown, "registration waits for IPsec", hub(protection.IKE, "no pre-shared key")},
		{"no key, then IPsec", "IKE", "IPsec", cli.VerdictUnknown, "waits for IKE", hub(protection.IKE, "no pre-shared key")},
		{"ESP blocked", "GRE", "GRE", cli.VerdictFails, "is ESP (IP protocol 50; behind a NAT UDP port 4500) let through", hub(protection.Up, "")},
	} {
		f := healthy()
		i := &f.Peers.Interfaces[0]
		i.Protection, i.Sessions = "P", []core.Session{c.session}
		if c.name != "secured" {
			s := &i.Servers[0]
			s.State, s.Since, s.LastReply, s.LastHeard = core.NHSDown, time.Minute, core.NoExpiry, core.NoExpiry
		}
		found := cli.Diagnose(f, addr("172.31.0.1"))
		if l := layer(t, found, c.layer); l.Verdict != c.verdict || !strings.Contains(l.Text, c.text) {
			t.Errorf("%s: %+v, want %s %q", c.name, l, c.verdict, c.text)
		}
		if got := found[0].Failing; got != c.failing {
			t.Errorf("%s: fails at %q, want %q", c.name, got, c.failing)
		}
	}
}

// TestDiagnoseUnsecuredPeer: a station that is resolved but not secured is looked at
// without being named.
func TestDiagnoseUnsecuredPeer(t *testing.T) {
	f := healthy()
	i := &f.Peers.Interfaces[0]
	i.Protection = "P"
	i.Sessions = []core.Session{{NBMA: addr("192.0.2.1"), Security: protection.Up}, {NBMA: addr("203.0.113.1"), Security: protection.IKE, Reason: "no answer", Wanted: true}}
	var found []string
	for _, d := range cli.Diagnose(f, netip.Addr{}) {
		found = append(found, d.Peer+" "+d.Failing)
	}
	if diff := cmp.Diff([]string{"172.31.0.1 ", "172.31.0.12 IKE"}, found); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadIdentity(t *testing.T) {
	cfg, errs := read(t, `interface Tunnel0
 ip nhrp network-id 1
 ip nhrp registration identity spoke1.example.org 172.31.0.11
 ip nhrp registration identity branch@example.org 172.31.0.64 255.255.255.192
 ip nhrp registration identity spoke1.example.org 172.31.0.21
 ip nhrp registration require-identity
 ipv6 nhrp network-id 1
 ipv6 nhrp registration identity spoke1.example.org 2001:db8::11
 ipv6 nhrp registration identity branch@example.org 2001:db8:1::/64
`)
	if len(errs) > 0 || len(cfg.Interfaces) != 2 {
		t.Fatalf("%v, %+v", errs, cfg)
	}
	bound := func(identity, p string) core.IdentityBinding {
		return core.IdentityBinding{Identity: identity, Prefix: prefix(p)}
	}
	want := [2][]core.IdentityBinding{
		{bound("branch@example.org", "172.31.0.64/26"), bound("spoke1.example.org", "172.31.0.11/32"), bound("spoke1.example.org", "172.31.0.21/32")},
		{bound("branch@example.org", "2001:db8:1::/64"), bound("spoke1.example.org", "2001:db8::11/128")},
	}
	compare := cmp.Comparer(func(a, b core.IdentityBinding) bool { return a == b })
	for k, i := range cfg.Interfaces {
		if diff := cmp.Diff(want[k], i.Identities, compare); diff != "" || i.RequireIdentity != (k == 0) {
			t.Errorf("%v: required %v (-want +got):\n%s", i.Family, i.RequireIdentity, diff)
		}
	}
	for _, line := range []string{"ip nhrp registration identity x 224.0.0.5", "ip nhrp registration identity x 10.0.0.0 0.0.0.0"} {
		if _, errs := read(t, "interface Tunnel0\n "+line+"\n"); len(errs) != 1 {
			t.Errorf("%s: %v", line, errs)
		}
	}
}
