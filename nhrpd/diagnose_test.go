package nhrpd_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// withoutTimes leaves out what depends on the jitter of retries: how long ago
// something was heard, and how many packets there were.
func withoutTimes(text string) string {
	text = regexp.MustCompile(`the last one [0-9:]+ ago`).ReplaceAllString(text, "the last one T ago")
	return regexp.MustCompile(`dropped [0-9]+ packets`).ReplaceAllString(text, "dropped N packets")
}

// TestDiagnose: a spoke with the wrong string and then the right one, with zebra
// saying how things are reached, and without.
func TestDiagnose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke, _ := cloud(t)
		spoke.zebra.routes = map[string]rib.NextHopChanged{
			"192.0.2.1":  {Prefix: netip.MustParsePrefix("0.0.0.0/0"), Protocol: rib.Static, NextHops: []rib.NextHop{{Addr: netip.MustParseAddr("198.51.100.2"), Interface: "GigabitEthernet1"}}},
			"172.31.0.1": {Prefix: netip.MustParsePrefix("172.31.0.0/24"), Protocol: rib.Connected, NextHops: []rib.NextHop{{Interface: "Tunnel0"}}},
		}
		hub.start(hubConfig)
		spoke.start(strings.ReplaceAll(spokeConfig, "S3CRET", "0THER"))
		time.Sleep(20 * time.Second)
		golden(t, "diagnose-authentication.txt", withoutTimes(spoke.exec("diagnose dmvpn", false)))
		golden(t, "diagnose-authentication.json", withoutTimes(spoke.exec("diagnose dmvpn peer 192.0.2.1", true)))
		golden(t, "diagnose-hub.txt", withoutTimes(hub.exec("diagnose dmvpn", false)))
		spoke.configure(spokeConfig)
		time.Sleep(time.Minute)
		golden(t, "diagnose-well.txt", withoutTimes(spoke.exec("diagnose dmvpn peer 172.31.0.1", false)))
		synctest.Wait()
		spoke.zebra.mu.Lock()
		unwatched := spoke.zebra.unwatched
		spoke.zebra.mu.Unlock()
		if unwatched != 6 {
			t.Errorf("%d questions were taken back, of 6", unwatched)
		}

		// Without an answer it waits no longer than it must.
		before := time.Now()
		out := hub.exec("diagnose dmvpn peer 172.31.0.11", false)
		if !strings.Contains(out, "zebra did not say how 198.51.100.1 is reached") || time.Since(before) != 2*time.Second {
			t.Errorf("after %v:\n%s", time.Since(before), out)
		}
		hub.configure("")
		same(t, "without NHRP", hub.exec("diagnose dmvpn", false), "NHRP is enabled on no tunnel: there is no \"ip nhrp network-id\"\n")
	})
}
