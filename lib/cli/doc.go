// Package cli is the command line of the suite as data.
//
// A daemon says which lines it understands by a [Tree]: modes such as
// "interface" and commands such as
//
//	{ID: "nhrp.map", Mode: "interface", Key: []string{"addr"},
//	 Pattern: "ip nhrp map addr:A.B.C.D [mask:MASK] nbma:ADDR"}
//
// A Tree is a plain value without functions, so that it travels from a daemon
// to zebra and on to vtysh as JSON. [Merge] joins the trees of all daemons and
// compiles them into a [Grammar], which does all that a shell or a
// configuration store needs: [Grammar.Parse] turns a line into a [Match] (which
// command, which typed arguments, the canonical text), [Grammar.Complete]
// lists what may come next, with help. Both are pure functions.
//
// # Patterns
//
// A pattern is read from left to right, word by word.
//
//	ip nhrp        keywords: case does not matter, unambiguous abbreviations will do
//	addr:A.B.C.D   an argument: its name, a colon, its kind (see below)
//	{a|b c|d}      exactly one of the alternatives
//	[x]            at most once
//	{a|b}... x...  once or more;  [x]... any number of times
//	mode:{a|b}     a named group: the argument "mode" holds the words that matched
//
// Options that follow one another and each begin with a keyword may be typed in
// any order, as on a Cisco router; the canonical line has them in the order of
// the pattern. Keywords inside of a group or an option are arguments as well:
// for "[secondary]", args.Has("secondary") tells whether it was there.
//
// # Kinds of arguments
//
//	A.B.C.D      IPv4 address            X:X::X:X     IPv6 address
//	A.B.C.D/M    IPv4 address and length, host bits kept (an interface address)
//	X:X::X:X/M   the same for IPv6
//	ADDR         address of either family
//	PREFIX4 PREFIX6 PREFIX   network: host bits that are set are refused
//	MASK         contiguous netmask such as 255.255.255.0
//	WILDCARD     inverse mask such as 0.0.0.255
//	IFNAME       interface: Tu0 and "Tunnel 0" become Tunnel0, eth0 stays
//	HOST         address or DNS name
//	<lo-hi>      decimal number
//	WORD WORD(n) one word of at most n (128) bytes
//	LINE LINE(n) the rest of the line, at most n (1024) bytes
//	SECRET SECRET(n)  a word that never shows up in errors and logs; in a
//	             configuration line it is part of [SecretPart]
//
// # How a line is matched
//
// Word by word. An exact keyword wins over its longer relatives; otherwise all
// keywords that begin with the word must be the same one, or all begin with the
// shortest of them, which is then meant ("int" is interface, not
// interface-alias); else the line is ambiguous. Arguments are followed beside the
// keywords; if more than one reading is complete at the end of the line, the first
// word in which they differ decides: exact keyword, then typed argument, then
// abbreviated keyword, then WORD, then LINE.
//
// A line that a mode does not know is tried in the modes around it, up to the
// global configuration (never in exec mode: "do" is for that). So is one whose
// first word the mode knows as an abbreviation only: "key 2" is the next key of
// the key chain, although the key before it could take it for "key-string 2".
//
// # The "no" forms
//
// "no" before a configuration line removes it. It may be cut short as soon as
// one command is left and the arguments of [Command.Key] have been given:
// "no ip address". For a feature that is on by default ([Command.DefaultOn]) the
// "no" line is what is stored. "default" before a line resets it.
//
// # Commands that several daemons answer
//
// Each line belongs to one daemon, but for exec commands that are [Command.Shared]:
// all that contribute the same declaration are in [Command.Owners] of the [Match].
// "show ip protocols" ([ProtocolsCommands]) and what concerns the debugging of all
// ([DebuggingCommands]) are such; they are declared here so that they cannot differ.
package cli
