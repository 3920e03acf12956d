// Package qos has a hub hold its spokes down to rates by their NHRP groups, in the
// cloud of package lab1: spoke 1 is in a group with a slow policy, spoke 2 in one with a
// fast one. What the kernel's queueing discipline counts and what leaves the hub is
// compared with what was sent; no measured speed decides.
package qos
