package cli

import (
	"maps"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
)

// Configuration modes of zebra.
const (
	ModeInterface = "interface"
	ModeVRF       = "vrf"
	ModeVRFFamily = "vrf-af"
)

// IDs of configuration commands.
const (
	CmdHostname  = "zebra.hostname"
	CmdAlias     = "zebra.interface-alias"
	CmdDaemon    = "zebra.daemon"
	CmdLogLevel  = plugin.LogLevelID
	CmdEncrypt   = "zebra.password-encryption" // secrets are stored encrypted
	CmdMasterKey = "zebra.master-key"          // immediate
	CmdVRF       = "zebra.vrf"
	CmdVRFDesc   = "vrf.description"
	CmdVRFFamily = "vrf.family"
	CmdRoute     = "zebra.route"        // with a mask
	CmdRouteLen  = "zebra.route-length" // with a prefix length
	CmdRoute6    = "zebra.route6"

	CmdInterface  = "zebra.interface"
	CmdIfDesc     = "if.description"
	CmdIfVRF      = "if.vrf"
	CmdIfAddress  = "if.address"
	CmdIfSecond   = "if.address-secondary"
	CmdIfAddress6 = "if.address6"
	CmdIfLocal6   = "if.address6-link-local"
	CmdIfShutdown = "if.shutdown"
	CmdIfMTU      = "if.mtu"
	CmdIfIPMTU    = "if.ip-mtu"
	CmdIfBW       = "if.bandwidth"
	CmdIfDelay    = "if.delay"
	CmdIfMSS      = "if.adjust-mss"
	CmdIfRedirect = "if.redirects"

	CmdTunSource = "tunnel.source"
	CmdTunDest   = "tunnel.destination"
	CmdTunMode   = "tunnel.mode"
	CmdTunKey    = "tunnel.key"
	CmdTunVRF    = "tunnel.vrf"
	CmdTunTTL    = "tunnel.ttl"
	CmdTunTOS    = "tunnel.tos"
	CmdTunPMTU   = "tunnel.path-mtu-discovery"
	CmdTunIPsec  = "tunnel.protection"
	cmdTunIKEv1  = "tunnel.protection-isakmp" // refused
)

// ProtectionDaemon is the daemon without which `tunnel protection` (CmdTunIPsec) lets
// nothing pass: it negotiates.
const ProtectionDaemon = "ipsecd"

// Print order of lines, by mode. Daemons place their interface lines between
// weightIPDaemons and weightMSS.
const (
	weightHostname = 10
	weightEncrypt  = 15
	weightDaemon   = 20
	weightAlias    = 30
	weightVRF      = 40
	weightIface    = 500
	weightRoute    = 900
)

// Grammar returns what zebra itself understands: its own commands, and the
// policies that all daemons share.
func Grammar() cli.Tree {
	tree := cli.Tree{
		Modes: []cli.Mode{
			{Name: ModeInterface, Parent: cli.ModeConfig, Prompt: "(config-if)#"},
			{Name: ModeVRF, Parent: cli.ModeConfig, Prompt: "(config-vrf)#"},
			{Name: ModeVRFFamily, Parent: ModeVRF, Prompt: "(config-vrf-af)#", Closers: []string{"exit-address-family"}},
		},
		Help: cli.Help{
			"ip": "Internet Protocol", "ipv6": "Internet Protocol version 6", "tunnel": "Tunnel of this interface",
			"vrf": "Virtual routing and forwarding table", "show": "Show running system information",
			"addr": "Address", "mask": "Network mask", "interface": "Interface",
		},
	}
	tree.Commands = append(tree.Commands, globalCommands()...)
	tree.Commands = append(tree.Commands, interfaceCommands()...)
	tree.Commands = append(tree.Commands, tunnelCommands()...)
	tree.Commands = append(tree.Commands, execCommands()...)
	tree.Commands = append(tree.Commands, cli.DebuggingCommands()...)
	shared := policy.Grammar()
	tree.Modes = append(tree.Modes, shared.Modes...)
	tree.Commands = append(tree.Commands, shared.Commands...)
	maps.Copy(shared.Help, tree.Help) // zebra's words come first
	tree.Help = shared.Help
	return tree
}

