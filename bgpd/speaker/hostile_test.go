package speaker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/core/locrib"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// peer is a scripted neighbour: it opens a session by the book, and then sends what
// it likes. It is written from RFC 4271 alone and shares nothing with GoBGP.
type peer struct {
	t    testing.TB
	conn net.Conn
	gone chan []byte // the NOTIFICATION, or nil, when the session has ended

	mu      sync.Mutex
	updates [][]byte // bodies of what it was sent
}

func message(kind byte, body []byte) []byte {
	b := append(bytes.Repeat([]byte{0xff}, 16), 0, 0, kind)
	binary.BigEndian.PutUint16(b[16:], uint16(19+len(body)))
	return append(b, body...)
}

// dial connects from 127.0.0.200 to n, which must know it as AS 64999. fourOctets
// announces the capability of RFC 6793; more are other optional parameters.
func dial(t testing.TB, n *node, fourOctets bool, more ...byte) *peer {
	t.Helper()
	return dialFrom(t, n, netip.AddrFrom4([4]byte{127, 0, 0, 200}), fourOctets, more...)
}

// dialFrom is dial from another address.
func dialFrom(t testing.TB, n *node, from netip.Addr, fourOctets bool, more ...byte) *peer {
	t.Helper()
	p := &peer{t: t, gone: make(chan []byte, 1)}
	capabilities := append([]byte{2, 6, 1, 4, 0, 1, 0, 1, 2, 6, 1, 4, 0, 2, 0, 1}, more...)
	if fourOctets {
		capabilities = append(capabilities, 2, 6, 65, 4, 0, 0, 0xfd, 0xe7)
	}
	open := append([]byte{4, 0xfd, 0xe7, 0, 90, 192, 0, 2, 200, byte(len(capabilities))}, capabilities...)
	eventually(t, func() string {
		d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
		conn, err := d.Dial("tcp", netip.AddrPortFrom(n.addr, uint16(n.port)).String())
		if err != nil {
			return err.Error()
		}
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		conn.Write(message(1, open))
		for range 2 { // OPEN and KEEPALIVE
			if kind, body, err := read(conn); err != nil || kind == 3 {
				conn.Close()
				return fmt.Sprintf("no session: %v, message %d %x", err, kind, body)
			}
			conn.Write(message(4, nil))
		}
		conn.SetDeadline(time.Time{})
		p.conn = conn
		return ""
	})
	go func() {
		for {
			kind, body, err := read(p.conn)
			if err != nil || kind == 3 {
				p.gone <- body
				return
			}
			if kind == 2 {
				p.mu.Lock()
				p.updates = append(p.updates, body)
				p.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { p.conn.Close() })
	return p
}

func read(r io.Reader) (kind byte, body []byte, err error) {
	head := make([]byte, 19)
	if _, err = io.ReadFull(r, head); err != nil {
		return 0, nil, err
	}
	body = make([]byte, max(0, int(binary.BigEndian.Uint16(head[16:]))-19))
	_, err = io.ReadFull(r, body)
	return head[18], body, err
}

// update returns the body of an UPDATE with attributes and one prefix.
func update(prefix []byte, attributes ...[]byte) []byte {
	all := bytes.Join(attributes, nil)
	b := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(all)))
	return append(append(b, all...), prefix...)
}

var (
	origin  = []byte{0x40, 1, 1, 0}
	path4   = []byte{0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe7}
	path2   = []byte{0x40, 2, 4, 2, 1, 0xfd, 0xe7}
	as4path = []byte{0xc0, 17, 6, 2, 1, 0, 0, 0xfd, 0xe7}
	nextHop = []byte{0x40, 3, 4, 127, 0, 0, 200}

	reach6 = []byte{0x80, 14, 26, 0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 32, 0x20, 1, 0xd, 0xb8}

	victim = []byte{24, 10, 50, 1} // 10.50.1.0/24
	other  = []byte{24, 10, 50, 2}
)

func hostileNode(t testing.TB) *node {
	n := newNode(t, 2, 65001)
	s := settings(64999)
	s.Passive, s.IPv6.Active = true, true
	n.c.Neighbors = []Neighbor{{netip.MustParseAddr("127.0.0.200"), s}}
	n.start()
	return n
}

// bystander is a neighbour of a speaker that a hostile one talks to: it is sent what
// that one gets through, and its session must not suffer for it.
func bystander(t testing.TB, n *node) *node {
	c := newNode(t, 3, 65001)
	six := func(s *Settings) {
		s.IPv6 = s.IPv4
		s.IPv4.NextHop, s.IPv6.NextHop = NextHopSelf, NextHopDefault
	}
	c.knows(n, true, six)
	n.knows(c, false, six)
	// Both make copies of what they see, so that all of it is written anew.
	all := policyOf(func(_ locrib.Route, a *locrib.Attributes) bool { a.LocalPref, a.HasLocalPref = 77, true; return true })
	n.c.Neighbors[0].IPv4.Import, n.c.Neighbors[1].IPv4.Export = all, all
	n.apply()
	c.start()
	c.up(n)
	return c
}

