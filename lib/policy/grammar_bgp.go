package policy

import "github.com/godmvpn/godmvpn/lib/cli"

// communityWords is a list of communities in a pattern.
const communityWords = "communities:{internet|local-AS|no-advertise|no-export|number:WORD(21)}..."

// communityHelp explains communityWords.
var communityHelp = cli.Help{"internet": "The Internet", "local-AS": "Not outside of the confederation member (RFC 1997)", "no-advertise": "To no peer (RFC 1997)",
	"no-export": "Not outside of the confederation (RFC 1997)", "number": "aa:nn or a number"}

// pathListCommands returns the lists of BGP.
func pathListCommands() []cli.Command {
	help := cli.Help{"as-path": "AS paths", "community-list": "Communities", "name": "Number or name of the list", "extcommunity-list": "Extended communities", "rt": "Route target", "soo": "Site of origin", "value": "AS:nn or A.B.C.D:nn", "communities": "Three numbers, as in 65000:1:2", "large-community-list": "Large communities", "standard": "By communities", "expanded": "By regular expressions",
		"regex": "Regular expression; _ is a border of numbers"}
	for word, text := range communityHelp { // unordered: into a map
		help[word] = text
	}
	line := func(id, pattern, content string) cli.Command {
		return cli.Command{ID: id, Mode: cli.ModeConfig, Pattern: "ip " + pattern, Help: help, Weight: weightPathList, Ordered: true, Sort: []string{"name"},
			Key: []string{"name", "action", content}}
	}
	remove := func(id, pattern string) cli.Command {
		return cli.Command{ID: id + ".no", Mode: cli.ModeConfig, Pattern: "ip " + pattern, Help: help, NoForm: cli.NoOnly, Removes: []string{id}}
	}
	communityLists := func(id, expanded, head, content string) []cli.Command {
		return []cli.Command{
			line(id, head+" name:<1-99> action:{permit|deny} "+content, "communities"),
			line(id, head+" standard name:WORD(63) action:{permit|deny} "+content, "communities"),
			line(expanded, head+" name:<100-500> action:{permit|deny} regex:LINE(200)", "regex"),
			line(expanded, head+" expanded name:WORD(63) action:{permit|deny} regex:LINE(200)", "regex"),
			remove(id, head+" name:<1-99>"), remove(id, head+" standard name:WORD(63)"),
			remove(expanded, head+" name:<100-500>"), remove(expanded, head+" expanded name:WORD(63)"),
		}
	}
	out := []cli.Command{
		line(CmdASPathList, "as-path access-list name:<1-500> action:{permit|deny} regex:LINE(200)", "regex"),
		remove(CmdASPathList, "as-path access-list name:<1-500>"),
	}
	out = append(out, communityLists(CmdCommunityList, CmdExpandedList, "community-list", communityWords)...)
	out = append(out, communityLists(CmdExtList, CmdExtExpanded, "extcommunity-list", "communities:{rt|soo|value:WORD(21)}...")...)
	return append(out, communityLists(CmdLargeList, CmdLargeExpanded, "large-community-list", "communities:WORD(32)...")...)
}

// bgpMapCommands returns the clauses of route-maps that are about BGP.
func bgpMapCommands() []cli.Command {
	help := cli.Help{"match": "What the entry applies to", "set": "What the entry changes", "as-path": "AS path", "path": "Number of an as-path access-list", "community": "Communities",
		"list": "Number or name of a community-list", "extcommunity": "Extended communities", "rt": "Route target", "soo": "Site of origin", "communities": "Values", "additive": "Add to those of the route",
		"large-community": "Large communities", "none": "No communities", "extcomm-list": "Extended communities of a list", "large-comm-list": "Large communities of a list", "exact-match": "These communities and no others", "local-preference": "BGP local preference", "value": "Value", "prepend": "Put before the path",
		"as": "Autonomous system", "weight": "BGP weight", "weightvalue": "Weight", "origin": "BGP origin", "igp": "IGP", "incomplete": "Incomplete", "comm-list": "Communities of a list",
		"delete": "Take them away"}
	match := func(id, pattern string, each string) cli.Command {
		return cli.Command{ID: id, Mode: ModeRouteMap, Pattern: "match " + pattern, Help: help, Key: []string{each}, Split: each, Weight: 10}
	}
	set := func(id, pattern string) cli.Command {
		return cli.Command{ID: id, Mode: ModeRouteMap, Pattern: "set " + pattern, Help: help, Weight: 20}
	}
	community := cli.Command{ID: cmdMatchCommunity, Mode: ModeRouteMap, Pattern: "match community list:WORD(63) [exact-match]", Help: help, Key: []string{"list"}, Weight: 10}
	matchLarge := community
	matchLarge.ID, matchLarge.Pattern = cmdMatchLarge, "match large-community list:WORD(63) [exact-match]"
	setTargets := set(cmdSetExt, "extcommunity kind:{rt} communities:WORD(21)... [additive]")
	setOrigin := set(cmdSetExt, "extcommunity kind:{soo} communities:WORD(21)")
	setTargets.Key, setOrigin.Key = []string{"kind"}, []string{"kind"}
	return []cli.Command{
		match(cmdMatchASPath, "as-path path:<1-500>...", "path"), community,
		match(cmdMatchExt, "extcommunity list:WORD(63)...", "list"), matchLarge,
		match(cmdMatchPref, "local-preference value:<0-4294967295>...", "value"),
		set(cmdSetPrepend, "as-path prepend as:<1-4294967295>..."),
		set(cmdSetWeight, "weight weightvalue:<0-65535>"),
		set(cmdSetOrigin, "origin origin:{igp|incomplete}"),
		set(cmdSetCommList, "comm-list list:WORD(63) delete"),
		setTargets, setOrigin,
		set(cmdSetExtList, "extcomm-list list:WORD(63) delete"),
		set(cmdSetLarge, "large-community communities:WORD(32)... [additive]"),
		set(cmdSetLarge, "large-community {none}"),
		set(cmdSetLargeList, "large-comm-list list:WORD(63) delete"),
	}
}
