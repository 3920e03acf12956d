package cli

// SessionOwner owns the commands that the shell carries out itself.
const SessionOwner = "session"

// IDs of the session commands. A shell dispatches on them and so needs no
// command words of its own.
const (
	SessionEnable    = "session.enable"
	SessionDisable   = "session.disable"
	SessionConfigure = "session.configure"
	SessionExit      = "session.exit"
	SessionEnd       = "session.end"
	SessionDo        = "session.do"
	SessionClose     = "session.close" // a Closer of a mode
	SessionLength    = "session.length"
	SessionMonitor   = "session.monitor"
	SessionNoMonitor = "session.no-monitor"
	SessionHistory   = "session.history"

	PipeInclude = "pipe.include"
	PipeExclude = "pipe.exclude"
	PipeBegin   = "pipe.begin"
	PipeSection = "pipe.section"
	PipeCount   = "pipe.count"
	PipeJSON    = "pipe.json"
)

// SessionTree is the grammar of what a shell does itself: changing modes,
// terminal settings, and the filters that may follow "|".
func SessionTree() Tree {
	exec := func(mode, id, pattern string, help Help) Command {
		return Command{ID: id, Mode: mode, Pattern: pattern, Help: help}
	}
	return Tree{
		Help: Help{
			"terminal": "Set parameters of this terminal",
			"regex":    "Regular expression",
			"monitor":  "Copy log messages to this terminal",
			"no":       "Negate a command",
		},
		Commands: []Command{
			exec(ModeExec, SessionEnable, "enable", Help{"enable": "Turn on privileged commands"}),
			exec(ModeEnable, SessionDisable, "disable", Help{"disable": "Turn off privileged commands"}),
			exec(ModeEnable, SessionConfigure, "configure terminal",
				Help{"configure": "Enter configuration mode", "terminal": "Configure from the terminal"}),
			exec(ModeExec, SessionExit, "exit", Help{"exit": "Exit from the shell"}),
			{ID: SessionExit, Mode: ModeExec, Pattern: "quit", Help: Help{"quit": "Exit from the shell"}, Hidden: true},
			{ID: SessionExit, Mode: ModeExec, Pattern: "logout", Help: Help{"logout": "Exit from the shell"}},
			exec(ModeExec, SessionLength, "terminal length lines:<0-512>",
				Help{"length": "Set the number of lines on a screen", "lines": "Number of lines on a screen (0 for no pausing)"}),
			exec(ModeExec, SessionMonitor, "terminal monitor", nil),
			exec(ModeExec, SessionNoMonitor, "terminal no monitor", nil),
			exec(ModeExec, SessionHistory, "show history",
				Help{"show": "Show running system information", "history": "Display the command history of this session"}),
			exec(ModeConfig, SessionExit, "exit", Help{"exit": "Exit from the current configuration mode"}),
			exec(ModeConfig, SessionEnd, "end", Help{"end": "Exit from configuration mode"}),
			exec(ModeConfig, SessionDo, "do command:LINE(4096)",
				Help{"do": "Run an exec command", "command": "Exec command"}),
			exec(ModePipe, PipeInclude, "include regex:LINE(256)", Help{"include": "Show lines that match"}),
			exec(ModePipe, PipeExclude, "exclude regex:LINE(256)", Help{"exclude": "Show lines that do not match"}),
			exec(ModePipe, PipeBegin, "begin regex:LINE(256)", Help{"begin": "Begin with the line that matches"}),
			exec(ModePipe, PipeSection, "section [exclude] regex:LINE(256)",
				Help{"section": "Show the sections whose first line matches", "exclude": "Show the other sections instead"}),
			exec(ModePipe, PipeCount, "count [regex:LINE(256)]", Help{"count": "Count the lines, or those that match"}),
			exec(ModePipe, PipeJSON, "json", Help{"json": "Show the output as JSON"}),
		},
	}
}
