package packet

// PayloadType is the type of a payload (RFC 7296 section 3.2).
type PayloadType uint8

// Payload types. Types below 33 are those of IKEv1 and unknown here.
const (
	NoNextPayload PayloadType = 0
	TypeSA        PayloadType = 33
	TypeKE        PayloadType = 34
	TypeIDi       PayloadType = 35
	TypeIDr       PayloadType = 36
	TypeCert      PayloadType = 37
	TypeCertReq   PayloadType = 38
	TypeAuth      PayloadType = 39
	TypeNonce     PayloadType = 40
	TypeNotify    PayloadType = 41
	TypeDelete    PayloadType = 42
	TypeVendorID  PayloadType = 43
	TypeTSi       PayloadType = 44
	TypeTSr       PayloadType = 45
	TypeSK        PayloadType = 46
	TypeConfig    PayloadType = 47
	TypeEAP       PayloadType = 48
	TypeSKF       PayloadType = 53 // RFC 7383 section 2.5
)

// ExchangeType is the type of an exchange (RFC 7296 section 3.1).
type ExchangeType uint8

// Exchange types.
const (
	IKESAInit       ExchangeType = 34
	IKEAuth         ExchangeType = 35
	CreateChildSA   ExchangeType = 36
	Informational   ExchangeType = 37
	IKEIntermediate ExchangeType = 43 // RFC 9242
	IKEFollowupKE   ExchangeType = 44 // RFC 9370
)

// Flags is the Flags field of the header (RFC 7296 section 3.1). Others are ignored on
// receipt.
type Flags uint8

// Flags.
const (
	FlagInitiator Flags = 0x08 // I: sent by the original initiator of the IKE SA
	FlagVersion   Flags = 0x10 // V: the sender can speak a higher major version
	FlagResponse  Flags = 0x20 // R: the answer to a message of the same message ID

	knownFlags = FlagInitiator | FlagVersion | FlagResponse
)

// Protocol is a security protocol (RFC 7296 section 3.3.1).
type Protocol uint8

// Protocols.
const (
	NoProtocol  Protocol = 0
	ProtocolIKE Protocol = 1
	ProtocolAH  Protocol = 2
	ProtocolESP Protocol = 3
)

// spiLen returns the octets of an SPI of the protocol, 0 if it is unknown.
func (p Protocol) spiLen() int {
	switch p {
	case ProtocolIKE:
		return 8
	case ProtocolAH, ProtocolESP:
		return 4
	}
	return 0
}

// TransformType says what a transform is for (RFC 7296 section 3.3.2).
type TransformType uint8

// Transform types.
const (
	Encryption  TransformType = 1
	PRF         TransformType = 2
	Integrity   TransformType = 3
	KeyExchange TransformType = 4 // Diffie-Hellman Group; renamed by RFC 9370
	ESN         TransformType = 5
	AddKE1      TransformType = 6 // Additional Key Exchange 1; up to 7 (RFC 9370 section 2.2.1)
	AddKE2      TransformType = 7
	AddKE3      TransformType = 8
	AddKE4      TransformType = 9
	AddKE5      TransformType = 10
	AddKE6      TransformType = 11
	AddKE7      TransformType = 12
)

// Transforms of encryption (RFC 7296 section 3.3.2).
const (
	Encr3DES     uint16 = 3
	EncrNull     uint16 = 11
	EncrAESCBC   uint16 = 12 // RFC 3602
	EncrAESCTR   uint16 = 13
	EncrAESCCM16 uint16 = 16
	EncrAESGCM8  uint16 = 18
	EncrAESGCM12 uint16 = 19
	EncrAESGCM16 uint16 = 20 // RFC 4106, RFC 5282
	EncrChaCha20 uint16 = 28 // RFC 7634
)

// Pseudo-random functions (RFC 7296 section 3.3.2).
const (
	PRFHMACMD5     uint16 = 1
	PRFHMACSHA1    uint16 = 2
	PRFHMACSHA2256 uint16 = 5 // RFC 4868
	PRFHMACSHA2384 uint16 = 6
	PRFHMACSHA2512 uint16 = 7
)

// Transforms of integrity (RFC 7296 section 3.3.2).
const (
	AuthNone       uint16 = 0
	AuthHMACMD5    uint16 = 1
	AuthHMACSHA1   uint16 = 2 // HMAC-SHA1-96
	AuthAESXCBC    uint16 = 5
	AuthHMACSHA256 uint16 = 12 // HMAC-SHA-256-128 (RFC 4868)
	AuthHMACSHA384 uint16 = 13 // HMAC-SHA-384-192
	AuthHMACSHA512 uint16 = 14 // HMAC-SHA-512-256
)

// Transforms of extended sequence numbers (RFC 7296 section 3.3.2).
const (
	ESNNo  uint16 = 0
	ESNYes uint16 = 1
)

// Group is a key exchange method: a Diffie-Hellman group, or a key encapsulation.
type Group uint16

// Key exchange methods (RFC 7296 section 3.3.2, RFC 3526, RFC 5903, RFC 8031, and the
// ML-KEM ones of draft-ietf-ipsecme-ikev2-mlkem).
const (
	NoGroup    Group = 0
	MODP1024   Group = 2
	MODP1536   Group = 5
	MODP2048   Group = 14
	MODP3072   Group = 15
	MODP4096   Group = 16
	ECP256     Group = 19
	ECP384     Group = 20
	ECP521     Group = 21
	Curve25519 Group = 31
	Curve448   Group = 32
	MLKEM512   Group = 35
	MLKEM768   Group = 36
	MLKEM1024  Group = 37
)

