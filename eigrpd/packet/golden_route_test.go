package packet

import "github.com/godmvpn/godmvpn/eigrpd/metric"

func classicGoldens() []golden {
	return []golden{{
		name: "update of a hub, IPv4",
		hex: `
			02 01 XXXX 00000000 00000003 00000000 0000 0064 | Update 3, AS 100
			0102 0024       | IPv4 internal, 36 octets
			00000000        |   Next Hop: the sender
			00000100        |   Scaled Delay 10 µs
			00000a00        |   Scaled Bandwidth 1 Gbit/s
			0005dc 01       |   MTU 1500, Hop Count 1
			ff 01 07 04     |   Reliability, Load, Internal Tag 7, ACTIVE
			08 0a           |   10.0.0.0/8
			00 00           |   0.0.0.0/0, with an octet of address
			18 0a0c00       |   10.12.0.0/24
			11 c0a880       |   192.168.128.0/17
			0102 001d       | IPv4 internal, 29 octets
			ac1f000c        |   Next Hop 172.31.0.12
			ffffffff        |   Scaled Delay: unreachable
			0003e800 000578 00 ff 01 00 01
			20 0a0c0001     |   10.12.0.1/32`,
		msg: Message{Opcode: Update, Sequence: 3, AS: 100, Routes: []Route{{
			Type: TypeIPv4Internal, Flags: RouteActive, InternalTag: 7,
			Classic:      metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Hops: 1, Reliability: 255, Load: 1},
			Destinations: prefixes("10.0.0.0/8", "0.0.0.0/0", "10.12.0.0/24", "192.168.128.0/17"),
		}, {
			Type: TypeIPv4Internal, NextHop: ip("172.31.0.12"), Flags: RouteSourceWithdraw,
			Classic:      metric.Classic{Delay: metric.ClassicUnreachable, Bandwidth: 256000, MTU: 1400, Reliability: 255, Load: 1},
			Destinations: prefixes("10.12.0.1/32"),
		}}},
		noTshark: "it goes an octet too far after a destination",
	}, {
		// As the RFC's text has it; what follows tells that no octet belongs to it.
		name: "default route without an octet",
		hex: `
			02 04 XXXX 00000000 00000003 00000002 0000 0064 | Reply 3
			0102 001c 00000000 00000100 00000a00 0005dc 01 ff 01 00 00
			00              |   0.0.0.0/0
			08 0a           |   10.0.0.0/8
			00              |   0.0.0.0/0`,
		msg: Message{Opcode: Reply, Sequence: 3, Ack: 2, AS: 100, Routes: []Route{{
			Type:         TypeIPv4Internal,
			Classic:      metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Hops: 1, Reliability: 255, Load: 1},
			Destinations: prefixes("0.0.0.0/0", "10.0.0.0/8", "0.0.0.0/0"),
		}}},
		reads: true,
	}, {
		name: "query for an external route",
		hex: `
			02 03 XXXX 00000000 00000004 00000000 0000 0064 | Query 4
			0103 0031       | IPv4 external, 49 octets
			00000000        |   Next Hop: the sender
			0a020202        |   Router Identifier 10.2.2.2
			0000fde8        |   External AS 65000
			00000063        |   Administrative Tag 99
			00000005        |   External Protocol Metric 5
			0000 09 01      |   Reserved, BGP, external
			ffffffff ffffffff
			000000 00       |   MTU, Hop Count
			00 00 00 04     |   ACTIVE
			20 c6336f01     |   198.51.111.1/32`,
		msg: Message{Opcode: Query, Sequence: 4, AS: 100, Routes: []Route{{
			Type: TypeIPv4External, Flags: RouteActive,
			External:     External{RouterID: 0x0a020202, AS: 65000, Tag: 99, Metric: 5, Protocol: ProtocolBGP, Flags: ExternalRoute},
			Classic:      metric.Classic{Delay: metric.ClassicUnreachable, Bandwidth: metric.ClassicUnreachable},
			Destinations: prefixes("198.51.111.1/32"),
		}}},
	}, {
		name: "IPv6, internal and external",
		hex: `
			02 0a XXXX 00000000 00000005 00000000 0000 0064 | SIA-Query 5
			0402 0039                            | IPv6 internal, 57 octets
			fe800000000000000000000000000009     |   Next Hop fe80::9
			00000100 00000a00 0005dc 01 ff 01 00 00
			40 20010db80000000100                |   2001:db8:0:1::/64, 9 octets
			39 20010db800000080                  |   2001:db8:0:80::/57
			00 00                                |   ::/0
			0403 0049                            | IPv6 external, 73 octets
			00000000000000000000000000000000     |   Next Hop: the sender
			0a020202 00000001 00000002 00000003 0000 03 03
			00000100 00000a00 0005dc 01 ff 01 00 00
			80 20010db8000000010000000000000009  |   2001:db8:0:1::9/128`,
		msg: Message{Opcode: SIAQuery, Sequence: 5, AS: 100, Routes: []Route{{
			Type: TypeIPv6Internal, NextHop: ip("fe80::9"),
			Classic:      metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Hops: 1, Reliability: 255, Load: 1},
			Destinations: prefixes("2001:db8:0:1::/64", "2001:db8:0:80::/57", "::/0"),
		}, {
			Type: TypeIPv6External,
			External: External{RouterID: 0x0a020202, AS: 1, Tag: 2, Metric: 3, Protocol: ProtocolStatic,
				Flags: ExternalRoute | ExternalCandidateDefault},
			Classic:      metric.Classic{Delay: 256, Bandwidth: 2560, MTU: 1500, Hops: 1, Reliability: 255, Load: 1},
			Destinations: prefixes("2001:db8:0:1::9/128"),
		}}},
		noTshark: "it goes an octet too far after a destination",
	}, {
		name: "communities",
		hex: `
			02 01 XXXX 00000000 00000006 00000000 0000 0064 | Update 6
			0104 001c       | IPv4 community, 28 octets
			0a0c0001        |   10.12.0.1
			0000 0010       |   Reserved, 16 octets
			8800 800000000063
			8801 006400000100
			0404 0020       | IPv6 community, 32 octets
			20010db8000000010000000000000009
			0000 0008
			0003 fde800000064 | Site of Origin 65000:100`,
		msg: Message{Opcode: Update, Sequence: 6, AS: 100, Communities: []Communities{
			{ip("10.12.0.1"), []Community{{0x88, 0, 0x80, 0, 0, 0, 0, 0x63}, {0x88, 1, 0, 0x64, 0, 0, 1, 0}}},
			{ip("2001:db8:0:1::9"), []Community{{0, 3, 0xfd, 0xe8, 0, 0, 0, 0x64}}},
		}},
		noTshark: "it takes the TLV for a route",
	}}
}

