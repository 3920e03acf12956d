package edge

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/bgpd/cli"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// Cisco's messages about neighbours.
var (
	adjacency   = telemetry.Message{Facility: "BGP", Severity: telemetry.Notification, Mnemonic: "ADJCHANGE"}
	prefixes    = telemetry.Message{Facility: "BGP", Severity: telemetry.Warning, Mnemonic: "MAXPFX"}
	tooMany     = telemetry.Message{Facility: "BGP", Severity: telemetry.Error, Mnemonic: "MAXPFXEXCEED"}
	listenLimit = telemetry.Message{Facility: "BGP", Severity: telemetry.Warning, Mnemonic: "DYNAMICNEIGHBOR"}
	notSent     = telemetry.Message{Facility: "BGP", Severity: telemetry.Warning, Mnemonic: "NOTSENT"}
	wrongAS     = telemetry.Message{Facility: "BGP", Severity: telemetry.Error, Mnemonic: "REMOTEAS"}
)

// logMessage writes a message in Cisco's form, to the daemon's log and to zebra's.
func (e *Edge) logMessage(m telemetry.Message, format string, args ...any) {
	e.Message(m.Facility, m.Severity, m.Mnemonic, fmt.Sprintf(format, args...))
}

// sessionChanged logs that a session came up or ended.
func (e *Edge) sessionChanged(r *runner, s speaker.Session) {
	e.Debug().Printf(cli.DebugEvents, "BGP(%s): neighbor %v up %t %s", vrfName(r.vrf), s.Neighbor, s.Up, s.Reason)
	e.mu.Lock()
	quiet := false
	if e.config != nil {
		for i := range e.config.Routers {
			quiet = quiet || e.config.Routers[i].VRF == r.vrf && e.config.Routers[i].NoLogChanges
		}
	}
	e.mu.Unlock()
	if quiet {
		return
	}
	change := "Up"
	if !s.Up {
		if change = "Down"; s.Reason != "" {
			change += " " + s.Reason
		}
	}
	e.logMessage(adjacency, "neighbor %s %s", r.who(s.Neighbor, s.Group), change)
}

// who names a neighbour in a message, as IOS does: a star before one of a listen range.
func (r *runner) who(a netip.Addr, group string) string {
	name := a.String()
	if group != "" {
		name = "*" + name
	}
	if r.vrf != "" {
		name += " vpn vrf " + r.vrf
	}
	return name
}

// notice logs what a speaker has to say.
func (e *Edge) notice(r *runner, n speaker.Notice) {
	family := "IPv4 Unicast"
	if n.Family == 6 {
		family = "IPv6 Unicast"
	}
	switch n.Kind {
	case speaker.ListenLimit:
		e.logMessage(listenLimit, "neighbor %s refused: there are %d dynamic neighbors, and bgp listen limit is %d", r.who(n.Neighbor, ""), n.Count, n.Limit)
	case speaker.PrefixWarning:
		e.logMessage(prefixes, "Number of prefixes received from %s (afi %s) reaches %d, max %d", r.who(n.Neighbor, ""), family, n.Count, n.Limit)
	case speaker.PrefixLimit:
		e.logMessage(tooMany, "Number of prefixes received from %s (afi %s): %d exceeds limit %d", r.who(n.Neighbor, ""), family, n.Count, n.Limit)
	case speaker.NotSent:
		e.logMessage(notSent, "%v is not sent: %s", n.Prefix, n.Text)
	case speaker.WrongAS:
		e.logMessage(wrongAS, "neighbor %s is of our own autonomous system, and remote-as is external", r.who(n.Neighbor, ""))
	}
}
