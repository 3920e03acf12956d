// Package shell is the Cisco-like shell: line editing, help at the key "?",
// completion, modes and prompts, paging, output filters, history, and the batch
// forms (-c, -f, standard input).
//
// It contains no command words. What may be typed comes as a cli.Grammar from
// the [Backend]; commands that the shell carries out itself (enable, configure
// terminal, exit, end, the filters behind "|") are session commands of that
// grammar, told apart by their ID.
//
// # How a key travels
//
//	terminal → keys (fd 0) ──edit──→ pipe → liner → line → session → Backend
//	                       └─pager─→ "--More--"                 │
//	terminal ←──────── pager ←── filters "|" ←── output ←───────┘
//
// liner calls a completer at TAB only, and reads from os.Stdin, while it sets
// terminal modes on file descriptor 0. So [keys] puts a pipe in the place of
// os.Stdin and rewrites what it reads from the terminal: "?" becomes TAB, and a
// queue remembers which of the two keys it was; Ctrl-Z becomes a line that stands
// for leaving configuration mode; Ctrl-V takes the meaning from the next key.
// While "--More--" is shown, keys go to the pager instead; Ctrl-C ends a running
// command.
//
// Without a terminal liner is not started at all.
package shell
