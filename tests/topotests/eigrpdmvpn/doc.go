// Package eigrpdmvpn runs EIGRP over DMVPN clouds: the three labs of package labs,
// pasted as they are but for the lines about encryption, so that captures show what
// passes. What decides are the metrics that IOS has in the same labs, the kernel's
// tables, the paths of packets, and what a crash of any daemon costs, which must be
// nothing.
package eigrpdmvpn
