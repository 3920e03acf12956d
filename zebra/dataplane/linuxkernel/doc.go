// Package linuxkernel is the dataplane.Provider of the Linux kernel, by
// rtnetlink.
//
// # Sockets
//
//	Apply ──▶ writer socket ──▶ kernel        batches, one verdict per message
//	Dump  ──▶ a socket per dump               retried while the kernel says "interrupted"
//	Events ◀─ subscription socket ◀─ kernel   links, addresses, routes, neighbours
//
// SAs and policies have a writer and a subscription of their own (NETLINK_XFRM).
//
// All sockets are opened in the network namespace that was given at birth and
// stay in it, whatever the threads of the process do later.
//
// # Writing
//
// Addresses, routes and neighbours travel in batches of up to 1,024 messages a
// send. The kernel works through a batch inside the send call, in order, and
// answers every message that fails with its sequence number, and the last one
// in any case: so when the answer to the last is there, every message has its
// verdict, and silence is success. Should an answer be lost (ENOBUFS), the part
// of the batch without a verdict is sent again; every message is idempotent.
//
// Devices are compared with what is wanted first and written only where they
// differ: kernel links emit an event at each write.
//
// # Filters
//
// Limits of TCP's segment size and the copying of multicast are BPF programs on a
// clsact queueing discipline (packages mss and replicate). Ours are known by their
// place, a priority and a handle, and by their names, which say the revision; those of
// others stay. The queueing discipline is taken away with the last of ours if it is
// ours and nobody else uses it.
//
// Who is held down to a rate has a class of an HTB queueing discipline at the root of
// the tunnel's device, with a queue of its own; a BPF filter there tells the peers
// apart (package classify). The queueing discipline is ours if it has our number; with
// the last peer it goes. If somebody else's is at the root, nobody is held down.
//
// Multipoint tunnels over IPv6 send by such a program as well (package mgre6) and by a
// device that serves all of them.
//
// GRE packets that are for no tunnel are counted by such a program on gre0 (package
// unmatched), to which the kernel gives them while it is up.
//
// Hairpins are found by such programs as well (package hairpin), one pair of them for
// all devices, with a ring by which samples reach this process. A later life puts
// its own in their place.
//
// The use of peers is noted by another one (package peeruse), which is read every few
// seconds.
//
// What a program has in its tables a later life cannot read. The peers of multicast,
// and those that are held down, are therefore kept in files as well; a program that an earlier life made goes on
// until something is to be changed, and then another takes its place in one step.
//
// # IPsec
//
// A Policy is two policies of the kernel, out and in, with a template that is not
// optional: what finds no SA does not pass, whether anybody listens or not. SAs and
// policies of ours carry one reqid, by which they find each other and are known after a
// restart: the kernel looks for the SA by addresses, reqid and mark, so that one policy
// about everybody serves all peers. Who keys an SA chooses its SPI; that of another is
// refused.
//
// Anti-replay is written by the attribute that knows windows beyond 32, with extended
// sequence numbers or without (kernels after 6.1 let them be more only so). The
// direction of an SA is not told: kernels that know it refuse windows of SAs that send.
//
// ESP in UDP is taken by sockets for all addresses, from which nothing is read: an IKE
// daemon that dies takes its own along, and its peers behind NATs are heard all the same.
//
// # Listening
//
// The kernel stamps notifications with the port of the socket that caused them.
// What the writer socket caused in routes and neighbours is dropped by a filter
// in the kernel, so a million routes of ours do not come back to us, and what
// does come was done by somebody else. If the subscription overflows, or ends
// for any reason, it is opened anew and everything is told again after a Resync.
package linuxkernel