func globalCommands() []cli.Command {
	route := func(id, pattern string, destination ...string) cli.Command {
		return cli.Command{ID: id, Mode: cli.ModeConfig, Pattern: pattern, Weight: weightRoute,
			Key: append([]string{"vrf", "ifname", "gateway"}, destination...),
			Help: cli.Help{"route": "Establish static routes", "prefix": "Destination", "gateway": "Next hop",
				"ifname": "Outgoing interface, or Null0 to discard", "distance": "Administrative distance",
				"tag": "Set the route's tag", "name": "Name the route", "label": "Name of the route"}}
	}
	return []cli.Command{
		{ID: CmdHostname, Mode: cli.ModeConfig, Pattern: "hostname name:WORD(63)", Weight: weightHostname,
			Help: cli.Help{"hostname": "Set this router's name", "name": "Letters, digits and hyphens"}},
		{ID: CmdEncrypt, Mode: cli.ModeConfig, Pattern: "password encryption aes", Weight: weightEncrypt,
			Help: cli.Help{"password": "Secrets of the configuration", "encryption": "Store them encrypted", "aes": "With the master key, as type 6"}},
		{ID: CmdMasterKey, Mode: cli.ModeConfig, Pattern: "key config-key password-encrypt [master:SECRET(128)]", Immediate: true, Ask: "master",
			Help: cli.Help{"config-key": "The master key of this router", "password-encrypt": "Set what secrets of the configuration are encrypted with",
				"master": "Master key, of 8 characters or more"}},
		{ID: CmdDaemon, Mode: cli.ModeConfig, Pattern: "daemon name:WORD(32)", Key: []string{"name"}, DefaultOn: true,
			Default: "-", Weight: weightDaemon,
			Help: cli.Help{"daemon": "Run a protocol daemon (a protocol's first line does so by itself; the no form forbids it)",
				"name": "Name of the daemon, such as nhrpd"}},
		{ID: CmdAlias, Mode: cli.ModeConfig, Pattern: "interface-alias name:IFNAME kernel:WORD(15)", Key: []string{"name"},
			Weight: weightAlias,
			Help: cli.Help{"interface-alias": "Use another name for a kernel interface", "name": "Name in this configuration",
				"kernel": "Name in the kernel"}},
		{ID: CmdLogLevel, Mode: cli.ModeConfig, Pattern: "logging level:{debugging|informational|notifications|warnings|errors}",
			Weight: weightDaemon, Default: "logging informational",
			Help: cli.Help{"logging": "What is logged", "debugging": "Everything", "informational": "Informational messages and worse",
				"notifications": "Normal but significant messages and worse", "warnings": "Warnings and errors", "errors": "Errors"}},
		{ID: CmdVRF, Mode: cli.ModeConfig, Pattern: "vrf definition name:WORD(15)", Enters: ModeVRF, Key: []string{"name"},
			Weight: weightVRF, Help: cli.Help{"definition": "Define a VRF", "name": "VRF name"}},
		{ID: CmdVRFDesc, Mode: ModeVRF, Pattern: "description text:LINE(200)", Help: cli.Help{"description": "What it is for", "text": "Text"}},
		{ID: CmdVRFFamily, Mode: ModeVRF, Pattern: "address-family family:{ipv4|ipv6}", Enters: ModeVRFFamily, Key: []string{"family"},
			Weight: 10, Help: cli.Help{"address-family": "Enter the configuration of an address family", "ipv4": "IPv4", "ipv6": "IPv6"}},
		route(CmdRoute, "ip route [vrf vrf:WORD(15)] addr:A.B.C.D mask:MASK {ifname:IFNAME [gateway:A.B.C.D]|gateway:A.B.C.D} [distance:<1-255>] [tag tag:<1-4294967295>] [name label:WORD(50)]", "addr", "mask"),
		route(CmdRouteLen, "ip route [vrf vrf:WORD(15)] prefix:PREFIX4 {ifname:IFNAME [gateway:A.B.C.D]|gateway:A.B.C.D} [distance:<1-255>] [tag tag:<1-4294967295>] [name label:WORD(50)]", "prefix"),
		route(CmdRoute6, "ipv6 route [vrf vrf:WORD(15)] prefix:PREFIX6 {ifname:IFNAME [gateway:X:X::X:X]|gateway:X:X::X:X} [distance:<1-255>] [tag tag:<1-4294967295>] [name label:WORD(50)]", "prefix"),
	}
}

