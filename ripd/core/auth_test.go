package core

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/policy/policytest"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

var (
	authWall = time.Date(2026, 1, 20, 12, 0, 0, 0, time.UTC)
	authFrom = netip.MustParseAddr("10.0.0.2")
	response = packet.Message{Command: packet.Response, Version: 2,
		Entries: []packet.Entry{packet.Route(netip.MustParsePrefix("192.168.1.0/24"), 0, netip.Addr{}, 1)}}
)

// authChain rolls over from key 1 to key 2 at the end of January; they overlap
// by half an hour on both sides.
const authChain = `key chain K
 key 1
  key-string old
  accept-lifetime 00:00:00 Jan 1 2026 00:30:00 Feb 1 2026
  send-lifetime 00:00:00 Jan 1 2026 00:00:00 Feb 1 2026
 key 2
  key-string new
  cryptographic-algorithm hmac-sha-256
  accept-lifetime 23:30:00 Jan 31 2026 00:00:00 Mar 1 2026
  send-lifetime 00:00:00 Feb 1 2026 00:00:00 Mar 1 2026
 key 300
  key-string never
`

// authOf is the authenticator of an interface with the chain K, or with a key
// string.
func authOf(t testing.TB, algorithm packet.Algorithm, chain, text string) *authenticator {
	ic := InterfaceConfig{Authentication: algorithm, KeyString: policy.NewSecret(text)}
	if chain == "" {
		return newAuthenticator(ic, nil)
	}
	ic.KeyChain = "K"
	return newAuthenticator(ic, policytest.Parse(t, chain))
}

// judge hands over a datagram as the engine does.
func judge(t testing.TB, a *authenticator, wall time.Time, from netip.Addr, b []byte) DropReason {
	t.Helper()
	m, err := packet.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return a.verify(wall, from, m, b)
}

