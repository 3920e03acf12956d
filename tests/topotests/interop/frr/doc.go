// Package frr runs this suite beside FRRouting's nhrpd, each as the hub and as a
// spoke of the other, over mGRE with a key and without authentication. What each
// side shows, what the kernel's tables hold, what passes on the wire and what
// another decoder says about it must agree.
//
//	lan0 10.10.0.0/24 ── hub     192.0.2.1 ─────┐
//	lan1 10.11.0.0/24 ── spoke1  198.51.100.1 ──┤ inet
//	lan2 10.12.0.0/24 ── spoke2  203.0.113.1 ───┘
//
//	Tunnel 172.31.0.0/24, key 100: hub .1, spokes .11 and .12
//
// Any router may be ours (device Tunnel0, configured by NAME.conf) or FRR's (device
// gre1, made with iproute2, configured by frr-hub.conf or frr-spoke.conf). The
// tests need Debian's packages frr (seen with 8.4.4) and tshark.
//
// # What FRR 8.4.4 wants
//
//   - The GRE device is made outside, with its local address and key, and holds a
//     host address: nhrpd ignores a device whose own address is shorter than /32.
//     An address with a subnet as its peer gives the connected route as well.
//   - "tunnel source" in FRR must not be used with it. Seen: its zebra writes the
//     device anew, which is then down and without local address, key and TTL, and
//     not one registration leaves. Without that line nhrpd takes the NBMA address
//     from the device.
//   - A registration is repeated after a third of the holding time, and only by
//     that does a hub that was restarted learn of its spokes again: hence short
//     holding times in the configurations.
//   - With that connected route its nhrpd finds no way to a station that it has no
//     binding of yet, and leaves a Resolution Request of such a station unanswered. A
//     spoke that is to be asked by others of FRR has the route to the tunnel by way of
//     the hub instead; its answers then go there.
//   - A shortcut is a route with distance 10, and a route that the kernel has for the
//     same prefix hides it: a spoke has a summary instead, not shorter than /8.
//   - A hub redirects only what a rule of iptables copies to "nhrp nflog-group".
//   - There is no handler for Purge Requests: they are not answered either.
//   - "show ip nhrp nhs json" names the servers but not whether they answer. That
//     shows in "show ip nhrp cache json", where an entry of type nhs exists only
//     once the server has answered a registration.
package frr