// AttributeKeyLength is the type of the attribute Key Length (RFC 7296 section 3.3.5).
const AttributeKeyLength uint16 = 14

// IDType is the type of an identity (RFC 7296 section 3.5).
type IDType uint8

// Types of identities.
const (
	IDIPv4Addr  IDType = 1
	IDFQDN      IDType = 2
	IDRFC822    IDType = 3 // an e-mail address
	IDIPv6Addr  IDType = 5
	IDDERASN1DN IDType = 9 // an X.500 distinguished name
	IDDERASN1GN IDType = 10
	IDKeyID     IDType = 11
	IDNull      IDType = 13 // RFC 7619
)

// CertEncoding says how a certificate is encoded (RFC 7296 section 3.6).
type CertEncoding uint8

// Encodings of certificates.
const (
	CertX509Signature CertEncoding = 4
	CertCRL           CertEncoding = 7
	CertHashURL       CertEncoding = 12
	CertHashURLBundle CertEncoding = 13
	CertRawPublicKey  CertEncoding = 15 // RFC 7670
)

// AuthMethod says how the AUTH payload was made (RFC 7296 section 3.8).
type AuthMethod uint8

// Authentication methods.
const (
	AuthRSA       AuthMethod = 1
	AuthSharedKey AuthMethod = 2
	AuthDSS       AuthMethod = 3
	AuthECDSA256  AuthMethod = 9 // RFC 4754
	AuthECDSA384  AuthMethod = 10
	AuthECDSA512  AuthMethod = 11
	AuthNull      AuthMethod = 13 // RFC 7619
	AuthSignature AuthMethod = 14 // RFC 7427
)

// HashAlgorithm is a hash that signatures may use (RFC 7427 section 7).
type HashAlgorithm uint16

// Hash algorithms.
const (
	HashSHA1     HashAlgorithm = 1
	HashSHA2256  HashAlgorithm = 2
	HashSHA2384  HashAlgorithm = 3
	HashSHA2512  HashAlgorithm = 4
	HashIdentity HashAlgorithm = 5 // RFC 8420: Ed25519
)

// NotifyType is the type of a notification (RFC 7296 section 3.10.1).
type NotifyType uint16

// Error types; all types below 16384 are errors.
const (
	UnsupportedCriticalPayload NotifyType = 1
	InvalidIKESPI              NotifyType = 4
	InvalidMajorVersion        NotifyType = 5
	InvalidSyntax              NotifyType = 7
	InvalidMessageID           NotifyType = 9
	InvalidSPI                 NotifyType = 11
	NoProposalChosen           NotifyType = 14
	InvalidKEPayload           NotifyType = 17
	AuthenticationFailed       NotifyType = 24
	SinglePairRequired         NotifyType = 34
	NoAdditionalSAs            NotifyType = 35
	InternalAddressFailure     NotifyType = 36
	FailedCPRequired           NotifyType = 37
	TSUnacceptable             NotifyType = 38
	InvalidSelectors           NotifyType = 39
	TemporaryFailure           NotifyType = 43
	ChildSANotFound            NotifyType = 44
	StateNotFound              NotifyType = 47 // RFC 9370
)

// Status types.
const (
	InitialContact                NotifyType = 16384
	SetWindowSize                 NotifyType = 16385
	AdditionalTSPossible          NotifyType = 16386
	IPCompSupported               NotifyType = 16387
	NATDetectionSourceIP          NotifyType = 16388
	NATDetectionDestinationIP     NotifyType = 16389
	Cookie                        NotifyType = 16390
	UseTransportMode              NotifyType = 16391
	HTTPCertLookupSupported       NotifyType = 16392
	RekeySA                       NotifyType = 16393
	ESPTFCPaddingNotSupported     NotifyType = 16394
	NonFirstFragmentsAlso         NotifyType = 16395
	MOBIKESupported               NotifyType = 16396 // RFC 4555
	AuthLifetime                  NotifyType = 16403 // RFC 4478
	Redirected                    NotifyType = 16407 // RFC 5685
	ChildlessSupported            NotifyType = 16418 // RFC 6023
	FragmentationSupported        NotifyType = 16430 // RFC 7383
	SignatureHashAlgorithms       NotifyType = 16431 // RFC 7427
	UsePPK                        NotifyType = 16435 // RFC 8784
	PPKIdentity                   NotifyType = 16436
	NoPPKAuth                     NotifyType = 16437
	IntermediateExchangeSupported NotifyType = 16438 // RFC 9242
	AdditionalKeyExchange         NotifyType = 16441 // RFC 9370
)

// IsError reports whether a notification of this type says that something failed (RFC
// 7296 section 3.10.1). Unknown ones in an answer mean that the whole request failed.
func (t NotifyType) IsError() bool { return t < 16384 }

// SelectorType is the type of a traffic selector (RFC 7296 section 3.13.1).
type SelectorType uint8

// Types of traffic selectors.
const (
	SelectorIPv4 SelectorType = 7
	SelectorIPv6 SelectorType = 8
)

// ConfigType is the type of a configuration payload (RFC 7296 section 3.15).
type ConfigType uint8

// Types of configuration payloads.
const (
	ConfigRequest ConfigType = 1
	ConfigReply   ConfigType = 2
	ConfigSet     ConfigType = 3
	ConfigAck     ConfigType = 4
)
