// Package nhrpd is the NHRP daemon: it keeps the mapping of tunnel to NBMA
// addresses of a DMVPN cloud by the Next Hop Resolution Protocol (RFC 2332).
//
// The daemon is a plugin of zebra. Its parts are packages of their own: packet
// (octets and values), core (what to do), edge (sockets, clock, session) and cli
// (grammar and outputs). Here they are wired.
package nhrpd

import (
	"log/slog"
	"time"

	libcli "github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/daemon"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/privilege"
	"github.com/godmvpn/godmvpn/lib/rawsock"
	"github.com/godmvpn/godmvpn/nhrpd/cli"
	"github.com/godmvpn/godmvpn/nhrpd/edge"
)

// Name is the daemon's name.
const Name = cli.Owner

// holdLimit is how long zebra may keep this daemon's neighbours without it: the
// largest holding time that engineers use.
const holdLimit = 2 * time.Hour

// Grammar returns what the daemon adds to the command line.
func Grammar() libcli.Tree { return cli.Grammar() }

// Main runs the daemon until zebra or a signal ends it.
func Main(build string) int {
	log := plugin.Init(Name)
	if err := privilege.Limit(privilege.NetRaw); err != nil {
		log.Warn("the daemon has more privileges than it needs", "error", err)
	}
	return daemon.Serve(New(log, build, rawsock.Kernel{}, edge.DNS{}))
}

// Daemon implements plugin.Daemon.
type Daemon struct {
	daemon.Plugin
	edge *edge.Edge
}

// New returns the daemon over a network and a resolver; its edge has to be run.
func New(log *slog.Logger, build string, network rawsock.Network, resolver edge.Resolver) *Daemon {
	e := edge.New(log, network, resolver)
	return &Daemon{daemon.Plugin{Name: Name, Build: build, HoldLimit: holdLimit, Commands: Grammar, Edge: e}, e}
}