// sentWith returns a datagram that the key signs.
func sentWith(t testing.TB, key *packet.Key, sequence uint32) []byte {
	t.Helper()
	b, err := response.Append(nil, key, sequence)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAuthKinds signs with each kind and verifies with each other.
func TestAuthKinds(t *testing.T) {
	kinds := []packet.Algorithm{packet.NoAlgorithm, packet.SimplePassword, packet.KeyedMD5, packet.HMACSHA1,
		packet.HMACSHA256, packet.HMACSHA384, packet.HMACSHA512}
	for _, sender := range kinds {
		b, ok := authOf(t, sender, "", "secret").sign(authWall, &response, nil)
		if !ok {
			t.Fatalf("%v: not signed", sender)
		}
		if n := packet.MaxEntriesWith(authOf(t, sender, "", "secret").algorithm(authWall)); n != packet.MaxEntriesWith(sender) {
			t.Errorf("%v: %d entries", sender, n)
		}
		for _, receiver := range kinds {
			want := DropAuthMismatch
			switch {
			case sender == receiver:
				want = DropNone
			case receiver == packet.NoAlgorithm:
				want = DropAuthUnexpected
			case sender == packet.NoAlgorithm:
				want = DropAuthMissing
			}
			if got := judge(t, authOf(t, receiver, "", "secret"), authWall, authFrom, b); got != want {
				t.Errorf("%v to %v: %v, want %v", sender, receiver, got, want)
			}
		}
		if sender == packet.NoAlgorithm {
			continue
		}
		if got := judge(t, authOf(t, sender, "", "Secret"), authWall, authFrom, b); got != DropAuthFailed {
			t.Errorf("%v with another secret: %v", sender, got)
		}
	}
}

// TestAuthNoKey: without a valid key nothing is signed, and nothing accepted.
func TestAuthNoKey(t *testing.T) {
	signed, _ := authOf(t, packet.KeyedMD5, "", "secret").sign(authWall, &response, nil)
	for name, a := range map[string]*authenticator{
		"no chain of that name": newAuthenticator(InterfaceConfig{Authentication: packet.KeyedMD5, KeyChain: "K", KeyString: policy.NewSecret("secret")}, nil),
		"neither chain nor key": authOf(t, packet.KeyedMD5, "", ""),
		"number above 255":      authOf(t, packet.KeyedMD5, "key chain K\n key 257\n  key-string secret\n", ""),
		"no secret":             authOf(t, packet.KeyedMD5, "key chain K\n key 1\n", ""),
		"ended":                 authOf(t, packet.KeyedMD5, "key chain K\n key 1\n  key-string secret\n  accept-lifetime 00:00:00 Jan 1 2026 duration 60\n  send-lifetime 00:00:00 Jan 1 2026 duration 60\n", ""),
	} {
		if out, ok := a.sign(authWall, &response, []byte("x")); ok || string(out) != "x" {
			t.Errorf("%s: signed %q", name, out)
		}
		if got := judge(t, a, authWall, authFrom, signed); got != DropAuthMismatch {
			t.Errorf("%s: %v", name, got)
		}
		if id, ok := a.ended(authWall); ok != (name == "ended") || ok && id != 1 {
			t.Errorf("%s: key %d has ended: %v", name, id, ok)
		}
		if got := a.algorithm(authWall); got != packet.KeyedMD5 {
			t.Errorf("%s: algorithm %v", name, got)
		}
	}
}

// TestAuthVersion1: version 1 is sent as it is, and not received (RFC 2453
// section 5.2).
func TestAuthVersion1(t *testing.T) {
	a := authOf(t, packet.KeyedMD5, "", "secret")
	m := packet.WholeTableRequest(1)
	b, ok := a.sign(authWall, &m, nil)
	if !ok || len(b) != packet.HeaderLen+packet.EntryLen {
		t.Fatalf("%x, %v", b, ok)
	}
	if got := judge(t, a, authWall, authFrom, b); got != DropAuthMissing {
		t.Error(got)
	}
}

// TestAuthRollOver sends through the change of keys: each message is accepted by
// a receiver whose clock is up to 29 minutes off, and each key carries its own
// algorithm (RFC 4822 section 3.2).
func TestAuthRollOver(t *testing.T) {
	sender, receiver := authOf(t, packet.KeyedMD5, authChain, ""), authOf(t, packet.KeyedMD5, authChain, "")
	change := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	ids := map[uint8]int{}
	for at := change.Add(-2 * time.Hour); at.Before(change.Add(2 * time.Hour)); at = at.Add(7 * time.Minute) {
		b, ok := sender.sign(at, &response, nil)
		if !ok {
			t.Fatalf("%v: nothing to send with", at)
		}
		ids[b[10]]++
		want := packet.KeyedMD5
		if !at.Before(change) {
			want = packet.HMACSHA256
		}
		if got := sender.algorithm(at); got != want {
			t.Errorf("%v: %v", at, got)
		}
		for _, off := range []time.Duration{-29 * time.Minute, 0, 29 * time.Minute} {
			if got := judge(t, receiver, at.Add(off), authFrom, b); got != DropNone {
				t.Errorf("%v, clock %v off: %v", at, off, got)
			}
		}
	}
	if len(ids) != 2 || ids[1] == 0 || ids[2] == 0 {
		t.Errorf("keys used: %v", ids)
	}
	after := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	if id, ok := sender.ended(after); !ok || id != 2 {
		t.Errorf("key %d has ended: %v", id, ok)
	}
	if _, ok := sender.sign(after, &response, nil); ok {
		t.Error("a key outlives its owner's will")
	}
}

// TestAuthKeyID: the key is chosen by its ID, no other is tried (RFC 4822 section
// 3.2), and one out of its lifetime is none.
func TestAuthKeyID(t *testing.T) {
	a := authOf(t, packet.KeyedMD5, authChain, "")
	for _, x := range []struct {
		key  packet.Key
		want DropReason
	}{
		{packet.Key{ID: 1, Algorithm: packet.KeyedMD5, Secret: []byte("old")}, DropNone},
		{packet.Key{ID: 1, Algorithm: packet.HMACSHA1, Secret: []byte("old")}, DropAuthMismatch},
		{packet.Key{ID: 1, Algorithm: packet.KeyedMD5, Secret: []byte("new")}, DropAuthFailed},
		{packet.Key{ID: 2, Algorithm: packet.HMACSHA256, Secret: []byte("new")}, DropAuthMismatch},
		{packet.Key{ID: 9, Algorithm: packet.KeyedMD5, Secret: []byte("old")}, DropAuthMismatch},
		{packet.Key{ID: 300 & 255, Algorithm: packet.KeyedMD5, Secret: []byte("never")}, DropAuthMismatch},
	} {
		if got := judge(t, a, authWall, authFrom, sentWith(t, &x.key, 7)); got != x.want {
			t.Errorf("%v: %v, want %v", x.key, got, x.want)
		}
	}
}

// TestAuthPasswords: the first valid password is sent, any valid one accepted.
func TestAuthPasswords(t *testing.T) {
	a := authOf(t, packet.SimplePassword, "key chain K\n key 1\n  key-string one\n key 2\n  key-string two\n", "")
	b, ok := a.sign(authWall, &response, nil)
	if !ok || string(b[8:11]) != "one" {
		t.Fatalf("%q, %v", b, ok)
	}
	for secret, want := range map[string]DropReason{"one": DropNone, "two": DropNone, "three": DropAuthFailed, "on": DropAuthFailed} {
		b := sentWith(t, &packet.Key{Algorithm: packet.SimplePassword, Secret: []byte(secret)}, 0)
		if got := judge(t, a, authWall, authFrom, b); got != want {
			t.Errorf("%s: %v", secret, got)
		}
	}
	hmac := authOf(t, packet.SimplePassword, "key chain K\n key 1\n  key-string one\n  cryptographic-algorithm hmac-sha-1\n", "")
	if b, ok := hmac.sign(authWall, &response, nil); !ok || b[7] != 3 {
		t.Errorf("a key with an algorithm is sent in clear: %q", b)
	}
}

// TestReplayWindow follows RFC 4822 section 2.3.2 steps 6 and 7.
func TestReplayWindow(t *testing.T) {
	a := authOf(t, packet.KeyedMD5, "key chain K\n key 1\n  key-string one\n key 2\n  key-string two\n", "")
	one := &packet.Key{ID: 1, Algorithm: packet.KeyedMD5, Secret: []byte("one")}
	two := &packet.Key{ID: 2, Algorithm: packet.KeyedMD5, Secret: []byte("two")}
	forged := &packet.Key{ID: 1, Algorithm: packet.KeyedMD5, Secret: []byte("guess")}
	other := netip.MustParseAddr("10.0.0.3")
	for i, x := range []struct {
		key      *packet.Key
		from     netip.Addr
		sequence uint32
		want     DropReason
	}{
		{one, authFrom, 100, DropNone},
		{one, authFrom, 100, DropNone}, // equal: non-decreasing is all that is asked
		{one, authFrom, 99, DropAuthReplay},
		{one, authFrom, 0, DropAuthReplay},
		{forged, authFrom, 4000, DropAuthFailed}, // does not move the window
		{one, authFrom, 101, DropNone},
		{two, authFrom, 5, DropNone}, // a window for each key
		{two, authFrom, 4, DropAuthReplay},
		{one, other, 5, DropNone}, // and for each sender
		{one, authFrom, 100, DropAuthReplay},
	} {
		if got := judge(t, a, authWall, x.from, sentWith(t, x.key, x.sequence)); got != x.want {
			t.Errorf("%d: sequence %d with %v of %v: %v, want %v", i, x.sequence, x.key, x.from, got, x.want)
		}
	}
	next := authOf(t, packet.KeyedMD5, "key chain K\n key 1\n  key-string one\n", "")
	next.takeOver(a)
	if got := judge(t, next, authWall, authFrom, sentWith(t, one, 100)); got != DropAuthReplay {
		t.Errorf("after a change of the configuration: %v", got)
	}
	next.forget(authFrom)
	if got := judge(t, next, authWall, authFrom, sentWith(t, one, 0)); got != DropNone {
		t.Errorf("after the neighbour was lost: %v", got)
	}
	if got := judge(t, next, authWall, other, sentWith(t, one, 4)); got != DropAuthReplay {
		t.Errorf("the other neighbour: %v", got)
	}
}

// TestReplayWindowsBounded: the digest does not cover the sender's address, so
// one captured message can come from many. Requests make no windows at all.
func TestReplayWindowsBounded(t *testing.T) {
	a := authOf(t, packet.SimplePassword, "", "x")
	a.configured = packet.KeyedMD5
	a.keys[0].key.Algorithm = packet.KeyedMD5
	b, _ := a.sign(authWall, &response, nil)
	m, _ := packet.Parse(b)
	ask := packet.WholeTableRequest(2)
	q, _ := a.sign(authWall, &ask, nil)
	mq, _ := packet.Parse(q)
	from := func(n int) netip.Addr {
		var v [4]byte
		binary.BigEndian.PutUint32(v[:], 0x0a000000+uint32(n))
		return netip.AddrFrom4(v)
	}
	for n := range MaxNeighbors {
		if got := a.verify(authWall, from(n), mq, q); got != DropNone {
			t.Fatal(n, got)
		}
		if got := a.verify(authWall, from(n), m, b); got != DropNone {
			t.Fatal(n, got)
		}
	}
	if got := a.verify(authWall, from(MaxNeighbors), m, b); got != DropTooManyNeighbors {
		t.Error(got)
	}
	if got := a.verify(authWall, from(MaxNeighbors), mq, q); got != DropNone {
		t.Error("request:", got)
	}
	if got := a.verify(authWall, from(0), m, b); got != DropNone || len(a.windows) != MaxNeighbors {
		t.Error(got, len(a.windows))
	}
}

// TestSequence: the seconds of the wall clock, and never less than before (RFC
// 4822 section 2.1).
func TestSequence(t *testing.T) {
	a := authOf(t, packet.KeyedMD5, "", "secret")
	number := func(wall time.Time) uint32 {
		b, ok := a.sign(wall, &response, nil)
		if !ok {
			t.Fatal("not signed")
		}
		return binary.BigEndian.Uint32(b[12:])
	}
	now := uint32(authWall.Unix())
	for _, x := range []struct {
		wall time.Time
		want uint32
	}{
		{time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC), 0},
		{authWall, now},
		{authWall.Add(900 * time.Millisecond), now},
		{authWall.Add(-time.Hour), now},
		{authWall.Add(time.Minute), now + 60},
		{time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), 1<<32 - 1},
	} {
		if got := number(x.wall); got != x.want {
			t.Errorf("%v: %d, want %d", x.wall, got, x.want)
		}
	}
	next := authOf(t, packet.KeyedMD5, "", "secret")
	next.takeOver(a)
	if a = next; number(authWall) != 1<<32-1 {
		t.Error("a change of the configuration sets the number back")
	}
}

// TestVerifyAllocates: verification costs the hash and nothing else.
func TestVerifyAllocates(t *testing.T) {
	a := authOf(t, packet.SimplePassword, "", "secret")
	b, _ := a.sign(authWall, &response, nil)
	m, _ := packet.Parse(b)
	if n := testing.AllocsPerRun(100, func() { a.verify(authWall, authFrom, m, b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
