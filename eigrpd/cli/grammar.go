package cli

import (
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
)

// Grammar returns what eigrpd adds to the command line.
func Grammar() cli.Tree {
	return cli.Tree{
		Commands: slices.Concat(execCommands(), cli.ProtocolsCommands(), plugin.DebugCommands(Facilities)),
		Help:     cli.Help{"show": "Show running system information", "clear": "Reset", "ip": "Internet Protocol", "ipv6": "Internet Protocol version 6"},
	}
}
