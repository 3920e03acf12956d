package engine

import (
	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

var lineUpDown = telemetry.Message{Facility: "LINEPROTO", Severity: telemetry.Notification, Mnemonic: "UPDOWN"}

// lineProtocol logs that the line protocol of an interface came up or went down;
// not how it was found at the start.
func (e *Engine) lineProtocol(now librib.Interface) {
	was := e.lines[now.Name]
	e.lines[now.Name] = now.Up
	if was == now.Up || !e.start.swept {
		return
	}
	state := "down"
	if now.Up {
		state = "up"
	}
	lineUpDown.Log(e.log, "Line protocol on Interface %s, changed state to %s", now.Name, state)
}
