// Package bgp tests bgpd with FRRouting's bgpd and with BIRD over Ethernet, side by side:
// routes of both families, passwords, communities, AS numbers of four octets, route
// refresh, graceful restart of either side, long-lived graceful restart, reflection and
// additional paths. tshark decodes all that passes.
//
// # What was seen
//
//   - FRR 8.4.4 takes an IPv6 route out of its kernel for a moment when its own bgpd is
//     restarted, and no IPv4 route.
//   - BIRD 2.0.12 says that it has restarted only if it is started with -R, and keeps its
//     kernel's routes only with "persist".
//   - Where both sides connect at the same moment BIRD closed both connections, and gave
//     up the routes that it had kept over our restart; it is passive here where that
//     matters.
package bgp
