package cli

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// maxPassword is the longest password of HMAC-SHA-256, in bytes, as on IOS.
const maxPassword = 32

// line takes one line of an interface, in either mode; it returns what is wrong with it.
func (i *iface) line(n *conf.Node, path []string) string {
	a, c := n.Args, &i.cfg
	seconds := func() time.Duration { return time.Duration(a.Uint("seconds")) * time.Second }
	i.blame[n.ID] = path
	switch n.ID {
	case CmdIfEnable: // only whether the interface is named counts
	case CmdIfHello:
		c.Hello = seconds()
	case CmdIfHold:
		c.Hold = seconds()
	case CmdIfBandwidth:
		c.BandwidthPercent = int(a.Uint("percent"))
	case CmdIfPassive:
		c.Passive = !n.No
	case CmdIfShutdown:
		c.Shutdown = !n.No
	case CmdIfSplit:
		c.NoSplitHorizon = n.No
	case CmdIfNextHopSelf:
		if !n.No && a.Has("no-ecmp-mode") {
			return "no-ecmp-mode says how next hops are kept: no next-hop-self no-ecmp-mode"
		}
		c.NoNextHopSelf, c.NoECMPMode = n.No, n.No && a.Has("no-ecmp-mode")
	case CmdIfAddPaths:
		if c.AddPaths = int(a.Uint("paths")); c.AddPaths == 1 {
			c.AddPaths = 0 // as without the line
		}
	case CmdIfSummary:
		return i.summary(n)
	case CmdIfAuthMode:
		return i.authentication(n)
	case CmdIfAuthKeys:
		c.KeyChain = a.String("chain")
	default:
		return whyRefused(n.ID)
	}
	return ""
}

// summary reads a summary address. Its prefix has two notations, so that the same can
// be there twice.
func (i *iface) summary(n *conf.Node) string {
	p, msg := network(n)
	if msg != "" {
		return msg
	}
	if slices.ContainsFunc(i.cfg.Summaries, func(s core.Summary) bool { return s.Prefix == p }) {
		return p.String() + " is there already, in another notation"
	}
	// The list is that of this interface alone: no interface inherits summaries.
	i.cfg.Summaries = append(i.cfg.Summaries, core.Summary{Prefix: p, Distance: uint8(n.Args.Uint("distance")), LeakMap: n.Args.String("map")})
	return ""
}

// network reads the network of a line, by mask or by length.
func network(n *conf.Node) (p netip.Prefix, wrong string) {
	p = n.Args.Prefix("prefix")
	if !n.Args.Has("prefix") {
		p, _ = n.Args.MaskedPrefix("addr", "mask")
	}
	switch {
	case p != p.Masked():
		return p, fmt.Sprintf("%v has host bits set: the network is %v", p.Addr(), p.Masked())
	case p.Bits() > 0 && !routable(p.Addr()):
		return p, p.String() + " is not a network of routers"
	}
	return p, ""
}

// authentication reads `authentication mode`.
func (i *iface) authentication(n *conf.Node) string {
	a, c := n.Args, &i.cfg
	if !a.Has("secret") {
		c.Authentication, c.Password = core.AuthenticationMD5, policy.Secret{}
		return ""
	}
	secret, wrong := policy.ReadSecret(a, maxPassword)
	if wrong != "" {
		return wrong
	}
	c.Authentication, c.Password = core.AuthenticationSHA256, secret
	return ""
}

// algorithms are what the kinds of authentication are for a key.
var algorithms = map[core.Authentication]policy.Algorithm{core.AuthenticationMD5: policy.AlgorithmMD5, core.AuthenticationSHA256: policy.AlgorithmHMACSHA256}

// keys refuses a key chain of which a key is for another algorithm than that of the
// interface. Whether the chain exists is not asked: without one there is no key, and
// nothing is accepted.
func (r *reader) keys(i *iface) {
	chain, mode := r.set.KeyChain(i.cfg.KeyChain), algorithms[i.cfg.Authentication]
	line := i.blame[CmdIfAuthKeys]
	if line == nil { // the chain is that of all interfaces
		line = i.blame[CmdIfAuthMode]
	}
	if chain == nil || line == nil || mode == policy.AlgorithmDefault {
		return
	}
	for _, k := range chain.Keys {
		if k.Algorithm != policy.AlgorithmDefault && k.Algorithm != mode {
			r.refuse(fmt.Sprintf("key %d of key chain %s is for %v, but packets are authenticated by %v", k.ID, chain.Name, k.Algorithm, mode), line...)
		}
	}
}

// timers refuses a hold time that a line gives and that is not above the hello
// interval, and fills in one that no line gives.
func (r *reader) timers(i *iface) {
	hello, line := i.cfg.Hello, i.blame[CmdIfHold]
	if hello == 0 {
		hello = core.DefaultHello
	}
	if i.blame[CmdIfHello] != nil {
		line = i.blame[CmdIfHello]
	}
	if i.cfg.Hold > 0 && i.cfg.Hold <= hello && line != nil {
		r.refuse(fmt.Sprintf("neighbors would come and go: the hold time, %d seconds, is not above the hello interval, %d seconds: enter hold-time first if both are to rise",
			i.cfg.Hold/time.Second, hello/time.Second), line...)
	}
	i.cfg.Hold = holdFor(i.cfg)
}

// holdFor returns the hold time of an interface: three Hellos where no line gives it
// and the usual one would not exceed one.
func holdFor(c core.InterfaceConfig) time.Duration {
	if c.Hold == 0 && c.Hello >= core.DefaultHold {
		return min(3*c.Hello, maxHold)
	}
	return c.Hold
}

// maxHold is the longest hold time that a Hello can tell (RFC 7868 section 6.7.1).
const maxHold = 65535 * time.Second

// wrongFamily says what is wrong with the addresses of a line in a family.
func (in *instance) wrongFamily(n *conf.Node) string {
	v4 := in.cfg.Family == rib.IPv4
	for _, name := range []string{"addr", "prefix"} {
		if a := n.Args.Addr(name); a.IsValid() && a.Is4() != v4 {
			return fmt.Sprintf("%v is no address of IPv%d", a, in.cfg.Family)
		}
	}
	return ""
}

// routable reports whether an address can be that of a router, or of a network behind it.
func routable(a netip.Addr) bool {
	if a.Is4() {
		first := a.As4()[0]
		return first != 0 && first != 127 && first < 224
	}
	return a.IsValid() && !a.IsMulticast() && !a.IsLoopback() && !a.IsUnspecified()
}
