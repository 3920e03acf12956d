package core

import (
	"encoding/binary"
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core/dual"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// outbox is what DUAL wants sent on an interface since the last flush: groups of
// messages that may share packets, in the order in which they go out. DUAL wants its
// order kept for each prefix and neighbour; between prefixes there is none.
type outbox struct {
	groups []*sending
	open   map[string]int       // the last group of a kind and receivers
	at     map[netip.Prefix]int // the last group that has a message of a prefix
}

// sending are messages of one kind to the same receivers.
type sending struct {
	kind       dual.Kind
	to, except []dual.NeighborID
	messages   []dual.Message[attribute]
	place      map[netip.Prefix]int // of UPDATEs, in messages
	last       bool                 // End of Table
}

// enqueue puts a message of DUAL into the outbox of its interface. An UPDATE takes the
// place of one that waits in the same group: nobody needs to hear what is no more.
func (in *instance) enqueue(s dual.Send[attribute]) {
	o := in.outbox(s.Interface)
	g := o.group(s.Kind, s.To, s.Except, s.Prefix)
	if s.Kind == dual.Update {
		if k, ok := g.place[s.Prefix]; ok {
			g.messages[k] = s.Message
			return
		}
		g.place[s.Prefix] = len(g.messages)
	}
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
		o.groups = append(o.groups, &sending{kind: kind, to: to, except: except, place: make(map[netip.Prefix]int)})
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
	for _, id := range in.routes.outOrder {
		i := in.routes.links[id]
		if o := in.routes.out[id]; i != nil && o != nil {
			for _, g := range o.groups {
				in.pack(now, i, g)
			}
		}
		delete(in.routes.out, id)
	}
	in.routes.outOrder = in.routes.outOrder[:0]
}

var opcodes = map[dual.Kind]packet.Opcode{
	dual.Update: packet.Update, dual.Query: packet.Query, dual.Reply: packet.Reply,
	dual.SIAQuery: packet.SIAQuery, dual.SIAReply: packet.SIAReply,
}

// pack puts messages into as few packets as the MTU of the interface admits, each
// destination with a TLV of its own.
func (in *instance) pack(now clock.Instant, i *iface, g *sending) {
	wide, room := in.tellsWide(i), in.room(i)
	var tlvs []byte
	for k := range g.messages {
		tlv := in.tlv(&g.messages[k], wide)
		if len(tlvs) > 0 && len(tlvs)+len(tlv) > room {
			in.hooks.send(now, i, g.to, g.except, opcodes[g.kind], 0, tlvs)
			tlvs = nil
		}
		tlvs = append(tlvs, tlv...)
	}
	var flags packet.Flags
	if g.last {
		flags = packet.FlagEndOfTable
	}
	if len(tlvs) > 0 || g.last {
		in.hooks.send(now, i, g.to, g.except, opcodes[g.kind], flags, tlvs)
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
