package plugin

import (
	"context"
	"io"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Daemon is all that a daemon declares to the world. Methods may be called by
// several goroutines at once. An error means that the call could not be made or
// answered (the daemon is gone, the deadline passed), not that the daemon
// refuses something, except for Exec and Shutdown.
type Daemon interface {
	// Hello introduces the two sides. It is the first call of every attachment.
	Hello(ctx context.Context, host Host) (Identity, error)

	// Grammar returns the modes and commands that the daemon adds to the command
	// line. It does not change while the process lives.
	Grammar(ctx context.Context) (cli.Tree, error)

	// Configure hands over the daemon's whole configuration. In phase Check it
	// is only looked at; in phase Commit it replaces the one before. Lines that
	// the daemon refuses are returned; then nothing was changed. Committing the
	// same configuration again does nothing.
	Configure(ctx context.Context, c Configuration) ([]LineError, error)

	// Exec runs a show, clear or debug command and writes its output. The error
	// is for the user: what could not be done and why.
	Exec(ctx context.Context, cmd Command, out io.Writer) error

	// Session serves one attachment until ctx ends or the stream does; the
	// stream is closed then. A daemon hands the stream to session.Client.Run.
	Session(ctx context.Context, s session.Stream) error

	// Alive returns once the daemon's main loop has taken notice of the
	// question: it proves that the loop turns, not only that the process lives.
	Alive(ctx context.Context) error

	// Shutdown says goodbye to the daemon's peers and takes what must not stay
	// behind back, before ctx's deadline. The process ends after it.
	Shutdown(ctx context.Context) error
}

// Restarter is a Daemon that tells a restart from an end.
type Restarter interface {
	// Restart takes leave in place of Shutdown where the daemon will be started again:
	// peers may be asked to wait for that.
	Restart(ctx context.Context) error
}

// Host is what zebra says of itself in Hello.
type Host struct {
	Build          string // version of the program
	SessionVersion uint32 // session.Version
}

// Identity is what a daemon says of itself in Hello.
type Identity struct {
	Name           string        // of the daemon: "nhrpd"
	Build          string        // version of the program
	SessionVersion uint32        // session.Version that it was built with
	Capabilities   []string      // names of abilities that zebra may ask for
	Topics         []string      // topics that it publishes
	HoldLimit      time.Duration // how long its stale objects may live without it; 0: zebra's default
	PID            int           // process number; filled in by Serve
}

// Phase tells what Configure does.
type Phase uint8

// The phases.
const (
	Check  Phase = 1 + iota // look at it only
	Commit                  // make it so
)

// Configuration is a daemon's part of the configuration at some revision.
type Configuration struct {
	Revision uint64     // grows with every commit of zebra's configuration
	Tree     *conf.Tree // what conf.Tree.Filter left of the whole; never nil; read-only
	Phase    Phase
}

// LineError is a line that a daemon refuses.
type LineError struct {
	Path []string // conf.Node.Key of the blocks around the line and of the line; empty: the configuration as a whole
	Msg  string   // what is wrong, without the line
}

// Error returns the message.
func (e LineError) Error() string { return e.Msg }

// Command is an exec command that was matched by the daemon's grammar.
type Command struct {
	ID   string // cli.Command.ID
	Args cli.Args
	No   bool // "no debug nhrp"
	JSON bool // output for programs rather than people
}
