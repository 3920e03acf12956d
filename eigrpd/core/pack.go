package core

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// outbox is what DUAL wants sent on an interface: groups of messages that may share
// packets, in the order in which they go out. DUAL wants its order kept for each prefix
// and neighbour; between prefixes there is none.
//
// Messages wait here as long as reliable transport has others to send before: so packets
// are full, and an UPDATE of what changes often takes the place of one that waits.
type outbox struct {
	groups []*sending           // with those that went, until there are many
	open   map[string]int       // the last group of a kind and receivers that did not go yet
	at     map[netip.Prefix]int // the last group that has, or had, a message of a prefix
}

// sending are messages of one kind to the same receivers.
type sending struct {
	key        string
	kind       dual.Kind
	to, except []dual.NeighborID
	messages   []dual.Message[attribute]
	next       int                  // those before it went
	place      map[netip.Prefix]int // of those that did not go, in messages
	last       bool                 // End of Table
	gone       bool                 // all went
}

// enqueue puts a message of DUAL into the outbox of its interface. An UPDATE takes the
// place of one that waits in the same group: nobody needs to hear what is no more.
func (in *instance) enqueue(s dual.Send[attribute]) {
	o := in.outbox(s.Interface)
	g := o.group(s.Kind, s.To, s.Except, s.Prefix)
	if k, ok := g.place[s.Prefix]; ok && s.Kind == dual.Update {
		g.messages[k] = s.Message
		return
	}
	g.place[s.Prefix] = len(g.messages)
	g.messages = append(g.messages, s.Message)
}

func (in *instance) outbox(id dual.InterfaceID) *outbox {
	o := in.routes.out[id]
	if o == nil {
		o = &outbox{open: make(map[string]int), at: make(map[netip.Prefix]int)}
		in.routes.out[id] = o
		in.routes.outOrder = append(in.routes.outOrder, id)
	}
	return o
}

// group returns the group that a message about a prefix goes to: one that is not
// before an earlier message about it.
func (o *outbox) group(kind dual.Kind, to, except []dual.NeighborID, p netip.Prefix) *sending {
	key := groupKey(kind, to, except)
	last, told := o.at[p]
	k, ok := o.open[key]
	if !ok || told && k < last {
		k = len(o.groups)
		o.open[key] = k
		o.groups = append(o.groups, &sending{key: key, kind: kind, to: to, except: except, place: make(map[netip.Prefix]int)})
	}
	if p.IsValid() {
		o.at[p] = k
	}
	return o.groups[k]
}

