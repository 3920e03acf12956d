// Package probe is ping and traceroute as a router runs them: in its own
// network namespace, its VRFs, and with the looks of Cisco IOS.
//
// Both send ICMP echo requests (RFC 792, RFC 4443 section 4.1), one at a time:
// the next goes out when the last one was answered or its time is over.
// Traceroute sends them with a growing time to live, so that the routers on the
// way give themselves away by Time Exceeded; the traceroute of IOS does the same
// with UDP, which more firewalls drop.
//
// A raw ICMP socket receives what every other pinger of the machine receives. An
// answer is ours if it repeats our identifier, the sequence number that is out
// now and the payload, which begins with eight random octets. An ICMP error is
// ours if the packet that it quotes is an echo request to our target with our
// identifier and sequence number. All else is passed over.
//
// The parts: [Resolve] turns the words of a command into a [Path]; [Ping] and
// [Traceroute] run over a socket (conn.go); packet.go has the octets.
package probe