// alive proves that the speaker still works with the peer: a route comes through.
func (p *peer) alive(n *node, attributes ...[]byte) {
	p.t.Helper()
	p.conn.Write(message(2, update(other, attributes...)))
	n.via("10.50.2.0/24", netip.MustParseAddr("127.0.0.200"))
	p.conn.Write(message(2, []byte{0, 4, 24, 10, 50, 2, 0, 0}))
	n.via("10.50.2.0/24")
}

// TestHostileAttributes has RFC 7606 by cases. In each the peer first announces
// 10.50.1.0/24 correctly and then again with something wrong.
func TestHostileAttributes(t *testing.T) {
	type outcome int
	const (
		withdrawn outcome = iota // section 2: treat-as-withdraw
		kept                     // attribute discard, or nothing wrong
		reset                    // session reset
	)
	cases := []struct {
		name string
		body []byte
		want outcome
	}{
		{"origin of 2 octets (7.1)", update(victim, []byte{0x40, 1, 2, 0, 0}, path4, nextHop), withdrawn},
		{"origin 9 (7.1)", update(victim, []byte{0x40, 1, 1, 9}, path4, nextHop), withdrawn},
		{"AS_PATH cut short (7.2)", update(victim, origin, []byte{0x40, 2, 3, 2, 1, 0}, nextHop), withdrawn},
		{"AS_PATH segment overruns (7.2)", update(victim, origin, []byte{0x40, 2, 6, 2, 9, 0, 0, 0xfd, 0xe7}, nextHop), withdrawn},
		{"AS_PATH segment of no AS (7.2)", update(victim, origin, []byte{0x40, 2, 2, 2, 0}, nextHop), withdrawn},
		{"NEXT_HOP of 3 octets (7.3)", update(victim, origin, path4, []byte{0x40, 3, 3, 10, 0, 0}), withdrawn},
		{"MED of 1 octet (7.4)", update(victim, origin, path4, nextHop, []byte{0x80, 4, 1, 0}), withdrawn},
		{"communities of 3 octets (7.8)", update(victim, origin, path4, nextHop, []byte{0xc0, 8, 3, 0, 0, 0}), withdrawn},
		{"AGGREGATOR of 2 octets (7.7)", update(victim, origin, path4, nextHop, []byte{0xc0, 7, 2, 0, 0}), kept},
		{"ATOMIC_AGGREGATE of 1 octet (7.6)", update(victim, origin, path4, nextHop, []byte{0x40, 6, 1, 0}), kept},
		{"no ORIGIN (3 d)", update(victim, path4, nextHop), withdrawn},
		{"no NEXT_HOP (3 d)", update(victim, origin, path4), withdrawn},
		{"AS4_PATH from a speaker of 4 octets (RFC 6793, 6)", update(victim, as4path, origin, path4, nextHop), kept},
		{"flags of AS_PATH (3 c)", update(victim, origin, []byte{0x80, 2, 6, 2, 1, 0, 0, 0xfd, 0xe7}, nextHop), withdrawn},
		{"ORIGIN twice (3 g)", update(victim, origin, path4, nextHop, []byte{0x40, 1, 1, 2}), kept},
		{"MP_REACH_NLRI twice (3 g)", update(nil, origin, path4, reach6, reach6), reset},
		{"MP_REACH_NLRI with a next hop of 3 octets (7.11)", update(nil, origin, path4, []byte{0x80, 14, 13, 0, 2, 1, 3, 1, 2, 3, 0, 32, 0x20, 1, 0xd, 0xb8}), reset},
		{"MP_REACH_NLRI cut short (7.11)", update(nil, origin, path4, []byte{0x80, 14, 3, 0, 2, 1}), reset},
		{"MP_UNREACH_NLRI cut short (7.12)", update(nil, []byte{0x80, 15, 2, 0, 2}), reset},
		{"ORIGINATOR_ID of an external neighbour (7.9)", update(victim, origin, path4, nextHop, []byte{0x80, 9, 4, 1, 2, 3, 4}), kept},
		// RFC 7606 has this one discarded. GoBGP does more.
		{"CLUSTER_LIST of 3 octets of an external neighbour (7.10)", update(victim, origin, path4, nextHop, []byte{0x80, 10, 3, 1, 2, 3}), withdrawn},
		{"extended communities of 7 octets (7.14)", update(victim, origin, path4, nextHop, []byte{0xc0, 16, 7, 0, 2, 0, 0, 0, 0, 0}), withdrawn},
		{"large communities of 11 octets (RFC 8092, 6)", update(victim, origin, path4, nextHop, []byte{0xc0, 32, 11, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}), withdrawn},
		{"LOCAL_PREF of an external neighbour (7.5)", update(victim, origin, path4, nextHop, []byte{0x40, 5, 4, 0, 0, 0, 1}), kept},
		{"well-known attribute that nobody knows (RFC 4271, 6.3)", update(victim, origin, path4, nextHop, []byte{0x40, 250, 1, 1}), reset},
		{"unknown optional transitive", update(victim, origin, path4, nextHop, []byte{0xc0, 250, 3, 1, 2, 3}), kept},
		// RFC 7606 has this treated as withdraw. GoBGP passes over the UPDATE.
		{"attribute overruns the attributes (4)", update(victim, origin, path4, nextHop, []byte{0xc0, 8, 200, 0}), kept},
		{"attributes overrun the message", []byte{0, 0, 0xff, 0xff, 1, 2, 3}, reset},
		{"withdrawn routes overrun the message", []byte{0xff, 0xff, 0, 0}, reset},
		{"prefix of 33 bits (5.3)", update([]byte{33, 10, 50, 1, 0, 0}, origin, path4, nextHop), reset},
		{"empty", nil, reset},
	}
	n := hostileNode(t)
	c := bystander(t, n)
	p := dial(t, n, true)
	outer := t
	hop := netip.MustParseAddr("127.0.0.200")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p.t, n.t = t, t
			p.conn.Write(message(2, update(victim, origin, path4, nextHop)))
			n.via("10.50.1.0/24", hop)
			p.conn.Write(message(2, c.body))
			switch c.want {
			case withdrawn:
				n.via("10.50.1.0/24")
			case reset:
				select {
				case body := <-p.gone:
					if len(body) < 2 || body[0] != 3 && body[0] != 1 { // UPDATE or header error
						t.Errorf("NOTIFICATION %x", body)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("the session goes on")
				}
				n.via("10.50.1.0/24")
				p = dial(outer, n, true)
			}
			p.t = t
			p.alive(n, origin, path4, nextHop)
			if c.want == kept {
				n.via("10.50.1.0/24", hop)
			}
		})
	}
	c.t = outer
	c.becomes(n, "up")
}

