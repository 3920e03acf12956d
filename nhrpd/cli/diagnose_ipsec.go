package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// session returns how the peer is secured; ok is false if nobody asked for that.
func (t target) session() (s core.Session, ok bool) {
	at := slices.IndexFunc(t.iface.Sessions, func(s core.Session) bool { return s.NBMA == t.nbma })
	if at < 0 {
		return s, false
	}
	return t.iface.Sessions[at], true
}

func (t target) secured() bool {
	s, _ := t.session()
	return s.Security == protection.Up
}

// unsecured reports whether packets ought to pass to the peer encrypted, and do not.
func (t target) unsecured() bool { return t.iface.Protection != "" && t.nbma.IsValid() && !t.secured() }

// carrier names what of the underlay has to be let through.
func (t target) carrier() string {
	if t.iface.Protection != "" {
		return "ESP (IP protocol 50; behind a NAT UDP port 4500)"
	}
	return "IP protocol 47"
}

// hints say where to look, by words of what ipsecd says. Of several that are found in it
// the first counts.
var hints = []struct{ word, hint string }{
	{"NO PROPOSAL CHOSEN", "no proposal is common to both ends: compare \"crypto ikev2 proposal\""},
	{"INVALID KE", "the ends have no group in common: compare \"group\" of \"crypto ikev2 proposal\" and \"set pfs\""},
	{"TS UNACCEPTABLE", "the other end has no protected tunnel between these addresses: is \"tunnel protection\" there, and its tunnel source the address that this end sends to?"},
	{"AUTHENTICATION FAILED", "the other end does not accept who this router is: are keys and identities the same in both keyrings, and does a profile there match?"},
	{"authentication failed", "the other end does not prove who it is: is its key the one of this router's keyring, or its certificate of a trustpoint here?"},
	{"no pre-shared key", "the keyring of the profile has no key for this peer: see \"crypto ikev2 keyring\""},
	{"no IPsec profile", "there is none of the name that \"tunnel protection\" has: see \"show crypto ipsec profile\""},
	{"no IKEv2 profile", "no \"crypto ikev2 profile\" matches the peer: see \"match identity remote\" and \"set ikev2-profile\""},
	{"no transform set", "the IPsec profile has no transform set: see \"set transform-set\""},
	{"no answer", "is UDP port 500 (behind a NAT 4500) let through both ways, and does IKEv2 run at the other end, with \"tunnel protection\"?"},
	{"responder only", "this end waits to be asked: the other one has to begin (\"responder-only\" in the profile)"},
	{"key exchange", "the ends do not agree on a group: compare \"group\" of \"crypto ikev2 proposal\""},
	{"malformed", "the other end's answer cannot be read: see \"debug crypto ikev2 error\""},
	{"peer is dead", "it answers no probe any more: is the underlay between them broken, or the other end down?"},
	{"cleared", "somebody entered \"clear crypto\"; it comes back by itself"},
	{"deleted by the peer", "the other end took it down: see there"},
}

// hint says where to look for a reason of ipsecd's.
func hint(reason string) string {
	plain := strings.NewReplacer("_", " ").Replace(reason)
	for _, h := range hints {
		if strings.Contains(plain, h.word) {
			return ": " + h.hint
		}
	}
	return ""
}

// ikeLayer judges the IKE SA.
func (t target) ikeLayer() Layer {
	const name = "IKE"
	s, ok := t.session()
	since := cli.Duration(s.Since)
	switch {
	case !t.nbma.IsValid():
		return Layer{name, VerdictUnknown, "the NBMA address is not known"}
	case !ok:
		return Layer{name, VerdictUnknown, fmt.Sprintf("nothing asks for %v to be secured", t.nbma)}
	case s.Security == 0:
		return Layer{name, VerdictFails, fmt.Sprintf("ipsecd says nothing of %v, asked for %s ago: does it run (\"show daemons\"), and is there the profile %q?", t.nbma, since, t.iface.Protection)}
	case s.Security == protection.IKE || s.Security == protection.Lost:
		said := fmt.Sprintf("there is no IKE SA with %v, for %s", t.nbma, since)
		if s.Reason == "" {
			if s.Wanted && s.Security == protection.IKE {
				return Layer{name, VerdictUnknown, fmt.Sprintf("IKE with %v is being negotiated, for %s", t.nbma, since)}
			}
			return Layer{name, VerdictFails, said}
		}
		return Layer{name, VerdictFails, said + ": " + s.Reason + hint(s.Reason)}
	}
	said := fmt.Sprintf("an IKE SA with %v", t.nbma)
	if s.Identity != "" {
		said += fmt.Sprintf(", which is %q", s.Identity)
	}
	return Layer{name, VerdictOK, said}
}

// ipsecLayer judges the child SA.
func (t target) ipsecLayer() Layer {
	const name = "IPsec"
	s, _ := t.session()
	since := cli.Duration(s.Since)
	switch {
	case s.Security == protection.Up:
		return Layer{name, VerdictOK, fmt.Sprintf("GRE passes encrypted for %s, by profile %q", since, t.iface.Protection)}
	case s.Security != protection.IPsec:
		return Layer{name, VerdictUnknown, "waits for IKE"}
	}
	said := fmt.Sprintf("there is no SA for GRE with %v, for %s", t.nbma, since)
	if s.Reason == "" {
		return Layer{name, VerdictUnknown, said}
	}
	if strings.Contains(s.Reason, "NO_PROPOSAL_CHOSEN") {
		return Layer{name, VerdictFails, said + ": " + s.Reason + ": no proposal is common to both ends: compare \"crypto ipsec transform-set\" and \"set pfs\", and has the other end the IPsec profile that its tunnel names?"}
	}
	return Layer{name, VerdictFails, said + ": " + s.Reason + hint(s.Reason)}
}
