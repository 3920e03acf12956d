package eigrp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// Lines below an af-interface.
const (
	md5   = "   authentication mode md5\n   authentication key-chain GOOD\n"
	other = "   authentication mode md5\n   authentication key-chain OTHER\n"
	sha   = "   authentication mode hmac-sha-256 0 a-password\n"
	none  = ""
)

// chains are the key chains of both routers.
const chains = "key chain GOOD\n key 7\n  key-string good\nkey chain OTHER\n key 7\n  key-string other\n"

// router writes an EIGRP in named mode with these lines on eth0, eth1 ….
func router(links ...string) string {
	var b strings.Builder
	b.WriteString("router eigrp TEST\n address-family ipv4 unicast autonomous-system 100\n")
	for i, lines := range links {
		fmt.Fprintf(&b, "  af-interface eth%d\n%s   exit-af-interface\n", i, lines)
	}
	return b.String() + "  network 10.0.0.0\n exit-address-family\n"
}

// TestAuthentication has links on which both ends agree and links on which they do not:
// over the latter they are no neighbours, neither of them, until they are mended.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	a, b := tp.Router("a"), tp.Router("b")
	atA := []string{md5, sha, md5, md5, md5, none}
	atB := []string{md5, sha, other, none, sha, sha}
	const agree = 2
	for i := range atA {
		tp.Link(a, fmt.Sprintf("eth%d", i), fmt.Sprintf("10.9.%d.1/24", i), b, fmt.Sprintf("eth%d", i), fmt.Sprintf("10.9.%d.2/24", i))
	}
	start(t, map[*harness.Node]string{a: chains + router(atA...), b: chains + router(atB...)})
	neighbors := func(n int) []func() error {
		var all []func() error
		for host, r := range []*harness.Node{b, a} {
			var list []string
			for i := range n {
				list = append(list, fmt.Sprintf(`{"address": "10.9.%d.%d", "state": "up"}`, i, host+1))
			}
			all = append(all, shows(r, "show ip eigrp neighbors", `{"instances": [{"neighbors": [`+strings.Join(list, ", ")+`]}]}`))
		}
		return all
	}
	await(t, neighbors(agree)...)
	// Both have refused a Hello of each of the other links.
	await(t, logs(a, "10.9.2.2 (eth2) ignored", "10.9.3.2 (eth3) ignored", "10.9.4.2 (eth4) ignored", "10.9.5.2 (eth5) ignored"),
		logs(b, "10.9.2.1 (eth2) ignored", "10.9.3.1 (eth3) ignored", "10.9.4.1 (eth4) ignored", "10.9.5.1 (eth5) ignored"))
	await(t, neighbors(agree)...)
	for _, r := range []*harness.Node{a, b} {
		for i := agree; i < len(atA); i++ {
			if err := lacks(r.MustVtysh("show logging"), fmt.Sprintf("(eth%d) is up", i)); err != nil {
				t.Error(err)
			}
		}
	}
	b.Configure(router(atA...))
	await(t, neighbors(3)...)
}

// lacks tells whether a text does not have another one in it.
func lacks(text, part string) error {
	if strings.Contains(text, part) {
		return fmt.Errorf("there is %q in:\n%s", part, text)
	}
	return nil
}

// lifetime writes the lifetimes of a key, one of which bounds the other.
func lifetime(id int, text string, from, until time.Time) string {
	const layout = "15:04:05 Jan 2 2006"
	far := until.Add(time.Hour).UTC().Format(layout)
	return fmt.Sprintf(" key %d\n  key-string %s\n  accept-lifetime %s %s\n  send-lifetime %s %s\n", id, text,
		from.Add(-time.Hour).UTC().Format(layout), far, from.UTC().Format(layout), until.UTC().Format(layout))
}

// TestKeyRollover changes the key of two neighbours by its lifetime: packets with the
// old one are followed by packets with the new one, none is refused, and the neighbours stay.
func TestKeyRollover(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	a, b := tp.Router("a"), tp.Router("b")
	tp.Link(a, "eth0", "10.9.1.1/24", b, "eth0", "10.9.1.2/24")
	config := "key chain ROLL\n key 1\n  key-string old\n" +
		router("   hello-interval 1\n   hold-time 15\n   authentication mode md5\n   authentication key-chain ROLL\n")
	wire := a.Capture("eth0")
	start(t, map[*harness.Node]string{a: config, b: config})
	await(t, logs(a, "Neighbor 10.9.1.2 (eth0) is up"))
	now := time.Now()
	change := now.Add(30 * time.Second) // time to say it to both, also where the machine is busy
	lines := "key chain ROLL\n" + lifetime(1, "old", now.Add(-time.Minute), change) + lifetime(2, "new", change, now.Add(time.Hour))
	a.Configure(lines)
	b.Configure(lines)
	if time.Until(change) < 0 {
		t.Fatal("the machine is too slow for this test")
	}
	await(t, sentBoth(wire, "10.9.1.1"), sentBoth(wire, "10.9.1.2"))
	wire.Clear()
	await(t, func() error { // more than a hold time
		if n := wire.Count(harness.All(harness.IsProtocol(packet.Protocol), harness.Between("10.9.1.2", ""))); n < 18 {
			return fmt.Errorf("%d packets with the new key", n)
		}
		return nil
	}, shows(a, "show ip eigrp neighbors", `{"instances": [{"neighbors": [{"address": "10.9.1.2", "state": "up"}]}]}`))
	for _, r := range []*harness.Node{a, b} {
		out := r.MustVtysh("show logging")
		if err := errors.Join(lacks(out, "is down"), lacks(out, "ignored")); err != nil {
			t.Error(err)
		}
	}
}

// sentBoth tells whether a router has sent Hellos with key 1 and then with key 2.
func sentBoth(wire *harness.Capture, from string) func() error {
	return func() error {
		var keys []uint32
		for _, f := range wire.Frames(harness.All(harness.IsProtocol(packet.Protocol), harness.Between(from, ""))) {
			if m, err := packet.Parse(f.Payload); err == nil && (len(keys) == 0 || keys[len(keys)-1] != m.Auth.KeyID) {
				keys = append(keys, m.Auth.KeyID)
			}
		}
		if fmt.Sprint(keys) != "[1 2]" {
			return fmt.Errorf("%s has sent with the keys %v", from, keys)
		}
		return nil
	}
}
