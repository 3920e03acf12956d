// Package demo is the demonstration: the cloud of package lab1 on this machine, kept
// up in the background, and a tour of what a network engineer wants to see of it.
//
//	make demo ─ demo up ───── pipe ◀───── demo keep (own session, background)
//	            stamps and prints,        holds the lock, builds the cloud,
//	            returns when it is up     tours it, and stays until it is told to end
//
// "demo keep" runs the topology where package harness finds a kernel for it: in
// namespaces of this one, or in a User-Mode Linux, in which it runs once more.
//
// Everything that tells one demonstration from another follows from its directory:
// there are the lock, which its keeper holds as long as it lives, the control socket
// of the User-Mode Linux, and the run directories of the routers; and its base name
// begins the names of the namespaces. So "demo down" finds what is left of a
// demonstration whose keeper was killed.
package demo
