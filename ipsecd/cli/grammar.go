package cli

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
)

// Configuration modes of ipsecd.
const (
	ModeProposal   = "ikev2-proposal"
	ModePolicy     = "ikev2-policy"
	ModeKeyring    = "ikev2-keyring"
	ModePeer       = "ikev2-keyring-peer"
	ModeProfile    = "ikev2-profile"
	ModeTransform  = "ipsec-transform-set"
	ModeIPsec      = "ipsec-profile"
	ModeTrustpoint = "pki-trustpoint"
	modeIKEv1      = "ikev1"     // blocks of IKEv1, which are refused
	modeIf         = "interface" // zebra's
)

// IDs of the lines that enter a mode.
const (
	CmdProposal   = "ikev2.proposal"
	CmdPolicy     = "ikev2.policy"
	CmdKeyring    = "ikev2.keyring"
	CmdPeer       = "ikev2.peer"
	CmdProfile    = "ikev2.profile"
	CmdTransform  = "ipsec.transform-set"
	CmdIPsec      = "ipsec.profile"
	CmdTrustpoint = "pki.trustpoint"
)

// IDs of the lines that are about everything.
const (
	CmdLimitNegotiating = "ikev2.limit-in-negotiation"
	CmdLimitSAs         = "ikev2.limit-sa"
	CmdCookieChallenge  = "ikev2.cookie-challenge"
	CmdGlobalDPD        = "ikev2.dpd"
	CmdNATKeepalive     = "ikev2.nat-keepalive"
	CmdFragmentation    = "ikev2.fragmentation"
	CmdLifetimeSeconds  = "ipsec.lifetime-seconds"
	CmdLifetimeVolume   = "ipsec.lifetime-kilobytes"
	CmdReplayWindow     = "ipsec.replay-window"
)

// IDs of the lines inside of the modes of IKEv2.
const (
	CmdEncryption      = "ikev2.encryption"
	CmdIntegrity       = "ikev2.integrity"
	CmdPRF             = "ikev2.prf"
	CmdGroup           = "ikev2.group"
	CmdPQC             = "ikev2.pqc"
	CmdMatchFVRF       = "ikev2.match-fvrf"
	CmdMatchLocal      = "ikev2.match-address-local"
	CmdUseProposal     = "ikev2.use-proposal"
	CmdDescription     = "ipsec.description"
	CmdPeerAddress     = "ikev2.peer-address"
	CmdPeerIdentity    = "ikev2.peer-identity"
	CmdPreSharedKey    = "ikev2.pre-shared-key"
	CmdMatchRemote     = "ikev2.match-identity-remote"
	CmdIdentityLocal   = "ikev2.identity-local"
	CmdAuthLocal       = "ikev2.authentication-local"
	CmdAuthRemote      = "ikev2.authentication-remote"
	CmdUseKeyring      = "ikev2.use-keyring"
	CmdUseTrustpoint   = "ikev2.use-trustpoint"
	CmdProfileDPD      = "ikev2.profile-dpd"
	CmdProfileLifetime = "ikev2.profile-lifetime"
)

// IDs of the lines inside of the modes of IPsec and of trust points.
const (
	CmdMode               = "ipsec.mode"
	CmdESN                = "ipsec.esn"
	CmdSetTransform       = "ipsec.set-transform-set"
	CmdSetProfile         = "ipsec.set-ikev2-profile"
	CmdSetPFS             = "ipsec.set-pfs"
	CmdSetLifetimeSeconds = "ipsec.set-lifetime-seconds"
	CmdSetLifetimeVolume  = "ipsec.set-lifetime-kilobytes"
	CmdSetReplayWindow    = "ipsec.set-replay-window"
	CmdResponderOnly      = "ipsec.responder-only"
	CmdAuthorityFile      = "pki.ca-certificate"
	CmdCertificateFile    = "pki.certificate"
	CmdKeyFile            = "pki.private-key"
	CmdCRLFile            = "pki.crl"
	CmdRevocation         = "pki.revocation-check"
)

// CmdProtection is zebra's line `tunnel protection ipsec profile`, which ipsecd reads too.
const CmdProtection = "tunnel.protection"

// SharedIDs are the IDs of lines of others that Read needs, besides policy.SharedIDs.
func SharedIDs() []string { return []string{CmdProtection} }

// Print order of the lines of the global configuration: before the interfaces (500), as
// on IOS.
const (
	weightPKI = 300 + 10*iota
	weightProposal
	weightPolicy
	weightKeyring
	weightProfile
	weightIKEv2
	weightIPsec
	weightTransform
	weightIPsecProfile
)

// Grammar returns what ipsecd adds to the command line.
func Grammar() cli.Tree {
	mode := func(name, parent, prompt string) cli.Mode {
		return cli.Mode{Name: name, Parent: parent, Prompt: prompt}
	}
	return cli.Tree{
		Modes: []cli.Mode{
			mode(ModeProposal, cli.ModeConfig, "(config-ikev2-proposal)#"),
			mode(ModePolicy, cli.ModeConfig, "(config-ikev2-policy)#"),
			mode(ModeKeyring, cli.ModeConfig, "(config-ikev2-keyring)#"),
			mode(ModePeer, ModeKeyring, "(config-ikev2-keyring-peer)#"),
			mode(ModeProfile, cli.ModeConfig, "(config-ikev2-profile)#"),
			mode(ModeTransform, cli.ModeConfig, "(cfg-crypto-trans)#"),
			mode(ModeIPsec, cli.ModeConfig, "(ipsec-profile)#"),
			mode(ModeTrustpoint, cli.ModeConfig, "(ca-trustpoint)#"),
			mode(modeIKEv1, cli.ModeConfig, "(config-isakmp)#"),
		},
		Commands: slices.Concat(globalCommands(), proposalCommands(), policyCommands(), keyringCommands(), profileCommands(),
			ipsecGlobalCommands(), transformCommands(), ipsecCommands(), trustpointCommands(), refusedCommands(), execCommands(), plugin.DebugCommands(Facilities)),
		Help: cli.Help{
			"show": "Show running system information", "clear": "Reset", "crypto": "Encryption", "ikev2": "Internet Key Exchange version 2", "ipsec": "IP security",
			"pki": "Certificates", "name": "Name", "seconds": "Seconds", "kilobytes": "Kilobytes", "description": "Text for people", "text": "Text", "addr": "Address",
			"match": "Where it is used", "mask": "Mask of the addresses", "prefix": "Addresses", "address": "Address", "lifetime": "How long a security association is used",
			"security-association": "Security associations", "replay": "Protection from replay", "window-size": "Packets that may be late", "window": "Packets",
			"fvrf": "Front-door VRF: that of the transport", "file": "File on this machine, in PEM or DER", "path": "Its path", "profile": "Profile", "crl": "List of revoked certificates",
			"fqdn": "Fully qualified domain name", "email": "E-mail address", "key-id": "Key ID", "value": "Identity", "local": "This end", "remote": "The peer",
		},
	}
}

// lines makes the commands of one mode.
type lines struct {
	mode string
	list []cli.Command
}

// add adds a line. The command may be changed until the next one is added.
func (l *lines) add(weight int, id, pattern string, help cli.Help, key ...string) *cli.Command {
	l.list = append(l.list, cli.Command{ID: id, Mode: l.mode, Pattern: pattern, Weight: weight, Help: help, Key: key})
	return &l.list[len(l.list)-1]
}

// describe adds the line with a text for people.
func (l *lines) describe() { l.add(1, CmdDescription, "description text:LINE(200)", nil) }
