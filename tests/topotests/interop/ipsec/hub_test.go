package ipsec

import (
	"errors"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestCharonHub has charon as a hub for everybody, and two routers of ours as its spokes.
func TestCharonHub(t *testing.T) {
	const n = 50
	c, tp, inet := newCloud(t)
	const spokeAddr = "203.0.113.1"
	spoke := tp.Router("spoke")
	tp.Uplink(inet, spoke, spokeAddr+"/30")
	c.startCharon()
	c.site(n)
	c.peer.GREPeer("gre50", overlay(2), spokeAddr)
	any := strings.Replace(connection(n, "aes256gcm16-prfsha384-x25519", "aes256gcm16-ecp256", ""), "remote_addrs = "+ourAddr, "remote_addrs = %any", 1)
	c.charon.Load(any)
	spoke.StartZebra(cryptoLines + tunnel(2) + "ip nhrp map " + overlay(n) + " " + nbma(n) + "\n")
	c.maps(n)
	c.up(t, n)
	c.passes(t, n)
	wire := spoke.Capture("wan")
	harness.Eventually(t, converge, func() error {
		if have := spoke.ESP(); len(have) != 2 {
			return errors.New("the spoke has no associations")
		}
		return nil
	})
	if err := protected(wire, spoke, overlay(n)); err != nil {
		t.Error(err)
	}
	sas, err := c.charon.SAs(name(n))
	if err != nil || len(sas) != 2 || sas[0].At("initiator") == "yes" || sas[1].At("initiator") == "yes" {
		t.Errorf("charon has %v, %v", sas, err)
	}
}
