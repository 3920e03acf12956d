package policy

// IDs of the configuration commands of the global mode.
const (
	CmdPrefixList      = "policy.prefix-list"
	CmdPrefixListText  = "policy.prefix-list-description"
	CmdPrefixList6     = "policy.prefix-list6"
	CmdPrefixList6Text = "policy.prefix-list6-description"
	CmdAccessList      = "policy.access-list" // numbered, in one line
	CmdStandard        = "policy.access-list-standard"
	CmdExtended        = "policy.access-list-extended"
	CmdRouteMap        = "policy.route-map"
	CmdKeyChain        = "policy.key-chain"
	CmdASPathList      = "policy.as-path-access-list"
	CmdCommunityList   = "policy.community-list"
	CmdExpandedList    = "policy.community-list-expanded"
	CmdExtList         = "policy.extcommunity-list"
	CmdExtExpanded     = "policy.extcommunity-list-expanded"
	CmdLargeList       = "policy.large-community-list"
	CmdLargeExpanded   = "policy.large-community-list-expanded"
)

// IDs of the commands inside of blocks.
const (
	cmdStdEntry = "acl.standard"
	cmdExtEntry = "acl.extended"

	cmdMapText        = "map.description"
	cmdMatchList      = "map.match-address"
	cmdMatchPrefix    = "map.match-address-prefix-list"
	cmdMatchPrefix6   = "map.match-address6-prefix-list"
	cmdMatchHop       = "map.match-next-hop"
	cmdMatchHopPfx    = "map.match-next-hop-prefix-list"
	cmdMatchSource    = "map.match-route-source"
	cmdMatchIface     = "map.match-interface"
	cmdMatchTag       = "map.match-tag"
	cmdMatchMetric    = "map.match-metric"
	cmdMatchProtocol  = "map.match-source-protocol"
	cmdSetMetric      = "map.set-metric"
	cmdSetTag         = "map.set-tag"
	cmdSetHop         = "map.set-next-hop"
	cmdSetHop6        = "map.set-next-hop6"
	cmdSetType        = "map.set-metric-type"
	cmdSetPref        = "map.set-local-preference"
	cmdSetCommunity   = "map.set-community"
	cmdMatchASPath    = "map.match-as-path"
	cmdMatchCommunity = "map.match-community"
	cmdMatchPref      = "map.match-local-preference"
	cmdSetPrepend     = "map.set-as-path-prepend"
	cmdSetWeight      = "map.set-weight"
	cmdSetOrigin      = "map.set-origin"
	cmdSetCommList    = "map.set-comm-list-delete"
	cmdMatchExt       = "map.match-extcommunity"
	cmdMatchLarge     = "map.match-large-community"
	cmdSetExt         = "map.set-extcommunity"
	cmdSetExtList     = "map.set-extcomm-list-delete"
	cmdSetLarge       = "map.set-large-community"
	cmdSetLargeList   = "map.set-large-comm-list-delete"
	cmdContinue       = "map.continue"
	cmdCall           = "map.call"

	cmdKey       = "key-chain.key"
	cmdKeyString = "key.key-string"
	cmdAccept    = "key.accept-lifetime"
	cmdSend      = "key.send-lifetime"
	cmdAlgorithm = "key.cryptographic-algorithm"
)

// IDs of the exec commands that Exec runs.
const (
	ShowPrefixList    = "policy.show-prefix-list"
	ShowPrefixList6   = "policy.show-prefix-list6"
	ShowAccessList    = "policy.show-access-lists"
	ShowRouteMap      = "policy.show-route-map"
	ShowKeyChain      = "policy.show-key-chain"
	ShowASPathList    = "policy.show-as-path-access-list"
	ShowCommunityList = "policy.show-community-list"
	ShowExtList       = "policy.show-extcommunity-list"
	ShowLargeList     = "policy.show-large-community-list"
)

// SharedIDs returns the IDs of the lines that every daemon gets besides its own
// (conf.Tree.Filter).
func SharedIDs() []string {
	return []string{CmdPrefixList, CmdPrefixListText, CmdPrefixList6, CmdPrefixList6Text,
		CmdAccessList, CmdStandard, CmdExtended, CmdRouteMap, CmdKeyChain,
		CmdASPathList, CmdCommunityList, CmdExpandedList, CmdExtList, CmdExtExpanded, CmdLargeList, CmdLargeExpanded}
}
