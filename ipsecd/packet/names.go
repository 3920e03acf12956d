package packet

import "fmt"

// text returns the name of a number, or what it is and the number.
func text[T ~uint8 | ~uint16](names map[T]string, what string, v T) string {
	if s, ok := names[v]; ok {
		return s
	}
	return fmt.Sprintf("%s %d", what, v)
}

var payloadNames = map[PayloadType]string{
	NoNextPayload: "none", TypeSA: "SA", TypeKE: "KE", TypeIDi: "IDi", TypeIDr: "IDr", TypeCert: "CERT",
	TypeCertReq: "CERTREQ", TypeAuth: "AUTH", TypeNonce: "NONCE", TypeNotify: "NOTIFY", TypeDelete: "DELETE",
	TypeVendorID: "VID", TypeTSi: "TSi", TypeTSr: "TSr", TypeSK: "ENCR", TypeConfig: "CFG", TypeEAP: "EAP", TypeSKF: "ENCR_FRAG",
}

// String returns the name of the payload, as Cisco's debug output has it.
func (t PayloadType) String() string { return text(payloadNames, "payload", t) }

var exchangeNames = map[ExchangeType]string{
	IKESAInit: "IKE_SA_INIT", IKEAuth: "IKE_AUTH", CreateChildSA: "CREATE_CHILD_SA", Informational: "INFORMATIONAL",
	IKEIntermediate: "IKE_INTERMEDIATE", IKEFollowupKE: "IKE_FOLLOWUP_KE",
}

// String returns the RFC's name of the exchange.
func (t ExchangeType) String() string { return text(exchangeNames, "exchange", t) }

var protocolNames = map[Protocol]string{NoProtocol: "none", ProtocolIKE: "IKE", ProtocolAH: "AH", ProtocolESP: "ESP"}

// String returns the RFC's name of the protocol.
func (p Protocol) String() string { return text(protocolNames, "protocol", p) }

var transformTypeNames = map[TransformType]string{
	Encryption: "encryption", PRF: "PRF", Integrity: "integrity", KeyExchange: "key exchange", ESN: "ESN",
	AddKE1: "additional key exchange 1", AddKE2: "additional key exchange 2", AddKE3: "additional key exchange 3",
	AddKE4: "additional key exchange 4", AddKE5: "additional key exchange 5", AddKE6: "additional key exchange 6",
	AddKE7: "additional key exchange 7",
}

// String returns what transforms of the type are for.
func (t TransformType) String() string { return text(transformTypeNames, "transform type", t) }

var encryptionNames = map[uint16]string{
	Encr3DES: "3DES", EncrNull: "NULL", EncrAESCBC: "AES-CBC", EncrAESCTR: "AES-CTR", EncrAESCCM16: "AES-CCM",
	EncrAESGCM8: "AES-GCM-8", EncrAESGCM12: "AES-GCM-12", EncrAESGCM16: "AES-GCM", EncrChaCha20: "CHACHA20-POLY1305",
}

var prfNames = map[uint16]string{
	PRFHMACMD5: "MD5", PRFHMACSHA1: "SHA1", PRFHMACSHA2256: "SHA256", PRFHMACSHA2384: "SHA384", PRFHMACSHA2512: "SHA512",
}

var integrityNames = map[uint16]string{
	AuthNone: "none", AuthHMACMD5: "MD596", AuthHMACSHA1: "SHA96", AuthAESXCBC: "AES-XCBC",
	AuthHMACSHA256: "SHA256", AuthHMACSHA384: "SHA384", AuthHMACSHA512: "SHA512",
}

var groupNames = map[Group]string{
	NoGroup: "none", MODP1024: "MODP-1024", MODP1536: "MODP-1536", MODP2048: "MODP-2048", MODP3072: "MODP-3072", MODP4096: "MODP-4096",
	ECP256: "ECP-256", ECP384: "ECP-384", ECP521: "ECP-521", Curve25519: "Curve25519", Curve448: "Curve448",
	MLKEM512: "ML-KEM-512", MLKEM768: "ML-KEM-768", MLKEM1024: "ML-KEM-1024",
}

// String returns the name of the group.
func (g Group) String() string { return text(groupNames, "group", g) }

// String returns the name of the transform, with the length of its key if it has one.
// Names are those of Cisco's show commands.
func (t Transform) String() string {
	s := t.name()
	if t.KeyLength != 0 {
		s = fmt.Sprintf("%s-%d", s, t.KeyLength)
	}
	if len(t.Attributes) > 0 {
		s += " with unknown attributes"
	}
	return s
}

func (t Transform) name() string {
	switch t.Type {
	case Encryption:
		return text(encryptionNames, "encryption", t.ID)
	case PRF:
		return text(prfNames, "PRF", t.ID)
	case Integrity:
		return text(integrityNames, "integrity", t.ID)
	case KeyExchange, AddKE1, AddKE2, AddKE3, AddKE4, AddKE5, AddKE6, AddKE7:
		return Group(t.ID).String()
	case ESN:
		return text(map[uint16]string{ESNNo: "no ESN", ESNYes: "ESN"}, "ESN", t.ID)
	}
	return fmt.Sprintf("%v, transform %d", t.Type, t.ID)
}

var idNames = map[IDType]string{
	IDIPv4Addr: "address", IDFQDN: "fqdn", IDRFC822: "email", IDIPv6Addr: "address", IDDERASN1DN: "dn",
	IDDERASN1GN: "general name", IDKeyID: "key-id", IDNull: "null",
}

// String returns the name of the type in the words of `match identity remote`.
func (t IDType) String() string { return text(idNames, "identity", t) }

