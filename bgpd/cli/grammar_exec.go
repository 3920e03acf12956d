package cli

import "github.com/godmvpn/godmvpn/lib/cli"

// IDs of exec commands.
const (
	ExecTable     = "bgp.show"           // arguments: see tableOf
	ExecSummary   = "bgp.show-summary"   //
	ExecNeighbors = "bgp.show-neighbors" // arguments: "addr", "what"
	ExecGroups    = "bgp.show-peer-group"
	ExecNextHops  = "bgp.show-nexthops"
	ExecClear     = "bgp.clear" // arguments: "addr", "group", "as", "all", "soft", "direction"
)

// of is what stands behind `show … bgp`.
const of = " [unicast] [vrf vrf:WORD(15)] "

func execCommands() []cli.Command {
	about := cli.Help{"vrf": "BGP in this VRF", "summary": "Neighbors in short", "neighbors": "Neighbors", "advertised-routes": "What it is sent", "routes": "What it sent and policy let in",
		"received-routes": "What it sent, before policy", "addr": "Address", "prefix": "Network", "mask": "Network mask", "longer-prefixes": "What is within it", "peer-group": "Peer-groups",
		"nexthops": "Next hops and how they are reached"}
	var all []cli.Command
	show := func(id, words string) {
		for _, form := range []string{"show family:{ip|ipv6} bgp", "show bgp family:{ipv4|ipv6}"} {
			all = append(all, cli.Command{ID: id, Mode: cli.ModeExec, Pattern: form + of + words, Help: about})
		}
	}
	show(ExecTable, "[{prefix:PREFIX|addr:ADDR [mask:MASK]} [longer-prefixes]]")
	show(ExecSummary, "summary")
	show(ExecNeighbors, "neighbors [addr:ADDR [what:{advertised-routes|received-routes|routes}]]")
	show(ExecGroups, "peer-group [group:WORD(63)]")
	show(ExecNextHops, "nexthops")
	clearing := with(about, cli.Help{"all": "All neighbors", "*": "All neighbors", "as": "Neighbors of an autonomous system", "peer-group": "Neighbors of a peer-group", "group": "Name of the peer-group",
		"soft": "Apply policies anew, keep the session", "in": "To what is received", "out": "To what is sent"})
	for _, form := range []string{"clear family:{ip|ipv6} bgp", "clear bgp family:{ipv4|ipv6}"} {
		all = append(all, cli.Command{ID: ExecClear, Mode: cli.ModeEnable, Help: clearing,
			Pattern: form + of + "{all:{*}|addr:ADDR|as:<1-4294967295>|peer-group group:WORD(63)} [soft] [direction:{in|out}]"})
	}
	return all
}
