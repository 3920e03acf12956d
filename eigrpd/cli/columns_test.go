package cli_test

import (
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
)

// TestColumnsOfCisco compares whole lines with samples of Cisco's layout, whose
// columns scripts read.
func TestColumnsOfCisco(t *testing.T) {
	report := &core.NeighborReport{Instances: []core.InstanceNeighbors{{Identity: classic(), Neighbors: []core.NeighborStatus{spoke()}}}}
	check(t, printed(t, cli.ShowNeighbors(report, cli.View{})),
		"EIGRP-IPv4 Neighbors for AS(100)",
		"H   Address                 Interface              Hold Uptime   SRTT   RTO  Q  Seq",
		"                                                   (sec)         (ms)       Cnt Num",
		"1   172.31.0.12             Tu0                      13 00:00:04   11  1440  0  6")
	id := named()
	id.VRF = ""
	report.Instances[0].Identity = id
	check(t, printed(t, cli.ShowNeighbors(report, viewOf(t, "show ip eigrp neighbors detail")))[:1],
		"EIGRP-IPv4 VR(DMVPN) Address-Family Neighbors for AS(100)")
	for _, line := range printed(t, cli.ShowNeighbors(report, viewOf(t, "show ip eigrp neighbors detail"))) {
		if strings.Contains(line, "Version") && line != "   Version 25.0/2.0, Retrans: 1, Retries: 0, Prefixes: 1" {
			t.Errorf("%q", line)
		}
	}

	links := interfaces()
	links.Instances = links.Instances[:1]
	check(t, printed(t, cli.ShowInterfaces(links, viewOf(t, "show ip eigrp interfaces tu0"))),
		"EIGRP-IPv4 Interfaces for AS(100)",
		"                              Xmit Queue   PeerQ        Mean   Pacing Time   Multicast    Pending",
		"Interface              Peers  Un/Reliable  Un/Reliable  SRTT   Un/Reliable   Flow Timer   Routes",
		"Tu0                      2        0/0       0/0          20       0/1           84           0")

	table := topology()
	table.Instances = table.Instances[:1]
	table.Instances[0].RouterID = learnt("172.31.0.11", 0, 0).Neighbor
	table.Instances[0].Entries = entries()[1:4]
	table.Instances[0].Entries[2].Paths = table.Instances[0].Entries[2].Paths[:1]
	check(t, printed(t, cli.ShowTopology(table, cli.View{})),
		"EIGRP-IPv4 Topology Table for AS(100)/ID(172.31.0.11)",
		"Codes: P - Passive, A - Active,",
		"       r - its REPLY is awaited, s - it was sent an SIA-QUERY",
		"",
		"P 10.0.0.0/8, 1 successors, FD is 2816",
		"        via Summary (2816/0), Null0",
		"P 10.10.0.0/24, 1 successors, FD is 2816",
		"        via Connected, GigabitEthernet2",
		"P 10.12.0.0/24, 1 successors, FD is 28160256",
		"        via 172.31.0.12 (28160256/26880256), Tunnel0")
	table.Instances[0].Identity = id
	check(t, printed(t, cli.ShowTopology(table, cli.View{}))[:1], "EIGRP-IPv4 VR(DMVPN) Topology Table for AS(100)/ID(172.31.0.1)")

	traffic := status()
	traffic.Instances = traffic.Instances[:1]
	check(t, printed(t, cli.ShowTraffic(traffic, cli.Process{}, cli.View{}))[:8],
		"EIGRP-IPv4 Traffic Statistics for AS(100)",
		"  Hellos sent/received: 523/519",
		"  Updates sent/received: 14/12",
		"  Queries sent/received: 2/1",
		"  Replies sent/received: 1/2",
		"  Acks sent/received: 13/11",
		"  SIA-Queries sent/received: 4/3",
		"  SIA-Replies sent/received: 3/4")
}

// TestColumnsOfLargeNumbers: what is larger than in the samples ends in the same
// column.
func TestColumnsOfLargeNumbers(t *testing.T) {
	lines := printed(t, cli.ShowNeighbors(&core.NeighborReport{Instances: neighbors().Instances[:1]}, cli.View{}))
	for _, line := range lines[3:] {
		for _, at := range []int{3, 27, 50, 55, 64, 69, 75, 78, 79} {
			if line[at] != ' ' {
				t.Errorf("no space in column %d of %q", at, line)
			}
		}
	}
	links := printed(t, cli.ShowInterfaces(&core.InterfaceReport{Instances: interfaces().Instances[:1]}, cli.View{}))
	for _, line := range links[3:] {
		for _, at := range []int{35, 45, 67} {
			if line[at] != '/' {
				t.Errorf("no / in column %d of %q", at, line)
			}
		}
		if line[59] != ' ' || line[73] != ' ' || line[82] != ' ' {
			t.Errorf("columns run into each other: %q", line)
		}
	}
}

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
		return
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got  %q\nwant %q", got[i], want[i])
		}
	}
}
