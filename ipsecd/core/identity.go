package core

import (
	"net/netip"
	"strings"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// maxIdentity bounds identities of peers that are accepted, in octets.
const maxIdentity = 256

func addressIdentity(a netip.Addr) Identity {
	return Identity{Kind: IdentityAddress, Prefix: netip.PrefixFrom(a, a.BitLen())}
}

// identityOf reads an identity (RFC 7296 section 3.5). ok is false for kinds that are not
// supported.
func identityOf(id *packet.ID) (out Identity, ok bool) {
	if n := len(id.Data); n == 0 || n > maxIdentity && (id.Kind != packet.IDDERASN1DN || n > maxDN) {
		return out, false
	}
	switch id.Kind {
	case packet.IDIPv4Addr, packet.IDIPv6Addr:
		a, ok := netip.AddrFromSlice(id.Data)
		return addressIdentity(a), ok
	case packet.IDFQDN:
		return Identity{Kind: IdentityFQDN, Name: string(id.Data)}, true
	case packet.IDRFC822:
		return Identity{Kind: IdentityEmail, Name: string(id.Data)}, true
	case packet.IDKeyID:
		return Identity{Kind: IdentityKeyID, Name: string(id.Data)}, true
	case packet.IDDERASN1DN:
		return dnIdentity(id.Data)
	}
	return out, false
}

// dnIdentity is a distinguished name; ok is false if der is none.
func dnIdentity(der []byte) (out Identity, ok bool) {
	name, ok := dnName(der)
	return Identity{Kind: IdentityDN, Name: name, DER: string(der)}, ok
}

// payload writes an identity.
func (i Identity) payload(responder bool) *packet.ID {
	id := &packet.ID{Responder: responder, Data: []byte(i.Name)}
	switch i.Kind {
	case IdentityFQDN:
		id.Kind = packet.IDFQDN
	case IdentityEmail:
		id.Kind = packet.IDRFC822
	case IdentityKeyID:
		id.Kind = packet.IDKeyID
	case IdentityDN:
		id.Kind, id.Data = packet.IDDERASN1DN, []byte(i.DER)
	default:
		id.Kind, id.Data = packet.IDIPv4Addr, i.Prefix.Addr().AsSlice()
		if i.Prefix.Addr().Is6() {
			id.Kind = packet.IDIPv6Addr
		}
	}
	return id
}

// matches reports whether an identity fits a pattern.
func (i Identity) matches(id Identity) bool {
	switch {
	case i.Kind == IdentityAny:
		return true
	case i.Kind != id.Kind:
		return false
	case i.Kind == IdentityAddress:
		return i.Prefix.Contains(id.Prefix.Addr())
	case i.Domain:
		name, domain := strings.ToLower(id.Name), strings.ToLower(i.Name)
		return strings.HasSuffix(name, "."+domain) || strings.HasSuffix(name, "@"+domain)
	case i.Kind == IdentityKeyID:
		return i.Name == id.Name
	}
	return strings.EqualFold(i.Name, id.Name)
}

// String shows an identity; what is not printable is quoted by who prints it.
func (i Identity) String() string {
	switch i.Kind {
	case IdentityNone:
		return ""
	case IdentityAddress:
		if i.Prefix.IsSingleIP() {
			return i.Prefix.Addr().String()
		}
		return i.Prefix.String()
	case IdentityAny:
		return "any"
	}
	return printable(i.Name)
}

// printable replaces what a peer might want to do to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// keys returns the pre-shared keys for a peer, by its identity if that is known, else by
// its address: the most specific entry of the profile's keyring, or the profile's own
// (RFC 7296 section 2.15). An empty key is nobody's.
func (c *Core) keys(p *Profile, remote netip.Addr, id Identity) (local, peer []byte) {
	local, peer = p.Key.Bytes(), p.RemoteKey.Bytes()
	ring := find(c.config.Keyrings, func(k *Keyring) bool { return k.Name == p.Keyring })
	if ring == nil {
		return local, peer
	}
	var best *KeyringPeer
	bits := -1
	for i := range ring.Peers {
		e := &ring.Peers[i]
		n := -1
		switch {
		case e.Identity.Kind != IdentityNone && id.Kind != IdentityNone && e.Identity.matches(id):
			n = 1000
			if e.Identity.Kind == IdentityAny || e.Identity.Domain {
				n = 0
			}
		case e.Address.IsValid() && e.Address.Contains(remote):
			n = e.Address.Bits()
		}
		if n > bits {
			best, bits = e, n
		}
	}
	if best == nil {
		return local, peer
	}
	return best.Local.Bytes(), best.Remote.Bytes()
}
