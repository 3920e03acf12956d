package core

import (
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// cookieLife is how long a secret makes cookies; those of the one before are accepted.
const cookieLife = 2 * time.Minute

// ownInt and peerInt return what the intermediate messages of either end come to.
func (sa *ikeSA) ownInt() *suite.IntAuth {
	if sa.initiator {
		return &sa.nego.intI
	}
	return &sa.nego.intR
}

func (sa *ikeSA) peerInt() *suite.IntAuth {
	if sa.initiator {
		return &sa.nego.intR
	}
	return &sa.nego.intI
}

// intermediateTask is an additional key exchange in IKE_INTERMEDIATE (RFC 9242, RFC 9370
// section 2.2.2).
type intermediateTask struct{ exchange *suite.Exchange }

func (t *intermediateTask) request(c *Core, now clock.Instant, sa *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	g := sa.additional[sa.nego.round]
	x, err := suite.Start(g, c.random)
	if err != nil {
		c.fail(now, sa, "key exchange not possible")
		return 0, nil, false
	}
	t.exchange = x
	return packet.IKEIntermediate, []packet.Payload{&packet.KE{Group: g, Data: x.Public()}}, true
}

func (t *intermediateTask) answered(c *Core, now clock.Instant, sa *ikeSA, ps []packet.Payload) {
	if f := failure(ps); f != nil {
		c.fail(now, sa, "refused: "+f.Kind.String())
		return
	}
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	if ke == nil || ke.Group != sa.additional[sa.nego.round] {
		c.fail(now, sa, "malformed answer")
		return
	}
	secret, err := t.exchange.Secret(ke.Data)
	if err != nil || sa.again(secret) != nil {
		c.fail(now, sa, "invalid public value")
		return
	}
	c.proceed(now, sa)
}

// again makes the keys anew after an additional key exchange.
func (sa *ikeSA) again(secret []byte) error {
	old := sa.keys
	sa.keys = sa.suite.Again(old, secret, sa.nonces)
	old.Wipe()
	sa.nego.round++
	return sa.derive()
}

// intermediateRequest answers an additional key exchange. One that was not agreed on has
// no place here.
func (c *Core) intermediateRequest(now clock.Instant, sa *ikeSA, ps []packet.Payload) reply {
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	n := sa.nego
	if n.round >= len(sa.additional) || ke == nil || ke.Group != sa.additional[n.round] {
		return reply{payloads: []packet.Payload{notify(packet.InvalidSyntax)}, end: "malformed request"}
	}
	public, secret, err := suite.Respond(ke.Group, ke.Data, c.random)
	if err != nil {
		return reply{payloads: []packet.Payload{notify(packet.InvalidSyntax)}, end: "invalid public value"}
	}
	c.setState(sa, StateIntermediate)
	return reply{
		payloads: []packet.Payload{&packet.KE{Group: ke.Group, Data: public}},
		after: func(now clock.Instant) { // the answer still has the keys before
			if sa.again(secret) != nil {
				c.fail(now, sa, "no keys")
			}
		},
	}
}
