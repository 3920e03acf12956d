package core

import (
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
)

type createTask struct{}

func (*createTask) request(c *Core, now clock.Instant, sa *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	return 0, nil, false
}

func (*createTask) answered(c *Core, now clock.Instant, sa *ikeSA, ps []packet.Payload) {}

func (c *Core) createRequest(now clock.Instant, sa *ikeSA, ps []packet.Payload) reply {
	return reply{payloads: []packet.Payload{notify(packet.NoAdditionalSAs)}}
}

func (c *Core) rekeyDue(now clock.Instant, ch *child) {}

func (c *Core) lifetimeDue(now clock.Instant, sa *ikeSA) {}
