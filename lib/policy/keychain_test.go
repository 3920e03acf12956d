package policy

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// ids lists the numbers of keys.
func ids(keys []Key) string {
	s := ""
	for _, k := range keys {
		s += fmt.Sprint(k.ID, " ")
	}
	return s
}

// Two keys that overlap in acceptance roll over: at every instant there is a key
// to send with, and it is accepted.
func TestRollOver(t *testing.T) {
	c := read(t, `key chain K
 key 1
  key-string old
  accept-lifetime 00:00:00 Jan 1 2026 00:30:00 1 feb 2026
  send-lifetime 00:00:00 January 1 2026 duration 2678400
 key 2
  key-string new
  accept-lifetime 23:30:00 Jan 31 2026 infinite
  send-lifetime 00:00:00 Feb 1 2026 infinite
 key 3
`).KeyChain("K")
	for _, x := range []struct {
		now, send, accept string
	}{
		{"2025-12-31T23:59:59Z", "-", ""},
		{"2026-01-01T00:00:00Z", "old", "1 "},
		{"2026-01-31T23:29:59Z", "old", "1 "},
		{"2026-01-31T23:30:00Z", "old", "1 2 "},
		{"2026-01-31T23:59:59Z", "old", "1 2 "},
		{"2026-02-01T00:00:00Z", "new", "1 2 "},
		{"2026-02-01T00:29:59Z", "new", "1 2 "},
		{"2026-02-01T00:30:00Z", "new", "2 "},
		{"2099-02-01T00:30:00Z", "new", "2 "},
	} {
		send := "-"
		if k, ok := c.SendKey(at(x.now)); ok {
			send = string(k.Secret.Bytes())
		}
		if accept := ids(c.AcceptKeys(at(x.now))); send != x.send || accept != x.accept {
			t.Errorf("%s: send %s, accept %s", x.now, send, accept)
		}
		if _, ok := c.AcceptKey(at(x.now), 1); ok != (len(x.accept) > 0 && x.accept[0] == '1') {
			t.Errorf("%s: key 1 is accepted: %v", x.now, ok)
		}
	}
	now, n := at("2025-01-01T00:00:00Z"), 0
	for next, ok := c.NextChange(now); ok; next, ok = c.NextChange(now) {
		now, n = next, n+1
	}
	if n != 4 || !now.Equal(at("2026-02-01T00:30:00Z")) {
		t.Errorf("%d changes, the last at %v", n, now)
	}
}

// The valid key with the smallest number is sent, whatever the order of entry.
func TestSendKeySmallest(t *testing.T) {
	c := read(t, "key chain K\nkey 10\nkey-string ten\nkey 9\nkey-string nine\nkey 8\nkey-string eight\nsend-lifetime 00:00:00 Jan 1 2030 infinite").KeyChain("K")
	if k, ok := c.SendKey(at("2026-01-01T00:00:00Z")); !ok || k.ID != 9 || k.Algorithm != AlgorithmDefault {
		t.Errorf("key %d, %v", k.ID, ok)
	}
	var none *KeyChain
	if _, ok := none.SendKey(time.Now()); ok || none.AcceptKeys(time.Now()) != nil {
		t.Error("a chain that is not defined has keys")
	}
	if _, ok := none.AcceptKey(time.Now(), 0); ok {
		t.Error("a chain that is not defined accepts")
	}
}

func TestAlgorithms(t *testing.T) {
	for a := AlgorithmMD5; a <= AlgorithmHMACSHA512; a++ {
		c := read(t, fmt.Sprintf("key chain K\nkey 1\nkey-string x\ncryptographic-algorithm %v", a)).KeyChain("K")
		if c.Keys[0].Algorithm != a {
			t.Errorf("%v became %v", a, c.Keys[0].Algorithm)
		}
	}
}

// Encodings of "cisco" that routers print.
func TestType7(t *testing.T) {
	for _, text := range []string{"02050D480809", "070C285F4D06", "0822455D0A16", "094F471A1A0A", "094f471a1a0a"} {
		if plain, ok := DecodeType7(text); !ok || plain != "cisco" {
			t.Errorf("%s: %q %v", text, plain, ok)
		}
	}
	for _, text := range []string{"", "07", "0", "070", "070C2", "zz0C28", "530C285F4D06", "07ZZ", "07FFFF", "-10C285F"} {
		if plain, ok := DecodeType7(text); ok {
			t.Errorf("%q is decoded to %q", text, plain)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.StringMatching(`[!-~]{1,80}`).Draw(t, "plain")
		seed := rapid.IntRange(0, len(type7)-1).Draw(t, "seed")
		text := fmt.Sprintf("%02d", seed)
		for i := range plain {
			text += fmt.Sprintf("%02X", plain[i]^type7[(seed+i)%len(type7)])
		}
		if got, ok := DecodeType7(text); !ok || got != plain {
			t.Fatalf("%q became %q, %v", plain, got, ok)
		}
	})
}

// NextChange misses no instant at which the answers change.
func TestNextChangeRapid(t *testing.T) {
	epoch := at("2026-01-01T00:00:00Z")
	life := rapid.Custom(func(t *rapid.T) Lifetime {
		var l Lifetime
		if rapid.Bool().Draw(t, "start") {
			l.Start = epoch.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "s")) * time.Second)
		}
		if rapid.Bool().Draw(t, "end") {
			l.End = epoch.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "e")) * time.Second)
		}
		return l
	})
	rapid.Check(t, func(t *rapid.T) {
		c := &KeyChain{}
		for i := range rapid.IntRange(0, 4).Draw(t, "keys") {
			c.Keys = append(c.Keys, Key{ID: uint32(i), Accept: life.Draw(t, "accept"), Send: life.Draw(t, "send")})
		}
		answer := func(now time.Time) string {
			k, ok := c.SendKey(now)
			return fmt.Sprint(k.ID, ok, ids(c.AcceptKeys(now)))
		}
		for s := -1; s < 22; s++ {
			now := epoch.Add(time.Duration(s) * time.Second)
			next, ok := c.NextChange(now)
			for later := now; later.Before(epoch.Add(25*time.Second)) && (!ok || later.Before(next)); later = later.Add(time.Second) {
				if answer(later) != answer(now) {
					t.Fatalf("at %v %s, at %v %s, next change %v", now, answer(now), later, answer(later), next)
				}
			}
		}
	})
}
