package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// transform reads `crypto ipsec transform-set`.
func (r *reader) transform(block *conf.Node) {
	t := core.Transform{Name: block.Args.String("name")}
	r.refuse(readTransform(&t, block.Args), block.Key)
	r.inside(block, func(n *conf.Node) string {
		if n.ID == CmdESN {
			t.ESN = []bool{true}
		}
		return ""
	})
	r.cfg.Transforms = append(r.cfg.Transforms, t)
}

func readTransform(t *core.Transform, a cli.Args) string {
	name := a.String("cipher")
	c := cipher(espCiphers[name], 0)
	bits, _ := strconv.ParseUint(a.String("bits"), 10, 16)
	if c.KeyLength = uint16(bits); bits == 0 && c.ID != packet.EncrChaCha20 {
		c.KeyLength = 128
	}
	t.Encryption = []packet.Transform{c}
	hmac := a.String("hmac")
	switch {
	case bits != 0 && c.ID == packet.EncrChaCha20:
		return name + " has keys of one length: leave the number out"
	case suite.AEAD(c.ID) && hmac != "":
		return name + " has integrity of its own: leave " + hmac + " out"
	case !suite.AEAD(c.ID) && hmac == "":
		return name + " needs integrity, such as esp-sha256-hmac"
	case hmac != "":
		t.Integrity = []uint16{value(hmacs, hmac)}
	}
	return ""
}

// ipsec reads `crypto ipsec profile`.
func (r *reader) ipsec(block *conf.Node) {
	p := core.IPsec{Name: block.Args.String("name")}
	r.inside(block, func(n *conf.Node) string {
		a := n.Args
		switch n.ID {
		case CmdSetTransform:
			if p.Transforms = a.Strings("name"); len(p.Transforms) > packet.MaxProposals {
				return fmt.Sprintf("there are more than %d transform sets", packet.MaxProposals)
			}
			return twice(p.Transforms)
		case CmdSetProfile:
			p.Profile = a.String("name")
		case CmdSetPFS:
			p.PFS = []packet.Group{value(groups, strings.TrimPrefix(a.String("group"), "group"))}
			p.Additional = readPQC(a)
			return twice(a.Strings("kem"))
		case CmdSetLifetimeSeconds:
			p.Lifetime = seconds(a)
		case CmdSetLifetimeVolume:
			p.LifetimeBytes = a.Uint("kilobytes") << 10
		case CmdSetReplayWindow:
			p.ReplayWindow = readWindow(a)
		case CmdResponderOnly:
			p.ResponderOnly = true
		}
		return ""
	})
	r.cfg.IPsec = append(r.cfg.IPsec, p)
}
