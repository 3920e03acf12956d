package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// AccessList is a standard or extended IPv4 access-list.
type AccessList struct {
	Name     string // or number
	Extended bool
	Entries  []AccessEntry // permit and deny lines by sequence number
}

// AccessEntry is one permit or deny line. A standard list's entries have
// Protocol AnyProtocol and a Destination that is any.
type AccessEntry struct {
	Seq         uint32
	Permit      bool
	Protocol    int // IP protocol number, or AnyProtocol
	Source      Wildcard
	Destination Wildcard
	SourcePort  Ports
	DestPort    Ports
	Established bool
}

// AnyProtocol stands for "ip".
const AnyProtocol = -1

// Wildcard is a set of IPv4 addresses: those that agree with Addr wherever Bits
// has a zero.
type Wildcard struct {
	Addr uint32 // zero where Bits is one
	Bits uint32
}

// anyAddr is the set of all addresses.
var anyAddr = Wildcard{Bits: ^uint32(0)}

// Match tells whether the address is in the set. No IPv6 address is.
func (w Wildcard) Match(a netip.Addr) bool { return a.Is4() && w.match(number4(a)) }

func (w Wildcard) match(a uint32) bool { return (a^w.Addr)&^w.Bits == 0 }

// number4 returns an IPv4 address as a number.
func number4(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

// addr4 is the reverse of number4.
func addr4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// Ports is a set of TCP or UDP ports. The zero value is all of them.
type Ports struct {
	Op     string // eq, neq, gt, lt, range; "" for all
	Lo, Hi uint16 // Hi for range only
}

// Match tells whether the port is in the set.
func (p Ports) Match(port uint16) bool {
	switch p.Op {
	case "eq":
		return port == p.Lo
	case "neq":
		return port != p.Lo
	case "gt":
		return port > p.Lo
	case "lt":
		return port < p.Lo
	case "range":
		return p.Lo <= port && port <= p.Hi
	}
	return true
}

// Packet is what an access-list looks at in a packet.
type Packet struct {
	Protocol             uint8 // of the IPv4 header
	Source, Destination  netip.Addr
	SourcePort, DestPort uint16
	// HasPorts tells that the ports are known: they are not in the later
	// fragments of a packet, which lines with ports therefore do not match.
	HasPorts    bool
	Established bool // a TCP segment with ACK or RST
}

// IP protocol numbers that have ports.
const (
	protocolTCP = 6
	protocolUDP = 17
)

// first evaluates the list with a test for its lines.
func (l *AccessList) first(fits func(*AccessEntry) bool) (permit, found bool) {
	if l == nil || len(l.Entries) == 0 {
		return true, false
	}
	for i := range l.Entries {
		if e := &l.Entries[i]; fits(e) {
			return e.Permit, true
		}
	}
	return false, false
}

// plain tells whether the line says nothing but addresses: only such lines match
// routes and addresses.
func (e *AccessEntry) plain() bool {
	return e.Protocol == AnyProtocol
}

// MatchAddr evaluates the list for an address, such as a next hop: by the source
// that its lines name. found tells whether a line decided; without one a list
// denies, and a list that has no lines, or nil, permits.
func (l *AccessList) MatchAddr(a netip.Addr) (permit, found bool) {
	return l.first(func(e *AccessEntry) bool { return e.plain() && e.Source.Match(a) })
}

// MatchPrefix evaluates the list for a route as a route-map does: a standard
// list by the network, an extended list by the network as source and the network
// mask as destination. No line matches an IPv6 route. found is as for MatchAddr.
func (l *AccessList) MatchPrefix(p netip.Prefix) (permit, found bool) {
	if !p.Addr().Is4() {
		return l.first(func(*AccessEntry) bool { return false })
	}
	network, mask := number4(p.Masked().Addr()), uint32(uint64(1<<32-1)<<(32-p.Bits()))
	return l.first(func(e *AccessEntry) bool {
		return e.plain() && e.Source.match(network) && (!l.Extended || e.Destination.match(mask))
	})
}

// MatchUpdate evaluates the list for a route in an update as the distribute-list
// of RIP, EIGRP or OSPF does: a standard list by the network, an extended list
// by the router that the update came from as source and the network as
// destination. found is as for MatchAddr.
func (l *AccessList) MatchUpdate(from netip.Addr, p netip.Prefix) (permit, found bool) {
	if l == nil || !l.Extended {
		return l.MatchPrefix(p)
	}
	network := p.Masked().Addr()
	return l.first(func(e *AccessEntry) bool {
		return e.plain() && e.Source.Match(from) && e.Destination.Match(network)
	})
}

// MatchPacket evaluates the list for a packet. found is as for MatchAddr.
func (l *AccessList) MatchPacket(p Packet) (permit, found bool) {
	return l.first(func(e *AccessEntry) bool {
		switch {
		case e.Protocol != AnyProtocol && e.Protocol != int(p.Protocol),
			!e.Source.Match(p.Source), !e.Destination.Match(p.Destination),
			e.Established && !p.Established:
			return false
		case e.SourcePort.Op == "" && e.DestPort.Op == "":
			return true
		}
		return p.HasPorts && e.SourcePort.Match(p.SourcePort) && e.DestPort.Match(p.DestPort)
	})
}

// protocolNumbers has Cisco's names of IP protocols.
var protocolNumbers = map[string]int{"ip": AnyProtocol, "icmp": 1, "igmp": 2, "ipinip": 4, "tcp": protocolTCP, "udp": protocolUDP,
	"gre": 47, "esp": 50, "ahp": 51, "eigrp": 88, "ospf": 89, "pim": 103, "pcp": 108}

// protocolNames is protocolNumbers turned round.
var protocolNames = func() map[int]string {
	names := map[int]string{}
	for name, n := range protocolNumbers { // unordered: each name has a number of its own
		names[n] = name
	}
	return names
}()

// protocolName is Cisco's name of an IP protocol, or its number.
func protocolName(n int) string {
	if name := protocolNames[n]; name != "" {
		return name
	}
	return strconv.Itoa(n)
}

// portNumbers has Cisco's names of ports, by protocol.
var portNumbers = map[int]map[string]uint16{
	protocolTCP: {"bgp": 179, "chargen": 19, "cmd": 514, "daytime": 13, "discard": 9, "domain": 53, "echo": 7, "exec": 512, "finger": 79,
		"ftp": 21, "ftp-data": 20, "gopher": 70, "hostname": 101, "ident": 113, "irc": 194, "klogin": 543, "kshell": 544,
		"login": 513, "lpd": 515, "nntp": 119, "pim-auto-rp": 496, "pop2": 109, "pop3": 110, "smtp": 25, "sunrpc": 111,
		"tacacs": 49, "talk": 517, "telnet": 23, "time": 37, "uucp": 540, "whois": 43, "www": 80},
	protocolUDP: {"biff": 512, "bootpc": 68, "bootps": 67, "discard": 9, "dnsix": 195, "domain": 53, "echo": 7, "isakmp": 500,
		"mobile-ip": 434, "nameserver": 42, "netbios-dgm": 138, "netbios-ns": 137, "netbios-ss": 139, "non500-isakmp": 4500,
		"ntp": 123, "pim-auto-rp": 496, "rip": 520, "snmp": 161, "snmptrap": 162, "sunrpc": 111, "syslog": 514, "tacacs": 49,
		"talk": 517, "tftp": 69, "time": 37, "who": 513, "xdmcp": 177},
}

// portName is what show prints for a port.
func portName(protocol int, port uint16) string {
	best := ""
	for name, n := range portNumbers[protocol] { // unordered: the least name wins
		if n == port && (best == "" || name < best) {
			best = name
		}
	}
	if best != "" {
		return best
	}
	return strconv.Itoa(int(port))
}

// describe is Cisco's text of the set in a list of that kind.
func (w Wildcard) describe(extended bool) string {
	switch {
	case w.Bits == anyAddr.Bits:
		return "any"
	case w.Bits == 0 && extended:
		return "host " + addr4(w.Addr).String()
	case w.Bits == 0:
		return addr4(w.Addr).String()
	case extended:
		return addr4(w.Addr).String() + " " + addr4(w.Bits).String()
	}
	return fmt.Sprintf("%v, wildcard bits %v", addr4(w.Addr), addr4(w.Bits))
}

// describe is Cisco's text; "" for all ports.
func (p Ports) describe(protocol int) string {
	switch p.Op {
	case "":
		return ""
	case "range":
		return "range " + portName(protocol, p.Lo) + " " + portName(protocol, p.Hi)
	}
	return p.Op + " " + portName(protocol, p.Lo)
}

// describe is the line as "show access-lists" has it behind the sequence number.
func (e AccessEntry) describe(extended bool) string {
	if !extended {
		return fmt.Sprintf("%-6s %s", verb(e.Permit), e.Source.describe(false))
	}
	words := []string{verb(e.Permit), protocolName(e.Protocol), e.Source.describe(true), e.SourcePort.describe(e.Protocol),
		e.Destination.describe(true), e.DestPort.describe(e.Protocol)}
	if e.Established {
		words = append(words, "established")
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}
