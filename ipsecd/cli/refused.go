package cli

import (
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// refusal is lines of IOS that are understood and not done: whoever pastes a
// configuration is told why. They are not offered by help.
type refusal struct {
	id     string
	mode   string
	lines  []string // patterns
	why    string
	enters string // the mode of the lines that follow
}

// rest takes what else a refused line says.
const rest = " [rest:LINE(200)]"

// Reasons that several lines share.
const (
	whyIKEv1  = "IKEv1 is not spoken: the lines are crypto ikev2 proposal, policy, keyring and profile"
	whyWeak   = "it is weak: "
	whyFiles  = "keys and certificates are made elsewhere and read from files: ca-certificate file, certificate file, private-key file"
	whyRemote = "there is no remote access: no EAP, no AAA, no configuration of peers"
	whyMap    = "only tunnels are protected: tunnel protection ipsec profile"
	whyLogs   = "sessions that come and go are always logged"
)

var refusals = []refusal{
	{"isakmp-policy", cli.ModeConfig, []string{"crypto isakmp policy" + rest, "crypto isakmp profile" + rest, "crypto keyring" + rest}, whyIKEv1, modeIKEv1},
	{"isakmp", cli.ModeConfig, []string{"crypto isakmp word:{key|keepalive|identity|nat|aggressive-mode|fragmentation|invalid-spi-recovery|enable|client|diagnose|default|peer}" + rest}, whyIKEv1, ""},
	{"isakmp-line", modeIKEv1, []string{"word:{encryption|encr|hash|authentication|group|lifetime|pre-shared-key|rsa-pubkey|match|keyring|self-identity|keepalive|ca|vrf|local-address|initiate|description|default}" + rest},
		whyIKEv1, ""},
	{"map", cli.ModeConfig, []string{"crypto map" + rest, "crypto dynamic-map" + rest, "crypto gdoi" + rest}, whyMap, ""},
	{"admission", cli.ModeConfig, []string{"crypto call admission" + rest}, "the limits are crypto ikev2 limit and crypto ikev2 cookie-challenge", ""},
	{"engine", cli.ModeConfig, []string{"crypto engine" + rest}, "packets are encrypted by the kernel", ""},
	{"logging", cli.ModeConfig, []string{"crypto logging" + rest}, whyLogs, ""},
	{"key", cli.ModeConfig, []string{"crypto key" + rest}, whyFiles, ""},
	{"certificate", cli.ModeConfig, []string{"crypto pki word:{certificate|authenticate|enroll|import|export|server|token|trustpool|profile|crl|benchmark}" + rest}, whyFiles, ""},
	{"ikev2-remote", cli.ModeConfig, []string{"crypto ikev2 word:{authorization|client|name-mangler|cts|cluster|reconnect|redirect}" + rest}, whyRemote, ""},
	{"ikev2-window", cli.ModeConfig, []string{"crypto ikev2 window" + rest}, "one request is under way at a time", ""},
	{"ikev2-other", cli.ModeConfig, []string{"crypto ikev2 word:{http-url|certificate-cache}" + rest}, "certificates are read from files and not fetched", ""},
	{"ikev2-diagnose", cli.ModeConfig, []string{"crypto ikev2 diagnose" + rest}, "the reasons of failures are always kept: show crypto ikev2 stats, show crypto session detail", ""},
	{"df-bit", cli.ModeConfig, []string{"crypto ipsec df-bit" + rest, "crypto ipsec fragmentation" + rest},
		"GRE packets are fragmented or refused before they are encrypted, as the tunnel says: ip mtu, ip tcp adjust-mss, tunnel path-mtu-discovery", ""},
	{"ipsec-sa", cli.ModeConfig, []string{"crypto ipsec security-association word:{idle-time|dummy|ecn|multi-sn}" + rest},
		"it has no meaning for tunnels of DMVPN, whose NHRP says which peers are needed", ""},
	{"replay-off", cli.ModeConfig, []string{"crypto ipsec security-association replay disable"}, "packets that are replayed are always dropped: take a larger window-size", ""},
	{"volume-off", cli.ModeConfig, []string{"crypto ipsec security-association lifetime kilobytes disable"}, "there is always a limit of volume: take a large one", ""},
	{"days", cli.ModeConfig, []string{"crypto ipsec security-association lifetime days" + rest}, "lifetimes are in seconds", ""},
	{"ipsec-other", cli.ModeConfig, []string{"crypto ipsec word:{client|nat-transparency|optional|server|ipv4-deny|migration}" + rest}, whyMap, ""},
	{"transform", cli.ModeConfig, []string{transformWeak, transformWeakHMAC}, whyWeak + "transform sets have esp-aes or esp-gcm, and esp-sha256-hmac and the like with esp-aes", ModeTransform},

	{"encryption", ModeProposal, []string{weakList("encryption", words(ikeCiphers), "des|3des")}, whyWeak + "encryption by AES or ChaCha20", ""},
	{"integrity", ModeProposal, []string{weakList("integrity", words(hashes), "md5")}, whyWeak + "integrity by SHA-2", ""},
	{"prf", ModeProposal, []string{weakList("prf", words(hashes), "md5")}, whyWeak + "pseudo-random functions of SHA-2", ""},
	{"group", ModeProposal, []string{weakList("group", words(groups), "1|2|5|22|23|24")}, whyWeak + "take group 14 or above, best 19, 20, 21 or 31", ""},
	{"mlkem512", ModeProposal, []string{"pqc [kem:{mlkem768|mlkem1024}]... mlkem512" + rest}, "there are mlkem768 and mlkem1024", ""},
	{"peer", ModePeer, []string{"hostname" + rest, "identity unknown"}, "peers are known by address or identity, not by names to be resolved", ""},
	{"ppk", ModePeer, []string{"ppk" + rest}, "there are no post-quantum pre-shared keys: pqc in the proposal is a post-quantum key exchange", ""},
	{"profile-ppk", ModeProfile, []string{"keyring ppk" + rest}, "there are no post-quantum pre-shared keys: pqc in the proposal is a post-quantum key exchange", ""},
	{"profile-aaa", ModeProfile, []string{"aaa" + rest, "keyring aaa" + rest, "virtual-template" + rest, "config-exchange" + rest, "config-mode" + rest, "redirect" + rest, "reconnect" + rest, "ivrf" + rest,
		"authentication {local|remote} word:{eap|anyconnect-eap}" + rest}, whyRemote, ""},
	{"profile-raw", ModeProfile, []string{"authentication {local|remote} rsa-encr"}, "certificates authenticate by rsa-sig, ecdsa-sig or eddsa-sig", ""},
	{"profile-match", ModeProfile, []string{"match word:{address|certificate}" + rest}, "profiles are chosen by match identity remote and match fvrf", ""},
	{"profile-nat", ModeProfile, []string{"nat" + rest}, "the line is for all profiles: crypto ikev2 nat keepalive", ""},
	{"profile-contact", ModeProfile, []string{"initial-contact" + rest}, "initial contact is always told", ""},
	{"profile-lifetime", ModeProfile, []string{"lifetime certificate"}, "certificates are checked at each authentication: take a lifetime in seconds", ""},
	{"profile-trustpoint", ModeProfile, []string{"pki trustpoint name:WORD(64) word:{sign|verify}"}, "a trust point without a certificate of this router only verifies: leave the word out", ""},
	{"profile-shutdown", ModeProfile, []string{"shutdown"}, "no tunnel protection ipsec profile ends what the profile is for", ""},
	{"tunnel-mode", ModeTransform, []string{"mode tunnel" + rest}, "GRE between two addresses is protected in transport mode: mode transport", ""},
	{"set-isakmp", ModeIPsec, []string{"set isakmp-profile" + rest}, whyIKEv1, ""},
	{"set-off", ModeIPsec, []string{"set security-association replay disable"}, "packets that are replayed are always dropped: take a larger window-size", ""},
	{"set-volume", ModeIPsec, []string{"set security-association lifetime kilobytes disable"}, "there is always a limit of volume: take a large one", ""},
	{"set-other", ModeIPsec, []string{"set security-association word:{idle-time|dummy|ecn|level|dfbit}" + rest, "set word:{identity|reverse-route|mixed-mode|peer|ip|nat}" + rest},
		"it has no meaning for tunnels of DMVPN, whose NHRP says which peers are needed", ""},
	{"set-pfs", ModeIPsec, []string{"set pfs weak:{group1|group2|group5|group22|group23|group24}" + rest}, whyWeak + "take group14 or above, best group19, group20, group21 or group31", ""},
	{"pfs-pqc", ModeIPsec, []string{"set pfs pqc" + rest}, "an additional key exchange comes on top of another: set pfs group19 pqc mlkem768", ""},
	{"enrollment", ModeTrustpoint, []string{"word:{enrollment|auto-enroll|rsakeypair|eckeypair|subject-name|serial-number|ip-address|fqdn|password|usage|regenerate|auto-trigger|storage|source|vrf}" + rest}, whyFiles, ""},
	{"validation", ModeTrustpoint, []string{"word:{chain-validation|match|eku|subject-alt-name|authorization|ocsp|root}" + rest}, "chains are always validated up to a certificate of ca-certificate file", ""},
	{"revocation", ModeTrustpoint, []string{"revocation-check ocsp" + rest, "revocation-check crl word:{none|ocsp}" + rest, "revocation-check none word:{crl|ocsp}" + rest}, "the check is by lists, or there is none: revocation-check crl, revocation-check none", ""},
}

// Transform sets with something weak or unknown to ESP in them.
const (
	weakTransforms    = "weak:{esp-des|esp-3des|esp-null|esp-gmac|esp-seal|esp-md5-hmac|ah-md5-hmac|ah-sha-hmac|ah-sha256-hmac|ah-sha384-hmac|ah-sha512-hmac|comp-lzs}"
	transformWeak     = "crypto ipsec transform-set name:WORD(64) " + weakTransforms + rest
	transformWeakHMAC = "crypto ipsec transform-set name:WORD(64) cipher:{esp-aes|esp-gcm|esp-sha-hmac|esp-sha256-hmac|esp-sha384-hmac|esp-sha512-hmac} bits:[128|192|256] " + weakTransforms + rest
)

// weakList is the pattern of a list of words with a weak one among them.
func weakList(line string, strong []string, weak string) string {
	return line + " [strong:{" + strings.Join(strong, "|") + "}]... weak:{" + weak + "}" + rest
}

// refusedID is what the IDs of refused lines begin with.
const refusedID = "ipsecd.refused-"

// whyRefused says why a line is refused; "" if it is none of the refused ones.
func whyRefused(id string) string {
	name, ok := strings.CutPrefix(id, refusedID)
	if !ok {
		return ""
	}
	for _, r := range refusals {
		if r.id == name {
			return "not supported: " + r.why
		}
	}
	return ""
}

// refusedCommands returns the lines that Read refuses.
func refusedCommands() []cli.Command {
	var out []cli.Command
	for _, r := range refusals {
		for _, pattern := range r.lines {
			c := cli.Command{ID: refusedID + r.id, Mode: r.mode, Pattern: pattern, Enters: r.enters, Hidden: true}
			if r.mode != cli.ModeConfig || strings.Contains(pattern, "weak:") { // "no group" means the line that is not refused
				c.NoForm = cli.NoRefused
			}
			out = append(out, c)
		}
	}
	return out
}
