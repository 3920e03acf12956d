package phase3

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/cloud"
)

// says tells whether a command's output matches all of these, each from the start of a
// line.
func says(s *cloud.Site, command string, patterns ...string) func() error {
	return func() error {
		out, err := s.Vtysh(command)
		for _, p := range patterns {
			if err == nil && !regexp.MustCompile("(?m)^"+p).MatchString(out) {
				err = fmt.Errorf("%s: %s: nothing matches %q in\n%s", s.Name(), command, p, out)
			}
		}
		return err
	}
}

// TestShows: with a next hop overridden the commands show it in Cisco's layout, each
// its own part, and the kernel agrees. A session that is cleared is there again as
// soon as packets need it, and the trace tells of both.
func TestShows(t *testing.T) {
	t.Parallel()
	d := build(t, exact+cloud.RIP(""), cloud.RIP(""))
	overridden := routes(d.spoke1, rib.RIP, via(d.hub.LAN, d.hub), via(d.spoke2.LAN, d.spoke2))
	d.Await(routes(d.spoke1, rib.RIP, via(d.hub.LAN, d.hub), via(d.spoke2.LAN, d.hub)), routes(d.spoke2, rib.RIP, via(d.hub.LAN, d.hub), via(d.spoke1.LAN, d.hub)),
		says(d.spoke1, "show ip cef 10.12.0.10", `10\.12\.0\.0/24$`, `  nexthop 172\.31\.0\.1 Tunnel0$`))
	flow := d.spoke1.Host.Flow(d.spoke2.HostIP, flowEvery)
	d.Await(overridden)
	const time = `[0-9:]{8}`
	d.Await(
		says(d.spoke1, "show ip route", `R   %    10\.12\.0\.0/24 \[120/[0-9]+\] via 172\.31\.0\.1, `+time+`, Tunnel0$`, `H        172\.31\.0\.12/32 is directly connected, `+time+`, Tunnel0$`),
		says(d.spoke1, "show ip route next-hop-override", `R   %    10\.12\.0\.0/24 \[120/[0-9]+\] via 172\.31\.0\.1, `+time+`, Tunnel0\n {21}\[NHO\]\[120/255\] via 172\.31\.0\.12, `+time+`, Tunnel0$`),
		says(d.spoke1, "show ip cef 10.12.0.10", `10\.12\.0\.0/24\n  nexthop 172\.31\.0\.12 Tunnel0$`),
		says(d.spoke1, "show dmvpn", ` +2 203\.0\.113\.1 +172\.31\.0\.12 +UP `+time+` +DT[12]$`, ` {27}172\.31\.0\.12 +UP `+time+` +DT[12]$`),
		says(d.spoke1, "show dmvpn peer nbma 203.0.113.1 detail", ` +203\.0\.113\.1 +172\.31\.0\.12 +UP `+time+` +DT2 +10\.12\.0\.0/24$|    2 203\.0\.113\.1 +172\.31\.0\.12 +UP `+time+` +DT2 +10\.12\.0\.0/24$`),
		says(d.spoke1, "show ip nhrp shortcut", `10\.12\.0\.0/24 via 172\.31\.0\.12\n   Tunnel0 created `+time+`, expire `+time+`\n   Type: dynamic, Flags: .*rib nho\n   NBMA address: 203\.0\.113\.1$`),
		says(d.spoke2, "show ip nhrp local detail", `10\.12\.0\.0/24 via 172\.31\.0\.12$`, `  Requester: 172\.31\.0\.11 Request ID: [0-9]+$`),
		says(d.spoke1, "show ip nhrp summary", `        [0-9]+ rib \([0-9]+ H    1 nho\)$`),
		says(d.spoke1, "diagnose dmvpn peer 203.0.113.1", `Tunnel0, peer 172\.31\.0\.12 \(NBMA 203\.0\.113\.1\): nothing is found to fail$`,
			`  Transport  OK     203\.0\.113\.1 by static 0\.0\.0\.0/0, wan via `, `  Routing    OK     172\.31\.0\.12 by [a-z]+ 172\.31\.0\..*, Tunnel0; shortcuts to 10\.12\.0\.0/24$`),
		says(d.hub, "show monitor event-trace dmvpn all", `\*.*: NHRP: Cache entry added via Tunnel0, peer 172\.31\.0\.11, NBMA 198\.51\.100\.1`))

	// Both ends forget: the flow goes by way of the hub, which tells of it again.
	d.spoke1.MustVtysh("clear dmvpn session peer tunnel 172.31.0.12")
	d.spoke2.MustVtysh("clear dmvpn session peer tunnel 172.31.0.11")
	d.Await(says(d.hub, "show ip nhrp redirect", `  Tunnel0 +198\.51\.100\.1 +10\.11\.0\.10 +10\.12\.0\.10 +[0-9]+ +`+time+`$`), overridden)
	d.Await(says(d.spoke1, "show monitor event-trace dmvpn all", `\*.*: NHRP: Cache entry deleted via Tunnel0, network 10\.12\.0\.0/24, NBMA 203\.0\.113\.1.*, Reason: Cleared$`))
	d.More(flow, 10)
	d.Lossless(flow, "sessions cleared")
}
