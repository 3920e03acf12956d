// Package eigrpdmvpn runs EIGRP over DMVPN clouds: the three labs of labs.txtar, with
// their configurations pasted as they are but for the lines about encryption, which
// are refused until there is a daemon for them. What decides are the metrics that IOS
// has in the same labs, the kernel's tables, the paths of packets, and what a crash of
// any daemon costs, which must be nothing.
//
//	lan0 10.10.0.0/24 ── HUB     192.0.2.1 ─────┐
//	lan1 10.11.0.0/24 ── SPOKE1  198.51.100.1 ──┤ inet
//	lan2 10.12.0.0/24 ── SPOKE2  203.0.113.1 ───┘
//
//	Tunnel0 172.31.0.0/24: hub .1 (mGRE), spokes .11 and .12 (point-to-point GRE in
//	lab 1, mGRE in the others)
package eigrpdmvpn
