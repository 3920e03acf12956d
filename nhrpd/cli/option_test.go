package cli_test

import (
	"strings"
	"testing"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// samples are lines that IOS has and that are refused, with a word of the reason.
var samples = map[string]string{
	"ip nhrp interest none":                     "server-only",
	"ip nhrp interest 101":                      "server-only",
	"ip nhrp redirect interest 101":             "access list",
	"ip nhrp redirect timeout 5 interest 101":   "access list",
	"ip nhrp shortcut virtual-template 1":       "FlexVPN",
	"ip nhrp registration req-def-map":          "default map",
	"ip nhrp registration differential":         "service attributes",
	"ip nhrp cache non-authoritative":           "authoritative",
	"ip nhrp path preference 10":                "metrics",
	"ip nhrp process-delay 5":                   "delayed",
	"ip nhrp block-next-hop-override":           "no ip nhrp shortcut",
	"ip nhrp send-routed":                       "always",
	"ip nhrp reject nbma 192.0.2.9":             "filter",
	"ip nhrp trigger-svc 10 5":                  "circuits",
	"ip nhrp bfd":                               "keepalive",
	"ip nhrp attribute group GOLD":              "nhrp group",
	"nhrp attribute group GOLD":                 "nhrp group",
	"nhrp event-publisher":                      "event-trace",
	"nhrp event-publisher max-event-timeout 20": "event-trace",
	"mpls nhrp":                                     "MPLS",
	"ip nhrp use 5":                                 "use 1",
	"ipv6 nhrp interest none":                       "server-only",
	"ipv6 nhrp registration differential":           "service attributes",
	"ipv6 nhrp use 2":                               "use 1",
	"ipv6 nhrp redirect timeout 5 interest MY-LIST": "access list",
}

// TestRefusedLines: each is refused with its reason, and its "no" form is what is so
// anyway: it leaves nothing.
func TestRefusedLines(t *testing.T) {
	for line, want := range samples {
		_, errs := read(t, "interface Tunnel0\n "+line+"\n")
		if got := messages(errs); len(errs) != 1 || !strings.Contains(got, want) {
			t.Errorf("%q: %q", line, got)
		}
		cfg, errs := read(t, "interface Tunnel0\n no "+line+"\n")
		if len(errs) > 0 || len(cfg.Interfaces) > 0 {
			t.Errorf("no %q: %q, %d interfaces", line, messages(errs), len(cfg.Interfaces))
		}
	}
}

// TestEveryRefusalIsTried: no refused line without a sample.
func TestEveryRefusalIsTried(t *testing.T) {
	tried := map[string]bool{cli.CmdNoShape: true} // by TestReadPolicyRefused
	g := grammar(t)
	for line := range samples {
		if m, err := g.Parse([]string{"interface"}, line); err == nil {
			id, _ := cli.Split(m.Command.ID)
			tried[id] = true
		}
	}
	for _, c := range cli.Grammar().Commands {
		if id, _ := cli.Split(c.ID); c.Hidden && c.Mode != libcli.ModeEnable && !tried[id] {
			t.Errorf("%s has no sample", c.Pattern)
		}
	}
}

func TestReadOptions(t *testing.T) {
	cfg, errs := read(t, `interface Tunnel0
 ip nhrp network-id 1
 no ip nhrp record
 ip nhrp responder Loopback0
 ip nhrp summary-map 10.12.0.0/16 203.0.113.1
 ip nhrp summary-map 10.13.0.0/16 203.0.113.1
 no ip nhrp summary-map 10.13.0.0/16
 ip nhrp use 1
 nhrp route-watch
`)
	if len(errs) > 0 || len(cfg.Interfaces) != 1 {
		t.Fatal(messages(errs), cfg)
	}
	if i := cfg.Interfaces[0]; !i.NoRecord || i.Responder != "Loopback0" || len(i.SummaryMaps) != 1 || i.SummaryMaps[0] != (core.StaticMap{Prefix: prefix("10.12.0.0/16"), NBMA: addr("203.0.113.1")}) {
		t.Errorf("%+v", i)
	}
	for line, want := range map[string]string{"ip nhrp summary-map 0.0.0.0/0 203.0.113.1": "0.0.0.0/0 is not a network behind a router",
		"ip nhrp summary-map 10.0.0.0/8 224.0.0.1": "224.0.0.1 is not the NBMA address of a station", "ipv6 nhrp summary-map 2001:db8::/32 203.0.113.1": ""} {
		if _, errs := read(t, "interface Tunnel0\n "+line+"\n"); messages(errs) != want {
			t.Errorf("%q: %q", line, messages(errs))
		}
	}
	cfg, errs = read(t, "interface Tunnel0\n ipv6 nhrp network-id 1\n ipv6 nhrp record\n no ipv6 nhrp responder Loopback0\n")
	if len(errs) > 0 || len(cfg.Interfaces) != 1 || cfg.Interfaces[0].NoRecord || cfg.Interfaces[0].Responder != "" {
		t.Errorf("%s: %+v", messages(errs), cfg)
	}
}
