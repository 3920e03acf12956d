package ike

import (
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestMain lets the tests run side by side, also where there are few CPUs: they wait for
// timers most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err) // package testing has this flag
	}
	harness.MainConfig(m, harness.Config{Ethernet: true})
}

// converge is how long anything may take.
const converge = 30 * time.Second

const secret = "a key that all of them have"

// Addresses: ours, and charon's.
const (
	here  = "192.0.2.1"
	there = "192.0.2.2"
)

// aead is a proposal with AES-GCM.
func aead(prf uint16, groups ...packet.Group) proposal.IKE {
	return proposal.IKE{Encryption: []packet.Transform{{ID: packet.EncrAESGCM16, KeyLength: 256}}, PRF: []uint16{prf}, Groups: groups}
}

// config is ours, with one proposal.
func config(p proposal.IKE) core.Config {
	key := policy.NewSecret(secret)
	return core.Config{
		Proposals:  []core.Proposal{{Name: "p", IKE: p}},
		Policies:   []core.Policy{{Name: "p", Proposals: []string{"p"}}},
		Keyrings:   []core.Keyring{{Name: "k", Peers: []core.KeyringPeer{{Name: "any", Address: netip.MustParsePrefix("0.0.0.0/0"), Local: key, Remote: key}}}},
		Profiles:   []core.Profile{{Name: "i", Matches: []core.Identity{{Kind: core.IdentityAny}}, LocalMethod: core.MethodPSK, RemoteMethods: []core.Method{core.MethodPSK}, Keyring: "k"}},
		Transforms: []core.Transform{{Name: "t", ESP: proposal.ESP{Encryption: []packet.Transform{{ID: packet.EncrAESGCM16, KeyLength: 256}}}}},
		IPsec:      []core.IPsec{{Name: "v", Transforms: []string{"t"}, Profile: "i"}},
		Tunnels:    []core.Protection{{Interface: "Tunnel0", Profile: "v"}},
	}
}

// connection is one of charon's; IKE and MORE stand for proposals and further lines.
const connection = `
connections {
 c {
  version = 2
  local_addrs = ` + there + `
  remote_addrs = ` + here + `
  proposals = IKE
  MORE
  local {
   auth = psk
  }
  remote {
   auth = psk
  }
  children {
   gre {
    mode = transport
    local_ts = dynamic[gre]
    remote_ts = dynamic[gre]
    esp_proposals = aes256gcm16
   }
  }
 }
}
secrets {
 ike-1 {
  secret = ` + secret + `
 }
}
`

func conn(ike, more string) string {
	return strings.NewReplacer("IKE", ike, "MORE", more).Replace(connection)
}

// world is a node of ours and one with charon.
type world struct {
	*testing.T
	node   *harness.Node
	charon *harness.Charon
	wire   *harness.Capture
}

// newWorld starts charon, with lines for its strongswan.conf. Tests run side by side.
func newWorld(t *testing.T, options string) *world {
	t.Parallel()
	tp := harness.New(t)
	a, b := tp.Node("ours"), tp.Node("charon")
	tp.Link(a, "eth0", here+"/24", b, "eth0", there+"/24")
	return &world{T: t, node: a, wire: a.Capture("eth0"), charon: b.StartCharon("retransmit_timeout = 0.5\nretransmit_tries = 3\n" + options)}
}

// with runs a part of a test with a core of its own, and a connection of charon.
func (w *world) with(name string, cfg core.Config, connection string, f func(t *testing.T, o *ours), options ...func(*ours)) {
	w.Helper()
	w.Run(name, func(t *testing.T) {
		w.charon.Load(connection)
		o, kill := start(t, w.node, here, cfg, options...)
		w.wire.Clear()
		f(t, o)
		if t.Failed() {
			t.Log(o.said())
		}
		kill()
		w.charon.Unload("c")
	})
}

// initiates has charon begin an IKE SA without a child.
func (w *world) initiates(t *testing.T, o *ours) {
	t.Helper()
	if err := w.charon.Initiate("c", ""); err != nil {
		t.Fatalf("%v\n%s", err, o.said())
	}
}

