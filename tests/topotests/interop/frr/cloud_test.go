package frr_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// converge is how long a cloud may take until its spokes are registered: one that had no
// answer for long, be it ours or FRR's, asks again after up to 64 s.
const converge = (60 + 64) * time.Second

// key is the GRE key of the cloud.
const key = 100

// site is a router with a LAN of one host.
type site struct {
	*harness.Node
	name         string
	wan, gateway string // underlay address and the provider's, both of a /30
	tunnel       string // overlay address
	lan, host    string // the router's and the host's address in the LAN, of a /24
	uplink       *harness.Capture
	hostNode     *harness.Node
}

// sites are the routers of the drawing in the package comment.
var (
	hubSite = site{name: "hub", wan: "192.0.2.1", gateway: "192.0.2.2", tunnel: "172.31.0.1",
		lan: "10.10.0.1", host: "10.10.0.10"}
	spoke1Site = site{name: "spoke1", wan: "198.51.100.1", gateway: "198.51.100.2", tunnel: "172.31.0.11",
		lan: "10.11.0.1", host: "10.11.0.10"}
	spoke2Site = site{name: "spoke2", wan: "203.0.113.1", gateway: "203.0.113.2", tunnel: "172.31.0.12",
		lan: "10.12.0.1", host: "10.12.0.10"}
)

// build makes namespaces and links, records what passes each uplink, and starts
// nothing.
func build(t *testing.T, sites ...site) []*site {
	t.Helper()
	tp := harness.New(t)
	inet := tp.Internet("inet")
	var out []*site
	for _, s := range sites {
		s.Node, s.hostNode = tp.Router(s.name), tp.Node("lan-"+s.name)
		tp.Link(inet, "to-"+s.name, s.gateway+"/30", s.Node, "wan", "")
		tp.Link(s.hostNode, "eth0", s.host+"/24", s.Node, "lan", "")
		s.hostNode.Route("default", s.lan)
		s.uplink = s.Capture("wan")
		out = append(out, &s)
	}
	return out
}

// config reads a configuration of this package.
func config(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ours starts this suite on a site.
func (s *site) ours(t *testing.T) *harness.Zebra {
	t.Helper()
	return s.StartZebra(config(t, s.name+".conf"))
}

// frr makes a site FRR's: addresses, GRE device and routes by iproute2, then
// FRR's zebra and nhrpd with this configuration. routes are LAN and gateway,
// alternately.
func (s *site) frr(t *testing.T, config string, routes ...string) *harness.FRR {
	t.Helper()
	return s.frrOn(t, "addr add "+s.tunnel+" peer 172.31.0.0/24 dev gre1\n", config, routes...)
}

// frrBehind is frr for a spoke that is to answer others of FRR: it reaches the whole
// tunnel by way of the hub.
func (s *site) frrBehind(t *testing.T, hub *site, config string, routes ...string) *harness.FRR {
	t.Helper()
	return s.frrOn(t, fmt.Sprintf("addr add %s/32 dev gre1\nroute add %[2]s dev gre1\nroute add 172.31.0.0/24 via %[2]s dev gre1\n",
		s.tunnel, hub.tunnel), config, routes...)
}

// frrOn is frr with these lines of iproute2 for the tunnel's address.
func (s *site) frrOn(t *testing.T, address, config string, routes ...string) *harness.FRR {
	t.Helper()
	batch := fmt.Sprintf(`addr add %s/30 dev wan
addr add %s/24 dev lan
route add default via %s
link add gre1 type gre key %d local %s ttl 64
link set gre1 mtu 1400 up
`, s.wan, s.lan, s.gateway, key, s.wan) + address
	for i := 0; i < len(routes); i += 2 {
		batch += fmt.Sprintf("route add %s via %s dev gre1\n", routes[i], routes[i+1])
	}
	file := filepath.Join(s.Rundir(), "ip.batch")
	if err := os.WriteFile(file, []byte(batch), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run("ip", "-batch", file); err != nil {
		t.Fatal(err)
	}
	return s.StartFRR(config, "nhrpd")
}

// neighbors are the unicast IPv4 neighbours on a tunnel that have an NBMA address,
// by the kernel's own table.
func neighbors(n *harness.Node, device string) map[string]string {
	got := map[string]string{}
	for _, e := range n.Neighbors(device) {
		if e.Address.Is4() && !e.Address.IsMulticast() && e.NBMA.IsValid() {
			got[e.Address.String()] = e.NBMA.String()
		}
	}
	return got
}

// hasNeighbors compares a kernel's neighbours on a tunnel with overlay and NBMA
// addresses.
func hasNeighbors(n *harness.Node, device string, want map[string]string) error {
	if diff := cmp.Diff(want, neighbors(n, device)); diff != "" {
		return fmt.Errorf("%s: neighbours on %s in the kernel (-want +got):\n%s", n.Name(), device, diff)
	}
	return nil
}

// first returns the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
