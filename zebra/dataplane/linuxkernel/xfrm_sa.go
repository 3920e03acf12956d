package linuxkernel

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
)

var ciphers = [...]algorithm{
	rib.AESCBC:           {"cbc(aes)", 0},
	rib.AESGCM16:         {"rfc4106(gcm(aes))", 128},
	rib.ChaCha20Poly1305: {"rfc7539esp(chacha20,poly1305)", 128},
}

var integrities = [...]algorithm{
	rib.HMACSHA1x96:    {"hmac(sha1)", 96},
	rib.HMACSHA256x128: {"hmac(sha256)", 128},
	rib.HMACSHA384x192: {"hmac(sha384)", 192},
	rib.HMACSHA512x256: {"hmac(sha512)", 256},
}

// xfrmAddr appends an xfrm_address_t.
func xfrmAddr(e *encoder, a netip.Addr) {
	if a.IsValid() {
		e.address(a)
	}
	if !a.Is6() {
		e.raw(make([]byte, 12)...)
		if !a.IsValid() {
			e.raw(0, 0, 0, 0)
		}
	}
}

func beBytes32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

// xfrmSelector appends a struct xfrm_selector for a protocol between two prefixes.
func xfrmSelector(e *encoder, src, dst netip.Prefix, protocol uint8) {
	xfrmAddr(e, dst.Addr())
	xfrmAddr(e, src.Addr())
	e.raw(make([]byte, 8)...) // ports
	e.b = native.AppendUint16(e.b, uint16(family(dst.Addr())))
	e.raw(uint8(dst.Bits()), uint8(src.Bits()), protocol, 0, 0, 0)
	e.raw(make([]byte, 8)...) // interface, user
}

// hostPrefix is the prefix of one address.
func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// limits appends a struct xfrm_lifetime_cfg.
func limits(e *encoder, l rib.Lifetime) {
	raw64 := func(v uint64) { e.b = native.AppendUint64(e.b, v) }
	for _, v := range []uint64{l.SoftBytes, l.HardBytes, l.SoftPackets, l.HardPackets} {
		if v == 0 {
			v = xfrmLimitMax
		}
		raw64(v)
	}
	raw64(l.SoftTime)
	raw64(l.HardTime)
	raw64(0) // since the first use
	raw64(0)
}

// exits reports whether packets of a guarded tunnel over IPv6 leave by an SA. Such a one
// has to be found without their source (see exit6), and so is without one itself; in its
// place stands, in the selector, an address of which no bit counts.
func (p *Provider) exits(s dataplane.SA) bool {
	guard := dataplane.Guard(s.Source).Key()
	return s.Source.Is6() && len(p.those(func(k dataplane.Key) bool { return k == guard })) > 0
}

// saMessage appends a struct xfrm_usersa_info and its attributes.
func saMessage(e *encoder, s dataplane.SA, exit bool) {
	source, destination, from, mode := hostPrefix(s.Source), hostPrefix(s.Destination), s.Source, uint8(xfrmTransport)
	switch {
	case exit:
		source, from = netip.PrefixFrom(s.Source, 0), exit6.Local
	case s.SourceAlias.IsValid():
		source, mode = hostPrefix(s.SourceAlias), xfrmBEET
	case s.DestinationAlias.IsValid():
		destination, mode = hostPrefix(s.DestinationAlias), xfrmBEET
	}
	xfrmSelector(e, source, destination, s.Protocol)
	xfrmAddr(e, s.Destination) // struct xfrm_id
	e.raw(beBytes32(s.SPI)...)
	e.raw(protoESP, 0, 0, 0)
	xfrmAddr(e, from)
	limits(e, s.Lifetime)
	e.raw(make([]byte, 32+12+4)...) // what it counted, sequence number of an acquire
	e.raw32(reqid)
	e.b = native.AppendUint16(e.b, uint16(family(s.Destination)))
	var flags uint8
	if s.ESN {
		flags = xfrmESN
	}
	e.raw(mode, 0, flags) // the window is an attribute
	e.raw(make([]byte, 7)...)
	saAlgorithms(e, s)
	if s.UDP != (rib.UDPEncap{}) {
		v := native.AppendUint16(nil, udpEncapESP)
		v = binary.BigEndian.AppendUint16(v, s.UDP.Source)
		v = binary.BigEndian.AppendUint16(v, s.UDP.Destination)
		e.bytes(xfrmaEncap, append(v, make([]byte, 18)...))
		e.u32(xfrmaMappingAge, mappingAge)
	}
	words := (s.Window + 31) / 32
	v := native.AppendUint32(nil, words)
	v = append(v, make([]byte, 16)...) // sequence numbers
	v = native.AppendUint32(v, s.Window)
	e.bytes(xfrmaReplayESN, append(v, make([]byte, 4*words)...))
}

