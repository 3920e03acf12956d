package cli

import (
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// refusal is lines of IOS that are understood and not done: whoever pastes a
// configuration is told why. They are not offered by help.
type refusal struct {
	id, mode string
	lines    []string // patterns
	why      string
}

// rest takes what else a refused line says.
const rest = " [rest:LINE(200)]"

var refusals = []refusal{
	{"name-lookup", cli.ModeConfig, []string{"ip ospf name-lookup"}, "routers are shown by their numbers"},
	{"bfd", ModeRouter, []string{"bfd" + rest}, "there is no BFD: dead-interval minimal finds a dead neighbor within a second"},
	{"ttl", ModeRouter, []string{"ttl-security" + rest, "area " + areaArg + " virtual-link router:A.B.C.D ttl-security" + rest}, "TTLs are not checked: authenticate the packets"},
	{"mpls", ModeRouter, []string{"mpls" + rest, "segment-routing" + rest, "capability transit" + rest, "domain-id" + rest, "domain-tag" + rest, "area " + areaArg + " sham-link" + rest},
		"there is no MPLS"},
	{"ispf", ModeRouter, []string{"ispf"}, "the tree of an area is computed anew as a whole, and only for changes that concern it"},
	{"fast-reroute", ModeRouter, []string{"fast-reroute" + rest, "microloop" + rest}, "no path is installed in advance: several of equal cost are, see maximum-paths"},
	{"snmp", ModeRouter, []string{"interface-id snmp-if-index", "snmp" + rest}, "there is no SNMP"},
	{"nsf-cisco", ModeRouter, []string{"nsf cisco" + rest, "nsf"}, "graceful restart is that of RFC 3623: nsf ietf"},
	{"discard", ModeRouter, []string{"discard-route" + rest}, "a range or summary always has its discard route"},
	{"group-pacing", ModeRouter, []string{"timers pacing lsa-group" + rest}, "each LSA is refreshed at its own time"},
	{"max-lsa", ModeRouter, []string{"max-lsa count:<1-4294967295> more:LINE(200)"}, "LSAs above the limit are not taken, and adjacencies stay: leave out what follows the number"},
	{"wait-for-bgp", ModeRouter, []string{"max-metric router-lsa [external-lsa [external:<1-16777215>]] [include-stub] on-startup wait-for-bgp" + rest}, "on-startup has a number of seconds"},
	{"on-shutdown", ModeRouter, []string{"max-metric router-lsa on-shutdown" + rest}, "a router that is shut down flushes its LSAs at once"},
	{"redistribute", ModeRouter, []string{"redistribute vrf" + rest, "redistribute ospf number:<1-65535> match" + rest, "redistribute {isis|lisp|mobile|odr|omp}" + rest},
		"OSPF tells routes of connected, kernel, static, nhrp, rip, ospf, eigrp and bgp in its VRF; a route-map says which of them"},
	{"redistribute-limit", ModeRouter, []string{"redistribute maximum-prefix" + rest}, "a route-map says what is redistributed, and nothing limits it"},
	{"gateway", ModeRouter, []string{"distribute-list {list:WORD(63)|prefix list:WORD(63)} gateway" + rest, "distribute-list gateway" + rest}, "routes are filtered by network, or by a route-map"},
	{"out-interface", ModeRouter, []string{"distribute-list {list:WORD(63)|prefix list:WORD(63)} out interface:IFNAME"}, "all neighbors of an area know the same LSAs: a filter of one interface is for in"},
	{"link-state", ModeRouter, []string{"distribute link-state" + rest, "local-rib-criteria" + rest, "table-map" + rest, "traffic-share" + rest, "prefix-priority" + rest, "limit retransmissions" + rest,
		"queue-depth" + rest, "process-min-time" + rest, "event-log" + rest, "ignore lsa mospf", "snmp-server" + rest, "area " + areaArg + " capability" + rest}, "the line has no counterpart here"},
	{"nssa-only", ModeRouter, []string{"area " + areaArg + " nssa nssa-only" + rest}, "the P-bit is left out by nssa-only behind redistribute"},
	{"neighbor-interface", ModeRouter, []string{"neighbor addr:A.B.C.D ifname:IFNAME" + rest}, "a neighbor is found by its address"},
	{"address-family", ModeRouter, []string{"address-family" + rest}, "a process is for IPv4; there is no topology but the base"},
	{"if-bfd", modeIf, []string{"ip ospf bfd" + rest}, "there is no BFD: dead-interval minimal finds a dead neighbor within a second"},
	{"if-demand", modeIf, []string{"ip ospf demand-circuit" + rest}, "neighbors are heard of by Hellos: flood-reduction saves the refreshes"},
	{"if-ttl", modeIf, []string{"ip ospf ttl-security" + rest}, "TTLs are not checked: authenticate the packets"},
	{"if-lls", modeIf, []string{"ip ospf lls" + rest, "ip ospf resync-timeout" + rest}, "graceful restart is that of RFC 3623, which needs no link-local signalling"},
	{"if-multi-area", modeIf, []string{"ip ospf multi-area" + rest}, "an interface is in one area"},
	{"if-more", modeIf, []string{"ip ospf fast-reroute" + rest, "ip ospf topology" + rest, "ip ospf adjacency" + rest, "ip ospf mpls" + rest, "ip ospf snmp" + rest, "ip ospf lsa-suppression" + rest}, "the line has no counterpart here"},
}

// refusedID is what the IDs of refused lines begin with.
const refusedID = "ospf.refused-"

// whyRefused says why a line is refused; "" if it is none of the refused ones.
func whyRefused(id string) string {
	name, ok := strings.CutPrefix(id, refusedID)
	if !ok {
		return ""
	}
	for _, r := range refusals {
		if r.id == name {
			return "not supported: " + r.why
		}
	}
	return ""
}

// refusedCommands returns the lines that Read refuses.
func refusedCommands() []cli.Command {
	var out []cli.Command
	for _, r := range refusals {
		for _, pattern := range r.lines {
			out = append(out, cli.Command{ID: refusedID + r.id, Mode: r.mode, Pattern: pattern, Hidden: true})
		}
	}
	return out
}
