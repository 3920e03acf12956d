package cli

import (
	"fmt"

	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/ripd/core"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// Limits of RFC 2453 section 4.1 and RFC 4822 section 2.2.
const (
	maxPassword = 16  // bytes of a password that is sent as it is
	maxKeyID    = 255 // largest number of a key that is named in a packet
)

// algorithms are the words of `ip rip authentication mode`.
var algorithms = map[string]packet.Algorithm{
	"text": packet.SimplePassword, "md5": packet.KeyedMD5, "hmac-sha-1": packet.HMACSHA1,
	"hmac-sha-256": packet.HMACSHA256, "hmac-sha-384": packet.HMACSHA384, "hmac-sha-512": packet.HMACSHA512,
}

// readInterface reads RIP's lines of an interface; any is false if there are
// none.
func readInterface(block *conf.Node, set *policy.Set) (c core.InterfaceConfig, errs []plugin.LineError, any bool) {
	c.Name = block.Args.String("name")
	refuse := func(n *conf.Node, msg string) {
		errs = append(errs, plugin.LineError{Path: []string{block.Key, n.Key}, Msg: msg})
	}
	byID := map[string]*conf.Node{}
	for _, n := range block.Nodes {
		if n.Owner != Owner {
			continue
		}
		any = true
		byID[n.ID] = n
		if msg := interfaceLine(&c, n); msg != "" {
			refuse(n, msg)
		}
	}
	if n := byID[CmdIfPoison]; n != nil && byID[CmdIfSplitHorizon] != nil {
		refuse(n, "contradicts no ip split-horizon")
	}
	if n, msg := checkAuthentication(&c, byID, set); msg != "" {
		refuse(n, msg)
	}
	return c, errs, any
}

// interfaceLine takes one line; it returns what is wrong with it.
func interfaceLine(c *core.InterfaceConfig, n *conf.Node) string {
	a := n.Args
	switch n.ID {
	case CmdIfSend:
		c.Send = versions(n)
	case CmdIfReceive:
		c.Receive = versions(n)
	case CmdIfBroadcast:
		c.V2Broadcast = true
	case CmdIfNextHopSelf:
		c.NextHopSelf = true
	case CmdIfSplitHorizon:
		c.SplitHorizon = core.SplitHorizonOff
	case CmdIfPoison:
		c.SplitHorizon = core.SplitHorizonPoison
	case CmdIfAuthMode:
		c.Authentication = algorithms[a.String("mode")]
	case CmdIfAuthKeyChain:
		c.KeyChain = a.String("chain")
	case CmdIfAuthKeyString:
		var wrong string
		if c.KeyString, wrong = policy.ReadSecret(a, maxPassword); wrong != "" {
			return wrong
		}
	case CmdIfSummary:
		p, _ := a.MaskedPrefix("addr", "mask")
		if p != p.Masked() {
			return fmt.Sprintf("%v has host bits set: the network is %v", p.Addr(), p.Masked())
		}
		if !announceable(p) {
			return p.String() + " cannot be announced"
		}
		c.Summaries = append(c.Summaries, p)
	}
	return ""
}

// versions reads "1", "2" or "1 2".
func versions(n *conf.Node) (v core.Versions) {
	if n.Args.Has("1") {
		v |= core.Version1
	}
	if n.Args.Has("2") {
		v |= core.Version2
	}
	return v
}

// checkAuthentication settles what the authentication lines mean together. It
// returns the line that cannot be and why. A key without a mode is used as text,
// as on IOS. Whether a key chain exists is not asked: without one there is no
// key, and nothing is accepted.
func checkAuthentication(c *core.InterfaceConfig, byID map[string]*conf.Node, set *policy.Set) (*conf.Node, string) {
	chain, text := byID[CmdIfAuthKeyChain], byID[CmdIfAuthKeyString]
	if chain != nil && text != nil {
		return text, "contradicts ip rip authentication key-chain"
	}
	if byID[CmdIfAuthMode] == nil && (chain != nil || text != nil) {
		c.Authentication = packet.SimplePassword
	}
	keys := set.KeyChain(c.KeyChain)
	if chain == nil || keys == nil {
		return nil, ""
	}
	for _, k := range keys.Keys { // a key's own algorithm goes before the interface's
		text := k.Algorithm == policy.AlgorithmDefault && c.Authentication == packet.SimplePassword
		if text && len(k.Secret.Bytes()) > maxPassword {
			return chain, fmt.Sprintf("key %d of key chain %s is longer than the %d bytes of mode text", k.ID, keys.Name, maxPassword)
		}
		if k.ID > maxKeyID {
			return chain, fmt.Sprintf("key %d of key chain %s: RIP has key numbers up to %d", k.ID, keys.Name, maxKeyID)
		}
	}
	return nil, ""
}