// TestAS4PathBeforeASPath is CVE-2026-41643: an index panic in GoBGP up to v3.37.0
// for a peer without 4-octet AS numbers.
func TestAS4PathBeforeASPath(t *testing.T) {
	n := hostileNode(t)
	p := dial(t, n, false)
	p.conn.Write(message(2, update(victim, as4path, origin, path2, nextHop)))
	n.via("10.50.1.0/24", netip.MustParseAddr("127.0.0.200"))
	if got := n.best("10.50.1.0/24")[0].ASPath.String(); got != "64999" {
		t.Errorf("AS_PATH %q", got)
	}
	p.conn.Write(message(2, update(victim, as4path, as4path, origin, nextHop)))
	n.via("10.50.1.0/24")
	p.alive(n, origin, path2, nextHop)
}

// TestTagsOfANeighbor sends the communities that our export policy is steered with.
func TestTagsOfANeighbor(t *testing.T) {
	n := hostileNode(t)
	p := dial(t, n, true)
	p.conn.Write(message(2, update(victim, origin, path4, nextHop, []byte{0xc0, 8, 12, 0xff, 0xff, 0x4e, 0x20, 0xff, 0xff, 0x75, 0x2f, 0, 0, 0, 5})))
	n.via("10.50.1.0/24", netip.MustParseAddr("127.0.0.200"))
	if got := n.best("10.50.1.0/24")[0].Communities; !slices.Equal(got, []policy.Community{5}) {
		t.Errorf("communities %v", got)
	}
}

// TestTagsDoNotLeave looks for our tags in what is sent, where our own reading would
// not show them.
func TestTagsDoNotLeave(t *testing.T) {
	n := hostileNode(t)
	c := bystander(t, n)
	p := dial(t, n, true)
	c.originate(Local{netip.MustParsePrefix("10.77.0.0/16"), locrib.Attributes{MED: 7, HasMED: true, Communities: []policy.Community{5}}})
	var got []byte
	eventually(t, func() string {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, b := range p.updates {
			if bytes.HasSuffix(b, []byte{16, 10, 77}) {
				got = b
				return ""
			}
		}
		return fmt.Sprintf("10.77.0.0/16 is not in %x", p.updates)
	})
	if !bytes.Contains(got, []byte{0x80, 4, 4, 0, 0, 0, 0}) { // by a tag
		t.Errorf("MED is not 0: %x", got)
	}
	if !bytes.Contains(got, []byte{0xc0, 8, 4, 0, 0, 0, 5}) {
		t.Errorf("communities: %x", got)
	}
}

