package tunnelpeer_test

import (
	"net/netip"
	"testing"

	"github.com/godmvpn/godmvpn/lib/tunnelpeer"
)

func TestKey(t *testing.T) {
	for _, address := range []string{"10.0.0.2", "2001:db8::1", "fe80::1"} {
		p := tunnelpeer.Peer{Tunnel: "Tunnel0", Addr: netip.MustParseAddr(address)}
		if got, err := tunnelpeer.ParseKey(p.Key()); err != nil || got != p {
			t.Errorf("%q is read as %v, %v", p.Key(), got, err)
		}
	}
	for _, key := range []string{"", "Tunnel0", "Tunnel0 ", " 10.0.0.2", "Tunnel0 10.0.0.2 ", "Tunnel0 fe80::1%eth0", "Tunnel0 ::ffff:10.0.0.2"} {
		if p, err := tunnelpeer.ParseKey(key); err == nil {
			t.Errorf("%q is read as %v", key, p)
		}
	}
}

func TestState(t *testing.T) {
	for s, up := range map[tunnelpeer.State]bool{tunnelpeer.Client: true, tunnelpeer.Server: true, tunnelpeer.Lost: false} {
		if got, err := tunnelpeer.ParseState(s.Append(nil)); err != nil || got != s || got.Up() != up {
			t.Errorf("%v is read as %v, up %v, %v", s, got, got.Up(), err)
		}
	}
	if got, err := tunnelpeer.ParseState(nil); err != nil || got != 0 || got.Up() {
		t.Errorf("what was withdrawn is read as %v, %v", got, err)
	}
	for _, b := range [][]byte{{1}, {1, 0}, {1, 4}, {2, 1}, {1, 1, 0}} {
		if got, err := tunnelpeer.ParseState(b); err == nil {
			t.Errorf("%x is read as %v", b, got)
		}
	}
	for s, want := range map[tunnelpeer.State]string{0: "withdrawn", tunnelpeer.Client: "client", tunnelpeer.Server: "server", tunnelpeer.Lost: "lost", 9: "state 9"} {
		if s.String() != want {
			t.Errorf("%d is named %q, not %q", uint8(s), s, want)
		}
	}
}
