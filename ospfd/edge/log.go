package edge

import (
	"github.com/godmvpn/godmvpn/ospfd/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// tracing says which traces are wanted.
func (e *Edge) tracing() core.Input {
	on := e.Debug().On
	return core.Tracing{Packets: on(cli.DebugPackets), Hello: on(cli.DebugHello), Adjacency: on(cli.DebugAdjacency), Flood: on(cli.DebugFlood),
		Generation: on(cli.DebugGeneration), SPF: on(cli.DebugSPF), Routes: on(cli.DebugRoutes), Restart: on(cli.DebugRestart)}
}

// trace writes the lines of a debug event.
func (e *Edge) trace(t core.Trace) {
	if f := e.facilityOf(t); e.Debug().On(f) {
		e.Debug().Printf(f, "%s", cli.TraceLine(t))
	}
}

// facilityOf tells which facility an event belongs to. Hellos belong to two: that of
// packets shows all.
func (e *Edge) facilityOf(t core.Trace) int {
	switch t.Event {
	case core.TraceNeighbor, core.TraceInterface:
		return cli.DebugAdjacency
	case core.TraceFlood:
		return cli.DebugFlood
	case core.TraceGeneration:
		return cli.DebugGeneration
	case core.TraceSPF:
		return cli.DebugSPF
	case core.TraceRoute:
		return cli.DebugRoutes
	case core.TraceRestart:
		return cli.DebugRestart
	}
	if !e.Debug().On(cli.DebugPackets) && t.Message != nil && t.Message.Type == packet.Hello {
		return cli.DebugHello
	}
	return cli.DebugPackets
}
