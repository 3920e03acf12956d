package cli

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// proposal reads `crypto ikev2 proposal`.
func (r *reader) proposal(block *conf.Node) {
	p := core.Proposal{Name: block.Args.String("name")}
	r.inside(block, func(n *conf.Node) string {
		a := n.Args
		switch n.ID {
		case CmdEncryption:
			if p.Encryption = values(ikeCiphers, a.Strings("cipher")); mixed(p.Encryption) {
				return "ciphers with integrity of their own and without it stand in proposals of their own (RFC 7296 section 3.3)"
			}
			return twice(a.Strings("cipher"))
		case CmdIntegrity:
			for _, h := range values(hashes, a.Strings("hash")) {
				p.Integrity = append(p.Integrity, h.integrity)
			}
			if aead(p.Encryption) {
				return "the ciphers have integrity of their own: the line is prf"
			}
			return twice(a.Strings("hash"))
		case CmdPRF:
			for _, h := range values(hashes, a.Strings("hash")) {
				p.PRF = append(p.PRF, h.prf)
			}
			return twice(a.Strings("hash"))
		case CmdGroup:
			p.Groups = values(groups, a.Strings("number"))
			return twice(a.Strings("number"))
		case CmdPQC:
			p.Additional = readPQC(a)
			return twice(a.Strings("kem"))
		}
		return ""
	})
	r.cfg.Proposals = append(r.cfg.Proposals, p)
}

// readPQC reads pqcOf: one additional key exchange by any of the methods.
func readPQC(a cli.Args) []proposal.Additional {
	kem := values(kems, a.Strings("kem"))
	if kem == nil {
		return nil
	}
	return []proposal.Additional{{Groups: kem, Optional: a.Has("optional")}}
}

// aead reports whether the first cipher has integrity of its own.
func aead(ciphers []packet.Transform) bool { return len(ciphers) > 0 && suite.AEAD(ciphers[0].ID) }

// mixed reports whether only some ciphers have integrity of their own.
func mixed(ciphers []packet.Transform) bool {
	return slices.ContainsFunc(ciphers, func(t packet.Transform) bool { return suite.AEAD(t.ID) != aead(ciphers) })
}

// policy reads `crypto ikev2 policy`.
func (r *reader) policy(block *conf.Node) {
	p := core.Policy{Name: block.Args.String("name")}
	r.inside(block, func(n *conf.Node) string {
		switch n.ID {
		case CmdMatchFVRF:
			p.FVRF, p.AnyFVRF = n.Args.String("vrf"), n.Args.Has("any")
		case CmdMatchLocal:
			p.Locals = append(p.Locals, n.Args.Addr("addr"))
			return badAddress(n.Args.Addr("addr"))
		case CmdUseProposal:
			p.Proposals = append(p.Proposals, n.Args.String("name"))
			if len(p.Proposals) > packet.MaxProposals {
				return fmt.Sprintf("there are more than %d proposals", packet.MaxProposals)
			}
		}
		return ""
	})
	r.cfg.Policies = append(r.cfg.Policies, p)
}

// badAddress says why an address cannot be that of an end.
func badAddress(a netip.Addr) string {
	if a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return a.String() + " is not the address of a router"
	}
	return ""
}

// keyring reads `crypto ikev2 keyring`.
func (r *reader) keyring(block *conf.Node) {
	k := core.Keyring{Name: block.Args.String("name")}
	for _, n := range block.Nodes {
		if n.ID != CmdPeer {
			r.refuse(whyRefused(n.ID), block.Key, n.Key)
			continue
		}
		k.Peers = append(k.Peers, r.peer(n, block.Key))
	}
	r.cfg.Keyrings = append(r.cfg.Keyrings, k)
}

func (r *reader) peer(block *conf.Node, path ...string) core.KeyringPeer {
	p := core.KeyringPeer{Name: block.Args.String("name")}
	both := slices.ContainsFunc(block.Nodes, func(n *conf.Node) bool { return n.ID == CmdPreSharedKey && n.Args.String("side") == "" })
	r.inside(block, func(n *conf.Node) (msg string) {
		a := n.Args
		switch n.ID {
		case CmdPeerAddress:
			p.Address, msg = readPattern(a)
		case CmdPeerIdentity:
			if p.Identity = readIdentity(a); p.Address.IsValid() {
				return "the peer is known by its address: an identity is for another peer"
			}
			msg = badIdentity(p.Identity)
		case CmdPreSharedKey:
			msg = readPeerKey(&p, a, both)
		}
		return msg
	}, path...)
	return p
}

// maxKey is the longest pre-shared key, in bytes.
const maxKey = 512

// readPeerKey takes a key of a peer; both says that there is one for both ends.
func readPeerKey(p *core.KeyringPeer, a cli.Args, both bool) string {
	s, msg := policy.ReadSecret(a, maxKey)
	side := a.String("side")
	if text := a.String("secret"); side == "" && !a.Has("type") && (text == "local" || text == "remote") {
		msg = "the key is missing; one that is " + text + " is entered as 0 " + text
	}
	if msg == "" && both && side != "" {
		msg = "there is a key for both ends: no pre-shared-key takes it away"
	}
	if side != "remote" {
		p.Local = s
	}
	if side != "local" {
		p.Remote = s
	}
	return msg
}

// readPattern reads an address, or all of a prefix.
func readPattern(a cli.Args) (netip.Prefix, string) {
	switch {
	case a.Has("prefix"):
		return a.Prefix("prefix"), ""
	case a.Has("addr6"):
		return netip.PrefixFrom(a.Addr("addr6"), 128), ""
	case a.Has("mask"):
		p, ok := a.MaskedPrefix("addr", "mask")
		if !ok || p != p.Masked() {
			return p.Masked(), "the address has bits outside of its mask"
		}
		return p, ""
	}
	if addr := a.Addr("addr"); !addr.IsUnspecified() {
		return netip.PrefixFrom(addr, 32), ""
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0), "" // `address 0.0.0.0`: everybody, as on IOS
}

// kinds are the words of identities.
var kinds = []word[core.IdentityKind]{{"fqdn", core.IdentityFQDN, ""}, {"email", core.IdentityEmail, ""}, {"key-id", core.IdentityKeyID, ""}}

// readIdentity reads an identity, or a pattern of some but for those of addresses.
func readIdentity(a cli.Args) core.Identity {
	switch {
	case a.Has("any"):
		return core.Identity{Kind: core.IdentityAny}
	case a.Has("dn"):
		return core.Identity{Kind: core.IdentityDN}
	case a.Has("addr"):
		return core.Identity{Kind: core.IdentityAddress, Prefix: netip.PrefixFrom(a.Addr("addr"), a.Addr("addr").BitLen())}
	}
	return core.Identity{Kind: value(kinds, a.String("kind")), Name: a.String("value"), Domain: a.Has("domain")}
}

func badIdentity(id core.Identity) string {
	if id.Kind == core.IdentityAddress {
		return badAddress(id.Prefix.Addr())
	}
	return ""
}