func wideGoldens() []golden {
	return []golden{{
		name: "wide, internal",
		hex: `
			02 01 XXXX 00000008 00000009 00000000 0000 0064 | Update 9, EOT
			0602 002c       | multiprotocol internal, 44 octets
			0000 0001       |   TID 0, AFI IPv4
			0a010101        |   Router Identifier 10.1.1.1
			00 00 ff 01     |   no attributes, no Priority, Reliability, Load
			0005dc 02       |   MTU 1500, Hop Count 2
			000000989680    |   Delay 10000000 ps
			0000000f4240    |   Bandwidth 1000000 kbps
			0000 0000       |   Reserved, Opaque Flags
			00000000        |   Next Hop: the sender
			18 0a0c00       |   10.12.0.0/24`,
		msg: Message{Opcode: Update, Flags: FlagEndOfTable, Sequence: 9, AS: 100, Routes: []Route{{
			Type: TypeInternal, AFI: AFIPv4, RouterID: 0x0a010101,
			Wide:         metric.Wide{Delay: 10_000_000, Bandwidth: 1_000_000, MTU: 1500, Hops: 2, Reliability: 255, Load: 1},
			Destinations: prefixes("10.12.0.0/24"),
		}}},
	}, {
		name: "wide, external, all attributes",
		hex: `
			02 0b XXXX 00000000 0000000a 00000001 0000 0064 | SIA-Reply 10
			0603 0095       | multiprotocol external, 149 octets
			0001 0001       |   TID 1, AFI IPv4
			0a010101        |   Router Identifier
			2a 05 fe 02     |   42 words of attributes, Priority 5, Reliability 254, Load 2
			000578 03       |   MTU 1400, Hop Count 3
			ffffffffffff    |   Delay: unreachable
			000000000064    |   Bandwidth 100 kbps
			0000 000a       |   Opaque Flags: candidate default, replicated
			02 02 00000011  |   Administrator Tag 17
			03 04 8800 800000000063 | Community List
			04 03 000000000007 | Jitter 7 µs
			05 02 00000008  |   Quiescent Energy 8
			06 02 00000009  |   Energy 9
			07 07 0a000003 0a010103 00000012 02 01 | AddPath: 10.0.0.3, 10.1.1.3, tag 18, EIGRP
			07 07 00000000 0a010104 00000000 00 00 | AddPath: the sender
			01 05 0000 00000100 00000200 | Scaled Metric
			63 01 abcd      |   unknown
			0a000002        |   Next Hop 10.0.0.2
			0a020202 00000064 00000063 00000005 0000 06 01 | Exterior Section: OSPF 100
			10 0a0c         |   10.12.0.0/16
			08 0b           |   11.0.0.0/8`,
		msg: Message{Opcode: SIAReply, Sequence: 10, Ack: 1, AS: 100, Routes: []Route{{
			Type: TypeExternal, AFI: AFIPv4, TID: 1, RouterID: 0x0a010101, Priority: 5,
			NextHop: ip("10.0.0.2"), Flags: RouteCandidateDefault | RouteReplicated, Tag: 17,
			External: External{RouterID: 0x0a020202, AS: 100, Tag: 99, Metric: 5, Protocol: ProtocolOSPF, Flags: ExternalRoute},
			Wide: metric.Wide{Delay: metric.Unreachable, Bandwidth: 100, MTU: 1400, Hops: 3, Reliability: 254, Load: 2,
				Jitter: 7, QuiescentEnergy: 8, Energy: 9},
			Communities: []Community{{0x88, 0, 0x80, 0, 0, 0, 0, 0x63}},
			Paths: []Path{
				{NextHop: ip("10.0.0.3"), RouterID: 0x0a010103, Tag: 18, Protocol: ProtocolEIGRP, Flags: ExternalRoute},
				{RouterID: 0x0a010104},
			},
			Attributes:   []Attribute{NewScaledMetric(256, 512), {0x63, []byte{0xab, 0xcd}}},
			Destinations: prefixes("10.12.0.0/16", "11.0.0.0/8"),
		}}},
		noTshark: "it stops at the communities",
	}, {
		name: "wide, IPv6",
		hex: `
			02 01 XXXX 00000000 0000000b 00000000 0000 0064 | Update 11
			0602 005c       | multiprotocol internal, 92 octets
			0000 0002       |   TID 0, AFI IPv6
			0a010101        |   Router Identifier
			0e 00 ff 01 0005dc 02 000000989680 0000000f4240 0000 0000
			07 0c fe800000000000000000000000000003 0a010103 00000012 | AddPath
			00 00           |   NoOp
			fe800000000000000000000000000009 | Next Hop
			40 20010db80000000100 |   2001:db8:0:1::/64
			00 00           |   ::/0`,
		msg: Message{Opcode: Update, Sequence: 11, AS: 100, Routes: []Route{{
			Type: TypeInternal, AFI: AFIPv6, RouterID: 0x0a010101, NextHop: ip("fe80::9"),
			Wide:         metric.Wide{Delay: 10_000_000, Bandwidth: 1_000_000, MTU: 1500, Hops: 2, Reliability: 255, Load: 1},
			Paths:        []Path{{NextHop: ip("fe80::3"), RouterID: 0x0a010103, Tag: 18}},
			Destinations: prefixes("2001:db8:0:1::/64", "::/0"),
		}}},
		noTshark: "it goes an octet too far after a destination",
	}}
}
