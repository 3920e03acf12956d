package bgp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

func TestMain(m *testing.M) { harness.MainConfig(m, harness.Config{Ethernet: true}) }

// converge is how long anything may take: sessions that collide or fail are tried again
// after some seconds.
const converge = 60 * time.Second

// protocol is the number of BGP's routes in the kernel.
var protocol = harness.ProtocolNumber(rib.BGP)

// port gives a router a device with these addresses: a LAN, or what is to pass for a
// loopback, since not every kernel has dummy devices. It is up as long as its end at the
// node of hosts is, which has the names of both.
func port(tp *harness.Topology, hosts, n *harness.Node, device string, addrs ...string) {
	tp.Link(hosts, n.Name()+"-"+device, "", n, device, "")
	for _, a := range addrs {
		n.Addr(device, a)
	}
}

// await waits until all that is said is so.
func await(t *testing.T, all ...func() error) { t.Helper(); harness.Await(t, converge, all...) }

// routes tells whether a kernel has exactly these routes of BGP, of both families.
func routes(n *harness.Node, want ...string) func() error {
	return func() error { return n.HasRoutes(protocol, want...) }
}

// shows tells whether the JSON of a show command contains this.
func shows(n *harness.Node, command, want string) func() error {
	return func() error { return n.ShowJSON(command, want) }
}

// says tells whether what a command prints has these texts, whatever is between words.
func says(n *harness.Node, command string, texts ...string) func() error {
	return func() error {
		out, err := n.Vtysh(command)
		plain := strings.Join(strings.Fields(out), " ")
		for _, text := range texts {
			if err == nil && !strings.Contains(plain, text) {
				err = fmt.Errorf("%q of %s does not have %q:\n%s", command, n.Name(), text, out)
			}
		}
		return err
	}
}

// established tells whether a session of the default VRF is up.
func established(n *harness.Node, addr string) func() error {
	return shows(n, "show ip bgp neighbors "+addr, fmt.Sprintf(`{"neighbors": [{"address": %q, "state": "Established"}]}`, addr))
}

// reaches tells whether one ping arrives from an address.
func reaches(n *harness.Node, dst, source string) func() error {
	return func() error {
		r, err := n.Ping(dst, source, 1)
		if err == nil && r.Received != 1 {
			err = fmt.Errorf("%s does not reach %s from %s", n.Name(), dst, source)
		}
		return err
	}
}

// timers are those of sessions: nobody is held for dead because the machine is busy.
const timers = " timers bgp 3 15\n"