var authNames = map[AuthMethod]string{
	AuthRSA: "RSA", AuthSharedKey: "PSK", AuthDSS: "DSS", AuthECDSA256: "ECDSA-256", AuthECDSA384: "ECDSA-384",
	AuthECDSA512: "ECDSA-512", AuthNull: "null", AuthSignature: "digital signature",
}

// String returns the name of the method.
func (m AuthMethod) String() string { return text(authNames, "authentication", m) }

var hashNames = map[HashAlgorithm]string{
	HashSHA1: "SHA1", HashSHA2256: "SHA256", HashSHA2384: "SHA384", HashSHA2512: "SHA512", HashIdentity: "identity",
}

// String returns the name of the hash.
func (h HashAlgorithm) String() string { return text(hashNames, "hash", h) }

var notifyNames = map[NotifyType]string{
	UnsupportedCriticalPayload: "UNSUPPORTED_CRITICAL_PAYLOAD", InvalidIKESPI: "INVALID_IKE_SPI",
	InvalidMajorVersion: "INVALID_MAJOR_VERSION", InvalidSyntax: "INVALID_SYNTAX", InvalidMessageID: "INVALID_MESSAGE_ID",
	InvalidSPI: "INVALID_SPI", NoProposalChosen: "NO_PROPOSAL_CHOSEN", InvalidKEPayload: "INVALID_KE_PAYLOAD",
	AuthenticationFailed: "AUTHENTICATION_FAILED", SinglePairRequired: "SINGLE_PAIR_REQUIRED",
	NoAdditionalSAs: "NO_ADDITIONAL_SAS", InternalAddressFailure: "INTERNAL_ADDRESS_FAILURE",
	FailedCPRequired: "FAILED_CP_REQUIRED", TSUnacceptable: "TS_UNACCEPTABLE", InvalidSelectors: "INVALID_SELECTORS",
	TemporaryFailure: "TEMPORARY_FAILURE", ChildSANotFound: "CHILD_SA_NOT_FOUND", StateNotFound: "STATE_NOT_FOUND",
	InitialContact: "INITIAL_CONTACT", SetWindowSize: "SET_WINDOW_SIZE", AdditionalTSPossible: "ADDITIONAL_TS_POSSIBLE",
	IPCompSupported: "IPCOMP_SUPPORTED", NATDetectionSourceIP: "NAT_DETECTION_SOURCE_IP",
	NATDetectionDestinationIP: "NAT_DETECTION_DESTINATION_IP", Cookie: "COOKIE", UseTransportMode: "USE_TRANSPORT_MODE",
	HTTPCertLookupSupported: "HTTP_CERT_LOOKUP_SUPPORTED", RekeySA: "REKEY_SA",
	ESPTFCPaddingNotSupported: "ESP_TFC_PADDING_NOT_SUPPORTED", NonFirstFragmentsAlso: "NON_FIRST_FRAGMENTS_ALSO",
	MOBIKESupported: "MOBIKE_SUPPORTED", AuthLifetime: "AUTH_LIFETIME", Redirected: "REDIRECT",
	ChildlessSupported: "CHILDLESS_IKEV2_SUPPORTED", FragmentationSupported: "IKEV2_FRAGMENTATION_SUPPORTED",
	SignatureHashAlgorithms: "SIGNATURE_HASH_ALGORITHMS", UsePPK: "USE_PPK", PPKIdentity: "PPK_IDENTITY",
	NoPPKAuth: "NO_PPK_AUTH", IntermediateExchangeSupported: "INTERMEDIATE_EXCHANGE_SUPPORTED",
	AdditionalKeyExchange: "ADDITIONAL_KEY_EXCHANGE",
}

// String returns the RFC's name of the notification.
func (t NotifyType) String() string { return text(notifyNames, "notification", t) }

var flagNames = []struct {
	bit  Flags
	name string
}{{FlagInitiator, "INITIATOR"}, {FlagVersion, "HIGHER-VERSION"}, {FlagResponse, "MSG-RESPONSE"}}

// String names the flags, separated by spaces, as Cisco's debug output does.
func (f Flags) String() string {
	s := ""
	for _, n := range flagNames {
		if f&n.bit == 0 {
			continue
		}
		if s != "" {
			s += " "
		}
		s += n.name
	}
	return s
}

// String returns the SPI as Cisco writes it.
func (s SPI) String() string { return fmt.Sprintf("%016X", uint64(s)) }

var reasonNames = map[Reason]string{
	ReasonTruncated:     "truncated",
	ReasonTrailing:      "octets behind the end",
	ReasonTooLong:       "message too long",
	ReasonIKEv1:         "version 1",
	ReasonVersion:       "unknown version",
	ReasonPayloadLength: "wrong payload length",
	ReasonCritical:      "unknown critical payload",
	ReasonTooMany:       "too many payloads",
	ReasonNotLast:       "not the last payload",
	ReasonNested:        "encrypted twice",
	ReasonEAP:           "EAP is not supported",
	ReasonEmpty:         "no contents",
	ReasonSPI:           "wrong size of SPI",
	ReasonProposal:      "malformed proposal",
	ReasonAttribute:     "malformed attribute",
	ReasonAddress:       "wrong address length",
	ReasonNonce:         "wrong length of nonce",
	ReasonProtocol:      "unknown protocol",
	ReasonSelector:      "malformed traffic selector",
	ReasonFragment:      "wrong fragment number",
	ReasonSignature:     "malformed signature algorithm",
	ReasonType:          "type not to be written so",
	ReasonContents:      "field that the payload does not have",
	ReasonSize:          "length out of range",
}

// String describes the reason in a few words.
func (r Reason) String() string { return text(reasonNames, "reason", r) }
