package edge

import (
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// wantedVersion is the value under which a peer stands in protection.TopicWanted. That it
// stands there is all that it says.
const wantedVersion = 1

// want says that a peer is to be secured; nil, that it need not be any more.
func (e *Edge) want(p protection.Peer, payload []byte) {
	if err := e.client.Publish(protection.TopicWanted, p.Key(), payload); err != nil {
		e.log.Error("a peer will not be secured", "interface", p.Tunnel, "nbma", p.NBMA, "error", err)
	}
}

// secured reads what ipsecd says of a peer; ok is false for what is no such message, or
// cannot be read.
func (e *Edge) secured(msg rib.TopicMessage) (in core.PeerSecured, ok bool) {
	if msg.Topic != protection.TopicState {
		return in, false
	}
	p, err := protection.ParseKey(msg.Key)
	if err == nil && msg.Payload != nil {
		in.State, err = protection.ParseState(msg.Payload)
	}
	if err != nil {
		e.log.Warn("what is said of a peer cannot be read", "key", msg.Key, "error", err)
		return in, false
	}
	in.Interface, in.NBMA = p.Tunnel, p.NBMA
	return in, true
}
