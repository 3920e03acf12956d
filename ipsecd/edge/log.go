package edge

import (
	"context"
	"fmt"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// logMessage writes a message in Cisco's form, to the daemon's log and to zebra's.
func (e *Edge) logMessage(m core.Log) {
	level := telemetry.Severity(m.Severity).Level()
	text := fmt.Sprintf("%%%s-%d-%s: %s", m.Facility, m.Severity, m.Mnemonic, m.Text)
	e.log.Log(context.Background(), level, text)
	e.client.Log(session.Log{Time: time.Now(), Level: level, Message: text})
}

// tracing says which traces are wanted.
func (e *Edge) tracing() core.Tracing {
	return core.Tracing{IKEv2: e.debug.On(cli.DebugIKEv2), Packets: e.debug.On(cli.DebugPackets), Internal: e.debug.On(cli.DebugInternal),
		IPsec: e.debug.On(cli.DebugIPsec), Socket: e.debug.On(cli.DebugSocket)}
}

// trace writes the line of a debug event.
func (e *Edge) trace(t core.Trace) {
	facility := cli.FacilityOf(t.Event)
	if e.debug.On(facility) {
		e.debug.Printf(facility, "%s", cli.TraceText(t))
	}
}
