package protection_test

import (
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/godmvpn/godmvpn/lib/protection"
)

func TestKey(t *testing.T) {
	for _, address := range []string{"203.0.113.1", "2001:db8::1"} {
		p := protection.Peer{Tunnel: "Tunnel0", NBMA: netip.MustParseAddr(address)}
		if got, err := protection.ParseKey(p.Key()); err != nil || got != p {
			t.Errorf("%q is read as %v, %v", p.Key(), got, err)
		}
	}
	for _, key := range []string{"", "Tunnel0", "Tunnel0 ", " 203.0.113.1", "Tunnel0 203.0.113.1 ", "Tunnel0 fe80::1%eth0", "Tunnel0 ::ffff:203.0.113.1"} {
		if p, err := protection.ParseKey(key); err == nil {
			t.Errorf("%q is read as %v", key, p)
		}
	}
}

func TestState(t *testing.T) {
	for s := protection.IKE; s <= protection.Lost; s++ {
		for _, outer := range []netip.Addr{{}, netip.MustParseAddr("203.0.113.1")} {
			want := protection.State{Security: s, Generation: 7, Identity: "fqdn spoke1.example.org", Reason: "no answer", Outer: outer}
			got, err := protection.ParseState(want.Append(nil))
			if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" || err != nil {
				t.Errorf("%v: %v (-want +got):\n%s", s, err, diff)
			}
		}
	}
}

func TestStateCut(t *testing.T) {
	long := strings.Repeat("é", 400)
	got, err := protection.ParseState(protection.State{Security: protection.Up, Reason: "x" + long}.Append(nil))
	if err != nil || !strings.HasPrefix("x"+long, got.Reason) || len(got.Reason) != 511 || !utf8.ValidString(got.Reason) {
		t.Errorf("a long reason is read as %d octets: %v", len(got.Reason), err)
	}
}

func TestStateMalformed(t *testing.T) {
	good := protection.State{Security: protection.Up, Generation: 1, Identity: "a", Reason: "b"}.Append(nil)
	alias := protection.State{Security: protection.Up, Outer: netip.MustParseAddr("203.0.113.1")}.Append(nil)
	for _, b := range [][]byte{good, alias} {
		for n := range b {
			if s, err := protection.ParseState(b[:n]); err == nil {
				t.Errorf("%d octets are read as %v", n, s)
			}
		}
	}
	change := func(at int, v byte) []byte {
		b := append([]byte{}, good...)
		b[at] = v
		return b
	}
	for name, b := range map[string][]byte{
		"too long": append(append([]byte{}, good...), 0), "an alias and more": append(alias, 0), "version": change(0, 9), "no security": change(1, 0), "unknown security": change(1, 5), "length": change(6, 0xff),
	} {
		if s, err := protection.ParseState(b); err == nil {
			t.Errorf("%s: read as %v", name, s)
		}
	}
}

func TestSecurityNames(t *testing.T) {
	for s, want := range map[protection.Security]string{
		protection.IKE: "IKE", protection.IPsec: "IPSEC", protection.Up: "UP", protection.Lost: "LOST", 9: "security 9",
	} {
		if got := s.String(); got != want {
			t.Errorf("%d is named %q, want %q", uint8(s), got, want)
		}
	}
}

// Aliases are of class E (RFC 1112 section 4) but for the broadcast address.
func TestIsAlias(t *testing.T) {
	for a, want := range map[string]bool{
		"240.0.0.1": true, "255.255.255.254": true, "255.255.255.255": false, "239.255.255.255": false, "203.0.113.1": false, "::ffff:240.0.0.1": false, "f000::1": false,
	} {
		if protection.IsAlias(netip.MustParseAddr(a)) != want {
			t.Errorf("%s: %v", a, !want)
		}
	}
	if protection.IsAlias(netip.Addr{}) {
		t.Error("no address is one")
	}
}
