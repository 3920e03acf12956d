package core

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
)

// secure is pair with authentication on the network between them.
func secure(t testing.TB, kind Authentication, chain string) (l *town, a, b *router) {
	l, a, b = pair(t)
	for _, r := range l.routers {
		i := r.iface("Eth0")
		i.Authentication, i.KeyChain = kind, "K"
		r.cfg.Policy = policytest.Parse(t, chain)
		if kind == AuthenticationSHA256 && chain == "" {
			i.KeyChain, i.Password = "", policy.NewSecret("secret")
		}
	}
	return l, a, b
}

const oneKey = "key chain K\n key 1\n  key-string one\n"

// kinds are the ways to authenticate.
var kinds = []struct {
	name  string
	kind  Authentication
	chain string
}{{"md5", AuthenticationMD5, oneKey}, {"sha256", AuthenticationSHA256, oneKey}, {"password", AuthenticationSHA256, ""}}

// TestAuthentication: routers that have the same key become neighbours, and all their
// packets have it (RFC 7868 section 6.7.2).
func TestAuthentication(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			l, a, b := secure(t, k.kind, k.chain)
			l.pass = func(from, _ *router, m *packet.Message) bool {
				if m.Auth.Algorithm != algorithms[k.kind] {
					t.Errorf("%s sends a %v with authentication %v", from.name, m.Opcode, m.Auth.Algorithm)
				}
				return true
			}
			l.start()
			l.advance(5 * time.Second)
			b.edit("Eth1", setDown) // for QUERYs and REPLYs
			l.advance(time.Second)
			b.step(Clear{})
			l.advance(5 * time.Second)
			same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")
			c := a.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0].Counters
			if c.Ack.Received == 0 || c.Update.Received == 0 || c.Query.Received == 0 || c.Reply.Sent == 0 {
				t.Errorf("%+v", c)
			}
		})
	}
}

// every is a packet of each type, as b sends them to a.
func every() []*packet.Message {
	return []*packet.Message{
		hello(),
		{Opcode: packet.Hello, AS: 100, Ack: 77},
		{Opcode: packet.Update, AS: 100, Sequence: 4_000_000_000, Flags: packet.FlagInit},
		{Opcode: packet.Update, AS: 100, Sequence: 4_000_000_000},
		{Opcode: packet.Query, AS: 100, Sequence: 4_000_000_000},
		{Opcode: packet.Reply, AS: 100, Sequence: 4_000_000_000},
		{Opcode: packet.SIAQuery, AS: 100, Sequence: 4_000_000_000},
		{Opcode: packet.SIAReply, AS: 100, Sequence: 4_000_000_000},
		{Opcode: packet.Request, AS: 100, Sequence: 4_000_000_000},
		{Opcode: packet.Hello, AS: 100, Parameters: packet.Goodbye(15)},
		{Opcode: packet.Hello, AS: 100, Parameters: hello().Parameters, Terminated: []netip.Addr{addr("10.0.0.1")}},
	}
}

// TestUnauthenticated refuses packets of every type that have no authentication, that of
// another key, or another kind of it. Nothing comes of them, and little is logged. Where
// no authentication is configured, packets that have it are refused as well.
func TestUnauthenticated(t *testing.T) {
	one, other := []byte("one"), []byte("other")
	for _, test := range []struct {
		name   string
		kind   Authentication
		key    *packet.Key
		from   string // whom the digest names as sender
		reason DropReason
	}{
		{"none", AuthenticationMD5, nil, "", DropUnauthenticated},
		{"none", AuthenticationSHA256, nil, "", DropUnauthenticated},
		{"other key", AuthenticationSHA256, &packet.Key{ID: 1, Algorithm: packet.HMACSHA256, Secret: other}, "10.0.0.2", DropDigest},
		{"other sender", AuthenticationSHA256, &packet.Key{ID: 1, Algorithm: packet.HMACSHA256, Secret: one}, "10.0.0.3", DropDigest},
		{"other number", AuthenticationSHA256, &packet.Key{ID: 2, Algorithm: packet.HMACSHA256, Secret: one}, "10.0.0.2", DropKey},
		{"other kind", AuthenticationSHA256, &packet.Key{ID: 1, Algorithm: packet.KeyedMD5, Secret: one}, "10.0.0.2", DropUnauthenticated},
		{"other number", AuthenticationMD5, &packet.Key{ID: 2, Algorithm: packet.KeyedMD5, Secret: one}, "10.0.0.2", DropKey},
		{"unexpected", AuthenticationNone, &packet.Key{ID: 1, Algorithm: packet.KeyedMD5, Secret: one}, "10.0.0.2", DropUnauthenticated},
		{"unexpected", AuthenticationNone, &packet.Key{ID: 1, Algorithm: packet.HMACSHA256, Secret: one}, "10.0.0.2", DropUnauthenticated},
	} {
		t.Run(fmt.Sprintf("%s at %d", test.name, test.kind), func(t *testing.T) {
			l, a, b := secure(t, test.kind, oneKey)
			l.start()
			l.advance(5 * time.Second)
			same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")
			b.crash()
			a.said()
			a.take()
			for _, m := range every() {
				source := netip.Addr{}
				if test.from != "" {
					source = addr(test.from)
				}
				bytes, err := m.Append(nil, test.key, source)
				if err != nil {
					t.Fatal(err)
				}
				a.rxBytes("Eth0", "10.0.0.2", m.Ack != 0 || m.Sequence != 0, bytes)
			}
			if n, all := a.drops(test.reason), len(every()); n != uint64(all) {
				t.Errorf("%d of %d refused", n, all)
			}
			for _, e := range a.take() {
				switch e.(type) {
				case Log:
				default:
					t.Errorf("%T came of it", e)
				}
			}
			if logs := a.said(); len(logs) != 1 || !strings.Contains(logs[0], "%DUAL-4-AUTHFAIL: EIGRP-IPv4 100: packet of 10.0.0.2 (Eth0) ignored: ") {
				t.Errorf("log: %q", logs)
			}
			same(t, "neighbours", a.neighbors(), "10.0.0.2 Eth0")
			l.advance(20 * time.Second)
			same(t, "log", a.said(), downB("Auth failure"))
		})
	}
}

