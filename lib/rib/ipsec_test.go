package rib

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
)

// TestSecretIsHidden prints, logs and marshals a secret, by itself and inside others,
// in all ways that there are.
func TestSecretIsHidden(t *testing.T) {
	const key = "0123456789abcdef"
	s := NewSecret([]byte(key))
	e := ESP{CipherKey: s, IntegrityKey: s}
	inside := struct {
		hidden ESP
		any    any
		list   []Secret
	}{e, e, []Secret{s}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", e)
		fmt.Fprintf(&out, verb+"\n", &e)
		fmt.Fprintf(&out, verb+"\n", inside)
		fmt.Fprintf(&out, verb+"\n", map[Secret]Secret{s: s})
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "s", s, "e", e, "inside", inside)
	}
	if err := json.NewEncoder(&out).Encode([]any{s, e, map[string]any{"s": s}}); err != nil {
		t.Fatal(err)
	}
	for _, leak := range []string{key, "30313233", "48 49 50", "48, 49", "0x30, 0x31", "MDEyMzQ1"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in what was printed:\n%s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), `"CipherKey":"(secret)"`) || fmt.Sprint(Secret{}) != "" {
		t.Error("whether there is a secret cannot be seen")
	}
}

func TestSecret(t *testing.T) {
	b := []byte("secret")
	s, same := NewSecret(b), NewSecret([]byte("secret"))
	b[0] = 'X'
	if string(s.Reveal()) != "secret" || s.Len() != 6 || s.Empty() {
		t.Errorf("%q", s.Reveal())
	}
	if s != same || s == NewSecret([]byte("others")) || s == (Secret{}) {
		t.Error("secrets are compared by something else than their bytes")
	}
	if z := NewSecret(nil); !z.Empty() || z.Len() != 0 || len(z.Reveal()) != 0 {
		t.Error("no bytes are a secret")
	}
}

func TestESPCheck(t *testing.T) {
	key := func(n int) Secret { return NewSecret(bytes.Repeat([]byte{1}, n)) }
	good := ESP{Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr("192.0.2.2"), SPI: 256,
		Cipher: AESGCM16, CipherKey: key(20), Window: 64}
	alias := netip.MustParseAddr("240.0.0.1")
	from, to := good, good
	from.SourceAlias, to.DestinationAlias = alias, alias
	for _, e := range []ESP{good, from, to} {
		if err := e.Check(); err != nil {
			t.Error(err)
		}
	}
	if good.Alias().IsValid() || from.Alias() != alias || to.Alias() != alias {
		t.Error("the alias of one direction is not seen")
	}
	for what, spoil := range map[string]func(*ESP){
		"reserved SPI": func(e *ESP) { e.SPI = 255 }, "small window": func(e *ESP) { e.Window = 31 }, "large window": func(e *ESP) { e.Window = MaxWindow + 1 },
		"group": func(e *ESP) { e.Destination = netip.MustParseAddr("224.0.0.1") }, "no source": func(e *ESP) { e.Source = netip.Addr{} },
		"families": func(e *ESP) { e.Source = netip.MustParseAddr("2001:db8::1") }, "one port": func(e *ESP) { e.UDP.Source = 4500 },
		"two aliases":    func(e *ESP) { e.SourceAlias, e.DestinationAlias = alias, netip.MustParseAddr("240.0.0.2") },
		"no alias of it": func(e *ESP) { e.SourceAlias = e.Source },
		"alias for us":   func(e *ESP) { e.DestinationAlias = e.Source },
		"alias of IPv6":  func(e *ESP) { e.SourceAlias = netip.MustParseAddr("2001:db8::1") },
		"group as alias": func(e *ESP) { e.SourceAlias = netip.MustParseAddr("224.0.0.1") },
		"alias over IPv6": func(e *ESP) {
			e.Source, e.Destination, e.SourceAlias = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2"), alias
		},
	} {
		e := good
		spoil(&e)
		if e.Check() == nil {
			t.Errorf("%s: taken", what)
		}
	}
	for _, c := range []struct {
		cipher    Cipher
		n         int
		integrity Integrity
		m         int
		ok        bool
	}{
		{AESGCM16, 20, IntegrityNone, 0, true}, {AESGCM16, 28, IntegrityNone, 0, true}, {AESGCM16, 36, IntegrityNone, 0, true},
		{AESGCM16, 16, IntegrityNone, 0, false}, {AESGCM16, 20, HMACSHA1x96, 20, false}, {AESGCM16, 20, IntegrityNone, 20, false},
		{AESCBC, 16, HMACSHA1x96, 20, true}, {AESCBC, 24, HMACSHA256x128, 32, true}, {AESCBC, 32, HMACSHA384x192, 48, true},
		{AESCBC, 32, HMACSHA512x256, 64, true}, {AESCBC, 20, HMACSHA1x96, 20, false}, {AESCBC, 16, HMACSHA1x96, 32, false},
		{AESCBC, 16, IntegrityNone, 0, false}, {AESCBC, 16, HMACSHA1x96, 0, false}, {AESCBC, 0, HMACSHA1x96, 20, false},
		{ChaCha20Poly1305, 36, IntegrityNone, 0, true}, {ChaCha20Poly1305, 20, IntegrityNone, 0, false},
		{AESGCM16, 0, IntegrityNone, 0, true}, {AESCBC, 0, HMACSHA256x128, 0, true}, // keys left out
		{0, 16, IntegrityNone, 0, false}, {77, 36, IntegrityNone, 0, false}, {AESCBC, 16, 77, 20, false},
	} {
		e := good
		e.Cipher, e.CipherKey, e.Integrity, e.IntegrityKey = c.cipher, key(c.n), c.integrity, key(c.m)
		if err := e.Check(); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestPolicyCheck(t *testing.T) {
	a := netip.MustParseAddr
	alias := netip.MustParsePrefix("240.0.0.1/32")
	guard := Policy{Local: a("192.0.2.1"), Peer: netip.MustParsePrefix("0.0.0.0/0")}
	one := Policy{Local: guard.Local, Peer: alias, Outer: a("203.0.113.7")}
	if err := errors.Join(guard.Check(), one.Check(), one.CheckOne()); err != nil {
		t.Error(err)
	}
	if guard.CheckOne() == nil {
		t.Error("a daemon may have a guard")
	}
	for what, p := range map[string]Policy{
		"everybody's alias": {Local: guard.Local, Peer: guard.Peer, Outer: one.Outer},
		"no alias":          {Local: guard.Local, Peer: netip.MustParsePrefix("203.0.113.7/32"), Outer: one.Outer},
		"ourselves":         {Local: guard.Local, Peer: netip.MustParsePrefix("192.0.2.1/32"), Outer: one.Outer},
		"of a group":        {Local: guard.Local, Peer: alias, Outer: a("224.0.0.1")},
		"of IPv6":           {Local: guard.Local, Peer: alias, Outer: a("2001:db8::1")},
		"over IPv6":         {Local: a("2001:db8::1"), Peer: netip.MustParsePrefix("2001:db8::2/128"), Outer: a("2001:db8::3")},
		"not masked":        {Local: guard.Local, Peer: netip.MustParsePrefix("240.0.0.1/24")},
		"families":          {Local: a("2001:db8::1"), Peer: guard.Peer},
	} {
		if p.Check() == nil {
			t.Errorf("%s: taken", what)
		}
	}
}
