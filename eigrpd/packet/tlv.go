package packet

import "net/netip"

// TLVType is the Type of a TLV: Type High is a class, Type Low the TLV in it (RFC
// 7868 section 6.6.1).
type TLVType uint16

// TLV types: RFC 7868 sections 6.7, 6.8.5, 6.8.6 and 6.9.1.
const (
	TypeParameter         TLVType = 0x0001
	TypeAuthentication    TLVType = 0x0002
	TypeSequence          TLVType = 0x0003
	TypeSoftwareVersion   TLVType = 0x0004
	TypeMulticastSequence TLVType = 0x0005
	TypePeerInformation   TLVType = 0x0006
	TypePeerTermination   TLVType = 0x0007
	TypeTIDList           TLVType = 0x0008
	TypeIPv4Internal      TLVType = 0x0102
	TypeIPv4External      TLVType = 0x0103
	TypeIPv4Community     TLVType = 0x0104
	TypeIPv6Internal      TLVType = 0x0402
	TypeIPv6External      TLVType = 0x0403
	TypeIPv6Community     TLVType = 0x0404
	TypeInternal          TLVType = 0x0602 // multiprotocol, with wide metric
	TypeExternal          TLVType = 0x0603 // multiprotocol, with wide metric
)

// IsRoute reports whether the TLV is a Route.
func (t TLVType) IsRoute() bool {
	switch t {
	case TypeIPv4Internal, TypeIPv4External, TypeIPv6Internal, TypeIPv6External, TypeInternal, TypeExternal:
		return true
	}
	return false
}

// External reports whether the TLV has routes from outside of the AS.
func (t TLVType) External() bool {
	return t == TypeIPv4External || t == TypeIPv6External || t == TypeExternal
}

// Wide reports whether the TLV is a Route of version 2.0, with a wide metric.
func (t TLVType) Wide() bool { return t == TypeInternal || t == TypeExternal }

// community reports whether the TLV is a list of communities.
func (t TLVType) community() bool { return t == TypeIPv4Community || t == TypeIPv6Community }

// known reports whether the TLV has a field of its own in Message.
func (t TLVType) known() bool {
	return t >= TypeParameter && t <= TypeTIDList || t.IsRoute() || t.community()
}

// TLV is one that this package does not know (RFC 7868 section 6.6). It is to be
// skipped.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Type high     | Type low      |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                    Value (variable length)                    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type TLV struct {
	Type  TLVType
	Value []byte // without type and length
}

// Lengths of TLVs, in octets, with type and length where not said otherwise.
const (
	tlvHeader         = 4
	parameterLen      = 12
	softwareLen       = 8
	multicastLen      = 8
	stubLen           = 6
	tidListLen        = 8 // without TIDs
	communityLen      = 8 // one community
	classicMetricLen  = 16
	wideMetricLen     = 24
	multiprotocolLen  = 8 // TID, AFI and RID
	externalLen       = 20
	maxAttributeWords = 255
)

// Community is an EIGRP community: a type of two octets and a value of six (RFC 7868
// section 6.4).
//
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Type high     | Type low      |                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+          Value                |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Community [communityLen]byte

// Type returns the type of the community.
func (c Community) Type() CommunityType { return CommunityType(c[0])<<8 | CommunityType(c[1]) }

// CommunityType is the type of a Community.
type CommunityType uint16

// Types of communities in which EIGRP keeps a route that goes through BGP (RFC 7868
// section 6.4).
const (
	CommunityRoute          CommunityType = 0x8800 // EXTCOMM_EIGRP: route information appended
	CommunityASDelay        CommunityType = 0x8801 // EXTCOMM_DAD: AS, delay
	CommunityVector         CommunityType = 0x8802 // EXTCOMM_VRHB: reliability, hops, bandwidth
	CommunitySystem         CommunityType = 0x8803 // EXTCOMM_SRLM: reserved, load, MTU
	CommunityRemote         CommunityType = 0x8804 // EXTCOMM_SAR: remote AS, remote ID
	CommunityRemoteProtocol CommunityType = 0x8805 // EXTCOMM_RPM: protocol, metric
	CommunityRouterID       CommunityType = 0x8806 // EXTCOMM_VRR: reserved, Router ID
)

// Communities is a Community TLV (RFC 7868 sections 6.8.5.3 and 6.8.6.3), of type
// 0x0104 or, with an IPv6 destination, 0x0404:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|      0x01     |       0x04    |             Length            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                          IPv4 Destination                     |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|            Reserved           |       Community Length        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                         Community List                        |
//	|                        (variable length)                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Communities struct {
	Destination netip.Addr
	List        []Community
}
