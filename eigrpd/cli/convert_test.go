package cli_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// TestPrintedReadsBack: what is printed of a configuration reads back as the same.
func TestPrintedReadsBack(t *testing.T) {
	g := grammar(t)
	rapid.Check(t, func(t *rapid.T) {
		draw := drawClassic
		if rapid.Bool().Draw(t, "named") {
			draw = drawNamed
		}
		tree := draw(t, g)
		again, errs := conf.Load(g, tree.Text(), "printed")
		if errs != nil || !again.Equal(tree) {
			t.Fatalf("%v\n%s", errs, tree.Text())
		}
	})
}

// apply enters lines in configuration mode.
func apply(t *rapid.T, tree *conf.Tree, lines []string) *conf.Tree {
	g, err := merged()
	if err != nil {
		t.Fatal(err)
	}
	out, errs := conf.Merge(g, tree, strings.Join(lines, "\n"), "conversion")
	if errs != nil {
		t.Fatalf("%s\n%v", strings.Join(lines, "\n"), errs)
	}
	return out
}

// meaning reads a configuration and takes out what the two modes write differently:
// the name, and how EIGRP of IPv6 is told its interfaces.
func meaning(t *rapid.T, tree *conf.Tree) []core.InstanceConfig {
	cfg, err := readTree(tree)
	if err != nil {
		t.Fatalf("%v\n%s", err, tree.Text())
	}
	for n := range cfg.Instances {
		in := &cfg.Instances[n]
		in.Name = ""
		if in.Family == rib.IPv6 && in.AllInterfaces && in.Default.Shutdown {
			in.AllInterfaces, in.Default.Shutdown = false, false
			for i := range in.Interfaces {
				if !in.Interfaces[i].Shutdown {
					in.Enabled = append(in.Enabled, in.Interfaces[i].Name)
				}
				in.Interfaces[i].Shutdown = false
			}
		}
		in.Interfaces = slices.DeleteFunc(in.Interfaces, func(i core.InterfaceConfig) bool { // they say nothing
			name := i.Name
			i.Name = ""
			return cmp.Equal(i, in.Default, comparable...) && name != ""
		})
		if len(in.Interfaces) == 0 {
			in.Interfaces = nil
		}
	}
	return cfg.Instances
}

// TestUpgrade: a configuration in classic mode means the same in named mode, and comes
// back to the same lines.
func TestUpgrade(t *testing.T) {
	g := grammar(t)
	rapid.Check(t, func(t *rapid.T) {
		classic := drawClassic(t, g)
		up, err := cli.Upgrade(classic, 100, "N")
		if err != nil {
			t.Fatal(err)
		}
		named := apply(t, classic, up)
		if diff := cmp.Diff(meaning(t, classic), meaning(t, named), comparable...); diff != "" {
			t.Fatalf("(-classic +named):\n%s\n%s\n%s", diff, classic.Text(), named.Text())
		}
		if cfg, _ := readTree(named); cfg.Instances[0].Name != "N" {
			t.Fatalf("not in named mode:\n%s", named.Text())
		}
		down, err := cli.Downgrade(named, "N")
		if err != nil {
			t.Fatal(err)
		}
		if back := apply(t, named, down); !back.Equal(classic) {
			t.Fatalf("(-was +is):\n%s", cmp.Diff(classic.Text(), back.Text()))
		}
	})
}

// TestDowngrade: a configuration in named mode means the same in classic mode, or is
// refused, and comes back to the same meaning.
func TestDowngrade(t *testing.T) {
	g, refused, done := grammar(t), 0, 0
	rapid.Check(t, func(t *rapid.T) {
		named := drawNamed(t, g)
		down, err := cli.Downgrade(named, "N")
		if err != nil {
			refused++
			return
		}
		done++
		classic := apply(t, named, down)
		before := meaning(t, named)
		if diff := cmp.Diff(before, meaning(t, classic), comparable...); diff != "" {
			t.Fatalf("(-named +classic):\n%s\n%s\n%s", diff, named.Text(), classic.Text())
		}
		if len(before) == 0 {
			return
		}
		up, err := cli.Upgrade(classic, 100, "M")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, meaning(t, apply(t, classic, up)), comparable...); diff != "" {
			t.Fatalf("(-named +again):\n%s", diff)
		}
	})
	if t.Logf("%d converted, %d refused", done, refused); done == 0 || refused == 0 {
		t.Error("one of both never happened")
	}
}

