// Package privilege takes from a process the rights that it does not need.
//
// Linux divides the power of root into capabilities (capabilities(7)). Each
// thread has sets of them: what it may do now (effective), what it may take up
// (permitted), what it hands to programs that it executes (inheritable and
// ambient), and the most that any program that it executes can get (bounding).
// [Limit] sets all of them, in all threads, to a few capabilities, and sets
// no_new_privs, after which no program that is executed has more than its parent:
// neither as root nor by a set-user-ID bit.
//
// A program calls Limit as early as it can, that is, when what needs more is done:
//
//	if err := privilege.Limit(privilege.NetRaw); err != nil {
//		log.Warn("the daemon has more privileges than it needs", "error", err)
//	}
//
// What goes without capabilities, for a process of user 0: writing below
// /proc/sys/net, whose files belong to that user; signals to processes of the same
// user; reading smaps_rollup of such a process, if that has no more capabilities
// and has not called [Conceal]. What goes no more: files and directories of other
// users that their mode does not open to all (CAP_DAC_OVERRIDE), and giving files
// to other users (CAP_CHOWN).
package privilege
