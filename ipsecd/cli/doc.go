// Package cli is ipsecd's part of the command line: the lines `crypto …` as data, the
// reading of the configuration into a core.Config, and the outputs of the commands that
// show something, for people and as JSON.
//
// It is pure: it turns a configuration tree into a core.Config and reports of the core
// into text. The files that trust points name are read by the edge: [Files] says which,
// and what of a Trustpoint becomes of them.
//
// # Lines in any order
//
// A configuration is entered line by line, and each state on the way must be accepted.
// Hence a contradiction is refused only between two lines that are both there, and what
// is not complete, or names what nothing has, is read as it is: the core does not use
// it. The names "default" exist without being configured; that is the core's as well.
//
// # Deviations from IOS
//
//   - Transport mode is the only one. A transform set without `mode transport` is in
//     transport mode too, while on IOS it is in tunnel mode.
//   - `crypto ikev2 fragmentation` and `crypto ikev2 nat keepalive` are on unless their
//     "no" line is there.
//   - Trust points name files. Their check of revocation is `crl` unless they say
//     `revocation-check none`, as on IOS.
//   - `max-in-negotation-sa` is IOS's spelling; `max-in-negotiation-sa` is the same line.
//   - `limit max-in-negotation-sa` without a direction is for both; a line with one goes
//     before it.
//   - `no pre-shared-key local` wants the key behind it, since "local" may be a key.
//   - `set pfs` has additional key exchanges behind its group: `pqc mlkem768 optional`.
//   - Algorithms that are weak are refused by name: DES, 3DES, MD5, the groups 1, 2, 5,
//     22, 23 and 24. So is IKEv1.
//
// # Keys
//
// Pre-shared keys are SECRET arguments: they appear in no error, log or JSON. They are
// given as they are (0), in Cisco's type 7, in hexadecimal digits (hex), or as zebra
// encrypted them (6), which zebra decrypts before they come here.
package cli

// Owner is the name of the daemon.
const Owner = "ipsecd"