// TestBareMD5: in a packet with nothing but the Authentication TLV, Keyed-MD5 hashes no
// key at all. This is what other routers send, so it is taken.
func TestBareMD5(t *testing.T) {
	l, a, b := secure(t, AuthenticationMD5, oneKey)
	l.start()
	l.advance(5 * time.Second)
	b.crash()
	m := packet.Message{Opcode: packet.Hello, AS: 100, Ack: 77}
	bytes, _ := m.Append(nil, &packet.Key{ID: 1, Algorithm: packet.KeyedMD5, Secret: []byte("other")}, netip.Addr{})
	a.rxBytes("Eth0", "10.0.0.2", true, bytes)
	if n := a.drops(DropDigest); n != 0 {
		t.Errorf("%d refused", n)
	}
}

// TestRollover: keys whose lifetimes overlap follow each other without loss, and the key
// that is sent with is the valid one with the smallest number.
func TestRollover(t *testing.T) {
	const chain = `key chain K
 key 1
  key-string one
  accept-lifetime 00:00:00 Jan 1 2026 00:20:00 Jan 1 2026
  send-lifetime 00:00:00 Jan 1 2026 00:10:00 Jan 1 2026
 key 2
  key-string two
  accept-lifetime 00:05:00 Jan 1 2026 infinite
  send-lifetime 00:09:00 Jan 1 2026 infinite
`
	for _, kind := range []Authentication{AuthenticationMD5, AuthenticationSHA256} {
		l, a, b := secure(t, kind, chain)
		used := map[uint32]bool{}
		l.pass = func(_, _ *router, m *packet.Message) bool { used[m.Auth.KeyID] = true; return true }
		l.start()
		b.step(WallClock{Now: rigWall.Add(3 * time.Minute)}) // whose clock is ahead
		l.advance(6 * time.Minute)
		if len(used) != 1 || !used[1] {
			t.Errorf("keys in use before: %v", used)
		}
		l.advance(20 * time.Minute)
		clear(used)
		l.advance(time.Minute)
		if len(used) != 1 || !used[2] {
			t.Errorf("keys in use after: %v", used)
		}
		same(t, "log", a.said(), upB)
		if n := a.query(Query{Kind: ReportInterfaces}).(*InterfaceReport).Instances[0].Interfaces[0].SendKey; n != 2 {
			t.Errorf("reports key %d", n)
		}
	}
}

// TestNoKey: where no key is valid, nothing is sent and nothing taken.
func TestNoKey(t *testing.T) {
	const chain = "key chain K\n key 1\n  key-string one\n  send-lifetime 00:00:00 Jan 1 2026 00:01:00 Jan 1 2026\n  accept-lifetime 00:00:00 Jan 1 2026 00:01:00 Jan 1 2026\n"
	l, a, _ := secure(t, AuthenticationSHA256, chain)
	l.start()
	l.advance(time.Minute)
	a.take()
	a.said()
	l.advance(5 * time.Second)
	for _, e := range a.take() {
		if tx, ok := e.(TxPacket); ok && tx.Interface == "Eth0" {
			t.Error("sends")
		}
	}
	l.advance(20 * time.Second)
	logs := strings.Join(a.said(), "\n")
	for _, want := range []string{"no valid key to send with on Eth0: nothing is sent", downB("holding time expired")} {
		if !strings.Contains(logs, want) {
			t.Errorf("no %q in %s", want, logs)
		}
	}
}

// TestKeysAreNotShown: no effect prints a secret.
func TestKeysAreNotShown(t *testing.T) {
	l, a, _ := secure(t, AuthenticationSHA256, "")
	l.start()
	a.step(Tracing{true, true, true, true, true})
	l.advance(10 * time.Second)
	for _, e := range a.take() {
		if s := fmt.Sprintf("%+v", e); strings.Contains(s, "secret") {
			t.Error(s)
		}
	}
	if s := fmt.Sprintf("%+v", a.query(Query{Kind: ReportStatus})); strings.Contains(s, "secret") {
		t.Error(s)
	}
}
