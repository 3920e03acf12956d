package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// dropNames are the names of reasons for drops.
var dropNames = [core.NumDropReasons]string{core.DropMalformed: "malformed", core.DropIKEv1: "ikev1", core.DropUnknownSA: "unknownSa", core.DropIntegrity: "integrity",
	core.DropMessageID: "messageId", core.DropState: "state", core.DropAddress: "address", core.DropLimit: "limit", core.DropRate: "rate", core.DropCookie: "cookie", core.DropFragment: "fragment"}

// exchanges are those that are counted.
var exchanges = []packet.ExchangeType{packet.IKESAInit, packet.IKEIntermediate, packet.IKEAuth, packet.CreateChildSA, packet.IKEFollowupKE, packet.Informational}

// exchangeJSON counts the messages of an exchange.
type exchangeJSON struct {
	Exchange string `json:"exchange"`
	Sent     uint64 `json:"sent"`
	Received uint64 `json:"received"`
}

func exchangesOf(c *core.Counters) []exchangeJSON {
	var out []exchangeJSON
	for _, x := range exchanges {
		i := x - packet.IKESAInit
		out = append(out, exchangeJSON{x.String(), c.Sent[i], c.Received[i]})
	}
	return out
}

// showStats is `show crypto ikev2 stats`.
func showStats(r *core.StatsReport) cli.Output {
	c := &r.Counters
	drops := map[string]uint64{}
	for i, name := range dropNames {
		if name != "" {
			drops[name] = c.Dropped[i]
		}
	}
	j := map[string]any{"negotiatingIncoming": r.Incoming, "negotiatingOutgoing": r.Outgoing, "established": r.Established, "childSas": r.Children, "maxIncoming": r.MaxIncoming,
		"maxOutgoing": r.MaxOutgoing, "maxSas": r.MaxSAs, "cookies": r.Cookies, "accepted": c.Accepted, "refused": c.Refused, "succeeded": c.Succeeded, "failed": c.Failed,
		"resent": c.Resent, "rekeyed": c.Rekeyed, "childRekeyed": c.ChildRekeyed, "ikev1": c.IKEv1, "dropped": drops, "exchanges": exchangesOf(c)}
	return cli.Output{JSON: j, Text: func(w io.Writer) {
		const line = "--------------------------------------------------------------------------------\n"
		fmt.Fprint(w, line, "                          Crypto IKEv2 SA Statistics\n", line)
		fmt.Fprintf(w, "System Resource Limit:   0        Max IKEv2 SAs: %-8d Max in nego(in/out): %d/%d\n", r.MaxSAs, r.MaxIncoming, r.MaxOutgoing)
		fmt.Fprintf(w, "Total IKEv2 SA Count:    %-8d active:        %-8d negotiating(in/out): %d/%d\n", r.Established+r.Incoming+r.Outgoing, r.Established, r.Incoming, r.Outgoing)
		fmt.Fprintf(w, "Total child SA Count:    %d\n", r.Children)
		fmt.Fprintf(w, "Incoming IKEv2 Requests: %-8d accepted:      %-8d rejected:    %d\n", c.Accepted+c.Refused, c.Accepted, c.Refused)
		fmt.Fprintf(w, "Outgoing IKEv2 Requests: %-8d accepted:      %-8d rejected:    %d\n", c.Succeeded+c.Failed, c.Succeeded, c.Failed)
		fmt.Fprintf(w, "Rekeys:                  %-8d child:         %-8d messages resent: %d\n", c.Rekeyed, c.ChildRekeyed, c.Resent)
		fmt.Fprintf(w, "Cookie challenge is %s\n", map[bool]string{true: "on", false: "off"}[r.Cookies])
		fmt.Fprintf(w, "IKEv1 packets:           %d\nMessages sent and received:\n", c.IKEv1)
		for _, x := range exchangesOf(c) {
			fmt.Fprintf(w, "    %-18s %-8d %d\n", x.Exchange, x.Sent, x.Received)
		}
		fmt.Fprintln(w, "Dropped packets:")
		for i, name := range dropNames {
			if name != "" {
				fmt.Fprintf(w, "    %-12s %d\n", name, c.Dropped[i])
			}
		}
	}}
}
