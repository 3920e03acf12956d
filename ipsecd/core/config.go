package core

import (
	"net/netip"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// Defaults of Cisco IOS XE, and of RFC 7296 where that has none.
const (
	DefaultIKELifetime     = 86400 * time.Second
	DefaultSALifetime      = 3600 * time.Second
	DefaultSALifetimeBytes = 4_608_000 << 10 // of one SA, `set security-association lifetime kilobytes`
	DefaultReplayWindow    = 128             // packets; IOS has 64, which GRE with QoS reorders beyond
	DefaultFragmentation   = 576             // octets of a datagram, `crypto ikev2 fragmentation`
	DefaultNATKeepalive    = 20 * time.Second
	DefaultIncoming        = 40 // IKE SAs under negotiation that others began, `crypto ikev2 limit`
	DefaultOutgoing        = 400
	DefaultCookieChallenge = 20 // half-open IKE SAs from which on cookies are wanted
)

// Config is the whole configuration of ipsecd. It is a value: once handed over it is
// not changed. References are by name; what a name means that nothing has is said
// where it is used. The names "default" exist without being configured.
type Config struct {
	Proposals   []Proposal   // `crypto ikev2 proposal`, by name
	Policies    []Policy     // `crypto ikev2 policy`, by name
	Keyrings    []Keyring    // `crypto ikev2 keyring`, by name
	Profiles    []Profile    // `crypto ikev2 profile`, by name
	Transforms  []Transform  // `crypto ipsec transform-set`, by name
	IPsec       []IPsec      // `crypto ipsec profile`, by name
	Trustpoints []Trustpoint // `crypto pki trustpoint`, by name, with what their files had in them
	Tunnels     []Protection // `tunnel protection`, by interface
	Global      Global
	Policy      *policy.Set
}

// Global are the lines `crypto ikev2 …` and `crypto ipsec …` that are about everything.
type Global struct {
	MaxIncoming     int           // `crypto ikev2 limit max-in-negotiation-sa N incoming`; 0: the default
	MaxOutgoing     int           // … outgoing
	MaxSAs          int           // `crypto ikev2 limit max-sa`; 0: no limit
	CookieChallenge int           // `crypto ikev2 cookie-challenge`; 0: the default
	DPD             *DPD          // `crypto ikev2 dpd`, where a profile has none
	NATKeepalive    time.Duration // `crypto ikev2 nat keepalive`; 0: the default; negative: none
	Fragmentation   int           // `crypto ikev2 fragmentation mtu`, octets; 0: the default; negative: none
	Lifetime        time.Duration // `crypto ipsec security-association lifetime seconds`; 0: the default
	LifetimeBytes   uint64        // … kilobytes, in octets; 0: the default
	ReplayWindow    uint32        // `crypto ipsec security-association replay window-size`; 0: the default
}

// Proposal is a `crypto ikev2 proposal`: each of the algorithms of one kind may be
// chosen, the first that both have. Without a PRF it is that of the integrity.
type Proposal struct {
	Name string
	proposal.IKE
}

// Policy is a `crypto ikev2 policy`: which proposals are offered and taken where.
type Policy struct {
	Name      string
	AnyFVRF   bool         // `match fvrf any`
	FVRF      string       // front-door VRF; "" for the default one
	Locals    []netip.Addr // `match address local`; none: any
	Proposals []string
}

// Identity is an identity of IKE (RFC 7296 section 3.5), or a pattern of some.
type Identity struct {
	Kind   IdentityKind
	Prefix netip.Prefix // IdentityAddress: an address, or all of a prefix in patterns
	Name   string       // of the others: FQDN, e-mail, key ID, or distinguished name as RFC 4514 writes it
	Domain bool         // patterns of IdentityFQDN and IdentityEmail: Name is what it ends with
	DER    string       // of a distinguished name that came from a peer or from a certificate
}

// IdentityKind is the kind of an identity.
type IdentityKind uint8

// The kinds of identities.
const (
	IdentityNone IdentityKind = iota // not said
	IdentityAddress
	IdentityFQDN
	IdentityEmail
	IdentityKeyID
	IdentityDN
	IdentityAny // patterns only: everybody
)

// Keyring is a `crypto ikev2 keyring`.
type Keyring struct {
	Name  string
	Peers []KeyringPeer // in the order of the configuration; the most specific address goes first
}

// KeyringPeer is a `peer` of a keyring. One of Address and Identity says who it is.
type KeyringPeer struct {
	Name     string
	Address  netip.Prefix // the zero Prefix: not said
	Identity Identity
	Local    policy.Secret // `pre-shared-key local`: what we prove to know
	Remote   policy.Secret // `pre-shared-key remote`: what the peer has to
}

// Method is how an end authenticates itself.
type Method uint8

// The methods.
const (
	MethodNone Method = iota
	MethodPSK
	MethodRSA   // a certificate with an RSA key
	MethodECDSA // a certificate with an ECDSA key
	MethodEdDSA // a certificate with an Ed25519 key
)

// Profile is a `crypto ikev2 profile`. One without both methods, or without a match, is
// not used. Methods of certificates want a trust point: with a certificate for LocalMethod,
// with authorities for RemoteMethods.
type Profile struct {
	Name          string
	AnyFVRF       bool
	FVRF          string
	Matches       []Identity // `match identity remote`: any of them
	Identity      Identity   // `identity local`; IdentityNone: the address, or of certificates the subject
	LocalMethod   Method
	RemoteMethods []Method
	Keyring       string
	Key           policy.Secret // `authentication local pre-share key`
	RemoteKey     policy.Secret
	Trustpoints   []string      // `pki trustpoint`; none: all of them
	DPD           *DPD          // nil: Global's
	Lifetime      time.Duration // 0: the default
}

// DPD is dead peer detection in Cisco's form: `dpd INTERVAL RETRY {on-demand|periodic}`.
type DPD struct {
	Interval, Retry time.Duration
	Periodic        bool // also while packets come; on-demand: only if packets are sent and none comes
}

// Transform is a `crypto ipsec transform-set`, in transport mode. Groups and Additional
// of it are not used: a profile's are.
type Transform struct {
	Name string
	proposal.ESP
}

// IPsec is a `crypto ipsec profile`.
type IPsec struct {
	Name          string
	Transforms    []string              // the first that the peer has is chosen
	Profile       string                // `set ikev2-profile`; "": the first whose match fits
	PFS           []packet.Group        // `set pfs`; none: no key exchange of its own
	Additional    []proposal.Additional // with PFS only
	Lifetime      time.Duration         // 0: Global's
	LifetimeBytes uint64                // octets; 0: Global's
	ReplayWindow  uint32                // 0: Global's
	ResponderOnly bool
}

// Trustpoint is a `crypto pki trustpoint`, read from its files by the edge.
type Trustpoint struct {
	Name       string
	Authority  [][]byte // DER of the certificates that are trusted
	Chain      [][]byte // DER of the own certificate and those above it, up to 8; none: only peers are checked
	Key        PrivateKey
	CRLs       [][]byte // DER
	Revocation bool     // `revocation-check crl`: without a valid CRL nobody is trusted
}

// Protection is `tunnel protection ipsec profile NAME [shared]` of an interface.
type Protection struct {
	Interface string
	Profile   string
	Shared    bool
	IKEv2     string // `ikev2-profile`; "": that of the IPsec profile
}