// saAlgorithms appends the algorithms with their keys.
func saAlgorithms(e *encoder, s dataplane.SA) {
	key := s.CipherKey.Reveal()
	name := func(a algorithm, keyLen int) []byte {
		v := append(make([]byte, 0, algoNameLen+8+keyLen), a.name...)
		v = append(v, make([]byte, algoNameLen-len(v))...)
		return native.AppendUint32(v, uint32(8*keyLen))
	}
	cipher := ciphers[s.Cipher]
	if s.Integrity == rib.IntegrityNone {
		v := native.AppendUint32(name(cipher, len(key)), cipher.bits)
		e.bytes(xfrmaAEAD, append(v, key...))
		return
	}
	e.bytes(xfrmaCrypt, append(name(cipher, len(key)), key...))
	auth, a := s.IntegrityKey.Reveal(), integrities[s.Integrity]
	v := native.AppendUint32(name(a, len(auth)), a.bits)
	e.bytes(xfrmaAuthTrunc, append(v, auth...))
}

// saID appends a struct xfrm_usersa_id.
func saID(e *encoder, k dataplane.Key) {
	a := k.Prefix.Addr()
	xfrmAddr(e, a)
	e.raw(beBytes32(k.Table)...)
	e.b = native.AppendUint16(e.b, uint16(family(a)))
	e.raw(protoESP, 0)
}

// getXfrmAddr reads an xfrm_address_t.
func getXfrmAddr(b []byte, fam uint16) netip.Addr {
	if fam == unix.AF_INET {
		return getAddr(b[:4])
	}
	return getAddr(b[:16])
}

// xfrmState is an SA as read from the kernel.
type xfrmState struct {
	dataplane.SA
	reqid uint32
	alien bool // it is something that we do not make
}

// parseState reads a struct xfrm_usersa_info and the attributes behind it. ok is false
// if it is not of ESP, or not there yet.
func parseState(b []byte) (s xfrmState, ok bool) {
	if len(b) < saLen {
		return s, false
	}
	fam := native.Uint16(b[212:])
	if b[76] != protoESP || fam != unix.AF_INET && fam != unix.AF_INET6 {
		return s, false
	}
	s.Destination, s.Source = getXfrmAddr(b[56:], fam), getXfrmAddr(b[80:], fam)
	if s.Source == exit6.Local {
		s.Source = getXfrmAddr(b[16:], fam)
	}
	s.SPI, s.Protocol, s.reqid = getBE32(b[72:]), b[44], native.Uint32(b[208:])
	s.ESN = b[216]&xfrmESN != 0
	s.alien = !s.mode(b)
	s.Window = uint32(b[215])
	s.Lifetime = parseLimits(b[96:])
	s.Count = rib.SACount{
		Bytes: native.Uint64(b[160:]), Packets: native.Uint64(b[168:]), Added: native.Uint64(b[176:]), Used: native.Uint64(b[184:]),
		Late: native.Uint32(b[192:]), Replayed: native.Uint32(b[196:]), Failed: native.Uint32(b[200:]),
	}
	for typ, v := range attrs(b[saLen:]) {
		s.attr(typ, v)
	}
	s.alien = s.alien || s.Cipher == 0
	return s, s.SPI != 0
}

// mode takes in the aliases, which BEET mode has in the selector. It returns false for
// another mode, and for a selector that we do not make.
func (s *xfrmState) mode(b []byte) bool {
	if b[214] != xfrmBEET {
		return b[214] == xfrmTransport
	}
	fam := native.Uint16(b[40:])
	if fam != unix.AF_INET || b[42] != 32 || b[43] != 32 {
		return false
	}
	to, from := getXfrmAddr(b, fam), getXfrmAddr(b[16:], fam)
	if from != s.Source {
		s.SourceAlias = from
	}
	if to != s.Destination {
		s.DestinationAlias = to
	}
	return s.SourceAlias.IsValid() != s.DestinationAlias.IsValid()
}

func parseLimits(b []byte) rib.Lifetime {
	n := func(i int) uint64 {
		v := native.Uint64(b[8*i:])
		if v == xfrmLimitMax {
			return 0
		}
		return v
	}
	return rib.Lifetime{SoftBytes: n(0), HardBytes: n(1), SoftPackets: n(2), HardPackets: n(3), SoftTime: n(4), HardTime: n(5)}
}

// attr takes in an attribute.
func (s *xfrmState) attr(typ uint16, v []byte) {
	switch typ {
	case xfrmaAEAD:
		name, key := parseAlgorithm(v, 8)
		s.CipherKey = key
		s.Cipher = find[rib.Cipher](ciphers[:], name)
	case xfrmaCrypt:
		name, key := parseAlgorithm(v, 4)
		s.CipherKey = key
		s.Cipher = find[rib.Cipher](ciphers[:], name)
	case xfrmaAuthTrunc:
		name, key := parseAlgorithm(v, 8)
		s.IntegrityKey = key
		s.Integrity = find[rib.Integrity](integrities[:], name)
		s.alien = s.alien || s.Integrity == rib.IntegrityNone
	case xfrmaEncap:
		if len(v) >= 6 {
			s.UDP = rib.UDPEncap{Source: getBE16(v[2:]), Destination: getBE16(v[4:])}
		}
	case xfrmaReplayESN:
		if len(v) >= replayESNLen {
			s.Window = native.Uint32(v[20:])
		}
	}
}

