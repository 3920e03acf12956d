package cli

import (
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// refusal is lines of IOS that are understood and not done: whoever pastes a
// configuration is told why. They are not offered by help.
type refusal struct {
	id    string
	modes []string
	lines []string // patterns
	why   string
}

// Modes in which lines are refused.
var (
	inClassic   = []string{ModeClassic, ModeClassicAF, ModeClassic6}
	inInstance  = append([]string{ModeFamily}, inClassic...)
	inTopology  = append([]string{ModeTopology}, inClassic...)
	inInterface = []string{ModeDefault, ModeInterface}
)

// rest takes what else a refused line says.
const rest = " [rest:LINE(200)]"

var refusals = []refusal{
	{"bfd", inInstance, []string{"bfd" + rest}, "there is no BFD: a short hello interval finds a dead neighbor"},
	{"bfd-interface", inInterface, []string{"bfd" + rest}, "there is no BFD: a short hello interval finds a dead neighbor"},
	{"dampening", inInterface, []string{"dampening-change" + rest, "dampening-interval" + rest}, "metrics of interfaces are told as they are, and at once"},
	{"if-dampening", []string{modeIf}, []string{"family:{ip|ipv6} dampening-change eigrp as:<1-65535>" + rest, "family:{ip|ipv6} dampening-interval eigrp as:<1-65535>" + rest},
		"metrics of interfaces are told as they are, and at once"},
	{"default-summary", []string{ModeDefault}, []string{"summary-address" + rest}, "a summary is of one interface: its line goes under af-interface and the name of the interface"},
	{"secondary-paths", inTopology, []string{"maximum-secondary-paths" + rest}, "all feasible successors are kept, and the best of them take over"},
	{"fast-reroute", inTopology, []string{"fast-reroute" + rest}, "feasible successors take over by DUAL, no path is installed in advance"},
	{"table-map", inTopology, []string{"table-map" + rest}, "what goes into the routing table is not changed on the way: use distribute-list … in with a route-map"},
	{"topo-interface", inTopology, []string{"topo-interface" + rest}, "there is one topology: the line goes under af-interface"},
	{"redistribute", inTopology, []string{"redistribute vrf" + rest, "redistribute ospf number:<1-65535> match" + rest, "redistribute {isis|lisp|mobile|odr|omp}" + rest},
		"EIGRP tells routes of connected, kernel, static, nhrp, rip, ospf, eigrp and bgp in its VRF; a route-map says which of them"},
	{"event-log", inTopology, []string{"eigrp {event-log-size|event-logging|log-event-type}" + rest}, "the last events are always kept, a fixed number of them"},
	{"kill-everyone", inInstance, []string{"eigrp kill-everyone"}, "shutdown takes leave of all neighbors"},
	{"graceful-restart", inInstance, []string{"eigrp graceful-restart" + rest}, "the line is nsf"},
	{"stub-site", inInstance, []string{"eigrp stub-site" + rest}, "there are no stub sites: eigrp stub makes a router of a site a stub"},
	{"interface-site", inInterface, []string{"stub-site" + rest}, "there are no stub sites: eigrp stub makes a router of a site a stub"},
	{"warnings", inInstance, []string{"eigrp log-neighbor-warnings seconds:<1-65535>"}, "the rate of warnings is fixed: leave the seconds out"},
	{"soft-sia", inInstance, []string{"soft-sia"}, "a neighbor that does not answer a query within timers active-time is reset"},
	{"metric", inInstance, []string{"metric {version|holddown}" + rest}, "named mode counts in 64 bits and classic mode in 32, and there is no hold-down"},
	{"rib-scale", inClassic, []string{"metric rib-scale" + rest}, "metrics of classic mode go into the routing table as they are: rib-scale is for named mode"},
	{"peer-limit", inInstance, []string{"neighbor addr:ADDR maximum-prefix" + rest}, "the limit is the same for all neighbors: neighbor maximum-prefix"},
	{"neighbor", inInstance, []string{"neighbor addr:ADDR description" + rest, "neighbor addr:ADDR ifname:IFNAME remote hops:<2-100> lisp-encap" + rest}, "neighbors have an address and an interface, and may be remote"},
	{"nsf", inInstance, []string{"timers nsf" + rest}, "of the timers of a restart there is timers graceful-restart purge-time"},
	{"multicast", []string{ModeNamed}, []string{"address-family {ipv4|ipv6} multicast" + rest}, "EIGRP is for unicast routes"},
	{"service-family", []string{ModeNamed}, []string{"service-family" + rest}, "services are not advertised"},
	{"upgrade", []string{ModeClassic, ModeClassic6}, []string{"eigrp upgrade-cli name:WORD(32)"}, `"show eigrp upgrade-cli AS NAME" prints the lines to paste`},
}

// refusedID is what the IDs of refused lines begin with.
const refusedID = "eigrp.refused-"

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
		for _, mode := range r.modes {
			for _, pattern := range r.lines {
				out = append(out, cli.Command{ID: refusedID + r.id, Mode: mode, Pattern: pattern, Hidden: true})
			}
		}
	}
	return out
}
