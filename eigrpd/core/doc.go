// Package core decides what an EIGRP router does (RFC 7868): neighbours, the exchange
// of routes, and the routes that come of it. DUAL is in core/dual, reliable transport
// in core/rtp. It is being written; nothing uses it yet.
package core
