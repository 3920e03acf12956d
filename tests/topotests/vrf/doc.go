// Package vrf runs Phase 2 with VRFs on both sides of the tunnels. The underlay is in a
// VRF of its own (a front-door VRF); two tunnels share that source and are told apart
// by their keys; one is in the global table and one in a VRF, with the same addresses
// in both.
//
//	lan 10.N.0.0/24  ── Tunnel0 (global) key 100 ──┐
//	red 10.N.0.0/24  ── Tunnel1 (RED)    key 200 ──┴─ wan (INET) ── inet
//
// Another test has RIP, EIGRP and OSPF in a VRF each, over Ethernet.
package vrf
