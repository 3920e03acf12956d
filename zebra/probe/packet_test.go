package probe

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/wire"
)

var (
	host4, router4 = netip.MustParseAddr("10.12.0.10"), netip.MustParseAddr("10.11.0.1")
	host6          = netip.MustParseAddr("2001:db8::10")
)

// quote is the start of the IP packet with a request, as an ICMP error has it.
func quote(t testing.TB, e echo, seq uint16) []byte {
	t.Helper()
	m, err := e.request(seq)
	if err != nil {
		t.Fatal(err)
	}
	var h []byte
	if e.target.Is4() {
		h = make([]byte, ipv4Header)
		h[0], h[8], h[9] = 0x45, 1, protocolICMP
		binary.BigEndian.PutUint16(h[2:], uint16(ipv4Header+len(m)))
		copy(h[16:], e.target.AsSlice())
	} else {
		h = make([]byte, ipv6Header)
		h[0], h[6], h[7] = 0x60, protocolICMPv6, 1
		binary.BigEndian.PutUint16(h[4:], uint16(len(m)))
		copy(h[24:], e.target.AsSlice())
	}
	return append(h, m...)
}

// icmpError is an ICMP error of RFC 792 or RFC 4443: type, code, four octets, quote.
func icmpError(v6 bool, typ, code byte, q []byte) []byte {
	b := append([]byte{typ, code, 0, 0, 0, 0, 0, 0}, q...)
	if !v6 {
		binary.BigEndian.PutUint16(b[2:], wire.Checksum(b))
	}
	return b
}

