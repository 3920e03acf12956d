package cli

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/packet"
)

// maxTraceRoutes is how many routes of a packet a line of debugging has.
const maxTraceRoutes = 16

// FacilityOf tells which facility a trace belongs to.
func FacilityOf(e core.TraceEvent) int {
	switch e {
	case core.TraceTransition, core.TraceMessage, core.TraceInstalled, core.TraceWithdrawn:
		return DebugFSM
	case core.TracePeerNew, core.TracePeerUp, core.TracePeerDown:
		return DebugNeighbors
	case core.TraceEnqueued, core.TraceRetransmit, core.TraceAcked, core.TraceConditional:
		return DebugTransmit
	case core.TraceTimer:
		return DebugTimers
	}
	return DebugPackets
}

// TraceText words a trace as Cisco's `debug eigrp` does, where that has words for it. A
// packet has several lines. Authentication is never part of it but for its kind and key
// number.
func TraceText(t core.Trace) string {
	switch t.Event {
	case core.TraceReceived, core.TraceSent:
		return packetText(&t)
	case core.TraceDropped:
		return "EIGRP: " + dropText(&t)
	case core.TraceTransition, core.TraceMessage, core.TraceInstalled, core.TraceWithdrawn:
		return "DUAL: " + instanceText(t.Key) + ": " + eventText(&t)
	}
	return instanceText(t.Key) + ": " + eventText(&t)
}

// instanceText names an instance as messages do: "EIGRP-IPv4 100".
func instanceText(k core.Key) string {
	name := fmt.Sprintf("%s %d", protocolName(k.Family), k.AS)
	if k.VRF != "" {
		name += " VRF " + k.VRF
	}
	return name
}

// eventText words what happened, without the instance.
func eventText(t *core.Trace) string {
	b := &strings.Builder{}
	switch t.Event {
	case core.TraceReceived, core.TraceSent:
		return strings.TrimPrefix(packetTitle(t), "EIGRP: ")
	case core.TraceDropped:
		return dropText(t)
	case core.TraceTransition:
		fmt.Fprintf(b, "%v %v -> %v (%s)", t.Prefix, t.From, t.To, t.Clause)
		by(b, t)
	case core.TraceMessage:
		fmt.Fprintf(b, "%v ignored", t.Prefix)
		by(b, t)
	case core.TraceInstalled:
		fmt.Fprintf(b, "RT installed %v", t.Prefix)
		if t.Peer.IsValid() {
			fmt.Fprintf(b, " via %v", t.Peer)
		}
	case core.TraceWithdrawn:
		fmt.Fprintf(b, "RT removed %v", t.Prefix)
	case core.TracePeerNew:
		fmt.Fprintf(b, "New peer %s", peerText(t))
	case core.TracePeerUp:
		fmt.Fprintf(b, "Neighbor %s is up", peerText(t))
	case core.TracePeerDown:
		fmt.Fprintf(b, "Neighbor %s is down", peerText(t))
	case core.TraceEnqueued:
		fmt.Fprintf(b, "Enqueued for %s", peerText(t))
	case core.TraceRetransmit:
		fmt.Fprintf(b, "Retransmitted to %s", peerText(t))
	case core.TraceAcked:
		fmt.Fprintf(b, "Acknowledged by %s", peerText(t))
	case core.TraceConditional:
		fmt.Fprintf(b, "Conditional multicast on %s", short(t.Interface))
	case core.TraceTimer:
		fmt.Fprint(b, "Timer")
		if t.Interface != "" || t.Peer.IsValid() {
			fmt.Fprintf(b, " of %s", peerText(t))
		}
	default:
		fmt.Fprintf(b, "event %d", t.Event)
	}
	if t.Text != "" {
		fmt.Fprintf(b, ": %s", t.Text)
	}
	return b.String()
}

// by adds who caused something.
func by(b *strings.Builder, t *core.Trace) {
	if t.Peer.IsValid() {
		fmt.Fprintf(b, ", neighbor %s", peerText(t))
	}
}

// peerText is a neighbour and its interface, or what there is of both.
func peerText(t *core.Trace) string {
	switch {
	case !t.Peer.IsValid():
		return short(t.Interface)
	case t.Interface == "":
		return t.Peer.String()
	}
	return fmt.Sprintf("%v (%s)", t.Peer, short(t.Interface))
}

