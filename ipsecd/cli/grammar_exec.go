package cli

import (
	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// IDs of exec commands.
const (
	ExecSA           = "ikev2.show-sa"      // arguments: "detailed", "addr"
	ExecIKEv2Session = "ikev2.show-session" // arguments: "detailed"
	ExecStats        = "ikev2.show-stats"
	ExecProposal     = "ikev2.show-proposal" // argument: "name"
	ExecPolicy       = "ikev2.show-policy"   // argument: "name"
	ExecProfile      = "ikev2.show-profile"  // argument: "name"
	ExecIPsecSA      = "ipsec.show-sa"       // argument: "addr"
	ExecIPsecProfile = "ipsec.show-profile"
	ExecTransform    = "ipsec.show-transform-set" // argument: "name"
	ExecSession      = "crypto.show-session"      // arguments: "detail", "addr"
	ExecSocket       = "crypto.show-socket"

	ExecClearSession  = "crypto.clear-session" // argument: "addr"
	ExecClearSA       = "ipsec.clear-sa"       // argument: "addr"
	ExecClearCounters = "ipsec.clear-counters"
	ExecClearIKEv2    = "ikev2.clear-sa" // argument: "addr"
	ExecClearStats    = "ikev2.clear-stats"
)

func execCommands() []cli.Command {
	var all []cli.Command
	add := func(mode, id, pattern string, help cli.Help) {
		all = append(all, cli.Command{ID: id, Mode: mode, Pattern: pattern, Help: help})
	}
	show := func(id, words string, help cli.Help) { add(cli.ModeExec, id, "show crypto "+words, help) }
	clear := func(id, words string, help cli.Help) { add(cli.ModeEnable, id, "clear crypto "+words, help) }
	of := cli.Help{"remote": "Of one peer", "peer": "Of one peer", "addr": "Its address", "sa": "Security associations", "session": "Sessions: an IKE SA and what it protects",
		"detailed": "In full", "detail": "In full", "name": "One by name"}
	show(ExecSA, "ikev2 sa [detailed] [remote addr:ADDR]", of)
	show(ExecIKEv2Session, "ikev2 session [detailed] [remote addr:ADDR]", of)
	show(ExecStats, "ikev2 stats", cli.Help{"stats": "Counters and limits"})
	show(ExecProposal, "ikev2 proposal [name:WORD(64)]", with(of, cli.Help{"proposal": "Algorithms of IKE SAs"}))
	show(ExecPolicy, "ikev2 policy [name:WORD(64)]", with(of, cli.Help{"policy": "Proposals, and where they are used"}))
	show(ExecProfile, "ikev2 profile [name:WORD(64)]", with(of, cli.Help{"profile": "How peers are authenticated"}))
	show(ExecIPsecSA, "ipsec sa [peer addr:ADDR]", of)
	show(ExecIPsecProfile, "ipsec profile", cli.Help{"profile": "How tunnels are protected"})
	show(ExecTransform, "ipsec transform-set [name:WORD(64)]", with(of, cli.Help{"transform-set": "Algorithms of ESP"}))
	show(ExecSession, "session [remote addr:ADDR] [detail]", of)
	show(ExecSocket, "socket", cli.Help{"socket": "Peers that are to be secured"})
	clear(ExecClearSession, "session [remote addr:ADDR]", of)
	clear(ExecClearSA, "sa [peer addr:ADDR]", of)
	clear(ExecClearCounters, "sa counters", with(of, cli.Help{"counters": "Counters only"}))
	clear(ExecClearIKEv2, "ikev2 sa [remote addr:ADDR]", of)
	clear(ExecClearStats, "ikev2 stats", cli.Help{"stats": "Counters"})
	return all
}

// Clearing returns the Clear that a command asks for; ok is false if it is none that
// clears.
func Clearing(id string, a cli.Args) (c core.Clear, ok bool) {
	c = core.Clear{Remote: a.Addr("addr"), AllVRFs: true}
	switch id {
	case ExecClearSession, ExecClearIKEv2:
		c.IKE = true
	case ExecClearSA:
		c.Children = true
	case ExecClearCounters, ExecClearStats:
		c.Counters = true
	default:
		return core.Clear{}, false
	}
	return c, true
}
