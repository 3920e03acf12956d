package edge

import (
	"context"
	"fmt"
	"time"

	"github.com/godmvpn/godmvpn/eigrpd/cli"
	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// logMessage writes a message in Cisco's form, to the daemon's log and to
// zebra's.
func (e *Edge) logMessage(m core.Log) {
	level := telemetry.Severity(m.Severity).Level()
	text := fmt.Sprintf("%%%s-%d-%s: %s", m.Facility, m.Severity, m.Mnemonic, m.Text)
	e.log.Log(context.Background(), level, text)
	e.client.Log(session.Log{Time: time.Now(), Level: level, Message: text})
}

// tracing says which traces are wanted.
func (e *Edge) tracing() core.Tracing {
	return core.Tracing{Packets: e.debug.On(cli.DebugPackets), FSM: e.debug.On(cli.DebugFSM),
		Neighbors: e.debug.On(cli.DebugNeighbors), Transmit: e.debug.On(cli.DebugTransmit), Timers: e.debug.On(cli.DebugTimers)}
}

// trace writes the lines of a debug event.
func (e *Edge) trace(t core.Trace) {
	facility := cli.FacilityOf(t.Event)
	if e.debug.On(facility) {
		e.debug.Printf(facility, "%s", cli.TraceText(t))
	}
}
