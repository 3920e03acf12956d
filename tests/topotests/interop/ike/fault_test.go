package ike

import (
	"crypto/rand"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/tests/ikefault"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// puppet is a peer in a node that says what is wrong to the other one.
func puppet(t *testing.T, node *harness.Node) (*ikefault.Peer, *ikefault.UDP) {
	p := &ikefault.Peer{Local: netip.MustParseAddrPort(here + ":500"), Remote: netip.MustParseAddrPort(there + ":500"), Key: []byte(secret), Childless: true, Random: rand.Reader}
	var conn *net.UDPConn
	if err := node.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(p.Local))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return p, &ikefault.UDP{Conn: conn, To: p.Remote, Silence: 150 * time.Millisecond, Patience: 3 * time.Second}
}

// withoutChild tells whether a fault can be made without a child SA, for which a kernel
// needs ESP.
func withoutChild(f ikefault.Fault) bool {
	switch f.At {
	case ikefault.Init:
		// Where a cookie is wanted, these are without the right one.
		return f.Name != "no NOTIFY" && f.Name != "a cookie that nobody gave"
	case ikefault.Probe, ikefault.Rekey:
		return true
	case ikefault.Auth:
		about := []string{"no TSi", "no TSr", "no NOTIFY", "twice SA", "twice TSi", "twice TSr"}
		return f.Class != "F6" && f.Class != "F10" && !slices.Contains(about, f.Name) && (f.Class != "impair" || f.Want.Kind != ikefault.Refused)
	}
	return false
}

// TestFaultsLive makes the faults of IKEv2 over UDP, with real sockets and clocks.
func TestFaultsLive(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	a, b := tp.Node("puppet"), tp.Node("ours")
	tp.Link(a, "eth0", here+"/24", b, "eth0", there+"/24")
	cfg := plainConfig()
	p0 := &cfg.Proposals[0].IKE // all that the faults need
	p0.Groups = append(p0.Groups, packet.ECP256, packet.MODP2048)
	cfg.Global.MaxIncoming, cfg.Global.CookieChallenge = 1000, 1000
	o, _ := start(t, b, there, cfg)
	o.says("") // it is there
	p, wire := puppet(t, a)
	for _, f := range ikefault.Faults() {
		if !withoutChild(f) || f.CBC { // which make no difference to sockets
			continue
		}
		o.skip <- time.Minute // until cookies are not wanted any more
		got, err := wire.Attack(p, f)
		if err != nil || got.Kind() != f.Want.Kind {
			t.Errorf("%s, %v: %s: %v, want %+v, got %+v", f.Class, f.At, f.Name, err, f.Want, got)
		}
	}
}

// stricter lists what charon does not take: payloads in clear before encrypted ones, a
// cookie that is too long to be one, and a request for an address, of which it has none.
var stricter = []string{"other payloads before it", "payloads before the Encrypted one", "a cookie that is nobody's", "a configuration"}

// TestFaultsCharon makes those faults towards charon that do no harm: it takes them too, so
// the messages are what they are meant to be. What is wrong it refuses in its own way.
func TestFaultsCharon(t *testing.T) {
	w := newWorld(t, "dos_protection = no\n")
	w.charon.Load(conn("aes256gcm16-prfsha256-x25519-ecp256-modp2048,aes256-sha256-prfsha256-x25519", childless))
	p, wire := puppet(t, w.node)
	for _, f := range ikefault.Faults() {
		if !withoutChild(f) || f.Want.Kind != ikefault.Taken {
			continue
		}
		got, err := wire.Attack(p, f)
		switch {
		case err != nil:
			t.Fatalf("%s, %v: %s: %v", f.Class, f.At, f.Name, err)
		case got.Kind() != f.Want.Kind && !slices.Contains(stricter, f.Name):
			t.Errorf("%s, %v: %s: want %+v, got %+v", f.Class, f.At, f.Name, f.Want, got)
		}
	}
	p.Forget()
	if err := p.Reach(ikefault.Probe, wire.Right); err != nil {
		t.Error(err)
	}
}
