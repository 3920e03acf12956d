package rip_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/ripd/packet"
	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// mode is a way of authentication.
type mode struct {
	name      string
	algorithm packet.Algorithm
}

var modes = []mode{
	{"text", packet.SimplePassword}, {"md5", packet.KeyedMD5}, {"hmac-sha-1", packet.HMACSHA1},
	{"hmac-sha-256", packet.HMACSHA256}, {"hmac-sha-384", packet.HMACSHA384}, {"hmac-sha-512", packet.HMACSHA512},
}

// secret is the key of both sides, where they agree.
const secret = "sixteen-octets-k"

// authLink is a link between a and b, 10.9.N.0/24 with the addresses .1 and .2, with
// its device named alike at both ends.
type authLink struct {
	n      int
	mode   mode
	theirs string // what b is configured with
	drop   string // the counters in which a and b see why they refuse; "" where they agree
	dropB  string
	wire   *harness.Capture
}

func (l *authLink) device() string { return fmt.Sprintf("eth%d", l.n) }

// authentication writes the lines of an interface.
func authentication(mode, key string) string {
	return fmt.Sprintf(" ip rip authentication mode %s\n ip rip authentication string %s\n", mode, key)
}

// authLinks are, for each mode: one where both agree, one with another key, one with
// another mode, and one where b has none.
func authLinks() []*authLink {
	var links []*authLink
	add := func(m mode, theirs, drop, dropB string) {
		links = append(links, &authLink{n: len(links), mode: m, theirs: theirs, drop: drop, dropB: dropB})
	}
	for i, m := range modes {
		other := modes[(i+1)%len(modes)]
		add(m, authentication(m.name, secret), "", "")
		add(m, authentication(m.name, "another-key"), "authenticationFailure", "authenticationFailure")
		add(m, authentication(other.name, secret), "authenticationMismatch", "authenticationMismatch")
		add(m, "", "authenticationMissing", "authenticationUnexpected")
	}
	return links
}

// TestAuthentication has a link for each mode and each thing that can be wrong. Over
// those that agree the routers have each other's LAN; the others count what they
// refuse and say so, and have no route until they are mended.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	a, b := &router{Node: tp.Router("a")}, &router{Node: tp.Router("b")}
	a.Stub("lan", "10.1.0.1/24")
	b.Stub("lan", "10.2.0.1/24")
	links := authLinks()
	var configA, configB strings.Builder
	for _, l := range links {
		tp.Link(a.Node, l.device(), fmt.Sprintf("10.9.%d.1/24", l.n), b.Node, l.device(), fmt.Sprintf("10.9.%d.2/24", l.n))
		l.wire = a.Capture(l.device())
		fmt.Fprintf(&configA, "interface %s\n%s", l.device(), authentication(l.mode.name, secret))
		fmt.Fprintf(&configB, "interface %s\n%s", l.device(), l.theirs)
	}
	// The LAN alone is announced, so that the links' networks do not fill the tables.
	const rip = "ip prefix-list LAN permit 10.0.0.0/14 ge 24 le 24\nrouter rip\n version 2\n network 10.0.0.0\n maximum-paths 32\n distribute-list prefix LAN out\n" + patient
	start(t, map[*router]string{a: configA.String() + rip, b: configB.String() + rip})
	reach := func(all bool) tables {
		toB, toA := "10.2.0.0/24", "10.1.0.0/24"
		for _, l := range links {
			if all || l.drop == "" {
				toB += fmt.Sprintf(" via 10.9.%d.2 dev %s", l.n, l.device())
				toA += fmt.Sprintf(" via 10.9.%d.1 dev %s", l.n, l.device())
			}
		}
		return tables{a: {toB}, b: {toA}}
	}
	reach(false).wait(t, converge)
	harness.Eventually(t, converge, func() error { return refused(a, b, links) })
	if err := reach(false).check(); err != nil {
		t.Error(err)
	}

	var mend strings.Builder
	for _, l := range links {
		if l.drop != "" {
			fmt.Fprintf(&mend, "interface %s\nno ip rip authentication string\n%s", l.device(), authentication(l.mode.name, secret))
		}
	}
	b.Configure(mend.String())
	reach(true).wait(t, converge)
	checkAuthenticated(t, links)
}

