// Package policy has what routing policy is written with on a Cisco router, as
// values, and the evaluation of it: prefix-lists, access-lists, route-maps and
// key chains.
//
// # How it comes to a daemon
//
// Policy is configured once, in zebra, and every daemon gets it together with
// its own part of the configuration: zebra adds [Grammar] to its own grammar and
// passes the lines named by [SharedIDs] on, and each daemon calls [Read] with the
// tree that it was given. The result, a [Set], does not change any more and may
// be shared by goroutines; a new configuration makes a new Set. Nothing here
// reads a clock: key chains take the time as an argument.
//
// # Lists that do not exist
//
// A reference is resolved when it is used, so lists may be configured in any
// order. What a missing list means is what Cisco IOS makes of it:
//
//   - a prefix-list or access-list that is not defined, or has no permit or deny
//     line, permits everything ("An empty prefix list permits all prefixes", IOS
//     command reference, ip prefix-list). So a route-map entry that matches by
//     it matches every route;
//   - a list with lines denies what none of them matches;
//   - a route-map that is not defined denies everything, also where another
//     route-map calls it: there is no entry that permits.
//
// The methods of nil lists and nil route-maps say just that, so callers need not
// look whether a name is defined.
//
// # Access-lists for routes
//
// A standard list compares a route's network address. An extended list, which
// has two addresses, compares in a route-map its source with the network and its
// destination with the network mask ("permit ip 10.0.0.0 0.255.255.255 host
// 255.255.255.0"), and in the distribute-list of an interior protocol its source
// with the router that the update came from and its destination with the network
// ([AccessList.MatchPrefix], [AccessList.MatchUpdate]).
//
// # Route-maps
//
// Entries are tried by sequence number. An entry applies if each kind of its
// match clauses has a value that fits: values of one kind are alternatives, the
// kinds must all fit, and an entry without match clauses applies always. A deny
// line of a list in a match clause means that the list does not fit, not that
// the route is denied. A deny entry that applies ends with a denial. A permit
// entry notes its set clauses, then asks the map that it calls, if any, whose
// denial is final, and ends with a permission, or goes on at the entry that
// "continue" names or, if there is none, at the next one behind it. The set
// clauses are carried out at the end, in the order in which they were met; all
// match clauses see the route as it came. A route that met no deny entry and at
// least one permit entry is permitted.
//
// # Key chains
//
// Lifetimes are in UTC and half open: a key is valid from its start on and no
// more at its end. The key to send with is the valid one with the smallest
// number; any key that is valid for acceptance is accepted, so that keys roll
// over without loss if lifetimes overlap. Where IOS goes on with the last key
// once all have expired, there is no key here: nothing is authenticated with a
// key that its owner has ended.
package policy
