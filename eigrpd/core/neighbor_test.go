package core

import (
	"testing"
	"time"
)

// TestAdjacency: two routers on a network become neighbours within seconds, tell each
// other their networks, and stay so (RFC 7868 sections 5.3.3 to 5.3.5).
func TestAdjacency(t *testing.T) {
	l, a, b := pair(t)
	l.start()
	l.advance(2 * time.Second)
	same(t, "neighbours of a", a.neighbors(), "10.0.0.2 Eth0")
	same(t, "neighbours of b", b.neighbors(), "10.0.0.1 Eth0")
	same(t, "routes of a", a.routes(), "10.2.0.0/24 [90/30720] 10.0.0.2,Eth0")
	same(t, "routes of b", b.routes(), "10.1.0.0/24 [90/30720] 10.0.0.1,Eth0")
	same(t, "log", a.said(), "%DUAL-5-NBRCHANGE: EIGRP-IPv4 100: Neighbor 10.0.0.2 (Eth0) is up: new adjacency")
	l.advance(time.Hour)
	same(t, "log in peace", a.said())
}