// refused tells whether each link on which a and b disagree has counted it at both
// ends, and whether the logs say so.
func refused(a, b *router, links []*authLink) error {
	for _, r := range []*router{a, b} {
		var want []string
		for _, l := range links {
			drop := l.drop
			if r == b {
				drop = l.dropB
			}
			if drop == "" {
				want = append(want, fmt.Sprintf(`{"name": %q, "counters": {"dropped": {"authenticationFailure": 0, "authenticationMismatch": 0,
					"authenticationMissing": 0, "authenticationUnexpected": 0, "oldSequenceNumber": 0, "malformed": 0}}}`, l.device()))
			}
		}
		v, err := r.JSON("show ip rip status")
		if err != nil {
			return err
		}
		if err := harness.SubsetText(v, `{"interfaces": [`+strings.Join(want, ",")+`]}`); err != nil {
			return err
		}
		dropped := map[string]map[string]any{}
		for _, i := range v.(map[string]any)["interfaces"].([]any) {
			i := i.(map[string]any)
			dropped[i["name"].(string)] = i["counters"].(map[string]any)["dropped"].(map[string]any)
		}
		log, err := r.Vtysh("show logging")
		if err != nil {
			return err
		}
		for _, l := range links {
			drop := l.drop
			if r == b {
				drop = l.dropB
			}
			if drop == "" {
				continue
			}
			if n, _ := dropped[l.device()][drop].(float64); n < 1 {
				return fmt.Errorf("%s has not counted %s on %s: %v", r.Name(), drop, l.device(), dropped[l.device()])
			}
			if !logged(log, "%RIP-4-AUTHFAIL", l.device()) {
				return fmt.Errorf("the log of %s has no AUTHFAIL of %s:\n%s", r.Name(), l.device(), log)
			}
		}
		if strings.Contains(log, secret) {
			return fmt.Errorf("the log of %s has the key", r.Name())
		}
	}
	return nil
}

// logged tells whether a line of the log has all of the words.
func logged(log string, words ...string) bool {
	for line := range strings.Lines(log) {
		has := true
		for _, w := range words {
			has = has && strings.Contains(line, w)
		}
		if has {
			return true
		}
	}
	return false
}

// What tshark says of a message with a digest of more than 16 octets, and what it
// notes besides where it complains about a packet to one neighbor.
const (
	longDigest = "Unknown address family 65535"
	aNote      = `"Time To Live" only 1,`
)

// checkAuthenticated looks at what a sent: every message is authenticated with the
// key and the algorithm that its link is configured with.
//
// tshark finds nothing to say about passwords and MD5. It takes every digest for one
// of 16 octets, and what follows of a longer one for entries of a table; that is all
// that it may complain about, and our own decoder checks those digests.
func checkAuthenticated(t *testing.T, links []*authLink) {
	t.Helper()
	var captures []*harness.Capture
	for _, l := range links {
		l.wire.Stop()
		captures = append(captures, l.wire)
	}
	got, err := harness.Dissect(captures, "rip", "rip.command", "rip.auth.type", "rip.auth_data_len")
	if err != nil {
		t.Fatal(err)
	}
	byCapture := map[*harness.Capture]*authLink{}
	for _, l := range links {
		byCapture[l.wire] = l
	}
	seen := map[string]int{}
	for _, d := range got {
		l := byCapture[d.Capture]
		if d.Frame.Src.String() != fmt.Sprintf("10.9.%d.1", l.n) {
			continue
		}
		if long := l.mode.algorithm.DigestLen() > 16; d.Complaint != "" && !(long && strings.TrimPrefix(d.Complaint, aNote) == longDigest) {
			t.Errorf("%s: tshark says %q about %v\n%x", l.device(), d.Complaint, d.Frame, d.Frame.Data)
		}
		typ, size := "2", ""
		if n := l.mode.algorithm.DigestLen(); n > 0 {
			typ, size = "3", fmt.Sprint(n)
		}
		if d.Fields["rip.auth.type"] != typ || d.Fields["rip.auth_data_len"] != size {
			t.Errorf("%s, %s: tshark sees %v", l.device(), l.mode.name, d.Fields)
		}
		b := d.Frame.UDP()
		m, err := packet.Parse(b)
		if err != nil || !m.Verify(b, packet.Key{ID: 1, Algorithm: l.mode.algorithm, Secret: []byte(secret)}) {
			t.Errorf("%s: %v is not authentic: %v\n%x", l.device(), d.Frame, err, b)
		}
		seen[l.mode.name+" "+d.Fields["rip.command"]]++
	}
	for _, m := range modes {
		for _, command := range []string{"1", "2"} {
			if seen[m.name+" "+command] == 0 {
				t.Errorf("no message of command %s with %s was captured", command, m.name)
			}
		}
	}
	t.Logf("messages by mode and command: %v", seen)
}

