package edge

import (
	"context"
	"time"

	"github.com/godmvpn/godmvpn/lib/vrfsock"
	"github.com/godmvpn/godmvpn/ripd/core"
)

// Of the farewell.
const (
	// The core does not pace the farewell, since it has no time; so it is done
	// here, as the core paces updates: a neighbour that loses a part of it would
	// keep these routes for the timeout.
	farewellBurst = 32
	farewellPause = 5 * time.Millisecond
	// patience is how long the farewell waits for room, all in all.
	patience = 3 * time.Second
)

// send sends a packet. What waits for room on a slow link waits in the sockets, which
// tell the core to stop; the farewell waits here. What cannot be sent at all is lost: RIP
// repeats everything.
func (e *Edge) send(p core.TxPacket) {
	e.source = p.Source
	out := vrfsock.Packet{Interface: p.Interface, VRF: e.vrfs[p.Interface], Source: p.Source, Dest: p.Dest, Payload: p.Packet}
	until := e.patient.Load()
	if until == nil {
		e.sockets.Send(out)
		return
	}
	if e.farewell++; e.farewell%farewellBurst == 0 && time.Now().Before(*until) {
		time.Sleep(farewellPause)
	}
	e.sockets.SendWithin(out, time.Until(*until))
}

// Goodbye tells the neighbours that the routes of this router are gone, and
// returns once that is sent.
func (e *Edge) Goodbye(ctx context.Context) error {
	until := time.Now().Add(patience)
	e.patient.Store(&until)
	return e.Do(ctx, core.Shutdown{})
}
