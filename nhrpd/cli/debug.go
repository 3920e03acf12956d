package cli

import (
	"errors"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/telemetry"
)

// Numbers of what can be debugged, in Facilities.
const (
	DebugNHRP      = iota // servers; with it all that follow
	DebugPacket           // packets received, sent and forwarded
	DebugCache            // entries of the cache
	DebugError            // packets dropped, registrations refused, error indications
	DebugDetail           // what is in packets
	DebugExtension        // the extensions of packets
	DebugRate             // packets not sent, since a limit was reached
	DebugTunnel           // tunnels that become usable, or cease to be
	DebugGroup            // groups that packets name
)

// Facilities are what nhrpd can debug: "debug nhrp [packet|cache|…]".
var Facilities = telemetry.Facilities{Heading: "NHRP", List: []telemetry.Facility{
	DebugNHRP:      {Words: "nhrp", Text: "NHRP protocol debugging", Help: "Next Hop Resolution Protocol"},
	DebugPacket:    {Words: "nhrp packet", Text: "NHRP activity debugging", Help: "Packets received, sent and forwarded"},
	DebugCache:     {Words: "nhrp cache", Text: "NHRP cache debugging", Help: "Entries of the cache that come, change and go"},
	DebugError:     {Words: "nhrp error", Text: "NHRP errors debugging", Help: "Packets dropped and registrations refused"},
	DebugDetail:    {Words: "nhrp detail", Text: "NHRP detail debugging", Help: "What is in packets"},
	DebugExtension: {Words: "nhrp extension", Text: "NHRP extension processing debugging", Help: "Extensions of packets"},
	DebugRate:      {Words: "nhrp rate", Text: "NHRP rate limiting debugging", Help: "Packets not sent, since a limit was reached"},
	DebugGroup:     {Words: "nhrp group", Text: "NHRP group debugging", Help: "Groups that clients tell and are told"},
	DebugTunnel:    {Words: "nhrp tunnel", Text: "NHRP tunnel debugging", Help: "Tunnels that become usable, or cease to be"},
}}

// IDs of the commands about debugging that are nhrpd's own.
const (
	ExecDebugDMVPN    = "nhrp.debug-dmvpn"
	ExecUndebugDMVPN  = "nhrp.undebug-dmvpn"
	ExecCondition     = "nhrp.debug-condition"
	ExecNoCondition   = "nhrp.undebug-condition"
	ExecShowCondition = "nhrp.show-debug-condition"
)

// Arguments of these commands.
const (
	conditionOf = "{interface ifname:IFNAME|peer {nbma nbma:ADDR|tunnel tunnel:ADDR}|vrf vrf:WORD(15)|unmatched}"
	dmvpnOf     = "level:{all|error|detail|packet} part:{all|nhrp|tunnel|crypto|socket}"
)

// errNoCrypto refuses what is another daemon's.
var errNoCrypto = errors.New("crypto and socket are ipsecd's: debug crypto ikev2, debug crypto ipsec, debug crypto socket")

// debugCommands returns the commands about debugging beside those that every daemon
// has: "debug dmvpn" is the same as some of "debug nhrp" at once, and conditions say
// about whom.
func debugCommands() []cli.Command {
	help := cli.Help{"debug": "Debugging", "undebug": "Turn debugging off", "condition": "Debug only what matches",
		"peer": "One peer", "nbma": "By its NBMA address", "tunnel": "By its tunnel address", "unmatched": "What is about nobody in particular"}
	dmvpn := cli.Help{"debug": "Debugging", "undebug": "Turn debugging off", "all": "All of it", "error": "What goes wrong",
		"detail": "In full", "packet": "Packets", "nhrp": "Next Hop Resolution Protocol", "tunnel": "Tunnels", "crypto": "Encryption", "socket": "Encryption of peers"}
	enable := func(id, pattern string, no cli.NoForm, help cli.Help) cli.Command {
		return cli.Command{ID: id, Mode: cli.ModeEnable, Pattern: pattern, NoForm: no, Help: help}
	}
	return []cli.Command{
		enable(ExecDebugDMVPN, "debug dmvpn "+dmvpnOf, cli.NoAllowed, dmvpn),
		enable(ExecUndebugDMVPN, "undebug dmvpn "+dmvpnOf, cli.NoByMode, dmvpn),
		enable(ExecCondition, "debug dmvpn condition "+conditionOf, cli.NoAllowed, help),
		enable(ExecCondition, "debug nhrp condition "+conditionOf, cli.NoAllowed, help),
		enable(ExecNoCondition, "undebug dmvpn condition ["+conditionOf+"]", cli.NoByMode, help),
		enable(ExecNoCondition, "undebug nhrp condition ["+conditionOf+"]", cli.NoByMode, help),
		{ID: ExecShowCondition, Mode: cli.ModeExec, Pattern: "show nhrp debug-condition", Help: cli.Help{"debug-condition": "Whom debugging is about"}},
	}
}

// DMVPNFacilities returns the words of the facilities of "debug dmvpn LEVEL PART".
// What needs IPsec is an error.
func DMVPNFacilities(level, part string) ([]string, error) {
	nhrp := map[string][]string{"all": {"nhrp"}, "error": {"nhrp error"}, "detail": {"nhrp detail", "nhrp cache"}, "packet": {"nhrp packet"}}[level]
	switch part {
	case "nhrp":
		return nhrp, nil
	case "tunnel":
		return []string{"nhrp tunnel"}, nil
	case "all":
		return append(nhrp, "nhrp tunnel"), nil
	}
	return nil, errNoCrypto
}
