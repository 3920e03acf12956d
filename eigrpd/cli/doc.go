// Package cli is eigrpd's part of the command line: its grammar as data, the
// reading of its configuration in classic and in named mode, the conversion between
// the two, and the outputs of the commands that show something, for people and as
// JSON.
//
// It is pure: it turns a configuration tree into a core.Config and reports of the
// core into text, and knows neither sockets nor zebra.
//
// # Two modes
//
// Classic mode is `router eigrp AS` with lines `ip … eigrp AS` under the interfaces,
// and `ipv6 router eigrp AS`. Named mode is `router eigrp NAME` with all lines inside
// of its address families. Both say the same, but that an instance in named mode
// counts in wide metrics: [Read] makes the same core.InstanceConfig of both. Lines
// that both have share their IDs. [Upgrade] and [Downgrade] turn one form into the
// other.
//
// What an interface does not say it inherits from `af-interface default`; so the
// lines of an af-interface are kept even where they say what is the default anyway.
//
// # Lines in any order
//
// A configuration is entered line by line, and each state on the way must be
// accepted: hello-interval 20 before hold-time 60. Hence a contradiction is refused
// only between two lines that are both there. A hold time that no line gives is three
// times the hello interval where 15 seconds would not exceed that; on IOS it stays 15
// seconds and neighbours flap.
//
// Redistribution without a metric is accepted as on IOS, since a later line or the
// route-map may bring one; until then, routes whose own metric EIGRP cannot use are
// not told.
package cli

// Owner is the name of the daemon.
const Owner = "eigrpd"