func groupKey(kind dual.Kind, to, except []dual.NeighborID) string {
	b := make([]byte, 0, 64)
	b = append(b, byte(kind))
	for _, n := range to {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	b = append(b, 0xff)
	for _, n := range except {
		b = binary.BigEndian.AppendUint32(b, uint32(n))
	}
	return string(b)
}

// endOfTable says that what waits for a neighbour completes the table that it is told
// (RFC 7868 section 5.3.4).
//
// A router that has restarted says so when it knows the tables of all neighbours: not
// before, since who hears it drops what was not told (section 6.5, EOT-Flag).
func (in *instance) endOfTable(n *neighbor) {
	if in.restarting() {
		return
	}
	to := []dual.NeighborID{n.id}
	if n.iface.routes.peers == 1 {
		to = nil // DUAL says it so
	}
	in.outbox(n.iface.id).group(dual.Update, to, nil, netip.Prefix{}).last = true
}

// routesFlush packs what waits and hands it to reliable transport. It comes last in
// a step.
func (in *instance) routesFlush(now clock.Instant) {
	in.tearDown(now)
	in.resetStuck(now)
	if in.restarting() {
		return
	}
	order := in.routes.outOrder[:0]
	for _, id := range in.routes.outOrder {
		o, i := in.routes.out[id], in.routes.links[id]
		if o != nil && i != nil && in.empty(now, i, o) {
			order = append(order, id)
			continue
		}
		delete(in.routes.out, id)
	}
	in.routes.outOrder = order
}

// manyGone is how many groups that went an outbox may have before it is put in order.
const manyGone = 256

// empty sends what an outbox has but what has to wait. It reports whether any is left.
func (in *instance) empty(now clock.Instant, i *iface, o *outbox) bool {
	var held []*sending
	var many []*sending                    // those of held to several neighbours
	var one map[dual.NeighborID][]*sending // those to one
	gone := 0
	for _, g := range o.groups {
		if g.gone {
			gone++
			continue
		}
		// What has to wait behind its like waits in any case; else it must not overtake
		// what the same neighbours are to hear of the same prefixes.
		wait := in.backlog(i, g) || slices.ContainsFunc(many, g.meets)
		if len(g.to) == 1 {
			wait = wait || slices.ContainsFunc(one[g.to[0]], g.meets)
		} else {
			for _, list := range one { // unordered: any
				wait = wait || slices.ContainsFunc(list, g.meets)
			}
		}
		if !wait && in.pack(now, i, o, g) {
			continue
		}
		held = append(held, g)
		if len(g.to) != 1 {
			many = append(many, g)
			continue
		}
		if one == nil {
			one = make(map[dual.NeighborID][]*sending)
		}
		one[g.to[0]] = append(one[g.to[0]], g)
	}
	if gone > manyGone && len(held) > 0 {
		o.keep(held)
	}
	return len(held) > 0
}

// backlog reports whether reliable transport has packets to send before those of a group.
func (in *instance) backlog(i *iface, g *sending) bool {
	return in.hooks.backlog != nil && in.hooks.backlog(i, g.to) > 0
}

// meets reports whether two groups have a prefix in common.
func (g *sending) meets(h *sending) bool {
	if len(h.place) < len(g.place) {
		g, h = h, g
	}
	for p := range g.place { // unordered: any
		if _, ok := h.place[p]; ok {
			return true
		}
	}
	return false
}

// keep leaves some groups in the outbox.
func (o *outbox) keep(groups []*sending) {
	o.groups = groups
	clear(o.open)
	clear(o.at)
	for k, g := range groups {
		o.open[g.key] = k
		for p := range g.place { // unordered: each by itself
			o.at[p] = k
		}
	}
}

var opcodes = map[dual.Kind]packet.Opcode{
	dual.Update: packet.Update, dual.Query: packet.Query, dual.Reply: packet.Reply,
	dual.SIAQuery: packet.SIAQuery, dual.SIAReply: packet.SIAReply,
}

// pack puts messages into as few packets as the MTU of the interface admits, each
// destination with a TLV of its own, until there are packets that have to go before. It
// reports whether all went.
func (in *instance) pack(now clock.Instant, i *iface, o *outbox, g *sending) bool {
	wide, room := in.tellsWide(i), in.room(i)
	for {
		if in.backlog(i, g) {
			return false
		}
		var tlvs []byte
		for ; g.next < len(g.messages); g.next++ {
			m := &g.messages[g.next]
			tlv := in.tlv(m, wide)
			if len(tlvs) > 0 && len(tlvs)+len(tlv) > room {
				break
			}
			tlvs = append(tlvs, tlv...)
			delete(g.place, m.Prefix)
		}
		var flags packet.Flags
		g.gone = g.next == len(g.messages)
		if g.gone && g.last {
			flags = packet.FlagEndOfTable
		}
		if len(tlvs) > 0 || flags != 0 {
			in.hooks.send(now, i, g.to, g.except, opcodes[g.kind], flags, tlvs)
		}
		if g.gone {
			g.messages = nil
			if k, ok := o.open[g.key]; ok && o.groups[k] == g {
				delete(o.open, g.key)
			}
			return true
		}
	}
}

// tlv encodes a message. What others hung on a route is left out if it does not fit
// beside what this router adds.
func (in *instance) tlv(m *dual.Message[attribute], wide bool) []byte {
	rt := in.encode(m, wide)
	one := packet.Message{Routes: []packet.Route{rt}}
	b, err := one.AppendTLVs(in.routes.buffer[:0])
	if err != nil {
		one.Routes[0].Communities, one.Routes[0].Attributes = nil, nil
		b, _ = one.AppendTLVs(in.routes.buffer[:0])
	}
	in.routes.buffer = b
	return b
}

// room returns how many octets of TLVs fit a packet on an interface.
func (in *instance) room(i *iface) int {
	const smallest, ethernet = 576, 1500
	mtu := i.link.MTU
	if mtu <= 0 {
		mtu = ethernet
	}
	overhead := 20
	if in.key.Family == rib.IPv6 {
		overhead = 40
	}
	overhead += packet.HeaderLen
	switch i.cfg.Authentication {
	case AuthenticationMD5:
		overhead += packet.AuthLen(packet.KeyedMD5)
	case AuthenticationSHA256:
		overhead += packet.AuthLen(packet.HMACSHA256)
	}
	return min(max(mtu, smallest), packet.MaxPacketSize) - overhead
}

// tellsWide reports whether TLVs of version 2.0 go out on an interface: in named mode,
// if all neighbours there read them (RFC 7868 section 6.7.4).
func (in *instance) tellsWide(i *iface) bool { return in.wide() && i.routes.classic == 0 }
