package core

import (
	"fmt"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
	"github.com/godmvpn/godmvpn/ospfd/core/lsdb"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// exchange is how far the exchange of databases with a neighbour is (RFC 2328 section
// 10.8).
type exchange struct {
	master   bool // this router is
	sequence uint32
	options  packet.Options // that the neighbour's descriptions have
	summary  []packet.LSAHeader
	sent     *packet.Message // the last Database Description, to be sent again
	received packet.Description
	heard    bool            // received is one
	order    []packet.LSAKey // what of the request list was not asked for yet
	asked    []packet.LSAKey // what was asked for and has not come
}

// clear forgets what was to be described and requested. The sequence number is kept.
func (x *exchange) clear() { *x = exchange{sequence: x.sequence, options: x.options} }

// negotiate begins an exchange: this router claims to be the master (section 10.8).
func (n *neighbor) negotiate(now clock.Instant) {
	x, in := &n.exchange, n.iface.instance
	if x.sequence == 0 {
		x.sequence = uint32(in.core.wallTime(now).Unix())
	}
	x.sequence++
	x.master = true
	n.describe(now, packet.DDInit|packet.DDMore|packet.DDMaster, nil)
}

// describe sends a Database Description, and remembers it. The master, and both while they
// negotiate, send it again until there is an answer.
func (n *neighbor) describe(now clock.Instant, flags packet.DDFlags, headers []packet.LSAHeader) {
	i := n.iface
	o := i.area.options()
	if !i.instance.cfg.NoOpaque {
		o |= packet.OptionO
	}
	d := packet.Description{Options: o, Flags: flags, Sequence: n.exchange.sequence, Headers: headers}
	if i.virtual == nil {
		d.MTU = uint16(min(i.link.MTU, 0xffff))
	}
	n.exchange.sent = &packet.Message{Type: packet.DatabaseDescription, Description: d}
	n.describeAgain(now)
}

// describeAgain sends the last Database Description once more.
func (n *neighbor) describeAgain(now clock.Instant) {
	if n.exchange.sent == nil || n.state < fsm.NeighborExStart {
		return
	}
	n.iface.sendTo(now, n, n.exchange.sent)
	if n.exchange.master && n.state < fsm.NeighborLoading {
		n.iface.instance.core.timers.Set(timerKey{kind: timerExchange, neighbor: n}, now.Add(n.iface.cfg.Retransmit))
	}
}

// describeNext sends the next part of the summary list.
func (n *neighbor) describeNext(now clock.Instant) {
	x, i := &n.exchange, n.iface
	room := (i.room() - descriptionLen) / packet.LSAHeaderLen
	k := min(room, len(x.summary))
	part := x.summary[:k]
	x.summary = x.summary[k:]
	var flags packet.DDFlags
	if len(x.summary) > 0 {
		flags |= packet.DDMore
	}
	if x.master {
		flags |= packet.DDMaster
	}
	n.describe(now, flags, part)
}

const descriptionLen = 8 // octets of a Database Description without headers

// listDatabase fills the summary list. What is MaxAge goes on the retransmission list
// (section 10.3).
func (n *neighbor) listDatabase(now clock.Instant) {
	n.exchange.summary = nil
	if n.filtered() {
		return
	}
	for _, s := range n.scopes() {
		headers, maxAge := s.db.Summary(now)
		for _, h := range headers {
			if n.takes(h.Type) {
				n.exchange.summary = append(n.exchange.summary, h)
			}
		}
		for _, key := range maxAge {
			if lsa, ok := s.db.Get(now, key); ok && n.takes(key.Type) {
				n.flood.List.Add(now, lsa.LSAHeader)
			}
		}
	}
	n.armRetransmit(now)
}

// filtered reports whether nothing is told to the neighbour (`database-filter all out`).
func (n *neighbor) filtered() bool {
	return n.iface.cfg.DatabaseFilterOut || n.static != nil && n.static.DatabaseFilterOut
}

// scopes returns the databases that the neighbour shares (section 10.3): virtual links do
// not know of what is of the whole AS, nor do areas without external routes.
func (n *neighbor) scopes() []*scope {
	i := n.iface
	all := []*scope{i.area.scope}
	if i.virtual == nil && i.area.external() {
		all = append(all, i.instance.as)
	}
	if i.virtual == nil {
		all = append(all, i.scope)
	}
	return all
}

// scopeOf returns the database that LSAs of a type are in that come by an interface, nil if
// they are not taken there (section 13 steps 2 and 3, RFC 5250 section 3.1, RFC 3101 section
// 2.2).
func (i *iface) scopeOf(t packet.LSType) *scope {
	kind, ok := lsdb.ScopeOf(t)
	switch {
	case !ok,
		t == packet.NSSALSA && i.area.cfg.Kind != AreaNSSA,
		t >= packet.OpaqueLinkLSA && i.instance.cfg.NoOpaque,
		kind == lsdb.ScopeAS && (!i.area.external() || i.virtual != nil),
		kind == lsdb.ScopeLink && i.virtual != nil:
		return nil
	case kind == lsdb.ScopeAS:
		return i.instance.as
	case kind == lsdb.ScopeLink:
		return i.scope
	}
	return i.area.scope
}

// takes reports whether the neighbour is told of LSAs of a type.
func (n *neighbor) takes(t packet.LSType) bool { return t < packet.OpaqueLinkLSA || n.opaque() }

// description takes a Database Description (section 10.6).
func (n *neighbor) description(now clock.Instant, m *packet.Message) DropReason {
	d, i := &m.Description, n.iface
	if i.virtual == nil && !i.cfg.MTUIgnore && int(d.MTU) > i.link.MTU {
		i.misfit(now, n.addr, fmt.Sprintf("MTU %d, %d here", d.MTU, i.link.MTU))
		return DropMTU
	}
	if n.state == fsm.NeighborInit {
		n.event(now, fsm.TwoWayReceived, "2-Way Received")
	}
	x := &n.exchange
	switch {
	case n.state < fsm.NeighborExStart:
		return DropState
	case n.state == fsm.NeighborExStart:
		return n.negotiated(now, d)
	case x.heard && sameDescription(&x.received, d):
		if !x.master {
			n.describeAgain(now)
		}
		return 0
	case n.state > fsm.NeighborExchange:
		n.mismatch(now)
		return 0
	}
	want := x.sequence
	if !x.master {
		want++
	}
	if d.Flags&packet.DDInit != 0 || (d.Flags&packet.DDMaster != 0) == x.master || d.Options != x.received.Options || d.Sequence != want {
		n.mismatch(now)
		return 0
	}
	n.described(now, d)
	return 0
}

func (n *neighbor) mismatch(now clock.Instant) {
	n.event(now, fsm.SeqNumberMismatch, "SeqNumberMismatch")
}

// sameDescription reports whether two Database Descriptions are the same as section 10.6
// has it: flags, options and sequence number.
func sameDescription(a, b *packet.Description) bool {
	return a.Flags == b.Flags && a.Options == b.Options && a.Sequence == b.Sequence
}

// negotiated decides who is the master, by router ID.
func (n *neighbor) negotiated(now clock.Instant, d *packet.Description) DropReason {
	const claim = packet.DDInit | packet.DDMore | packet.DDMaster
	x, in := &n.exchange, n.iface.instance
	switch {
	case d.Flags&claim == claim && len(d.Headers) == 0 && n.id > in.id:
		x.master, x.sequence = false, d.Sequence-1 // described takes it as the one after it
	case d.Flags&(packet.DDInit|packet.DDMaster) == 0 && d.Sequence == x.sequence && n.id < in.id:
		x.master = true
	default:
		return DropState
	}
	x.options = d.Options
	n.event(now, fsm.NegotiationDone, "Negotiation Done")
	n.described(now, d)
	return 0
}

// described takes what a Database Description lists, and answers (section 10.6).
func (n *neighbor) described(now clock.Instant, d *packet.Description) {
	x := &n.exchange
	x.received, x.heard = packet.Description{Flags: d.Flags, Options: d.Options, Sequence: d.Sequence}, true
	for _, h := range d.Headers {
		if !n.lists(now, h) {
			n.mismatch(now)
			return
		}
	}
	over := false
	if x.master {
		x.sequence++
		// sent is what the neighbour has just answered
		over = x.sent.Description.Flags&(packet.DDMore|packet.DDInit) == 0 && d.Flags&packet.DDMore == 0
		if !over {
			n.describeNext(now)
		}
	} else {
		x.sequence = d.Sequence
		n.describeNext(now)
		over = x.sent.Description.Flags&packet.DDMore == 0 && d.Flags&packet.DDMore == 0
	}
	if over {
		n.event(now, fsm.ExchangeDone, "Exchange Done")
		return
	}
	n.request(now)
}

// lists takes a header of a Database Description: an instance that is more recent than the
// copy, or of which there is none, is requested. It reports false if the neighbour should
// not have it.
func (n *neighbor) lists(now clock.Instant, h packet.LSAHeader) bool {
	i := n.iface
	s := i.scopeOf(h.Type)
	if s == nil {
		_, known := lsdb.ScopeOf(h.Type)
		return known && (h.Type != packet.ExternalLSA || i.virtual != nil)
	}
	if !s.db.Accepts(h.LSAKey) {
		return true
	}
	if have, ok := s.db.Get(now, h.LSAKey); ok && have.Compare(h) >= 0 {
		return true
	}
	if _, asked := n.flood.Requests[h.LSAKey]; !asked {
		n.exchange.order = append(n.exchange.order, h.LSAKey)
	}
	n.flood.Requests[h.LSAKey] = h
	return true
}

const requestLen = 12 // octets of a request for an LSA

// request asks for what is next on the request list, unless something that was asked for
// has not come yet (section 10.9).
func (n *neighbor) request(now clock.Instant) {
	x, t := &n.exchange, &n.iface.instance.core.timers
	missing := x.asked[:0]
	for _, key := range x.asked {
		if _, due := n.flood.Requests[key]; due {
			missing = append(missing, key)
		}
	}
	if x.asked = missing; len(missing) > 0 {
		return
	}
	room := n.iface.room() / requestLen
	for len(x.order) > 0 && len(x.asked) < room {
		key := x.order[0]
		x.order = x.order[1:]
		if _, due := n.flood.Requests[key]; due {
			x.asked = append(x.asked, key)
		}
	}
	if len(x.asked) == 0 {
		t.Clear(timerKey{kind: timerRequest, neighbor: n})
		n.event(now, fsm.LoadingDone, "Loading Done")
		return
	}
	n.requestAgain(now)
}

// requestAgain sends the Link State Request once more.
func (n *neighbor) requestAgain(now clock.Instant) {
	if len(n.exchange.asked) == 0 {
		return
	}
	n.iface.sendTo(now, n, &packet.Message{Type: packet.LinkStateRequest, Requests: n.exchange.asked})
	n.iface.instance.core.timers.Set(timerKey{kind: timerRequest, neighbor: n}, now.Add(n.iface.cfg.Retransmit))
}

// requested takes a Link State Request (section 10.7): the LSAs are sent at once, and are
// on no retransmission list.
func (n *neighbor) requested(now clock.Instant, m *packet.Message) DropReason {
	if n.state < fsm.NeighborExchange {
		return DropState
	}
	var all []packet.LSA
	for _, key := range m.Requests {
		var lsa packet.LSA
		ok := false
		if s := n.iface.scopeOf(key.Type); s != nil && !n.filtered() {
			lsa, ok = s.db.Get(now, key)
		}
		if !ok {
			n.event(now, fsm.BadLSReq, "BadLSReq")
			return 0
		}
		all = append(all, lsa)
	}
	n.iface.sendUpdates(now, n, all)
	for _, lsa := range all {
		n.keeps(lsa.LSAKey, !lsa.IsMaxAge() && n.iface.reduces(lsa.Type))
	}
	n.delayRestart(now)
	return 0
}
