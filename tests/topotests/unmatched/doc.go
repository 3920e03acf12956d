// Package unmatched has GRE packets come to a hub that are for none of its tunnels, in
// the cloud of package lab1: a spoke with another tunnel key. The hub tells from where,
// with which key, and which key it wants.
package unmatched