// dropText says what of a packet was not taken, and why.
func dropText(t *core.Trace) string {
	line := ""
	if t.Interface != "" {
		line = short(t.Interface) + ": "
	}
	what := "packet"
	if t.Prefix.IsValid() {
		what = "route " + t.Prefix.String()
	}
	line += fmt.Sprintf("ignored %s from %v", what, t.Peer)
	if t.Message != nil {
		line += fmt.Sprintf(", opcode = %d", t.Message.Opcode)
	}
	line += fmt.Sprintf(" (%s)", strings.TrimPrefix(t.Drop.String(), "route: "))
	if t.Text != "" {
		line += ": " + t.Text
	}
	return line
}

// packetTitle is the first line about a packet.
func packetTitle(t *core.Trace) string {
	verb := "Received"
	if t.Event == core.TraceSent {
		verb = "Sending"
	}
	kind := "packet"
	if m := t.Message; m != nil {
		kind = strings.ToUpper(strings.ReplaceAll(m.Opcode.String(), "-", ""))
		if m.IsAck() {
			kind = "ACK"
		}
	}
	line := fmt.Sprintf("EIGRP: %s %s on %s", verb, kind, short(t.Interface))
	if t.Peer.IsValid() && !t.Peer.IsMulticast() {
		line += fmt.Sprintf(" nbr %v", t.Peer)
	}
	return line
}

// packetText words a packet: where it goes, its header, and what is in it.
func packetText(t *core.Trace) string {
	b := &strings.Builder{}
	b.WriteString(packetTitle(t))
	m := t.Message
	if m == nil {
		return b.String()
	}
	flags := strings.ToUpper(m.Flags.String())
	if flags == "" {
		flags = "NULL"
	}
	fmt.Fprintf(b, "\n  AS %d, Flags 0x%X:(%s), Seq %d/%d", m.AS, uint32(m.Flags), flags, m.Sequence, m.Ack)
	if a := m.Auth; a.Algorithm != packet.NoAlgorithm {
		fmt.Fprintf(b, "\n  %v authentication, key id = %d", a.Algorithm, a.KeyID)
	}
	tlvText(b, m)
	routesText(b, m)
	return b.String()
}

// tlvText words what is in a packet beside routes.
func tlvText(b *strings.Builder, m *packet.Message) {
	if p := m.Parameters; p != nil {
		k := p.Weights
		fmt.Fprintf(b, "\n  K1=%d, K2=%d, K3=%d, K4=%d, K5=%d, K6=%d, Hold-time %d", k.K1, k.K2, k.K3, k.K4, k.K5, k.K6, p.HoldTime)
		if p.Goodbye() {
			b.WriteString(", goodbye")
		}
	}
	if s := m.Software; s != nil {
		fmt.Fprintf(b, "\n  Version %d.%d/%d.%d", s.OSMajor, s.OSMinor, s.TLVMajor, s.TLVMinor)
	}
	if m.Stub != 0 {
		fmt.Fprintf(b, "\n  Stub %v", m.Stub)
	}
	addrsText(b, "Sequence", m.SequenceAddrs)
	if m.MulticastSequence != 0 {
		fmt.Fprintf(b, "\n  Next multicast sequence %d", m.MulticastSequence)
	}
	addrsText(b, "Terminated", m.Terminated)
}

func addrsText(b *strings.Builder, title string, list []netip.Addr) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n  %s", title)
	for i, a := range list {
		if i == maxTraceRoutes {
			fmt.Fprintf(b, " and %d more", len(list)-i)
			break
		}
		fmt.Fprintf(b, " %v", a)
	}
}

// routesText words the first routes of a packet.
func routesText(b *strings.Builder, m *packet.Message) {
	n := 0
	for i := range m.Routes {
		r := &m.Routes[i]
		kind := "Int"
		if r.Type.External() {
			kind = "Ext"
		}
		for _, p := range r.Destinations {
			if n++; n > maxTraceRoutes {
				continue
			}
			fmt.Fprintf(b, "\n  %s %v", kind, p)
			if r.NextHop.IsValid() {
				fmt.Fprintf(b, " via %v", r.NextHop)
			}
			switch {
			case r.Unreachable():
				b.WriteString(", unreachable")
			case r.Type.Wide():
				fmt.Fprintf(b, ", %d Kbit, %d picoseconds, %d hops", r.Wide.Bandwidth, r.Wide.Delay, r.Wide.Hops)
			default:
				w := r.Classic.Wide()
				fmt.Fprintf(b, ", %d Kbit, %d microseconds, %d hops", w.Bandwidth, w.Delay/1_000_000, r.Classic.Hops)
			}
		}
	}
	if n > maxTraceRoutes {
		fmt.Fprintf(b, "\n  and %d more routes", n-maxTraceRoutes)
	}
}