// TestKeyRollOver changes from one key to the next while packets flow and updates are
// authenticated: no update is refused, no route goes, no packet is lost. Both get the
// new key, then both stop to send the old one, then both stop to take it, each time at
// a time that is some seconds ahead.
func TestKeyRollOver(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	a, b := &router{Node: tp.Router("a")}, &router{Node: tp.Router("b")}
	tp.Link(a.Node, "eth0", "10.9.0.1/24", b.Node, "eth0", "10.9.0.2/24")
	a.Stub("lan", "10.1.0.1/24")
	b.Stub("lan", "10.2.0.1/24")
	wire := a.Capture("eth0")
	const config = "key chain K\n key 1\n  key-string old\n" +
		"interface eth0\n ip rip authentication mode hmac-sha-256\n ip rip authentication key-chain K\n" +
		"router rip\n version 2\n network 10.0.0.0\n timers basic 1 6 0 9\n"
	start(t, map[*router]string{a: config, b: config})
	both := tables{a: {"10.2.0.0/24 via 10.9.0.2 dev eth0"}, b: {"10.1.0.0/24 via 10.9.0.1 dev eth0"}}
	both.wait(t, converge)
	watches := map[*router]*harness.RouteWatch{a: a.WatchRoutes(protocol), b: b.WatchRoutes(protocol)}
	flow := a.Flow("10.2.0.1", 50*time.Millisecond)

	const ahead = 3 * time.Second
	lifetime := func(kind string) (end time.Time, line string) {
		now := time.Now().UTC()
		const form = "15:04:05 Jan 2 2006"
		return now.Add(ahead), fmt.Sprintf("key chain K\nkey 1\n%s-lifetime %s %s", kind, now.Add(-time.Hour).Format(form), now.Add(ahead).Format(form))
	}
	set := func(lines string) {
		a.Configure(lines)
		b.Configure(lines)
	}
	set("key chain K\nkey 2\nkey-string new")
	if n := countKeys(t, wire, time.Time{})["10.9.0.1 key 2"]; n > 0 {
		t.Errorf("%d messages with the new key while the old one may be sent", n)
	}
	_, line := lifetime("send")
	set(line)
	rolledOver(t, wire, time.Time{})
	end, line := lifetime("accept")
	set(line)
	rolledOver(t, wire, end.Add(7*time.Second)) // by then a refused update has cost the route

	if r := flow.Stop(); r.Received < r.Sent || r.Sent < 100 {
		t.Errorf("%d of %d packets arrived, lost %v", r.Received, r.Sent, r.Lost)
	}
	for r, w := range watches {
		if changes, err := w.Changes(); len(changes) > 0 || err != nil {
			t.Errorf("%s: routes changed: %v, %v", r.Name(), changes, err)
		}
		if err := r.ShowJSON("show ip rip status", `{"counters": {"dropped": {"authenticationFailure": 0, "authenticationMismatch": 0,
			"authenticationMissing": 0, "authenticationUnexpected": 0, "oldSequenceNumber": 0}}}`); err != nil {
			t.Error(err)
		}
	}
	if err := both.check(); err != nil {
		t.Error(err)
	}
}

// countKeys counts the messages of each sender by key since then.
func countKeys(t *testing.T, wire *harness.Capture, since time.Time) map[string]int {
	t.Helper()
	count := map[string]int{}
	for _, f := range wire.Frames(from("")) {
		m, err := packet.Parse(f.UDP())
		if err != nil {
			t.Fatal(err)
		}
		if f.At.After(since) {
			count[fmt.Sprintf("%v key %d", f.Src, m.Auth.KeyID)]++
		}
	}
	return count
}

// rolledOver waits for some messages with the new key from both sides since then.
func rolledOver(t *testing.T, wire *harness.Capture, since time.Time) {
	t.Helper()
	harness.Eventually(t, converge, func() error {
		count := countKeys(t, wire, since)
		if count["10.9.0.1 key 2"] < 3 || count["10.9.0.2 key 2"] < 3 {
			return fmt.Errorf("messages by sender and key: %v", count)
		}
		return nil
	})
}
