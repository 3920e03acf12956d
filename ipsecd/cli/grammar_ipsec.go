package cli

import (
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// pqcOf is the line of additional key exchanges.
const pqcOf = "pqc kem:{mlkem768|mlkem1024}... [optional]"

func pqcHelp() cli.Help {
	return withWords(cli.Help{"pqc": "A post-quantum key exchange besides (RFC 9370)", "optional": "A peer without one is accepted"}, kems)
}

// ipsecGlobalCommands returns the lines `crypto ipsec …` that are about everything.
func ipsecGlobalCommands() []cli.Command {
	l := &lines{mode: cli.ModeConfig}
	const sa = "crypto ipsec security-association "
	l.add(weightIPsec, CmdLifetimeSeconds, sa+"lifetime seconds seconds:<120-2592000>", cli.Help{"seconds:": "Seconds"}).Default = sa + "lifetime seconds 3600"
	l.add(weightIPsec, CmdLifetimeVolume, sa+"lifetime kilobytes kilobytes:<2560-4294967295>", cli.Help{"kilobytes:": "Kilobytes"}).Default = sa + "lifetime kilobytes 4608000"
	l.add(weightIPsec, CmdReplayWindow, sa+"replay window-size "+windowOf, windowHelp).Default = sa + "replay window-size 128"
	return l.list
}

// windowHelp explains windowOf.
var windowHelp = cli.Help{"64": "64 packets", "128": "128 packets", "256": "256 packets", "512": "512 packets", "1024": "1024 packets"}

// transformCommands returns `crypto ipsec transform-set` and its lines.
func transformCommands() []cli.Command {
	g := &lines{mode: cli.ModeConfig}
	help := withWords(cli.Help{"transform-set": "Algorithms of ESP", "esp-aes": "AES in CBC mode", "esp-gcm": "AES in Galois counter mode, which needs no integrity",
		"esp-chacha20-poly1305": "ChaCha20-Poly1305, which needs no integrity", "128": "Key of 128 bits", "192": "Key of 192 bits", "256": "Key of 256 bits"}, hmacs)
	for _, form := range []string{"cipher:{esp-aes|esp-gcm|esp-chacha20-poly1305} bits:[128|192|256] hmac:[" + strings.Join(words(hmacs), "|") + "]",
		"hmac:{" + strings.Join(words(hmacs), "|") + "} cipher:{esp-aes|esp-gcm|esp-chacha20-poly1305} bits:[128|192|256]"} {
		g.add(weightTransform, CmdTransform, "crypto ipsec transform-set "+nameOf+" "+form, help, "name").Enters = ModeTransform
	}
	l := &lines{mode: ModeTransform, list: g.list}
	l.add(1, CmdESN, "esn", cli.Help{"esn": "Extended sequence numbers, of 64 bits"})
	l.add(2, CmdMode, "mode transport [require]", cli.Help{"mode": "Mode of ESP", "transport": "Transport mode, the only one", "require": "Accept no other mode, which is so anyway"})
	return l.list
}

// ipsecCommands returns `crypto ipsec profile` and its lines.
func ipsecCommands() []cli.Command {
	g := &lines{mode: cli.ModeConfig}
	g.add(weightIPsecProfile, CmdIPsec, "crypto ipsec profile "+nameOf, cli.Help{"profile": "How tunnels are protected"}, "name").Enters = ModeIPsec
	l := &lines{mode: ModeIPsec, list: g.list}
	l.describe()
	const sa = "set security-association "
	help := cli.Help{"set": "Parameters", "seconds:": "Seconds", "kilobytes:": "Kilobytes"}
	l.add(10, CmdSetLifetimeSeconds, sa+"lifetime seconds seconds:<120-2592000>", help)
	l.add(11, CmdSetLifetimeVolume, sa+"lifetime kilobytes kilobytes:<2560-4294967295>", help)
	l.add(12, CmdSetReplayWindow, sa+"replay window-size "+windowOf, with(windowHelp, help))
	l.add(20, CmdSetTransform, "set transform-set name:WORD(64)...", with(help, cli.Help{"transform-set": "Algorithms of ESP; of several sets the first that the peer has", "name": "Transform set"}))
	group := l.add(21, CmdSetPFS, "set pfs group:{"+strings.Join(pfsWords(), "|")+"} ["+pqcOf+"]",
		with(pqcHelp(), help, cli.Help{"pfs": "A key exchange of its own for each security association"}))
	for _, g := range groups {
		group.Help["group"+g.word] = g.help
	}
	l.add(22, CmdSetProfile, "set ikev2-profile "+nameOf, with(help, cli.Help{"ikev2-profile": "How peers are authenticated"}))
	l.add(30, CmdResponderOnly, "responder-only", cli.Help{"responder-only": "Begin no negotiation"})
	return l.list
}

// trustpointCommands returns `crypto pki trustpoint` and its lines.
func trustpointCommands() []cli.Command {
	g := &lines{mode: cli.ModeConfig}
	g.add(weightPKI, CmdTrustpoint, "crypto pki trustpoint "+nameOf, cli.Help{"trustpoint": "Certificates and whom they are believed from"}, "name").Enters = ModeTrustpoint
	l := &lines{mode: ModeTrustpoint, list: g.list}
	l.add(10, CmdAuthorityFile, "ca-certificate file path:WORD(255)", cli.Help{"ca-certificate": "Certificates of authorities that are trusted"}, "path")
	l.add(11, CmdCertificateFile, "certificate file path:WORD(255)", cli.Help{"certificate": "Certificate of this router, and those between it and the authority"})
	l.add(12, CmdKeyFile, "private-key file path:WORD(255)", cli.Help{"private-key": "Private key of the certificate"})
	l.add(13, CmdCRLFile, "crl file path:WORD(255)", nil, "path")
	l.add(20, CmdRevocation, "revocation-check method:{crl|none}", cli.Help{"revocation-check": "Check whether certificates are revoked", "crl": "By lists; without a valid one nobody is trusted",
		"none": "Do not check"}).Default = "revocation-check crl"
	return l.list
}
