// Package cli is bgpd's part of the command line: its grammar as data, the reading of
// its configuration, and the outputs of the commands that show something, for people
// and as JSON.
//
// # Two forms of one configuration
//
// On IOS what concerns IPv4 may stand directly under `router bgp` or in
// `address-family ipv4`; both work here, and each line stays where it was entered. Where
// both places say something, the address family's line counts. A VRF has all of its
// lines, those about sessions too, in its address families.
//
// # What a neighbour inherits
//
// The lines of a neighbour, a peer-group and a template are read into the same form, a
// set of lines by what they are about. A neighbour has its own lines, then those of its
// peer-group, or of the templates that it inherits from; the first of these that says
// something counts. Settings are made of what results, so that whoever changes a
// peer-group changes all of its members.
//
// # Lines in any order
//
// A configuration is entered line by line, and each state on the way must be accepted: a
// neighbour without remote-as, a peer-group that does not exist yet. Such neighbours do
// not run.
package cli

// Owner is the name of the daemon.
const Owner = "bgpd"
