package cli_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/ospfd/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files in testdata")

func wild(a, bits string) policy.Wildcard {
	return policy.Wildcard{Addr: uint32(id(a)), Bits: uint32(id(bits))}
}

// shown runs a command on the reports of the fixtures.
func shown(t *testing.T, line string) libcli.Output {
	t.Helper()
	m, err := grammar(t).Parse([]string{"enable"}, line)
	if err != nil {
		t.Fatalf("%q:\n%s", line, err.Report())
	}
	q, ok := cli.About(m.Command.ID, m.Args)
	if !ok {
		t.Fatalf("%q shows no report", line)
	}
	return cli.Show(m.Command.ID, answer(q), m.Args)
}

// answer is what the core makes of a Query.
func answer(q core.Query) core.Report {
	switch q.Kind {
	case core.ReportStatus:
		r := statusReport()
		r.Instances = ofProcess(r.Instances, q.Process, func(in core.InstanceStatus) uint16 { return in.Process })
		return r
	case core.ReportInterfaces:
		r := interfaceReport()
		r.Instances = ofProcess(r.Instances, q.Process, func(in core.InstanceInterfaces) uint16 { return in.Process })
		return r
	case core.ReportNeighbors:
		r := neighborReport()
		r.Instances = ofProcess(r.Instances, q.Process, func(in core.InstanceNeighbors) uint16 { return in.Process })
		return r
	case core.ReportRoutes:
		r := routeReport()
		r.Instances = ofProcess(r.Instances, q.Process, func(in core.InstanceRoutes) uint16 { return in.Process })
		return r
	}
	r := databaseReport()
	r.Instances = ofProcess(r.Instances, q.Process, func(in core.InstanceDatabase) uint16 { return in.Process })
	only := func(all []packet.LSA) (out []packet.LSA) {
		for _, l := range all {
			if q.Database.Type == 0 || l.Type == q.Database.Type {
				out = append(out, l)
			}
		}
		return out
	}
	for i := range r.Instances {
		in := &r.Instances[i]
		in.AS = only(in.AS)
		for k := range in.Areas {
			a := &in.Areas[k]
			a.LSAs = only(a.LSAs)
			if len(a.Links) > 0 && len(only(a.Links[0].LSAs)) == 0 {
				a.Links = nil
			}
		}
	}
	return r
}

func ofProcess[T any](all []T, process uint16, of func(T) uint16) (out []T) {
	for _, in := range all {
		if process == 0 || of(in) == process {
			out = append(out, in)
		}
	}
	return out
}

// goldens are the commands whose outputs are in testdata, by the names of the files.
var goldens = map[string]string{
	"status": "show ip ospf", "status_absent": "show ip ospf 7", "neighbors": "show ip ospf neighbor", "neighbors_detail": "show ip ospf neighbor detail", "neighbors_one": "show ip ospf 1 neighbor 2.2.2.2",
	"request_list": "show ip ospf request-list", "retransmission_list": "show ip ospf 1 retransmission-list", "request_list_of": "show ip ospf request-list gi1",
	"neighbors_interface": "show ip ospf neighbor tu0", "interfaces": "show ip ospf interface", "interfaces_brief": "show ip ospf 1 interface brief", "interfaces_one": "show ip ospf interface gi1",
	"interfaces_absent": "show ip ospf interface gi9", "virtual_links": "show ip ospf 1 virtual-links", "database": "show ip ospf database", "database_router": "show ip ospf 1 database router",
	"database_network": "show ip ospf 1 database network", "database_summary_net": "show ip ospf 1 database summary", "database_asbr": "show ip ospf 1 database asbr-summary",
	"database_external": "show ip ospf 1 database external", "database_nssa": "show ip ospf 1 database nssa-external", "database_opaque_link": "show ip ospf 1 database opaque-link",
	"database_opaque_area": "show ip ospf 1 database opaque-area", "database_opaque_as": "show ip ospf 1 database opaque-as", "database_counts": "show ip ospf 1 database database-summary",
	"border_routers": "show ip ospf 1 border-routers", "routes": "show ip ospf 1 route", "routes_of_address": "show ip ospf 1 route 10.40.7.9", "routes_of_network": "show ip ospf 1 route 10.40.0.0 255.255.0.0",
	"rib": "show ip ospf 1 rib", "statistics": "show ip ospf 1 statistics", "traffic": "show ip ospf 1 traffic", "traffic_interface": "show ip ospf 1 traffic tu0",
	"summary_address": "show ip ospf 1 summary-address", "max_metric": "show ip ospf 1 max-metric", "nsf": "show ip ospf 1 nsf", "protocols": "show ip protocols", "protocols_vrf": "show ip protocols vrf RED",
}