// TestTagsOfOwnRoutes has an own route with the tag that denies another one.
func TestTagsOfOwnRoutes(t *testing.T) {
	a, b := pair(t)
	a.c.Neighbors[0].IPv4.Export = policyOf(func(r locrib.Route, _ *locrib.Attributes) bool { return r.Prefix.String() != "10.99.0.0/16" })
	a.start()
	b.start()
	b.up(a)
	a.originate(local("10.99.0.0/16"))
	if err := a.flush(); err != nil {
		t.Fatal(err)
	}
	a.originate(Local{netip.MustParsePrefix("10.1.0.0/16"), locrib.Attributes{Communities: []policy.Community{firstTag, firstTag + 1}}})
	b.via("10.1.0.0/16", a.addr)
	b.via("10.99.0.0/16")
}

// TestHostileMutations sends UPDATEs of all attributes with random changes. What
// they mean is not looked at: the process lives, and takes a session afterwards.
func TestHostileMutations(t *testing.T) {
	rest := [][]byte{
		{0x80, 4, 4, 0, 0, 0, 1}, {0x40, 5, 4, 0, 0, 0, 1}, {0x40, 6, 0}, {0xc0, 7, 8, 0, 0, 0xfd, 0xe7, 1, 2, 3, 4},
		{0xc0, 8, 8, 0xfd, 0xe7, 0, 1, 0xff, 0xff, 0xff, 1}, {0x80, 9, 4, 1, 2, 3, 4}, {0x80, 10, 8, 1, 2, 3, 4, 5, 6, 7, 8},
		{0x80, 14, 13, 0, 1, 1, 4, 127, 0, 0, 200, 0, 24, 10, 50, 3}, {0x80, 15, 7, 0, 1, 1, 24, 10, 50, 3}, reach6,
		{0x80, 15, 8, 0, 2, 1, 32, 0x20, 1, 0xd, 0xb8}, {0xc0, 7, 6, 0xfd, 0xe7, 1, 2, 3, 4}, {0x40, 2, 10, 1, 2, 0, 0, 0, 1, 0, 0, 0xfd, 0xe7},
		{0xc0, 16, 8, 0, 2, 0xfd, 0xe7, 0, 0, 0, 1}, as4path, {0xc0, 18, 8, 0, 0, 0xfd, 0xe7, 1, 2, 3, 4},
		{0xc0, 22, 9, 0, 6, 0, 0, 1, 1, 2, 3, 4}, {0xc0, 23, 12, 0, 1, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8}, {0x80, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1},
		{0xc0, 29, 8, 4, 0, 0, 4, 1, 2, 3, 4}, {0xc0, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3}, {0xc0, 40, 10, 1, 0, 7, 0, 0, 0, 0, 0, 0, 1},
		{0xd0, 128, 0, 10, 0, 0, 0xfd, 0xe7, 0x40, 1, 1, 0, 0, 0},
	}
	n := hostileNode(t)
	c := bystander(t, n)
	rng := rand.New(rand.NewPCG(4, 2))
	for _, fourOctets := range []bool{true, false} {
		p := dial(t, n, fourOctets)
		path := path2
		if fourOctets {
			path = path4
		}
		for range mutations {
			attributes := [][]byte{origin, path, nextHop}
			for range rng.IntN(5) {
				attributes = append(attributes, rest[rng.IntN(len(rest))])
			}
			rng.Shuffle(len(attributes), func(i, j int) { attributes[i], attributes[j] = attributes[j], attributes[i] })
			if _, err := p.conn.Write(message(2, mutate(rng, update(victim, attributes...)))); err != nil {
				p.conn.Close()
				<-p.gone
				p = dial(t, n, fourOctets)
			}
		}
		p.conn.Close()
		p = dial(t, n, fourOctets)
		p.alive(n, origin, path, nextHop)
		p.conn.Close()
		for _, f := range families {
			for _, to := range []netip.Addr{{}, c.addr} {
				if _, err := n.List(Table{Family: f, Neighbor: to, View: Sent}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	c.becomes(n, "up")
}

// mutate changes some octets, mostly behind the lengths, so that much of it gets to
// the attributes' decoders.
func mutate(rng *rand.Rand, b []byte) []byte {
	for range 1 + rng.IntN(3) {
		i := 4 + rng.IntN(len(b)-4)
		if rng.IntN(20) == 0 {
			i = rng.IntN(4)
		}
		switch rng.IntN(3) {
		case 0:
			b[i] = byte(rng.Uint32())
		case 1:
			b[i] += byte(1 - 2*rng.IntN(2))
		case 2:
			b[i] = [...]byte{0, 1, 0x7f, 0x80, 0xff}[rng.IntN(5)]
		}
	}
	return b
}

// mutations is the number of messages for each kind of peer.
const mutations = 100
