package cli

import (
	"slices"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// methods are the words of `authentication`.
var methods = []word[core.Method]{{"pre-share", core.MethodPSK, ""}, {"rsa-sig", core.MethodRSA, ""}, {"ecdsa-sig", core.MethodECDSA, ""}, {"eddsa-sig", core.MethodEdDSA, ""}}

// profile reads `crypto ikev2 profile`.
func (r *reader) profile(block *conf.Node) {
	p := core.Profile{Name: block.Args.String("name")}
	var dn string // key of the line `identity local dn`
	r.inside(block, func(n *conf.Node) string {
		a := n.Args
		switch n.ID {
		case CmdMatchFVRF:
			p.FVRF, p.AnyFVRF = a.String("vrf"), a.Has("any")
		case CmdMatchRemote:
			return matchRemote(&p, n)
		case CmdIdentityLocal:
			if p.Identity = readIdentity(a); p.Identity.Kind == core.IdentityDN {
				dn = n.Key
			}
			return badIdentity(p.Identity)
		case CmdAuthLocal, CmdAuthRemote:
			return readAuthentication(&p, n)
		case CmdUseKeyring:
			p.Keyring = a.String("name")
		case CmdUseTrustpoint:
			p.Trustpoints = append(p.Trustpoints, a.String("name"))
		case CmdProfileDPD:
			p.DPD = readDPD(a)
		case CmdProfileLifetime:
			p.Lifetime = seconds(a)
		}
		return ""
	})
	if dn != "" && p.LocalMethod == core.MethodPSK {
		r.refuse("the name in the certificate is no identity where this end authenticates by a pre-shared key", block.Key, dn)
	}
	r.cfg.Profiles = append(r.cfg.Profiles, p)
}

// matchRemote takes `match identity remote`.
func matchRemote(p *core.Profile, n *conf.Node) (msg string) {
	a := n.Args
	id := readIdentity(a)
	if a.Has("addr") || a.Has("addr6") || a.Has("prefix") {
		id = core.Identity{Kind: core.IdentityAddress}
		id.Prefix, msg = readPattern(a)
	}
	if msg == "" && slices.Contains(p.Matches, id) {
		msg = "the same identity is there in another notation"
	}
	p.Matches = append(p.Matches, id)
	return msg
}

// readAuthentication takes `authentication local` and `authentication remote`.
func readAuthentication(p *core.Profile, n *conf.Node) (msg string) {
	method := value(methods, n.Args.String("method"))
	var key = &p.Key
	if n.ID == CmdAuthRemote {
		p.RemoteMethods, key = append(p.RemoteMethods, method), &p.RemoteKey
	} else {
		p.LocalMethod = method
	}
	if n.Args.Has("secret") {
		*key, msg = policy.ReadSecret(n.Args, maxKey)
	}
	return msg
}
