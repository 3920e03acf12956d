package packet

import (
	"net/netip"
)

// Payload is a payload in clear: *SA, *KE, *ID, *Cert, *CertReq, *Auth, *Nonce,
// *Notify, *Delete, *VendorID, *TS, *Config or *Raw.
type Payload interface {
	// Type returns the type of the payload.
	Type() PayloadType
	// length returns the octets of the contents.
	length() int
	// write writes the contents.
	write(*appender)
}

// Raw is a payload of a type that is not known (RFC 7296 section 2.5).
type Raw struct {
	Kind PayloadType
	Data []byte
}

// KE is a Key Exchange payload (RFC 7296 section 3.4):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   Diffie-Hellman Group Num    |           RESERVED            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                       Key Exchange Data                       ~
//	+---------------------------------------------------------------+
type KE struct {
	Group Group
	Data  []byte // the public value; of ML-KEM the encapsulation key or the ciphertext
}

// ID is an Identification payload (RFC 7296 section 3.5):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   ID Type     |                 RESERVED                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                   Identification Data                         ~
//	+---------------------------------------------------------------+
type ID struct {
	Responder bool // IDr, not IDi
	Kind      IDType
	Data      []byte // an address has 4 or 16 octets
}

// Cert is a Certificate payload (RFC 7296 section 3.6): an octet of encoding, and the
// certificate.
type Cert struct {
	Encoding CertEncoding
	Data     []byte
}

// CertReq is a Certificate Request payload (RFC 7296 section 3.7): an octet of
// encoding, and the authorities that are trusted.
type CertReq struct {
	Encoding CertEncoding
	Data     []byte // for X.509 SHA-1 hashes of their public keys, one after the other
}

// hashLen is the length of an authority's hash (RFC 7296 section 3.7).
const hashLen = 20

// Authorities returns the hashes of the authorities' public keys. It is nil if there
// are none, or Data is not a list of them.
func (c *CertReq) Authorities() [][]byte {
	if c.Encoding != CertX509Signature || len(c.Data)%hashLen != 0 {
		return nil
	}
	var out [][]byte
	for b := c.Data; len(b) > 0; b = b[hashLen:] {
		out = append(out, b[:hashLen:hashLen])
	}
	return out
}

// Auth is an Authentication payload (RFC 7296 section 3.8):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Auth Method   |                RESERVED                       |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                      Authentication Data                      ~
//	+---------------------------------------------------------------+
//
// Where Method is AuthSignature the data starts with an octet that has the length of
// the AlgorithmIdentifier, and that (RFC 7427 section 3).
type Auth struct {
	Method    AuthMethod
	Algorithm []byte // the AlgorithmIdentifier, as DER; only with AuthSignature
	Data      []byte // the signature, or the keyed hash
}

// Nonce is a Nonce payload (RFC 7296 section 3.9).
type Nonce struct {
	Data []byte // MinNonce to MaxNonce octets
}

// Lengths of a nonce, in octets (RFC 7296 section 3.9).
const (
	MinNonce = 16
	MaxNonce = 256
)

// VendorID is a Vendor ID payload (RFC 7296 section 3.12).
type VendorID struct {
	Data []byte
}

// Delete is a Delete payload (RFC 7296 section 3.11):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Protocol ID   |   SPI Size    |          Num of SPIs          |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~               Security Parameter Index(es) (SPI)              ~
//	+---------------------------------------------------------------+
type Delete struct {
	Protocol Protocol
	SPIs     []uint32 // of the sender's inbound SAs; none for the IKE SA itself
}

// Config is a Configuration payload (RFC 7296 section 3.15). Its attributes are not
// looked into.
type Config struct {
	Kind       ConfigType
	Attributes []ConfigAttribute // up to MaxConfig
}

// ConfigAttribute is an attribute of a Config.
type ConfigAttribute struct {
	Type  uint16 // 15 bits
	Value []byte
}

// TS is a Traffic Selector payload (RFC 7296 section 3.13).
type TS struct {
	Responder bool       // TSr, not TSi
	Selectors []Selector // 1 to 255
}

// Selector is a traffic selector (RFC 7296 section 3.13.1):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   TS Type     |IP Protocol ID |       Selector Length         |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|           Start Port          |           End Port            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                         Starting Address                      ~
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                         Ending Address                        ~
//	+---------------------------------------------------------------+
type Selector struct {
	Kind       SelectorType
	IPProtocol uint8 // 0: any
	// StartPort and EndPort: 0 and 65535 are any port, 65535 and 0 the OPAQUE ones,
	// those of packets in which they cannot be seen.
	StartPort, EndPort uint16
	Start, End         netip.Addr // both included
	// Data is what follows the length of a selector whose Kind is not known, which has
	// none of the other fields but IPProtocol.
	Data []byte
}

// Notify is a Notify payload (RFC 7296 section 3.10):
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Protocol ID  |   SPI Size    |      Notify Message Type      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                Security Parameter Index (SPI)                 ~
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                       Notification Data                       ~
//	+---------------------------------------------------------------+
//
// Where there is no SPI the Protocol ID is zero, and ignored on receipt.
type Notify struct {
	Protocol Protocol // ProtocolAH or ProtocolESP with an SPI, NoProtocol without
	SPI      uint32
	Kind     NotifyType
	Data     []byte
}

// Type returns Kind.
func (p *Raw) Type() PayloadType { return p.Kind }

// Type returns TypeKE.
func (p *KE) Type() PayloadType { return TypeKE }

// Type returns TypeIDi or TypeIDr.
func (p *ID) Type() PayloadType {
	if p.Responder {
		return TypeIDr
	}
	return TypeIDi
}

// Type returns TypeCert.
func (p *Cert) Type() PayloadType { return TypeCert }

// Type returns TypeCertReq.
func (p *CertReq) Type() PayloadType { return TypeCertReq }

// Type returns TypeAuth.
func (p *Auth) Type() PayloadType { return TypeAuth }

// Type returns TypeNonce.
func (p *Nonce) Type() PayloadType { return TypeNonce }

// Type returns TypeVendorID.
func (p *VendorID) Type() PayloadType { return TypeVendorID }

// Type returns TypeDelete.
func (p *Delete) Type() PayloadType { return TypeDelete }

// Type returns TypeConfig.
func (p *Config) Type() PayloadType { return TypeConfig }

// Type returns TypeTSi or TypeTSr.
func (p *TS) Type() PayloadType {
	if p.Responder {
		return TypeTSr
	}
	return TypeTSi
}

// Type returns TypeNotify.
func (p *Notify) Type() PayloadType { return TypeNotify }
