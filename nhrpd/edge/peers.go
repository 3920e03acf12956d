package edge

import "github.com/godmvpn/godmvpn/lib/tunnelpeer"

// tell tells routing protocols of a station; nil withdraws what was told.
func (e *Edge) tell(p tunnelpeer.Peer, payload []byte) {
	if err := e.client.Publish(tunnelpeer.Topic, p.Key(), payload); err != nil {
		e.log.Error("routing protocols do not hear of a peer", "interface", p.Tunnel, "peer", p.Addr, "error", err)
	}
}