// logged waits until charon has logged a text more often than before.
func (w *world) logged(t *testing.T, before int, text string) {
	t.Helper()
	harness.Eventually(t, converge, func() error {
		if w.charon.Logged(text) <= before {
			return fmt.Errorf("charon does not log %q", text)
		}
		return nil
	})
}

// childless is the line of charon for IKE SAs without children.
const childless = "childless = force"

// TestAlgorithms negotiates each algorithm of IKE in both roles. What charon says it chose
// is compared.
func TestAlgorithms(t *testing.T) {
	cbc := func(bits uint16, hash uint16, prf uint16, g packet.Group) proposal.IKE {
		return proposal.IKE{Encryption: []packet.Transform{{ID: packet.EncrAESCBC, KeyLength: bits}}, Integrity: []uint16{hash}, PRF: []uint16{prf}, Groups: []packet.Group{g}}
	}
	chacha := proposal.IKE{Encryption: []packet.Transform{{ID: packet.EncrChaCha20}}, PRF: []uint16{packet.PRFHMACSHA2512}, Groups: []packet.Group{packet.MODP3072}}
	gcm128 := proposal.IKE{Encryption: []packet.Transform{{ID: packet.EncrAESGCM16, KeyLength: 128}}, PRF: []uint16{packet.PRFHMACSHA2384}, Groups: []packet.Group{packet.ECP256}}
	w := newWorld(t, "")
	for _, tc := range []struct {
		ike  string
		ours proposal.IKE
		want string
	}{
		{"aes256gcm16-prfsha256-x25519", aead(packet.PRFHMACSHA2256, packet.Curve25519), "AES_GCM_16_256/PRF_HMAC_SHA2_256/CURVE_25519"},
		{"aes128gcm16-prfsha384-ecp256", gcm128, "AES_GCM_16_128/PRF_HMAC_SHA2_384/ECP_256"},
		{"chacha20poly1305-prfsha512-modp3072", chacha, "CHACHA20_POLY1305/PRF_HMAC_SHA2_512/MODP_3072"},
		{"aes256-sha256-prfsha256-modp2048", cbc(256, packet.AuthHMACSHA256, packet.PRFHMACSHA2256, packet.MODP2048), "AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/MODP_2048"},
		{"aes128-sha384-prfsha384-ecp384", cbc(128, packet.AuthHMACSHA384, packet.PRFHMACSHA2384, packet.ECP384), "AES_CBC_128/HMAC_SHA2_384_192/PRF_HMAC_SHA2_384/ECP_384"},
		{"aes192-sha512-prfsha512-ecp521", cbc(192, packet.AuthHMACSHA512, packet.PRFHMACSHA2512, packet.ECP521), "AES_CBC_192/HMAC_SHA2_512_256/PRF_HMAC_SHA2_512/ECP_521"},
		{"aes128-sha1-prfsha1-modp4096", cbc(128, packet.AuthHMACSHA1, packet.PRFHMACSHA1, packet.MODP4096), "AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_4096"},
	} {
		want := "selected proposal: IKE:" + tc.want
		n := w.charon.Logged(want)
		w.with("responder/"+tc.ike, config(tc.ours), conn(tc.ike, childless), func(t *testing.T, o *ours) {
			w.initiates(t, o)
			if sa := o.ready(); len(sa.Children) != 0 || sa.Initiator || sa.Peer.String() != there {
				t.Errorf("%+v", sa)
			}
			if _, _, err := w.charon.Established("c", 0); err != nil {
				t.Error(err)
			}
			w.logged(t, n, want)
		})
		n = w.charon.Logged(want)
		w.with("initiator/"+tc.ike, config(tc.ours), conn(tc.ike, ""), func(t *testing.T, o *ours) {
			o.secure()
			o.says("up ")
			w.logged(t, n, want)
			w.logged(t, 0, "established between "+there+"["+there+"]..."+here)
		})
	}
}
