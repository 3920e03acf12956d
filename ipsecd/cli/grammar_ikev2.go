package cli

import (
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// Pieces of patterns.
const (
	dpdOf    = "dpd interval:<10-3600> retry:<2-60> when:{on-demand|periodic}"
	windowOf = "window:{64|128|256|512|1024}"
	secretOf = "[type:{0|6|7|hex}] secret:SECRET(800)" // cli.SecretPart with hex
	nameOf   = "name:WORD(64)"
)

// dpdHelp explains dpdOf.
var dpdHelp = cli.Help{"dpd": "Detection of dead peers", "interval": "Seconds without a packet of the peer until it is asked", "retry": "Seconds between questions that are not answered",
	"on-demand": "Only while packets are sent to the peer", "periodic": "Always"}

// secretHelp explains secretOf.
var secretHelp = cli.Help{"0": "The key follows as it is", "6": "The key follows encrypted", "7": "The key follows in Cisco's type 7", "hex": "The key follows in hexadecimal digits", "secret": "Key"}

// globalCommands returns the lines `crypto ikev2 …` that are about everything.
func globalCommands() []cli.Command {
	l := &lines{mode: cli.ModeConfig}
	limit := cli.Help{"limit": "Limits", "max-in-negotation-sa": "IKE SAs under negotiation", "max-in-negotiation-sa": "IKE SAs under negotiation", "count": "IKE SAs",
		"incoming": "That peers began", "outgoing": "That this router began", "max-sa": "IKE SAs"}
	l.add(weightIKEv2, CmdLimitNegotiating, "crypto ikev2 limit {max-in-negotation-sa|max-in-negotiation-sa} count:<1-1000> direction:[incoming|outgoing]", limit, "direction")
	l.add(weightIKEv2, CmdLimitSAs, "crypto ikev2 limit max-sa count:<1-1000000>", limit)
	l.add(weightIKEv2, CmdCookieChallenge, "crypto ikev2 cookie-challenge count:<1-1000>",
		cli.Help{"cookie-challenge": "Have peers prove their address when many negotiate", "count": "IKE SAs under negotiation from which on"})
	l.add(weightIKEv2, CmdGlobalDPD, "crypto ikev2 "+dpdOf, dpdHelp)
	keepalive := l.add(weightIKEv2, CmdNATKeepalive, "crypto ikev2 nat keepalive seconds:<5-3600>", cli.Help{"nat": "Network address translation", "keepalive": "Keep its entry alive"})
	keepalive.DefaultOn, keepalive.Default = true, "crypto ikev2 nat keepalive 20"
	fragmentation := l.add(weightIKEv2, CmdFragmentation, "crypto ikev2 fragmentation [mtu mtu:<256-1500>]",
		cli.Help{"fragmentation": "Send large messages in fragments (RFC 7383)", "mtu": "Largest datagram", "mtu:": "Octets"})
	fragmentation.DefaultOn, fragmentation.Default = true, "crypto ikev2 fragmentation"
	return l.list
}

// proposalCommands returns `crypto ikev2 proposal` and its lines.
func proposalCommands() []cli.Command {
	g := &lines{mode: cli.ModeConfig}
	g.add(weightProposal, CmdProposal, "crypto ikev2 proposal "+nameOf, cli.Help{"proposal": "Algorithms of IKE SAs"}, "name").Enters = ModeProposal
	l := &lines{mode: ModeProposal, list: g.list}
	l.add(1, CmdEncryption, "encryption cipher:{"+strings.Join(words(ikeCiphers), "|")+"}...", withWords(cli.Help{"encryption": "Ciphers, the best first"}, ikeCiphers))
	l.add(2, CmdIntegrity, "integrity hash:{"+strings.Join(words(hashes), "|")+"}...", withWords(cli.Help{"integrity": "Algorithms of integrity, the best first"}, hashes))
	l.add(3, CmdPRF, "prf hash:{"+strings.Join(words(hashes), "|")+"}...",
		withWords(cli.Help{"prf": "Pseudo-random functions, the best first; without the line those of integrity"}, hashes))
	l.add(4, CmdGroup, "group number:{"+strings.Join(words(groups), "|")+"}...", withWords(cli.Help{"group": "Diffie-Hellman groups, the best first"}, groups))
	l.add(5, CmdPQC, pqcOf, pqcHelp())
	return l.list
}

// policyCommands returns `crypto ikev2 policy` and its lines.
func policyCommands() []cli.Command {
	g := &lines{mode: cli.ModeConfig}
	g.add(weightPolicy, CmdPolicy, "crypto ikev2 policy "+nameOf, cli.Help{"policy": "Proposals, and where they are used"}, "name").Enters = ModePolicy
	l := &lines{mode: ModePolicy, list: g.list}
	l.matchFVRF()
	l.add(11, CmdMatchLocal, "match address local addr:ADDR", cli.Help{"local": "Of this end"}, "addr")
	proposal := l.add(20, CmdUseProposal, "proposal "+nameOf, cli.Help{"proposal": "Algorithms; of several the first that the peer has"}, "name")
	proposal.Ordered = true
	return l.list
}

func (l *lines) matchFVRF() {
	l.add(10, CmdMatchFVRF, "match fvrf {any|vrf:WORD(15)}", cli.Help{"any": "All VRFs", "vrf": "VRF"})
}

// keyringCommands returns `crypto ikev2 keyring`, its peers and their lines.
func keyringCommands() []cli.Command {
	g := &lines{mode: cli.ModeConfig}
	g.add(weightKeyring, CmdKeyring, "crypto ikev2 keyring "+nameOf, cli.Help{"keyring": "Pre-shared keys"}, "name").Enters = ModeKeyring
	k := &lines{mode: ModeKeyring, list: g.list}
	peer := k.add(10, CmdPeer, "peer "+nameOf, cli.Help{"peer": "A peer, or several with the same key"}, "name")
	peer.Enters, peer.Ordered = ModePeer, true
	l := &lines{mode: ModePeer, list: k.list}
	l.describe()
	l.add(10, CmdPeerAddress, "address {addr:A.B.C.D [mask:MASK]|addr6:X:X::X:X|prefix:PREFIX6}", cli.Help{"addr6": "Address"})
	l.add(11, CmdPeerIdentity, "identity {address addr:ADDR|kind:{fqdn|email} [domain] value:WORD(255)|kind:{key-id} value:WORD(255)}",
		cli.Help{"identity": "By which the peer is known", "domain": "All whose domain it is"})
	l.add(12, CmdPreSharedKey, "pre-shared-key side:[local|remote] "+secretOf,
		with(secretHelp, cli.Help{"pre-shared-key": "Key that both ends know", "local": "What this end proves to know", "remote": "What the peer proves to know"}), "side")
	return l.list
}

// profileCommands returns `crypto ikev2 profile` and its lines.
func profileCommands() []cli.Command {
	g := &lines{mode: cli.ModeConfig}
	g.add(weightProfile, CmdProfile, "crypto ikev2 profile "+nameOf, cli.Help{"profile": "How peers are authenticated"}, "name").Enters = ModeProfile
	l := &lines{mode: ModeProfile, list: g.list}
	l.describe()
	l.matchFVRF()
	l.add(11, CmdMatchRemote, "match identity remote {address {addr:A.B.C.D [mask:MASK]|addr6:X:X::X:X|prefix:PREFIX6}|kind:{fqdn|email} [domain] value:WORD(255)|kind:{key-id} value:WORD(255)|any}",
		cli.Help{"identity": "Identities", "addr6": "Address", "domain": "All whose domain it is", "any": "Everybody"}, "addr", "mask", "addr6", "prefix", "kind", "domain", "value")
	l.add(20, CmdIdentityLocal, "identity local {address addr:ADDR|kind:{fqdn|email|key-id} value:WORD(255)|dn}",
		cli.Help{"identity": "Identity", "dn": "The name in the certificate"})
	auth := with(secretHelp, cli.Help{"authentication": "How an end proves who it is", "pre-share": "By a key that both know", "key": "The key; without it that of the keyring",
		"rsa-sig": "By an RSA certificate", "ecdsa-sig": "By an ECDSA certificate", "eddsa-sig": "By an Ed25519 certificate"})
	const methods = " {method:{pre-share} [key " + secretOf + "]|method:{rsa-sig|ecdsa-sig|eddsa-sig}}"
	l.add(30, CmdAuthRemote, "authentication remote"+methods, auth, "method")
	l.add(31, CmdAuthLocal, "authentication local"+methods, auth)
	l.add(40, CmdUseKeyring, "keyring local "+nameOf, cli.Help{"keyring": "Pre-shared keys", "local": "A keyring of this router"})
	l.add(41, CmdUseTrustpoint, "pki trustpoint "+nameOf, cli.Help{"trustpoint": "Whom certificates are believed from; without a line all"}, "name")
	l.add(50, CmdProfileDPD, dpdOf, dpdHelp)
	l.add(51, CmdProfileLifetime, "lifetime seconds:<120-86400>", nil).Default = "lifetime 86400"
	return l.list
}
