package core

import (
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ripd/packet"
)

// maxAnswers bounds the requests for the whole table that wait for the end of
// their answers, in each VRF.
const maxAnswers = 4096

// answerKey names an answer: to whom it goes, and in which version.
type answerKey struct {
	iface   *iface
	to      netip.AddrPort
	version uint8
}

// sendRequests asks all neighbours on an interface for their tables.
func (c *Core) sendRequests(now clock.Instant, i *iface) {
	if !i.active || i.silent() {
		return
	}
	for _, version := range i.sends().versions() {
		var dests []netip.AddrPort
		if !i.passive {
			dests = append(dests, i.group(version))
		}
		for _, a := range i.configured() {
			dests = append(dests, netip.AddrPortFrom(a, packet.Port))
		}
		m := packet.WholeTableRequest(version)
		c.transmit(now, i, &m, dests)
	}
}

// request answers the message in c.in (RFC 2453 section 3.9.1).
func (c *Core) request(now clock.Instant, i *iface, from netip.AddrPort) DropReason {
	switch {
	case from.Port() == 0:
		return DropPort // there is nobody to answer
	case i.passive && !slices.Contains(i.configured(), from.Addr()):
		return DropPassiveRequest
	case c.in.Version == packet.Version1 && !i.sends().has(packet.Version1):
		return DropVersion // section 4.6
	case c.in.WholeTable():
		return c.requestTable(now, i, from)
	case !i.sends().has(c.in.Version):
		return DropVersion // the answer would be in it
	case len(c.in.Entries) > 0:
		c.lookUp(now, i, from)
	}
	return DropNone
}

// requestTable begins to tell the whole table to who asked, as it is told to all
// on the interface. Who asks again before the end is told from the start.
func (c *Core) requestTable(now clock.Instant, i *iface, from netip.AddrPort) DropReason {
	in, version := i.instance, c.in.Version
	if !i.sends().has(version) {
		version = slices.Max(i.sends().versions())
	}
	k := answerKey{i, from, version}
	j := in.answers[k]
	switch {
	case j != nil:
		j.next, j.done, j.class, j.summaries = 0, false, noClass, i.summaries
		return DropNone
	case len(in.answers) >= maxAnswers:
		return DropBusy
	}
	c.event(Trace{Event: TraceRequested, VRF: in.vrf, Interface: i.name, Peer: from})
	in.table.sort()
	j = &job{kind: jobAnswer, iface: i, version: version, dests: []netip.AddrPort{from}, only: from.Addr(),
		summaries: i.summaries, class: noClass, answer: k}
	in.answers[k] = j
	i.unicast.enqueue(j)
	c.run(now, &i.unicast)
	return DropNone
}

// lookUp answers a request for certain destinations: with the same message, the
// metrics filled in, and nothing hidden.
func (c *Core) lookUp(now clock.Instant, i *iface, from netip.AddrPort) {
	c.event(Trace{Event: TraceRequested, VRF: i.instance.vrf, Interface: i.name, Peer: from})
	m := &c.msg
	m.Command, m.Version, m.Entries = packet.Response, c.in.Version, m.Entries[:0]
	for _, e := range c.in.Entries {
		p, ok := e.Prefix(i.addr)
		if e.Family != packet.FamilyIP || !ok {
			continue // nobody can say anything of it
		}
		e.Metric = packet.Infinity
		if r := i.instance.table.get(keyOf(p)); r != nil {
			e.Metric = uint32(r.metric)
		}
		m.Entries = append(m.Entries, e)
	}
	if len(m.Entries) > 0 {
		c.transmit(now, i, m, []netip.AddrPort{from})
	}
}
