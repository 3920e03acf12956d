package edge

import (
	"github.com/godmvpn/godmvpn/ospfd/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
)

// tracing says which traces are wanted.
func (e *Edge) tracing() core.Input {
	on := e.Debug().On
	return core.Tracing{Packets: on(cli.DebugPackets), Hello: on(cli.DebugHello), Adjacency: on(cli.DebugAdjacency), Flood: on(cli.DebugFlood),
		Generation: on(cli.DebugGeneration), SPF: on(cli.DebugSPF), Routes: on(cli.DebugRoutes), Restart: on(cli.DebugRestart)}
}

// trace writes a debug event, under one of its facilities that is on.
func (e *Edge) trace(t core.Trace) {
	for _, f := range cli.FacilitiesOf(t) {
		if e.Debug().On(f) {
			e.Debug().Printf(f, "%s", cli.TraceText(t))
			return
		}
	}
}