func echoReply(t testing.TB, e echo, id, seq uint16, payload []byte) []byte {
	t.Helper()
	m := icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &icmp.Echo{ID: int(id), Seq: int(seq), Data: payload}}
	if e.target.Is6() {
		m.Type = ipv6.ICMPTypeEchoReply
	}
	b, err := m.Marshal(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRequest holds a request against octets written out by hand: RFC 792,
// page 14. The kernel adds the IP header of 20 octets.
func TestRequest(t *testing.T) {
	e := echo{target: host4, id: 0x1234, payload: []byte{1, 2, 3, 4, 5, 6, 7, 8}}
	b, err := e.request(5)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(b), "0800d5b2"+"12340005"+"0102030405060708"; got != want {
		t.Errorf("request %s, want %s", got, want)
	}
	for _, size := range []int{36, 37, 100, 9200} {
		b, err := newEcho(host4, size).request(1)
		if err != nil || len(b) != size-ipv4Header {
			t.Errorf("size %d: %d octets of ICMP, %v", size, len(b), err)
		}
	}
	if b, err = newEcho(host6, 100).request(1); err != nil || len(b) != 60 || b[0] != 128 {
		t.Errorf("ICMPv6: % x, %v", b, err)
	}
}

// TestMatch reads answers to request 7 and what only looks like one.
func TestMatch(t *testing.T) {
	e4, e6 := newEcho(host4, 100), newEcho(host6, 100)
	other := newEcho(host4, 100)
	other.id = e4.id
	broken := echoReply(t, e4, e4.id, 7, e4.payload)
	broken[len(broken)-1] ^= 0x40
	elsewhere := quote(t, e4, 7)
	elsewhere[19]++ // the last octet of the destination
	fragment := quote(t, e4, 7)
	fragment[7] = 1 // not the first one
	options := quote(t, e4, 7)
	options = append(append([]byte{0x46}, options[1:ipv4Header]...), append(make([]byte, 4), options[ipv4Header:]...)...)
	first6 := quote(t, e6, 7) // the first fragment of a request: RFC 8200 section 4.5
	first6 = append(append(first6[:ipv6Header:ipv6Header], protocolICMPv6, 0, 0, 1, 9, 9, 9, 9), first6[ipv6Header:]...)
	first6[6] = fragmentHeader
	const nothing = kind(255)
	for name, c := range map[string]struct {
		e    echo
		b    []byte
		want kind
	}{
		"reply":              {e4, echoReply(t, e4, e4.id, 7, e4.payload), reply},
		"reply 6":            {e6, echoReply(t, e6, e6.id, 7, e6.payload), reply},
		"our own request":    {e4, must(e4.request(7)), nothing},
		"reply, late":        {e4, echoReply(t, e4, e4.id, 6, e4.payload), nothing},
		"reply of others":    {e4, echoReply(t, e4, e4.id+1, 7, e4.payload), nothing},
		"reply, payload":     {e4, echoReply(t, e4, e4.id, 7, other.payload), nothing},
		"reply, cut":         {e4, echoReply(t, e4, e4.id, 7, e4.payload[:60]), nothing},
		"reply, damaged":     {e4, broken, nothing},
		"net":                {e4, icmpError(false, 3, 0, quote(t, e4, 7)), noNet},
		"host":               {e4, icmpError(false, 3, 1, quote(t, e4, 7)[:28]), noHost},
		"protocol":           {e4, icmpError(false, 3, 2, quote(t, e4, 7)), noProtocol},
		"port":               {e4, icmpError(false, 3, 3, quote(t, e4, 7)), noPort},
		"fragmentation":      {e4, icmpError(false, 3, 4, quote(t, e4, 7)), tooBig},
		"prohibited":         {e4, icmpError(false, 3, 13, quote(t, e4, 7)), forbidden},
		"odd code":           {e4, icmpError(false, 3, 5, quote(t, e4, 7)), strange},
		"ttl":                {e4, icmpError(false, 11, 0, quote(t, e4, 7)), expired},
		"parameter":          {e4, icmpError(false, 12, 0, quote(t, e4, 7)), strange},
		"header options":     {e4, icmpError(false, 11, 0, options), expired},
		"quote of others":    {e4, icmpError(false, 11, 0, quote(t, newEcho(host4, 60), 7)), nothing},
		"quote, earlier":     {e4, icmpError(false, 11, 0, quote(t, e4, 6)), nothing},
		"quote, elsewhere":   {e4, icmpError(false, 11, 0, elsewhere), nothing},
		"quote, fragment":    {e4, icmpError(false, 11, 0, fragment), nothing},
		"quote, cut":         {e4, icmpError(false, 11, 0, quote(t, e4, 7)[:27]), nothing},
		"quote, header only": {e4, icmpError(false, 11, 0, quote(t, e4, 7)[:20]), nothing},
		"no route 6":         {e6, icmpError(true, 1, 0, quote(t, e6, 7)), noNet},
		"prohibited 6":       {e6, icmpError(true, 1, 1, quote(t, e6, 7)), forbidden},
		"address 6":          {e6, icmpError(true, 1, 3, quote(t, e6, 7)), noHost},
		"too big 6":          {e6, icmpError(true, 2, 0, quote(t, e6, 7)), tooBig},
		"first fragment 6":   {e6, icmpError(true, 2, 0, first6), tooBig},
		"hop limit 6":        {e6, icmpError(true, 3, 0, quote(t, e6, 7)), expired},
		"quote of others 6":  {e6, icmpError(true, 3, 0, quote(t, e6, 8)), nothing},
		"empty":              {e4, nil, nothing},
	} {
		got, ok := c.e.match(7, c.b)
		if !ok {
			got = nothing
		}
		if got != c.want {
			t.Errorf("%s: kind %d, want %d", name, got, c.want)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestMatchAnything feeds octets that others chose: nothing but a right answer
// counts, and nothing panics.
func TestMatchAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := newEcho(rapid.SampledFrom([]netip.Addr{host4, host6}).Draw(t, "target"), 100)
		b := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "octets")
		if e.target.Is4() && len(b) >= 4 {
			b[2], b[3] = 0, 0
			binary.BigEndian.PutUint16(b[2:], wire.Checksum(b))
		}
		if k, ok := e.match(7, b); ok {
			t.Fatalf("kind %d", k)
		}
		q := icmpError(e.target.Is6(), rapid.SampledFrom([]byte{1, 2, 3, 4, 11, 12}).Draw(t, "type"), 0,
			rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "quote"))
		if k, ok := e.match(7, q); ok {
			t.Fatalf("kind %d", k)
		}
	})
}

// TestMarks shows every kind of outcome both ways.
func TestMarks(t *testing.T) {
	var ping, trace []string
	for k := silence; k <= strange; k++ {
		ping, trace = append(ping, string(pingMark(k))), append(trace, traceMark(k))
	}
	if got, want := strings.Join(ping, " "), ". ! U U U U U M & ?"; got != want {
		t.Errorf("ping marks %q, want %q", got, want)
	}
	if got, want := strings.Join(trace, " "), "*  !N !H !P !U !A !M  ?"; got != want {
		t.Errorf("traceroute marks %q, want %q", got, want)
	}
}
