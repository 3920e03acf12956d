package ipsec

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{IPsec: true}) }

// converge is how long anything may take.
const converge = 60 * time.Second

// secret is the pre-shared key of all.
const secret = "known-to-all-of-them"

// replaced is a text with names in it replaced: pairs of a name and what it stands for.
func replaced(text string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(text)
}

// charonPSK is a connection of charon in which LOCAL and REMOTE are addresses, IKE and
// ESP proposals.
const charonPSK = `
connections {
 gre {
  version = 2
  local_addrs = LOCAL
  remote_addrs = REMOTE
  proposals = IKE
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
    esp_proposals = ESP
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

// plutoPSK is a connection of pluto.
const plutoPSK = `
conn gre
	authby=secret
	type=transport
	left=LOCAL
	right=REMOTE
	leftprotoport=gre
	rightprotoport=gre
	ikev2=insist
	ike=IKE
	esp=ESP
	leftupdown=/bin/true
	auto=ignore
`

// isESP matches ESP, also in UDP (RFC 3948): there it does not begin with the zeros by
// which IKE does.
func isESP(f harness.Frame) bool {
	b := f.UDP()
	return harness.IsESP(f) || harness.IsUDP(4500)(f) && len(b) > 8 && !bytes.HasPrefix(b, make([]byte, 4))
}

// protected pings through a tunnel and tells whether both directions went by ESP: on the
// wire, where there may be nothing in clear, and by the counters of the associations.
func protected(wire *harness.Capture, n *harness.Node, to string) error {
	const packets = 3
	wire.Clear()
	before := n.ESP()
	if r, err := n.Ping(to, "", packets); err != nil || r.Received != packets {
		return fmt.Errorf("ping %s: %+v, %v", to, r, err)
	}
	err := harness.Poll(converge, func() error { // the capture may be a little late
		if seen := wire.Count(harness.IsGRE) + wire.Count(isESP); seen < 2*packets {
			return fmt.Errorf("%d packets on the wire", seen)
		}
		return nil
	})
	if clear := wire.Count(harness.IsGRE); err != nil || clear != 0 {
		return fmt.Errorf("%d packets in clear, %v", clear, err)
	}
	now := n.ESP()
	if more := passed(before, now); more < 2*packets {
		return fmt.Errorf("the associations counted %d packets: %v, before %v", more, now, before)
	}
	return nil
}

// passed is the number of packets that associations have passed since others were read,
// whichever of those are gone since: after a death of ours that takes a while.
func passed(before, now []harness.ESP) (packets uint64) {
	for _, s := range now {
		packets += s.Packets
		if i := slices.IndexFunc(before, isOf([]harness.ESP{s})); i >= 0 {
			packets -= before[i].Packets
		}
	}
	return packets
}

func TestPassed(t *testing.T) {
	to := netip.MustParseAddr("192.0.2.1")
	gone := harness.ESP{Destination: to, SPI: 1, Packets: 50}
	before, now := harness.ESP{Destination: to, SPI: 2, Packets: 3}, harness.ESP{Destination: to, SPI: 2, Packets: 6}
	if n := passed([]harness.ESP{gone, before}, []harness.ESP{now, {Destination: to, SPI: 3, Packets: 3}}); n != 6 {
		t.Errorf("%d packets, want 3 by the association of before and 3 by the new one", n)
	}
}

// TestControl has charon as its own peer, so that what the other tests conclude from does
// not rest on our daemon.
func TestControl(t *testing.T) {
	tp := harness.New(t)
	inet := tp.Internet("inet")
	a, b := tp.Router("a"), tp.Router("b")
	tp.Uplink(inet, a, "192.0.2.1/30")
	tp.Uplink(inet, b, "198.51.100.1/30")
	a.GRE("gre1", "192.0.2.1", 100, "172.31.0.1/24")
	b.GRE("gre1", "198.51.100.1", 100, "172.31.0.2/24")
	a.GREPeer("gre1", "172.31.0.2", "198.51.100.1")
	b.GREPeer("gre1", "172.31.0.1", "192.0.2.1")
	a.WarmESP()
	wire := a.Capture("wan")
	if err := protected(wire, a, "172.31.0.2"); err == nil {
		t.Error("what goes in clear counts as protected")
	}
	responder, initiator := a.StartCharon(""), b.StartCharon("")
	for _, esp := range []struct{ proposal, want string }{
		{"aes256gcm16-ecp256", "rfc4106(gcm(aes)) 288 bits esn=false"},
		{"chacha20poly1305-esn", "rfc7539esp(chacha20,poly1305) 288 bits esn=true"},
		{"aes128-sha256", "cbc(aes) hmac(sha256) 128 bits esn=false"},
	} {
		responder.Load(replaced(charonPSK, "LOCAL", "192.0.2.1", "REMOTE", "%any", "IKE", "default", "ESP", esp.proposal))
		initiator.Load(replaced(charonPSK, "LOCAL", "198.51.100.1", "REMOTE", "192.0.2.1", "IKE", "aes256gcm16-prfsha384-x25519", "ESP", esp.proposal))
		if err := initiator.Initiate("gre", "gre"); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, converge, func() error { _, _, err := responder.Established("gre", 1); return err })
		if err := protected(wire, a, "172.31.0.2"); err != nil {
			t.Error(err)
		}
		for _, s := range a.ESP() {
			if !strings.Contains(s.String(), esp.want) || !s.Transport {
				t.Errorf("%s: %v", esp.proposal, s)
			}
		}
		initiator.Unload("gre") // it says so once, where it may say so at all
		responder.Unload("gre")
	}
}