// parseAlgorithm reads a name and the key behind a header of some bytes more. A key of
// zeros is none: so a kernel that is locked down hides it.
func parseAlgorithm(v []byte, header int) (name string, key rib.Secret) {
	if len(v) < algoNameLen+header {
		return "", rib.Secret{}
	}
	n := int(native.Uint32(v[algoNameLen:]) / 8)
	rest := v[algoNameLen+header:]
	if n > len(rest) {
		return "", rib.Secret{}
	}
	for _, b := range rest[:n] {
		if b != 0 {
			return getText(v[:algoNameLen]), rib.NewSecret(rest[:n])
		}
	}
	return getText(v[:algoNameLen]), rib.Secret{}
}

// find looks an algorithm up by its kernel name; 0 if there is none.
func find[A ~uint8](table []algorithm, name string) A {
	return A(max(0, slices.IndexFunc(table, func(a algorithm) bool { return a.name == name && name != "" })))
}

// state reads an SA from the kernel; nil if it is not there.
func (p *Provider) state(k dataplane.Key) (s *xfrmState, err error) {
	err = p.x.get(xfrmGetSA, 0, func(e *encoder) { saID(e, k) }, func(m message) {
		if got, ok := parseState(m.data); ok && m.typ == xfrmNewSA && got.Key() == k {
			s = &got
		}
	})
	if is(err, unix.ESRCH) {
		err = nil
	}
	return s, err
}

// ownState is state for SAs of ours; another's is an error.
func (p *Provider) ownState(k dataplane.Key) (*dataplane.SA, error) {
	s, err := p.state(k)
	switch {
	case err != nil || s == nil:
		return nil, err
	case s.reqid != reqid || s.alien:
		return nil, fmt.Errorf("somebody else has an SA there: %w", unix.EEXIST)
	}
	return &s.SA, nil
}

func (p *Provider) putSA(o dataplane.SA) error {
	if err := o.Check(); err != nil {
		return err
	}
	if p.noESP != nil {
		return fmt.Errorf("%v: %w: %w", o.Key(), p.noESP, dataplane.ErrUnsupported)
	}
	have, err := p.ownState(o.Key())
	if err != nil {
		return fmt.Errorf("%v: %w", o.Key(), err)
	}
	step, err := o.Step(have)
	if err != nil || step == dataplane.SAStays {
		return err
	}
	typ := uint16(xfrmNewSA)
	switch step {
	case dataplane.SAReplaced:
		err = p.dropSA(o.Key())
	case dataplane.SAChanged:
		typ = xfrmUpdSA
		if o.Keyless() {
			o.CipherKey, o.IntegrityKey = have.CipherKey, have.IntegrityKey
		}
	}
	if err == nil {
		err = p.x.do(typ, 0, func(e *encoder) { saMessage(e, o, p.exits(o)) })
	}
	if is(err, unix.EEXIST) { // its answer was lost, and it was sent again
		if have, herr := p.ownState(o.Key()); herr == nil && have != nil && dataplane.Satisfied(o, *have) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("%v: %w", o.Key(), err)
	}
	return nil
}

func (p *Provider) dropSA(k dataplane.Key) error {
	err := p.x.do(xfrmDelSA, 0, func(e *encoder) { saID(e, k) })
	if is(err, unix.ESRCH) {
		return nil
	}
	return err
}

func (p *Provider) deleteSA(k dataplane.Key) error {
	if p.noESP != nil {
		return nil
	}
	s, err := p.state(k)
	if err == nil && s != nil && s.reqid == reqid && !s.alien {
		err = p.dropSA(k)
	}
	if err != nil {
		return fmt.Errorf("%v: %w", k, err)
	}
	return nil
}

// dumpSAs yields the SAs.
func (p *Provider) dumpSAs(ctx context.Context, yield func(dataplane.Object, error) bool) {
	if p.noESP != nil {
		return
	}
	chunks, err := p.dumpRaw(ctx, unix.NETLINK_XFRM, xfrmGetSA, encodeNothing)
	if err != nil {
		yield(nil, fmt.Errorf("reading security associations: %w", err))
		return
	}
	for _, c := range chunks {
		for m := range messages(c) {
			if o, ok := stateObject(m); ok && !yield(o, nil) {
				return
			}
		}
	}
}

// stateObject reads a message of a dump.
func stateObject(m message) (dataplane.Object, bool) {
	s, ok := parseState(m.data)
	return s.SA, ok && m.typ == xfrmNewSA && s.reqid == reqid && !s.alien
}
