package cli

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// Read turns ipsecd's part of the configuration, policies and `tunnel protection`
// included, into the core's. Trust points have what their files hold only after
// Files.Load. Lines that cannot be, or that contradict others, are returned; policy
// lines that contradict themselves are zebra's to refuse.
func Read(tree *conf.Tree) (core.Config, []Files, []plugin.LineError) {
	set, _ := policy.Read(tree)
	r := &reader{cfg: core.Config{Policy: set}}
	for _, n := range tree.Nodes {
		r.block(n)
	}
	c := &r.cfg
	c.Global.MaxIncoming = cmp.Or(c.Global.MaxIncoming, r.both)
	c.Global.MaxOutgoing = cmp.Or(c.Global.MaxOutgoing, r.both)
	sortByName(c.Proposals, func(p core.Proposal) string { return p.Name })
	sortByName(c.Policies, func(p core.Policy) string { return p.Name })
	sortByName(c.Keyrings, func(k core.Keyring) string { return k.Name })
	sortByName(c.Profiles, func(p core.Profile) string { return p.Name })
	sortByName(c.Transforms, func(t core.Transform) string { return t.Name })
	sortByName(c.IPsec, func(p core.IPsec) string { return p.Name })
	sortByName(c.Trustpoints, func(t core.Trustpoint) string { return t.Name })
	sortByName(c.Tunnels, func(p core.Protection) string { return p.Interface })
	sortByName(r.files, func(f Files) string { return f.Trustpoint })
	return r.cfg, r.files, r.errs
}

func sortByName[T any](list []T, name func(T) string) {
	slices.SortStableFunc(list, func(a, b T) int { return strings.Compare(name(a), name(b)) })
}

// reader collects the configuration and what is refused.
type reader struct {
	cfg   core.Config
	files []Files
	errs  []plugin.LineError
	both  int // limit of IKE SAs under negotiation in a direction without its own
}

func (r *reader) refuse(msg string, path ...string) {
	if msg != "" {
		r.errs = append(r.errs, plugin.LineError{Path: slices.Clone(path), Msg: msg})
	}
}

// block reads a line of the global configuration, with its block.
func (r *reader) block(n *conf.Node) {
	switch n.ID {
	case CmdProposal:
		r.proposal(n)
	case CmdPolicy:
		r.policy(n)
	case CmdKeyring:
		r.keyring(n)
	case CmdProfile:
		r.profile(n)
	case CmdTransform:
		r.transform(n)
	case CmdIPsec:
		r.ipsec(n)
	case CmdTrustpoint:
		r.trustpoint(n)
	default:
		if n.Enters == modeIf {
			r.iface(n)
			return
		}
		if n.Owner == Owner {
			r.refuse(r.global(n), n.Key)
			r.inside(n, func(line *conf.Node) string { return "" })
		}
	}
}

// inside reads the lines of a block; take returns what is wrong with a line.
func (r *reader) inside(block *conf.Node, take func(*conf.Node) string, path ...string) {
	path = append(slices.Clone(path), block.Key)
	for _, n := range block.Nodes {
		msg := whyRefused(n.ID)
		if msg == "" {
			msg = take(n)
		}
		r.refuse(msg, append(slices.Clone(path), n.Key)...)
	}
}

// global takes a line that is about everything.
func (r *reader) global(n *conf.Node) string {
	a, g := n.Args, &r.cfg.Global
	switch n.ID {
	case CmdLimitNegotiating:
		r.limit(a)
	case CmdLimitSAs:
		g.MaxSAs = int(a.Uint("count"))
	case CmdCookieChallenge:
		g.CookieChallenge = int(a.Uint("count"))
	case CmdGlobalDPD:
		g.DPD = readDPD(a)
	case CmdNATKeepalive:
		if g.NATKeepalive = seconds(a); n.No {
			g.NATKeepalive = -1
		}
	case CmdFragmentation:
		if g.Fragmentation = int(a.Uint("mtu")); n.No {
			g.Fragmentation = -1
		}
	case CmdLifetimeSeconds:
		g.Lifetime = seconds(a)
	case CmdLifetimeVolume:
		g.LifetimeBytes = a.Uint("kilobytes") << 10
	case CmdReplayWindow:
		g.ReplayWindow = readWindow(a)
	}
	return whyRefused(n.ID)
}

// limit takes `crypto ikev2 limit max-in-negotation-sa`. One without a direction is for
// what has none of its own.
func (r *reader) limit(a cli.Args) {
	count, g := int(a.Uint("count")), &r.cfg.Global
	switch a.String("direction") {
	case "incoming":
		g.MaxIncoming = count
	case "outgoing":
		g.MaxOutgoing = count
	default:
		r.both = count
	}
}

// iface takes the lines of an interface that ipsecd reads.
func (r *reader) iface(block *conf.Node) {
	for _, n := range block.Nodes {
		if n.ID == CmdProtection {
			r.cfg.Tunnels = append(r.cfg.Tunnels, core.Protection{Interface: block.Args.String("name"), Profile: n.Args.String("profile"),
				Shared: n.Args.Has("shared"), IKEv2: n.Args.String("ikev2")})
		}
	}
}

func seconds(a cli.Args) time.Duration { return time.Duration(a.Uint("seconds")) * time.Second }

func readDPD(a cli.Args) *core.DPD {
	return &core.DPD{Interval: time.Duration(a.Uint("interval")) * time.Second, Retry: time.Duration(a.Uint("retry")) * time.Second,
		Periodic: a.String("when") == "periodic"}
}

// readWindow reads windowOf.
func readWindow(a cli.Args) uint32 {
	n, _ := strconv.ParseUint(a.String("window"), 10, 32)
	return uint32(n)
}

// twice says which word of a list is there twice, "" if none is.
func twice(list []string) string {
	for i, w := range list {
		if slices.Contains(list[:i], w) {
			return w + " is there twice"
		}
	}
	return ""
}
