package cli

import (
	"fmt"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// maxTraceLSAs is how many LSAs of a packet a line of debugging has.
const maxTraceLSAs = 16

// FacilitiesOf tells which facilities a trace belongs to: packets of two, of which one is
// for Hellos alone.
func FacilitiesOf(t core.Trace) []int {
	switch t.Event {
	case core.TraceNeighbor, core.TraceInterface:
		return []int{DebugAdjacency}
	case core.TraceFlood:
		return []int{DebugFlood}
	case core.TraceGeneration:
		return []int{DebugGeneration}
	case core.TraceSPF:
		return []int{DebugSPF}
	case core.TraceRoute:
		return []int{DebugRoutes}
	case core.TraceRestart:
		return []int{DebugRestart}
	}
	if t.Message != nil && t.Message.Type != packet.Hello {
		return []int{DebugPackets}
	}
	return []int{DebugPackets, DebugHello}
}

// TraceText words a trace as Cisco's `debug ip ospf` does, where that has words for it. A
// packet has several lines. Authentication is never part of it but for its kind and key
// number.
func TraceText(t core.Trace) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "OSPF-%d ", t.Key.Process)
	switch t.Event {
	case core.TraceReceived, core.TraceSent:
		packetText(b, &t)
		return b.String()
	case core.TraceDropped:
		dropText(b, &t)
	case core.TraceNeighbor: // in the words of the log, which name the neighbour
		adjText(b, "ADJ  ", &core.Trace{Interface: t.Interface})
		t.Text = strings.TrimPrefix(t.Text, fmt.Sprintf("Process %d, ", t.Key.Process))
	case core.TraceInterface:
		adjText(b, "ADJ  ", &t)
	case core.TraceFlood:
		adjText(b, "FLOOD", &t)
		fmt.Fprintf(b, " %s", lsaName(t.LSA))
	case core.TraceGeneration:
		fmt.Fprintf(b, "LSGEN: %s", lsaName(t.LSA))
	case core.TraceSPF:
		b.WriteString("SPF  :")
	case core.TraceRoute:
		b.WriteString("RIB  :")
	case core.TraceRestart:
		adjText(b, "NSF  ", &t)
	default:
		fmt.Fprintf(b, "event %d:", t.Event)
	}
	if t.Text != "" {
		fmt.Fprintf(b, " %s", t.Text)
	}
	return b.String()
}

// adjText begins a line about an interface or a neighbour on it.
func adjText(b *strings.Builder, word string, t *core.Trace) {
	fmt.Fprint(b, word)
	if t.Interface != "" {
		fmt.Fprintf(b, " %s", cli.ShortInterfaceName(t.Interface))
	}
	b.WriteString(":")
	switch {
	case t.Router != 0 && t.Peer.IsValid():
		fmt.Fprintf(b, " Nbr %v (%v):", t.Router, t.Peer)
	case t.Peer.IsValid():
		fmt.Fprintf(b, " %v:", t.Peer)
	}
}

// lsaName names an LSA as IOS does.
func lsaName(k packet.LSAKey) string {
	return fmt.Sprintf("Type %d, LSID %v, Adv rtr %v:", uint8(k.Type), k.ID, k.Router)
}

// dropText says what was not taken, and why.
func dropText(b *strings.Builder, t *core.Trace) {
	adjText(b, "PAK  ", &core.Trace{Interface: t.Interface})
	what := "packet"
	if t.LSA.Type != 0 {
		what = strings.TrimSuffix(lsaName(t.LSA), ":")
	} else if t.Message != nil {
		what = t.Message.Type.String()
	}
	fmt.Fprintf(b, " ignored %s", what)
	if t.Peer.IsValid() {
		fmt.Fprintf(b, " from %v", t.Peer)
	}
	fmt.Fprintf(b, " (%s)", strings.TrimPrefix(t.Drop.String(), "LSA: "))
}

// packetText words a packet.
func packetText(b *strings.Builder, t *core.Trace) {
	word, verb, way := "PAK  ", "Rcv", "from"
	m := t.Message
	if m != nil && m.Type == packet.Hello {
		word = "HELLO"
	}
	if t.Event == core.TraceSent {
		verb, way = "Send", "to"
	}
	adjText(b, word, &core.Trace{Interface: t.Interface})
	if m == nil {
		fmt.Fprintf(b, " %s packet %s %v", verb, way, t.Peer)
		return
	}
	fmt.Fprintf(b, " %s %v %s %v area %v rid %v auth %v", verb, m.Type, way, t.Peer, m.AreaID, m.RouterID, m.Auth)
	switch m.Type {
	case packet.Hello:
		h := &m.HelloBody
		fmt.Fprintf(b, "\n  mask %v hello %d dead %d opt 0x%02X prio %d DR %s BDR %s neighbors %d", packet.ID(h.Mask), h.Interval, h.DeadInterval, uint8(h.Options), h.Priority, zeros(h.Designated), zeros(h.Backup), len(h.Neighbors))
	case packet.DatabaseDescription:
		d := &m.Description
		fmt.Fprintf(b, "\n  seq 0x%X opt 0x%02X flag 0x%X mtu %d", d.Sequence, uint8(d.Options), uint8(d.Flags), d.MTU)
		headersText(b, d.Headers)
	case packet.LinkStateRequest:
		for i, k := range m.Requests {
			if more(b, i, len(m.Requests)) {
				break
			}
			fmt.Fprintf(b, "\n  %s", strings.TrimSuffix(lsaName(k), ":"))
		}
	case packet.LinkStateUpdate:
		for i := range m.Updates {
			if more(b, i, len(m.Updates)) {
				break
			}
			headerText(b, m.Updates[i].LSAHeader)
		}
	case packet.LinkStateAck:
		headersText(b, m.Acks)
	}
}

func headersText(b *strings.Builder, list []packet.LSAHeader) {
	for i, h := range list {
		if more(b, i, len(list)) {
			return
		}
		headerText(b, h)
	}
}

func headerText(b *strings.Builder, h packet.LSAHeader) {
	fmt.Fprintf(b, "\n  %s age %d seq 0x%08X", strings.TrimSuffix(lsaName(h.LSAKey), ":"), h.Age&^packet.DoNotAge, uint32(h.Sequence))
}

// more ends a list that is too long for a line of debugging.
func more(b *strings.Builder, i, n int) bool {
	if i < maxTraceLSAs {
		return false
	}
	fmt.Fprintf(b, "\n  and %d more", n-i)
	return true
}
