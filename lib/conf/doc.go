// Package conf is the configuration as a tree of lines.
//
// A [Tree] holds the lines that differ from the defaults, as their canonical
// text together with what the grammar made of them: owner, command, typed
// arguments. A line that opens a mode ("interface Tunnel0") is a block with
// lines of its own. Each line has an identity (cli.Command.Identity); applying a
// line with the same identity replaces the old one, a "no" line removes it. So a
// tree is a set of keyed facts, and two of them can be compared ([Diff]) without
// regard to the order in which people typed.
//
// Lines are kept in the order in which they are printed: by weight, then
// naturally sorted (Tunnel2 before Tunnel10); lines of commands marked as
// ordered stay in the order of entry. [Tree.Print] writes the text that
// [Load] reads back to an equal tree.
//
// A Tree and its nodes are plain values; JSON carries them to a daemon, which
// gets what is its own by [Tree.Filter]. Nodes are shared between a tree and what
// was made of it: treat the nodes of a tree that others see as read-only, and
// change a [Tree.Clone].
package conf
