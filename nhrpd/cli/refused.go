package cli

import (
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
)

// refused are the lines of IOS that are understood and not done: whoever pastes a
// configuration is told why, and what to do. Their "no" forms are what is always so.
// They are not offered by help.
var refused = []struct{ id, pattern, why string }{
	{"interest", "ip nhrp interest rest:LINE(200)", "no access list says which packets may cause requests: all may. \"ip nhrp server-only\" sends none at all"},
	{"redirect-interest", "ip nhrp redirect [timeout seconds:<2-30>] interest rest:LINE(200)", "no access list says for which packets there are redirects: for all. Leave \"interest\" out"},
	{"virtual-template", "ip nhrp shortcut virtual-template number:<1-4294967295>", "there are no virtual templates: FlexVPN is not supported"},
	{"req-def-map", "ip nhrp registration req-def-map", "a spoke cannot ask for a default map"},
	{"differential", "ip nhrp registration differential", "registrations carry no service attributes"},
	{"cache", "ip nhrp cache non-authoritative", "answers about clients come from their registrations only, and are authoritative"},
	{"path", "ip nhrp path rest:LINE(200)", "NHRP does not choose among paths: give the tunnels routes of different metrics"},
	{"process-delay", "ip nhrp process-delay rest:LINE(200)", "nothing is delayed"},
	{"block-nho", "ip nhrp block-next-hop-override", "next hop overrides cannot be turned off alone: \"no ip nhrp shortcut\" turns off all shortcuts"},
	{"send-routed", "ip nhrp send-routed", "requests go by the routed path always"},
	{"reject", "ip nhrp reject rest:LINE(200)", "clients cannot be rejected by NHRP: filter GRE on the uplink"},
	{"trigger-svc", "ip nhrp trigger-svc rest:LINE(200)", "there are no switched virtual circuits"},
	{"bfd", "ip nhrp bfd [rest:LINE(200)]", "there is no BFD: \"ip nhrp shortcut keepalive\" watches peers"},
	{"attribute", "ip nhrp attribute rest:LINE(200)", "of attributes only the group is sent: \"nhrp group\""},
	{"attribute-any", "nhrp attribute rest:LINE(200)", "of attributes only the group is sent: \"nhrp group\""},
	{"event-publisher", "nhrp event-publisher [max-event-timeout rest:LINE(200)]", "events are not published: \"show monitor event-trace dmvpn all\" has them, and messages tell of them"},
	{"use", "ip nhrp use packets:<1-65535>", "every packet that needs it asks for its destination: only \"use 1\" is possible"},
	{"mpls", "mpls nhrp", "there is no MPLS"},
}

// refusedID is what the IDs of refused lines begin with.
const refusedID = prefix4 + "refused-"

// whyRefused says why a line is refused; "" if it is none of the refused ones.
func whyRefused(id string) string {
	name, ok := strings.CutPrefix(id, refusedID)
	if !ok {
		return ""
	}
	for _, r := range refused {
		if r.id == name {
			return "not supported: " + r.why
		}
	}
	return ""
}

// refusedCommands returns the lines that Read refuses.
func refusedCommands() []cli.Command {
	var out []cli.Command
	for _, r := range refused {
		c := cli.Command{ID: refusedID + r.id, Mode: "interface", Pattern: r.pattern, Weight: weight, Hidden: true}
		if r.id == "use" {
			c.Default = "ip nhrp use 1" // so it is
		}
		out = append(out, c)
	}
	return out
}

// optionCommands returns lines that few configurations have.
func optionCommands() []cli.Command {
	record := cli.Command{ID: CmdRecord, Mode: "interface", Pattern: "ip nhrp record", Weight: weight, DefaultOn: true,
		Help: cli.Help{"record": "Ask for the servers on the way to be recorded in requests of this router"}}
	responder := cli.Command{ID: CmdResponder, Mode: "interface", Pattern: "ip nhrp responder ifname:IFNAME", Weight: weight,
		Help: cli.Help{"responder": "Whose address this router names as the responder's", "ifname": "Interface"}}
	summary := cli.Command{ID: CmdSummaryMap, Mode: "interface", Pattern: "ip nhrp summary-map network:PREFIX4 nbma:ADDR", Weight: weight, Key: []string{"network"},
		Help: cli.Help{"summary-map": "Answer a whole network in place of the routes inside of it", "network": "Network", "nbma": "NBMA address of this router"}}
	return []cli.Command{record, responder, summary}
}

// alwaysCommands returns lines that ask for what is always so.
func alwaysCommands() []cli.Command {
	return []cli.Command{
		{ID: "nhrp.route-watch", Mode: "interface", Pattern: "nhrp route-watch", NoForm: cli.NoRefused, Ignored: "a shortcut rests on the route that it shortens, always",
			Help: cli.Help{"route-watch": "End shortcuts with the routes that they shorten"}},
		{ID: "nhrp.logging-dmvpn", Mode: cli.ModeConfig, Pattern: "logging dmvpn [rate-limit seconds:<1-10000>]", NoForm: cli.NoRefused,
			Ignored: "messages about DMVPN are always logged, those that strangers can cause at a limited rate",
			Help:    cli.Help{"logging": "What is logged", "rate-limit": "At most so often", "seconds": "Seconds"}},
	}
}
