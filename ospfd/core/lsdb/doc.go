// Package lsdb is the link state database of one scope: of an area, of the AS, or of a
// link. It says what becomes of an LSA that comes in (RFC 2328 section 13), keeps ages,
// refreshes what the router originates and lets go what is too old (sections 12 and 14).
//
//	Receive ───▶ Receipt: verdict, and the change if it was installed
//	Originate ─┐
//	Flush ─────┼─▶ Change: to be flooded, and what it means to the routes
//	Tick ──────┘
//	Flushed ──▶ the LSA is gone, and a sequence number that wrapped begins anew
//
// Who calls it floods: retransmission lists, request lists and interfaces are not in here.
//
// # Structures
//
// A Database is a map from the key of an LSA to its one instance, with the instant at which
// it was installed and the age that it had then. Its age at another instant is computed from
// these. The order of keys is made when it is asked for and kept until a key comes or goes.
//
// # Timers
//
// One deadline for each LSA that ages, in one heap:
//
//   - each CheckAge (5 min of age) the checksum is verified;
//   - LSRefreshTime (30 min of age), of an LSA of the router's own: a new instance is made;
//   - MaxAge (1 h), of those of others: it is flooded once more and then let go.
//
// An LSA with the bit DoNotAge (RFC 1793 section 2.2) has no deadline. Nor has one that is
// MaxAge: it stays until Flushed says that nobody has to be told of it any more.
//
// # An LSA that comes in
//
//	                    checksum, type ──wrong──▶ BadChecksum, Unacceptable
//	                         │
//	   no copy ◀─────────────┼─────────────▶ copy
//	MaxAge and nobody        │          newer │ same │ older
//	exchanging: Gone         │                │      │
//	no room: Full            │  copy too new: │      ├─ copy MaxAge, MaxSequence: Wrapping
//	otherwise: Newer         │  TooSoon       │      ├─ copy just sent: JustSent
//	                         │  no room: Full │      └─ otherwise: SendBack
//	                         │  else: Newer   └─ Duplicate
//
// Step 6, whether the LSA is on the sender's request list, is the caller's, after Newer,
// TooSoon and Full and before what else.
//
// # Own LSAs
//
// Originate gives an instance the sequence number after that of the copy, and does nothing
// if the copy is the router's own and says the same. After MaxSequence the copy is flushed
// first; what is to be said waits, and Flushed brings it out with InitialSequence (section
// 12.1.6). A Newer with Self is an instance of a former life (section 13.4): the caller
// originates or flushes. Minimum intervals between instances (MinLSInterval, throttles) are
// the caller's.
//
// # Bounds
//
// MaxLSAs and MaxOctets bound what others may put in. An LSA for which there is no room is
// Full: neither installed nor to be acknowledged, so that its sender keeps it, and whoever
// runs the router is to be told. What the router itself originates is not counted; what others
// send in its name is.
//
// # Decisions the RFC leaves open
//
//   - A router-LSA whose Link State ID is not its Advertising Router is Unacceptable
//     (section 12.1.4 has them equal): it would disguise as that of another router.
//   - An age beyond MaxAge is MaxAge.
//   - What was asked for in an exchange of databases did not come by flooding (Exchanged).
//   - An LSA that came once as one that does not age stays so until it says something else, or
//     is flushed: who sends it so holds refreshes back, and another way by which these come may
//     end.
//   - The reserved sequence number 0x80000000 is the oldest of all, and not refused.
//   - A checksum that is wrong after CheckAge is reported (Corrupt); the LSA is left alone,
//     since the router is to be restarted (section 14).
//
// # How it is tested
//
// Each step of section 13 has a test; drawn inputs are compared with a model that has a
// slice and counts ages up, second by second.
//
// # What it deliberately does not do
//
// It does not read bodies but to tell what a change means. It does not spread refreshes that
// fall due together. Whether a DoNotAge LSA may be here, and its router is there, is the caller's
// to know, who calls Purge (RFC 1793 sections 2.3 and 2.5).
package lsdb
