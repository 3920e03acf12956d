// Package ipsec tests with strongSwan's charon and libreswan's pluto: GRE that ESP
// protects, in transport mode. What passes is seen on the underlay and by the counters
// of security associations: that a ping is answered proves nothing.
package ipsec
