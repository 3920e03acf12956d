package cli

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// named returns those of a list that a command is about.
func named[T any](list []T, a cli.Args, name func(T) string) (out []T) {
	for _, v := range list {
		if !a.Has("name") || a.String("name") == name(v) {
			out = append(out, v)
		}
	}
	return out
}

// transformNames are the names of transforms of a type.
func transformNames(t packet.TransformType, ids []uint16) []string {
	out := []string{}
	for _, id := range ids {
		out = append(out, packet.Transform{Type: t, ID: id}.String())
	}
	return out
}

// ciphers are the names of ciphers with the length of their keys.
func ciphers(list []packet.Transform) []string {
	out := []string{}
	for _, t := range list {
		out = append(out, packet.Transform{Type: packet.Encryption, ID: t.ID, KeyLength: t.KeyLength}.String())
	}
	return out
}

// groupWords are the names of groups in `show crypto ikev2 proposal`.
var groupWords = map[packet.Group]string{packet.MODP2048: "DH_GROUP_2048_MODP", packet.MODP3072: "DH_GROUP_3072_MODP", packet.MODP4096: "DH_GROUP_4096_MODP",
	packet.ECP256: "DH_GROUP_256_ECP", packet.ECP384: "DH_GROUP_384_ECP", packet.ECP521: "DH_GROUP_521_ECP", packet.Curve25519: "DH_GROUP_X25519"}

func groupList(groups []packet.Group) []string {
	out := []string{}
	for _, g := range groups {
		out = append(out, fmt.Sprintf("%s/Group %d", nameOr(groupWords[g], g.String()), g))
	}
	return out
}

