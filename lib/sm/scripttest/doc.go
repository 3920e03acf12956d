// Package scripttest runs the scripts of a core: text files in which commands
// stand above the effects that they had when the script was last reviewed. It is
// for tests only.
//
//	# RFC 2453 section 3.9.2: what this script is about.
//	link eth0 up addr=10.0.0.1/24
//	advance 30s
//	----
//	    30.000s  tx eth0 to 224.0.0.9: response …
//
// A script is made of blocks, with an empty line between them. A block has
// comments, commands, a line of four dashes and the effects of the commands, up
// to the next empty line. A script that yields anything else than what it says
// fails its test, with the difference. Run with -rewrite, the test writes what
// the script yields in place of what it said, to be reviewed as a change.
//
// A core's test says what its commands mean, by a [World]; [Run] does the rest.
// Most worlds are a [Stage], which has the machine, its time and the text of its
// effects, and read their commands by [ParseArgs]:
//
//	type world struct {
//		*scripttest.Stage[core.Input, core.Effect]
//		core *core.Core
//	}
//
//	func TestScripts(t *testing.T) {
//		scripttest.Run(t, func(t testing.TB) scripttest.World { return newWorld(t) })
//	}
package scripttest
