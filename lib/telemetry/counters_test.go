package telemetry_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/telemetry"
)

const (
	received = "nhrp_registration_requests_received"
	drops    = "nhrp_packets_dropped"
	cache    = "nhrp_cache_entries"
)

var descs = []telemetry.Desc{
	{Name: received, Help: `Registration Requests received, "all" of them.`},
	{Name: drops, Help: "Packets dropped,\nby reason.", Label: "reason"},
	{Name: cache, Help: "Cache entries.", Gauge: true},
}

func TestSnapshot(t *testing.T) {
	r := telemetry.NewRegistry(descs...)
	r.Counter(received, "").Inc()
	r.Counter(received, "").Add(2)
	r.Counter(drops, "truncated").Add(5)
	r.Counter(cache, "").Set(9)
	r.AddSource(func(add func(telemetry.Sample)) {
		add(telemetry.Sample{Name: drops, Label: "checksum", Value: 1})
		add(telemetry.Sample{Name: drops, Label: "truncated", Value: 10})
		add(telemetry.Sample{Name: "never_declared", Value: 1})
	})
	want := []telemetry.Sample{
		{Name: cache, Value: 9},
		{Name: drops, Label: "checksum", Value: 1},
		{Name: drops, Label: "truncated", Value: 15},
		{Name: received, Value: 3},
	}
	if diff := cmp.Diff(want, r.Snapshot()); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
}

// TestWriteMetrics compares with the text format as Prometheus documents it
// (exposition formats, version 0.0.4): escapes, one HELP and TYPE per name, all
// lines of a name together.
func TestWriteMetrics(t *testing.T) {
	var out strings.Builder
	err := telemetry.WriteMetrics(&out,
		telemetry.Metrics{Daemon: "nhrpd", Descs: descs, Samples: []telemetry.Sample{
			{Name: received, Value: 1<<64 - 1}, {Name: cache, Value: 9}, {Name: drops, Label: "b", Value: 2},
			{Name: received, Value: 4},            // twice
			{Name: cache, Label: "odd", Value: 4}, // has no label
			{Name: "never_declared", Value: 1},    // left out
			{Name: drops, Label: "a\"\\\n\xff", Value: 1},
		}},
		telemetry.Metrics{Daemon: "third", Descs: append([]telemetry.Desc{{Name: "bad name"}}, descs...), Samples: []telemetry.Sample{
			{Name: cache, Value: 0}, {Name: "bad name", Value: 1},
		}},
	)
	if err != nil {
		t.Fatal(err)
	}
	want := `# HELP godmvpn_nhrp_cache_entries Cache entries.
# TYPE godmvpn_nhrp_cache_entries gauge
godmvpn_nhrp_cache_entries{daemon="nhrpd"} 9
godmvpn_nhrp_cache_entries{daemon="third"} 0
# HELP godmvpn_nhrp_packets_dropped_total Packets dropped,\nby reason.
# TYPE godmvpn_nhrp_packets_dropped_total counter
godmvpn_nhrp_packets_dropped_total{daemon="nhrpd",reason="a\"\\\n?"} 1
godmvpn_nhrp_packets_dropped_total{daemon="nhrpd",reason="b"} 2
# HELP godmvpn_nhrp_registration_requests_received_total Registration Requests received, "all" of them.
# TYPE godmvpn_nhrp_registration_requests_received_total counter
godmvpn_nhrp_registration_requests_received_total{daemon="nhrpd"} 18446744073709551615
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBadDeclarations(t *testing.T) {
	for name, f := range map[string]func(){
		"twice":      func() { telemetry.NewRegistry(descs[0], descs[0]) },
		"name":       func() { telemetry.NewRegistry(telemetry.Desc{Name: "nhrp-drops"}) },
		"digit":      func() { telemetry.NewRegistry(telemetry.Desc{Name: "6rd"}) },
		"label":      func() { telemetry.NewRegistry(telemetry.Desc{Name: "a", Label: "B"}) },
		"undeclared": func() { telemetry.NewRegistry().Counter(drops, "") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
