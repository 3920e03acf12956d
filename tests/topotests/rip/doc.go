// Package rip tests ripd over Ethernet: routers that exchange routes, lose them and
// find others, refuse what is not authentic, and go on while their daemons die. What
// is true is what the kernels' tables and the captures say.
//
//	line:  h1 ── r1 ──── r2 ──── r3 ── h3
//
//	ring:  r1 ── r2
//	       │      │       a LAN behind r1 and one behind r3
//	       r4 ── r3
//
//	pair:  a ════ b       parallel links: one for each way of authentication, or for
//	                      each kind of announcement
package rip
