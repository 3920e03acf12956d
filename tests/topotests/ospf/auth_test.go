package ospf

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/ospfd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Lines of interfaces: how packets are authenticated.
const (
	none   = ""
	simple = " ip ospf authentication\n ip ospf authentication-key word\n"
	md5    = " ip ospf authentication message-digest\n ip ospf message-digest-key 1 md5 first\n"
	other  = " ip ospf authentication message-digest\n ip ospf message-digest-key 1 md5 other\n"
	sha    = " ip ospf authentication key-chain SHA\n"
)

const chain = "key chain SHA\n key 7\n  key-string secret\n  cryptographic-algorithm hmac-sha-256\n"

// TestAuthentication has links on which both ends agree and links on which they do not:
// over the latter they are no neighbours, until they are mended.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	a, b := tp.Router("a"), tp.Router("b")
	atA := []string{simple, md5, sha, md5, md5, sha, none}
	atB := []string{simple, md5, sha, other, none, md5, simple}
	const agree = 3
	config := func(id int, at []string) string {
		text := chain
		for i, lines := range at {
			text += quick(fmt.Sprintf("eth%d", i), " ip ospf network point-to-point\n"+lines)
		}
		return text + ospf(id, network("10.0.0.0", 0))
	}
	for i := range atA {
		tp.Link(a, fmt.Sprintf("eth%d", i), fmt.Sprintf("10.9.%d.1/24", i), b, fmt.Sprintf("eth%d", i), fmt.Sprintf("10.9.%d.2/24", i))
	}
	bad := a.Capture("eth6")
	harness.StartZebras(t, map[*harness.Node]string{a: config(1, atA), b: config(2, atB)})
	full := func(n int) (texts []string) { // only what is FULL is logged at first
		for i := range n {
			texts = append(texts, fmt.Sprintf(" on eth%d from ", i))
		}
		return texts
	}
	await(t, a.Logged(full(agree)...), b.Logged(full(agree)...), func() error { // and several Hellos on the others
		if n := bad.Count(harness.IsProtocol(packet.Protocol)); n < 8 {
			return fmt.Errorf("%d Hellos on eth6", n)
		}
		return nil
	})
	for _, r := range []*harness.Node{a, b} {
		out := r.MustVtysh("show logging")
		for i := agree; i < len(atA); i++ {
			if strings.Contains(out, fmt.Sprintf(" on eth%d from", i)) {
				t.Errorf("%s has a neighbour on eth%d:\n%s", r.Name(), i, out)
			}
		}
	}
	b.Configure("interface eth3\nno ip ospf message-digest-key 1\nip ospf message-digest-key 1 md5 first")
	await(t, a.Logged(full(agree+1)...))
}

// TestKeyRollover changes the keys of two neighbours, one after the other, without a
// Hello too few: packets are sent with both keys until the neighbour has the new one
// (RFC 2328 section D.3, as Cisco's routers do). The neighbours stay for more than the dead
// interval.
func TestKeyRollover(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	a, b := tp.Router("a"), tp.Router("b")
	tp.Link(a, "eth0", "10.9.1.1/24", b, "eth0", "10.9.1.2/24")
	wire := a.Capture("eth0")
	config := func(id int) string { return patient("eth0", md5) + ospf(id, network("10.0.0.0", 0)) }
	harness.StartZebras(t, map[*harness.Node]string{a: config(1), b: config(2)})
	await(t, a.Logged(" to FULL"), b.Logged(" to FULL"), keys(wire, "10.9.1.1", 1), keys(wire, "10.9.1.2", 1))

	const second = "interface eth0\nip ospf message-digest-key 2 md5 second"
	a.Configure(second)
	await(t, keys(wire, "10.9.1.1", 1, 2), keys(wire, "10.9.1.2", 1))
	b.Configure(second)
	await(t, keys(wire, "10.9.1.1", 2), keys(wire, "10.9.1.2", 2))
	for _, r := range []*harness.Node{a, b} {
		r.Configure("interface eth0\nno ip ospf message-digest-key 1")
	}
	await(t, keys(wire, "10.9.1.1", 2), keys(wire, "10.9.1.2", 2))
	wire.Clear()
	for _, from := range []string{"10.9.1.1", "10.9.1.2"} {
		await(t, func() error {
			if n := wire.Count(hellos(from)); n < 12 {
				return fmt.Errorf("%d Hellos from %s", n, from)
			}
			return nil
		})
	}
	for _, r := range []*harness.Node{a, b} {
		if out := r.MustVtysh("show logging"); strings.Contains(out, "from FULL") {
			t.Errorf("the adjacency went:\n%s", out)
		}
	}
}

// hellos matches those of a router.
func hellos(from string) harness.Match {
	return harness.All(harness.IsProtocol(packet.Protocol), harness.Between(from, ""), hello(func(*packet.Message) bool { return true }))
}

// keys tells whether the next Hellos of a router are signed with exactly these keys.
func keys(wire *harness.Capture, from string, want ...uint32) func() error {
	return func() error {
		var got []uint32
		frames := wire.Frames(hellos(from))
		if len(frames) < 4 {
			return fmt.Errorf("%d Hellos from %s", len(frames), from)
		}
		for _, f := range frames[len(frames)-4:] { // of two intervals at least
			m, err := packet.Parse(f.Payload)
			if err != nil {
				return err
			}
			got = append(got, m.Auth.KeyID)
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			return fmt.Errorf("%s signs with the keys %v, want %v", from, got, want)
		}
		return nil
	}
}
