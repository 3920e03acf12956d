// Package confstore owns the running configuration: one tree of lines for the
// whole suite, of which each daemon gets its part.
//
// Every change is a transaction. The line, or the whole file at start, goes
// into a candidate copy of the tree; each owner whose part changed checks that
// part (plugin.Check) and may refuse lines; only if nobody does is the
// candidate committed (plugin.Commit) and becomes the running configuration. So
// there is never a half-applied file, and never a line that the running
// configuration shows and nobody obeys.
//
// An owner is zebra itself or a daemon. A daemon runs if the configuration says
// so: by "daemon NAME", or by any line of its own, unless "no daemon NAME"
// stands against it. A line that brings the first configuration of a daemon
// therefore starts it, before it is asked to check the line.
//
// The startup configuration is a text file; Save writes it atomically, readable
// by its owner and group only, since it may hold passwords.
//
// With a master key (package masterkey) and the line that asks for it, the secrets of
// all lines are encrypted before a candidate is committed: in the tree, and in whatever
// text is made of it. Owners get copies in which the arguments are decrypted.
package confstore