// additional is what there is of additional key exchanges: "ML-KEM-768 Optional".
func additional(list []proposal.Additional) string {
	var out []string
	for _, a := range list {
		text := groupNames(a.Groups, " ")
		if a.Optional {
			text += " Optional"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// showProposal is `show crypto ikev2 proposal`.
func showProposal(r *core.ConfigReport, a cli.Args) cli.Output {
	type proposalJSON struct {
		Name       string   `json:"name"`
		Encryption []string `json:"encryption"`
		Integrity  []string `json:"integrity"`
		PRF        []string `json:"prf"` // none: those of integrity
		Groups     []string `json:"groups"`
		Additional string   `json:"additionalKeyExchange"`
	}
	list := []proposalJSON{}
	for _, p := range named(r.Config.Proposals, a, func(p core.Proposal) string { return p.Name }) {
		list = append(list, proposalJSON{p.Name, ciphers(p.Encryption), transformNames(packet.Integrity, p.Integrity), transformNames(packet.PRF, p.PRF), groupList(p.Groups), additional(p.Additional)})
	}
	return cli.Output{JSON: map[string]any{"proposals": list}, Text: func(w io.Writer) {
		for _, p := range list {
			prf := p.PRF
			if len(prf) == 0 {
				for _, name := range p.Integrity {
					prf = append(prf, strings.Replace(name, "SHA96", "SHA1", 1))
				}
			}
			fmt.Fprintf(w, " IKEv2 proposal: %s\n     Encryption : %s\n     Integrity  : %s\n     PRF        : %s\n     DH Group   : %s\n", p.Name,
				strings.Join(p.Encryption, " "), nameOr(strings.Join(p.Integrity, " "), "none"), strings.Join(prf, " "), strings.Join(p.Groups, " "))
			if p.Additional != "" {
				fmt.Fprintln(w, "     PQC Key Exchange: "+p.Additional)
			}
		}
	}}
}

// fvrf is the word for a front-door VRF.
func fvrf(anyVRF bool, name string) string {
	if anyVRF {
		return "any"
	}
	return nameOr(name, "global")
}

// showPolicy is `show crypto ikev2 policy`.
func showPolicy(r *core.ConfigReport, a cli.Args) cli.Output {
	type policyJSON struct {
		Name      string       `json:"name"`
		FVRF      string       `json:"fvrf"`
		Locals    []netip.Addr `json:"locals"` // none: any
		Proposals []string     `json:"proposals"`
	}
	list := []policyJSON{}
	for _, p := range named(r.Config.Policies, a, func(p core.Policy) string { return p.Name }) {
		list = append(list, policyJSON{p.Name, fvrf(p.AnyFVRF, p.FVRF), append([]netip.Addr{}, p.Locals...), append([]string{}, p.Proposals...)})
	}
	return cli.Output{JSON: map[string]any{"policies": list}, Text: func(w io.Writer) {
		for _, p := range list {
			fmt.Fprintf(w, " IKEv2 policy : %s\n      Match fvrf : %s\n", p.Name, p.FVRF)
			for _, l := range p.Locals {
				fmt.Fprintf(w, "      Match address local : %v\n", l)
			}
			if len(p.Locals) == 0 {
				fmt.Fprintln(w, "      Match address local : any")
			}
			for _, name := range p.Proposals {
				fmt.Fprintln(w, "      Proposal    : "+name)
			}
		}
	}}
}

// identityText is an identity with the word of its kind, as in the configuration.
func identityText(i core.Identity) string {
	switch i.Kind {
	case core.IdentityNone:
		return "none"
	case core.IdentityAny:
		return "any"
	case core.IdentityDN:
		return "dn"
	case core.IdentityAddress:
		if i.Prefix.Addr().Is4() && !i.Prefix.IsSingleIP() {
			return fmt.Sprintf("address %v %s", i.Prefix.Addr(), mask(i.Prefix.Bits()))
		}
		return "address " + i.String()
	}
	word := map[core.IdentityKind]string{core.IdentityFQDN: "fqdn ", core.IdentityEmail: "email ", core.IdentityKeyID: "key-id "}[i.Kind]
	if i.Domain {
		word += "domain "
	}
	return word + i.String()
}

func mask(bits int) string {
	m := ^uint32(0) << (32 - bits)
	return netip.AddrFrom4([4]byte{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)}).String()
}

// methodWord is the word of a method in the configuration.
func methodWord(m core.Method) string {
	for _, w := range methods {
		if w.value == m {
			return w.word
		}
	}
	return "none"
}

// showProfile is `show crypto ikev2 profile`.
func showProfile(r *core.ConfigReport, a cli.Args) cli.Output {
	type profileJSON struct {
		Name          string   `json:"name"`
		FVRF          string   `json:"fvrf"`
		Matches       []string `json:"identities"`
		Identity      string   `json:"localIdentity"`
		LocalMethod   string   `json:"localMethod"`
		RemoteMethods []string `json:"remoteMethods"`
		Keyring       string   `json:"keyring"`
		Trustpoints   []string `json:"trustpoints"`
		Lifetime      int64    `json:"lifetimeSeconds"`
		DPD           string   `json:"dpd"`
	}
	list := []profileJSON{}
	for _, p := range named(r.Config.Profiles, a, func(p core.Profile) string { return p.Name }) {
		j := profileJSON{p.Name, fvrf(p.AnyFVRF, p.FVRF), []string{}, identityText(p.Identity), methodWord(p.LocalMethod), []string{}, p.Keyring, append([]string{}, p.Trustpoints...),
			seconds64(p.Lifetime), "disabled"}
		if p.Lifetime == 0 {
			j.Lifetime = seconds64(core.DefaultIKELifetime)
		}
		for _, m := range p.Matches {
			j.Matches = append(j.Matches, identityText(m))
		}
		for _, m := range p.RemoteMethods {
			j.RemoteMethods = append(j.RemoteMethods, methodWord(m))
		}
		d := p.DPD
		if d == nil {
			d = r.Config.Global.DPD
		}
		if d != nil {
			j.DPD = fmt.Sprintf("interval %d, retry-interval %d, %s", seconds64(d.Interval), seconds64(d.Retry), map[bool]string{true: "periodic", false: "on-demand"}[d.Periodic])
		}
		list = append(list, j)
	}
	return cli.Output{JSON: map[string]any{"profiles": list}, Text: func(w io.Writer) {
		for _, p := range list {
			fmt.Fprintf(w, "IKEv2 profile: %s\n Match criteria:\n  Fvrf: %s\n  Local address/interface: none\n  Identities:\n", p.Name, p.FVRF)
			for _, m := range p.Matches {
				fmt.Fprintln(w, "   "+m)
			}
			fmt.Fprintf(w, "  Certificate maps: none\n Local identity: %s\n Remote identity: none\n Local authentication method: %s\n Remote authentication method(s): %s\n", p.Identity, p.LocalMethod,
				nameOr(strings.Join(p.RemoteMethods, " "), "none"))
			fmt.Fprintf(w, " Keyring: %s\n Trustpoint(s): %s\n Lifetime: %d seconds\n DPD: %s\n", nameOr(p.Keyring, "none"), nameOr(strings.Join(p.Trustpoints, " "), "none"), p.Lifetime, p.DPD)
		}
	}}
}