// TestGoldens compares both forms of each output with testdata.
func TestGoldens(t *testing.T) {
	for name, line := range goldens {
		for ext, asJSON := range map[string]bool{".txt": false, ".json": true} {
			var got bytes.Buffer
			if err := shown(t, line).Write(&got, asJSON); err != nil {
				t.Fatal(err)
			}
			if asJSON && !json.Valid(got.Bytes()) {
				t.Errorf("%s is no JSON", line)
			}
			file := filepath.Join("testdata", name+ext)
			if *rewrite {
				if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		}
	}
}

// TestEveryCommandIsShown wants a golden file for each command that shows something, and
// that it is written of nothing but what About asked for.
func TestEveryCommandIsShown(t *testing.T) {
	seen := map[string]bool{}
	for _, line := range goldens {
		m, err := grammar(t).Parse([]string{"enable"}, line)
		if err != nil {
			t.Fatalf("%q: %s", line, err.Report())
		}
		seen[m.Command.ID] = true
	}
	for _, c := range cli.Grammar().Commands {
		if strings.HasPrefix(c.Pattern, "show ip ospf") && !seen[c.ID] {
			t.Errorf("no golden file of %s", c.Pattern)
		}
	}
}

// TestKeysAreCamelCase reads all keys of the golden JSON files.
func TestKeysAreCamelCase(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 30 {
		t.Fatal(files, err)
	}
	key := regexp.MustCompile(`"([^"]*)":`)
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range key.FindAllSubmatch(b, -1) {
			word := string(m[1])
			_, reason := reasons()[word]
			if !regexp.MustCompile(`^[a-z][a-zA-Z0-9]*$`).MatchString(word) && !reason && !strings.Contains(word, "-") {
				t.Errorf("%s: key %q", file, word)
			}
		}
	}
}

// reasons are the keys of counters of drops.
func reasons() map[string]bool {
	all := map[string]bool{}
	for _, why := range core.DropReasons() {
		all[why.String()] = true
	}
	return all
}

// TestColumnsOfCisco compares whole lines with samples of Cisco's layout, whose columns
// scripts read.
func TestColumnsOfCisco(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"show ip ospf neighbor", "Neighbor ID     Pri   State           Dead Time   Address         Interface"},
		{"show ip ospf neighbor", "10.11.0.1         0   FULL/  -        00:01:52    172.31.0.11     Tunnel0"},
		{"show ip ospf interface brief", "Interface    PID   Area            IP Address/Mask    Cost  State Nbrs F/C"},
		{"show ip ospf interface brief", "Tu0          1     0               172.31.0.1/24      1000  P2MP  1/2"},
		{"show ip ospf database", "            OSPF Router with ID (172.31.0.1) (Process ID 1)"},
		{"show ip ospf database", "                Router Link States (Area 0)"},
		{"show ip ospf database", "Link ID         ADV Router      Age         Seq#       Checksum Link count"},
		{"show ip ospf database", "172.31.0.1      172.31.0.1      123         0x80000003 0x005518 4"},
		{"show ip ospf database", "                Type-5 AS External Link States"},
		{"show ip ospf border-routers", "i 10.11.0.1 [1000] via 172.31.0.11, Tunnel0, ABR/ASBR, Area 0, SPF 7"},
		{"show ip ospf rib", "*>  10.20.0.0/16, Inter, cost 1011, area 0"},
		{"show ip ospf rib", "      via 172.31.0.11, Tunnel0"},
		{"show ip ospf", ` Routing Process "ospf 1" with ID 172.31.0.1`},
		{"show ip ospf", "    Area BACKBONE(0)"},
		{"show ip ospf", "        Number of interfaces in this area is 3 (1 loopback)"},
		{"show ip ospf interface", "  Process ID 1, Router ID 172.31.0.1, Network Type POINT_TO_MULTIPOINT, Cost: 1000"},
		{"show ip ospf interface", "  Transmit Delay is 1 sec, State POINT_TO_MULTIPOINT"},
		{"show ip ospf interface", "  Timer intervals configured, Hello 30, Dead 120, Wait 120, Retransmit 5"},
		{"show ip ospf interface", "    Hello due in 00:00:12"},
		{"show ip ospf interface", "  Designated Router (ID) 2.2.2.2, Interface address 10.0.9.2"},
		{"show ip ospf interface", "    Adjacent with neighbor 2.2.2.2  (Designated Router)"},
		{"show ip ospf neighbor detail", " Neighbor 10.11.0.1, interface address 172.31.0.11"},
		{"show ip ospf neighbor detail", "    In the area 0 via interface Tunnel0"},
		{"show ip ospf neighbor detail", "    Neighbor priority is 0, State is FULL, 6 state changes"},
		{"show ip ospf database router", "    Link connected to: another Router (point-to-point)"},
		{"show ip ospf database router", "     (Link ID) Neighboring Router ID: 10.11.0.1"},
		{"show ip ospf database router", "     (Link Data) Router Interface address: 172.31.0.1"},
		{"show ip ospf database external", "        Metric Type: 2 (Larger than any link state path)"},
		{"show ip ospf summary-address", "10.0.0.0/255.0.0.0 Metric 20, Type 2, Tag 7"},
		{"show ip protocols", `Routing Protocol is "ospf 1"`},
	} {
		var got bytes.Buffer
		if err := shown(t, tc.line).Write(&got, false); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains("\n"+got.String(), "\n"+tc.want+"\n") {
			t.Errorf("%s: no line %q in\n%s", tc.line, tc.want, got.String())
		}
	}
}

// TestNoTrailingSpaces: lines are compared by scripts.
func TestNoTrailingSpaces(t *testing.T) {
	for _, line := range goldens {
		var got bytes.Buffer
		if err := shown(t, line).Write(&got, false); err != nil {
			t.Fatal(err)
		}
		for text := range strings.Lines(got.String()) {
			if strings.TrimRight(text, " \n") != strings.TrimSuffix(text, "\n") {
				t.Errorf("%s: %q", line, text)
			}
		}
	}
}
