package cli

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// The lines about IPv6 are those about IPv4 with "ipv6" for "ip", and IDs of their
// own: CmdNetworkID becomes "nhrp6.network-id".
const prefix4, prefix6 = "nhrp.", "nhrp6."

// about4 is in the patterns of which there is one for each family.
const about4 = " ip nhrp"

// apart has the IDs of those of them that configure.
var apart = func() map[string]bool {
	ids := map[string]bool{}
	for _, c := range slices.Concat(configCommands(), optionCommands(), refusedCommands()) {
		ids[c.ID] = strings.Contains(" "+c.Pattern, about4)
	}
	return ids
}()

// sixth turns the patterns about IPv4 into those about IPv6. NBMA addresses are
// those of the tunnel's transport in both.
var sixth = strings.NewReplacer("addr:A.B.C.D [mask:MASK]", "{addr:X:X::X:X|prefix:X:X::X:X/M}",
	"addr:A.B.C.D", "addr:X:X::X:X", "PREFIX4", "PREFIX6")

// bothFamilies adds to every line about "ip nhrp" the one about "ipv6 nhrp".
func bothFamilies(commands []cli.Command) []cli.Command {
	all := slices.Clone(commands)
	for _, c := range commands {
		before, after, ok := strings.Cut(" "+c.Pattern, about4)
		if !ok {
			continue
		}
		c.ID = prefix6 + strings.TrimPrefix(c.ID, prefix4)
		c.Pattern = strings.TrimSpace(before + " ipv6 nhrp" + sixth.Replace(after))
		if at := slices.Index(c.Key, "mask"); at >= 0 {
			c.Key = slices.Clone(c.Key)
			c.Key[at] = "prefix"
		}
		c.Default = strings.Replace(c.Default, "ip nhrp", "ipv6 nhrp", 1)
		all = append(all, c)
	}
	return all
}

// Split takes the family out of an ID: "nhrp6.show" is ExecNHRP about IPv6. What is
// about no family in particular counts as about IPv4.
func Split(id string) (of string, family rib.Family) {
	if rest, ok := strings.CutPrefix(id, prefix6); ok {
		return prefix4 + rest, rib.IPv6
	}
	return id, rib.IPv4
}

// FamilyNamed returns the family that a word names, "ipv4" or "ipv6"; 0, both, for
// none.
func FamilyNamed(word string) rib.Family {
	return map[string]rib.Family{"ipv4": rib.IPv4, "ipv6": rib.IPv6}[word]
}

// concerns reports whether a line of the configuration is about a family: about one
// if each has its own, otherwise about both.
func concerns(n *conf.Node, family rib.Family) bool {
	id, of := Split(n.ID)
	return of == family || !apart[id]
}

// Target returns the protocol address of a line with its length: "addr" and "mask",
// or "prefix"; that of a station if there is no length. ok is false if there is no
// address.
func Target(a cli.Args) (p netip.Prefix, ok bool) {
	if p := a.Prefix("prefix"); p.IsValid() {
		return p, true
	}
	return a.MaskedPrefix("addr", "mask")
}
