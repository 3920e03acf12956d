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

// rest takes what else a refused line says.
const rest = " [rest:LINE(200)]"

// Modes in which lines are refused.
var (
	inFamily  = []string{ModeRouter, ModeIPv4, ModeIPv6, ModeVRF, ModeVRF6}
	inSession = []string{ModeRouter, ModeVRF, ModeVRF6}
)

var refusals = []refusal{
	{"fall-over", inSession, []string{who + "fall-over" + rest}, "there is no BFD: short timers find a dead neighbor"},
	{"advertisement-interval", inFamily, []string{who + "advertisement-interval" + rest}, "updates are sent as soon as there are any"},
	{"advertise-map", inFamily, []string{who + "advertise-map" + rest, who + "unsuppress-map" + rest, who + "advertise" + rest}, "use a route-map in the direction out"},
	{"transport", inSession, []string{who + "transport connection-mode active", who + "transport path-mtu-discovery disable", who + "transport multi-session"}, "sessions of either direction are accepted, unless it is passive"},
	{"capability", inFamily, []string{who + "capability" + rest, who + "slow-peer" + rest, who + "dmzlink-bw" + rest, who + "translate-update" + rest}, "it does not exist here"},
	{"negotiate", inSession, []string{who + "dont-capability-negotiate"}, "capabilities are always told"},
	{"local-as", inSession, []string{who + "local-as as:<1-4294967295>", who + "local-as as:<1-4294967295> no-prepend", who + "local-as as:<1-4294967295> no-prepend replace-as dual-as"},
		"only local-as AS no-prepend replace-as: the neighbor sees this one number"},
	{"remove-private", inFamily, []string{who + "remove-private-as"}, "private AS numbers are removed wherever they are: remove-private-as all"},
	{"hold-time", inSession, []string{who + "timers keepalive:<0-65535> hold:<0-65535> least:<0-65535>"}, "there is no least hold time"},
	{"confederation", []string{ModeRouter}, []string{"bgp confederation" + rest}, "there are no confederations: use a route reflector"},
	{"dampening", inFamily, []string{"bgp dampening" + rest}, "routes are told as they are, and at once"},
	{"nexthop", inFamily, []string{"bgp nexthop" + rest, "bgp advertise-best-external", "bgp recursion" + rest, "bgp inject-map" + rest}, "it does not exist here"},
	{"med-confed", []string{ModeRouter}, []string{"bgp bestpath med confed" + rest, "bgp bestpath cost-community" + rest}, "it does not exist here"},
	{"table-map", inFamily, []string{"table-map" + rest}, "what goes into the routing table is not changed on the way: use a route-map in the direction in"},
	{"backdoor", inFamily, []string{"network addr:A.B.C.D [mask mask:MASK] backdoor"}, "there are no backdoor networks"},
	{"eibgp", inFamily, []string{"maximum-paths eibgp" + rest}, "load is shared among external or among internal paths: maximum-paths, maximum-paths ibgp"},
	{"suppress-map", inFamily, []string{"aggregate-address addr:A.B.C.D mask:MASK {suppress-map|advertise-map}" + rest}, "use summary-only, or a route-map in the direction out"},
	{"redistribute", inFamily, []string{"redistribute ospf number:<1-65535> match" + rest, "redistribute {isis|lisp|mobile|odr|omp|vrf|bgp}" + rest},
		"BGP tells routes of connected, kernel, static, nhrp, rip, ospf and eigrp in its VRF; a route-map says which of them"},
	{"family", []string{ModeRouter}, []string{"address-family {vpnv4|vpnv6|l2vpn|nsap|rtfilter}" + rest, "address-family {ipv4|ipv6} {multicast|mdt|tunnel|mvpn}" + rest}, "BGP is for unicast routes of IPv4 and IPv6"},
	{"distance", inFamily, []string{"distance value:<1-255> addr:ADDR wild:WILDCARD" + rest}, "distances are those of distance bgp"},
}

// refusedID is what the IDs of refused lines begin with.
const refusedID = "bgp.refused-"

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