// TestUpgradeLines has the lines in full.
func TestUpgradeLines(t *testing.T) {
	tree, errs := conf.Load(grammar(t), `interface Tunnel0
 ip hello-interval eigrp 100 20
 no ip split-horizon eigrp 100
 ip authentication key-chain eigrp 100 KEYS
 ip hello-interval eigrp 7 30
 ipv6 eigrp 100
router eigrp 100
 variance 2
 network 10.0.0.0
 passive-interface default
 no passive-interface Tunnel0
 address-family ipv4 vrf RED
  autonomous-system 7
ipv6 router eigrp 100
 eigrp router-id 1.1.1.1
`, "test")
	if errs != nil {
		t.Fatal(errs)
	}
	up, err := cli.Upgrade(tree, 100, "DMVPN")
	if err != nil {
		t.Fatal(err)
	}
	want := `interface Tunnel0
 no ip hello-interval eigrp 7 30
 no ip hello-interval eigrp 100 20
 no ip authentication key-chain eigrp 100 KEYS
 ip split-horizon eigrp 100
 no ipv6 eigrp 100
no router eigrp 100
no ipv6 router eigrp 100
router eigrp DMVPN
 address-family ipv4 unicast autonomous-system 100
  af-interface default
   passive-interface
  exit-af-interface
  af-interface Tunnel0
   no passive-interface
   hello-interval 20
   authentication key-chain KEYS
   no split-horizon
  exit-af-interface
  topology base
   variance 2
  exit-af-topology
  network 10.0.0.0
 exit-address-family
 address-family ipv4 unicast vrf RED autonomous-system 7
  af-interface Tunnel0
   hello-interval 30
  exit-af-interface
  topology base
  exit-af-topology
 exit-address-family
 address-family ipv6 unicast autonomous-system 100
  af-interface default
   shutdown
  exit-af-interface
  af-interface Tunnel0
   no shutdown
  exit-af-interface
  topology base
  exit-af-topology
  eigrp router-id 1.1.1.1
 exit-address-family`
	if diff := cmp.Diff(want, strings.Join(up, "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNotConverted names what cannot be converted.
func TestNotConverted(t *testing.T) {
	const af, af6 = "router eigrp N\n address-family ipv4 autonomous-system 1\n", "router eigrp N\n address-family ipv6 autonomous-system 1\n"
	for _, tc := range []struct{ text, upgrade, downgrade, want string }{
		{"router eigrp 1\n", "2 N", "", "autonomous system 2 is not configured in classic mode"},
		{"router eigrp 1\nrouter eigrp N\n", "1 N", "", "router eigrp N is there already"},
		{"router eigrp 1\n", "1 2", "", "a name that begins with a letter"},
		{"router eigrp 1\n address-family ipv4 vrf RED\n", "1 N", "", "VRF RED has no autonomous system"},
		{af, "", "M", "there is no router eigrp M"},
		{af + "  metric rib-scale 7\n", "", "N", `"metric rib-scale 7" has no form in classic mode`},
		{af + "  metric weights 0 1 0 1 0 0 1\n", "", "N", "it has no K6"},
		{af + "  remote-neighbors source Loopback0 unicast-listen\n", "", "N", "has no form"},
		{af + "  af-interface default\n   hello-interval 20\n", "", "N", "only say that they are passive"},
		{af + "  af-interface Tunnel0\n   shutdown\n", "", "N", "a network line decides"},
		{af + "  af-interface Tunnel0\n   add-paths 4\n", "", "N", "it has no such line"},
		{af + "  af-interface Tunnel0\n   authentication mode hmac-sha-256 hidden\n", "", "N", `"authentication mode hmac-sha-256 ********" has no form in classic mode: it has MD5 only`},
		{af + "  af-interface Tunnel0\n   hello-interval 6\n address-family ipv4 vrf RED autonomous-system 1\n  af-interface Tunnel0\n   hello-interval 7\n", "", "N",
			`interface Tunnel0 cannot have both "ip hello-interval eigrp 1 6" and "ip hello-interval eigrp 1 7"`},
		{"router eigrp N\n address-family ipv4 vrf RED autonomous-system 1\n", "", "N", "without an autonomous system of IPv4 in the default VRF"},
		{af6, "", "N", "which names them"},
		{"router eigrp N\n address-family ipv6 vrf RED autonomous-system 1\n", "", "N", "IPv6 in the default VRF only"},
	} {
		tree, errs := conf.Load(grammar(t), tc.text, "test")
		if errs != nil {
			t.Fatal(errs)
		}
		var err error
		if tc.upgrade == "" {
			_, err = cli.Downgrade(tree, tc.downgrade)
		} else {
			as, name, _ := strings.Cut(tc.upgrade, " ")
			_, err = cli.Upgrade(tree, uint16(as[0]-'0'), name)
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.text, err, tc.want)
		}
	}
}