func interfaceCommands() []cli.Command {
	line := func(id, pattern string, weight int, help cli.Help) cli.Command {
		return cli.Command{ID: id, Mode: ModeInterface, Pattern: pattern, Weight: weight, Help: help}
	}
	address := cli.Help{"address": "Set an IP address", "addr": "Address of this interface", "secondary": "An additional address"}
	second := line(CmdIfSecond, "ip address addr:A.B.C.D mask:MASK secondary", 41, address)
	second.Key = []string{"addr"}
	second2 := line(CmdIfSecond, "ip address addr:A.B.C.D/M secondary", 41, address)
	second2.Key = []string{"addr"}
	first := line(CmdIfAddress, "ip address addr:A.B.C.D mask:MASK", 40, address)
	first2 := line(CmdIfAddress, "ip address addr:A.B.C.D/M", 40, address)
	first.NoExact, first2.NoExact = true, true
	six := line(CmdIfAddress6, "ipv6 address addr:X:X::X:X/M", 60, address)
	six.Key = []string{"addr"}
	local := line(CmdIfLocal6, "ipv6 address addr:X:X::X:X link-local", 61, cli.Help{"address": "Set an IP address",
		"addr": "Address of this interface, of fe80::/10", "link-local": "Beside the one that the kernel makes"})
	local.Key = []string{"addr"}
	redirects := line(CmdIfRedirect, "ip redirects", 45, cli.Help{"redirects": "Send ICMP redirects"})
	redirects.NoForm, redirects.Ignored = cli.NoOnly, "ICMP redirects are never sent"
	mode := cli.Command{ID: CmdInterface, Mode: cli.ModeConfig, Pattern: "interface name:IFNAME", Enters: ModeInterface,
		Key: []string{"name"}, Weight: weightIface, Help: cli.Help{"interface": "Configure an interface", "name": "Interface name"}}
	return []cli.Command{mode,
		line(CmdIfDesc, "description text:LINE(200)", 10, cli.Help{"description": "What it is for", "text": "Text"}),
		line(CmdIfVRF, "vrf forwarding vrf:WORD(15)", 20, cli.Help{"forwarding": "VRF that the interface belongs to", "vrf": "VRF name"}),
		line(CmdIfBW, "bandwidth kbit:<1-10000000>", 25, cli.Help{"bandwidth": "Bandwidth for routing metrics", "kbit": "Kilobits per second"}),
		line(CmdIfDelay, "delay tens:<1-16777215>", 26, cli.Help{"delay": "Delay for routing metrics", "tens": "Tens of microseconds"}),
		line(CmdIfMTU, "mtu bytes:<68-9216>", 27, cli.Help{"mtu": "Maximum transmission unit", "bytes": "Bytes"}),
		first, first2, second, second2, redirects,
		line(CmdIfIPMTU, "ip mtu bytes:<68-9216>", 46, cli.Help{"mtu": "Largest IP packet", "bytes": "Bytes"}),
		six, local,
		line(CmdIfMSS, "ip tcp adjust-mss bytes:<500-1460>", 80, cli.Help{"tcp": "TCP of packets that pass", "adjust-mss": "Lower the maximum segment size of passing connections", "bytes": "Bytes"}),
		line(CmdIfShutdown, "shutdown", 99, cli.Help{"shutdown": "Shut the interface down"}),
	}
}

func tunnelCommands() []cli.Command {
	line := func(id, pattern string, weight int, help cli.Help) cli.Command {
		return cli.Command{ID: id, Mode: ModeInterface, Pattern: pattern, Weight: weight, Help: help}
	}
	mode := line(CmdTunMode, "tunnel mode gre mode:{ip|ipv6|multipoint [ipv6]}", 92, cli.Help{"mode": "Encapsulation",
		"gre": "Generic Routing Encapsulation", "ip": "Point to point over IP", "ipv6": "Over IPv6", "multipoint": "Multipoint over IP"})
	mode.Default = "tunnel mode gre ip"
	protection := line(CmdTunIPsec, "tunnel protection ipsec profile profile:WORD(64) [shared] [ikev2-profile ikev2:WORD(64)]", 96,
		cli.Help{"protection": "Let the tunnel's packets pass encrypted only", "ipsec": "By IPsec", "profile": "How to secure it",
			"profile:": "Name of a crypto ipsec profile", "shared": "Other tunnels of this source share its associations",
			"ikev2-profile": "How peers are authenticated, in place of what the IPsec profile says", "ikev2": "Name of a crypto ikev2 profile"})
	ikev1 := line(cmdTunIKEv1, "tunnel protection ipsec profile profile:WORD(64) [shared] isakmp-profile isakmp:WORD(64)", 96, nil)
	ikev1.Hidden, ikev1.NoForm = true, cli.NoRefused
	return []cli.Command{protection, ikev1,
		line(CmdTunSource, "tunnel source {addr:ADDR|ifname:IFNAME}", 90, cli.Help{"source": "Source of tunnel packets", "addr": "Address", "ifname": "Interface whose address to use"}),
		line(CmdTunDest, "tunnel destination addr:ADDR", 91, cli.Help{"destination": "Destination of tunnel packets", "addr": "Address of the far end"}),
		mode,
		line(CmdTunKey, "tunnel key key:<0-4294967295>", 93, cli.Help{"key": "Key that both ends must share", "key:": "Key"}),
		line(CmdTunVRF, "tunnel vrf vrf:WORD(15)", 94, cli.Help{"vrf": "VRF of the tunnel's transport"}),
		line(CmdTunTTL, "tunnel ttl hops:<1-255>", 95, cli.Help{"ttl": "Time to live of tunnel packets", "hops": "Hops"}),
		line(CmdTunTOS, "tunnel tos tos:<0-255>", 95, cli.Help{"tos": "Type of service of tunnel packets", "tos:": "TOS byte"}),
		line(CmdTunPMTU, "tunnel path-mtu-discovery", 95, cli.Help{"path-mtu-discovery": "Copy the DF bit and learn the path's MTU"}),
	}
}
