package linuxkernel

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

func everything() dataplane.SA {
	return dataplane.SA{ESP: rib.ESP{Source: netip.MustParseAddr("192.0.2.1"), Destination: netip.MustParseAddr("192.0.2.2"), SPI: 0xc0ffee00,
		Protocol: 47, Cipher: rib.AESCBC, CipherKey: rib.NewSecret([]byte("0123456789abcdef")),
		Integrity: rib.HMACSHA1x96, IntegrityKey: rib.NewSecret([]byte("0123456789abcdefghij")), ESN: true, Window: 1000,
		UDP:      rib.UDPEncap{Source: 4500, Destination: 40001},
		Lifetime: rib.Lifetime{SoftTime: 1, HardTime: 2, SoftBytes: 3, HardBytes: 4, SoftPackets: 5, HardPackets: 6}}}
}

// TestStateReadBack reads what was written: what the kernel keeps of it, dptest sees.
func TestStateReadBack(t *testing.T) {
	aead := everything()
	aead.Cipher, aead.Integrity, aead.IntegrityKey = rib.ChaCha20Poly1305, rib.IntegrityNone, rib.Secret{}
	aead.CipherKey = rib.NewSecret([]byte(strings.Repeat("k", 36)))
	six := everything()
	six.Source, six.Destination = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	in, out := everything(), everything()
	in.SourceAlias, out.DestinationAlias = netip.MustParseAddr("240.0.0.1"), netip.MustParseAddr("240.0.0.1")
	for _, want := range []dataplane.SA{everything(), aead, six, in, out} {
		var e encoder
		saMessage(&e, want, want.Source.Is6())
		have, ok := parseState(e.b)
		if !ok || have.alien || have.reqid != reqid {
			t.Fatalf("%+v", have)
		}
		if d := cmp.Diff(want, have.SA, cmpopts.EquateComparable(netip.Addr{}, rib.Secret{})); d != "" {
			t.Errorf("(-want +have):\n%s", d)
		}
	}
}

func TestPolicyReadBack(t *testing.T) {
	ends := map[uint8]int{xfrmOut: 28, xfrmIn: 0} // where the template has our address
	one := dataplane.Guard(netip.MustParseAddr("192.0.2.1"))
	one.Peer, one.Outer = netip.MustParsePrefix("240.0.0.1/32"), netip.MustParseAddr("203.0.113.7")
	for _, want := range []dataplane.Policy{dataplane.Guard(netip.MustParseAddr("192.0.2.1")), one, exit6} {
		for _, dir := range directions {
			if want == exit6 && dir == xfrmIn {
				continue
			}
			var e encoder
			policyMessage(&e, want, dir)
			have, d, ok := parsePolicy(e.b)
			if !ok || d != dir || have != want {
				t.Errorf("direction %d: %+v, wanted %+v", d, have, want)
			}
			for what, at := range map[string]int{"own end": policyLen + 4 + ends[dir], "optional": policyLen + 4 + 50, "another mode": policyLen + 4 + 48, "block": 161, "priority": 152, "SPI": policyLen + 4 + 16} {
				e.b[at] ^= 1
				if at == policyLen+4+ends[dir] && !want.Outer.IsValid() {
					continue
				}
				if have, _, _ := parsePolicy(e.b); !have.Outdated {
					t.Errorf("%s is taken for right", what)
				}
				e.b[at] ^= 1
			}
		}
	}
}

// FuzzParseXfrm feeds the parsers of notifications about SAs and policies: none may
// panic.
func FuzzParseXfrm(f *testing.F) {
	var e encoder
	for _, typ := range []uint16{xfrmNewSA, xfrmExpire} {
		start := e.begin(typ, 0, 1)
		saMessage(&e, everything(), false)
		e.end(start)
	}
	guard := dataplane.Guard(netip.MustParseAddr("192.0.2.1"))
	alias := guard
	alias.Peer, alias.Outer = netip.MustParsePrefix("240.0.0.1/32"), netip.MustParseAddr("203.0.113.7")
	for _, p := range []dataplane.Policy{guard, alias} {
		start := e.begin(xfrmNewPolicy, 0, 1)
		policyMessage(&e, p, xfrmOut)
		e.end(start)
	}
	for typ, n := range map[uint16]int{xfrmAcquire: acquireLen, xfrmMapping: mappingLen, xfrmDelSA: saIDLen, xfrmDelPolicy: policyIDLen} { // any order
		start := e.begin(typ, 0, 1)
		e.raw(make([]byte, n)...)
		e.bytes(xfrmaSA, make([]byte, saLen))
		e.bytes(xfrmaPolicy, make([]byte, policyLen))
		e.bytes(xfrmaTemplate, make([]byte, templateLen))
		e.end(start)
	}
	f.Add(e.b)
	events := make(chan dataplane.Event, 16)
	p := &Provider{x: &writer{sock: &socket{port: 7}}, events: events}
	f.Fuzz(func(_ *testing.T, b []byte) {
		for m := range messages(b) {
			p.notifyXfrm(m)
			stateObject(m)
			parsePolicy(m.data)
			for len(events) > 0 {
				<-events
			}
		}
	})
}
