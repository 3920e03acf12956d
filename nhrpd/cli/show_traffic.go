package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// messages names the packet types by their number (RFC 2332 section 5.1; 8 is
// Cisco's Traffic Indication).
var messages = [core.NumMessageTypes]string{"Unknown", "Resolution Request", "Resolution Reply", "Registration Request",
	"Registration Reply", "Purge Request", "Purge Reply", "Error Indication", "Traffic Indication"}

type trafficJSON struct {
	Interface string            `json:"interface"`
	VRF       string            `json:"vrf,omitempty"`
	MaxSend   int               `json:"maxSend"`
	Interval  float64           `json:"maxSendInterval"`
	Usage     int               `json:"usagePercent"`
	Sent      map[string]uint64 `json:"sent"`
	Received  map[string]uint64 `json:"received"`
	Forwarded map[string]uint64 `json:"forwarded"`
	Drops     map[string]uint64 `json:"drops"`

	Suppressed uint64 `json:"redirectsSuppressed"`
}

func named(counts [core.NumMessageTypes]uint64) map[string]uint64 {
	out := map[string]uint64{}
	for i, n := range counts {
		out[messages[i]] = n
	}
	return out
}

func drops(c *core.Counters) map[string]uint64 {
	out := map[string]uint64{}
	for _, r := range core.DropReasons() {
		out[r.String()] = c.Drop(r)
	}
	return out
}

// ShowTraffic prints the packet counters: `show ip nhrp traffic`.
func ShowTraffic(r *core.TrafficReport, detail bool) cli.Output {
	list := []trafficJSON{}
	for i := range r.Interfaces {
		t := &r.Interfaces[i]
		list = append(list, trafficJSON{t.Interface, t.VRF, t.MaxSend, t.MaxSendInterval.Seconds(), t.Usage,
			named(t.Counters.Sent), named(t.Counters.Received), named(t.Counters.Forwarded), drops(&t.Counters), t.Counters.Suppressed})
	}
	return cli.Output{JSON: map[string]any{"interfaces": list, "otherDrops": drops(&r.Other)}, Text: func(w io.Writer) {
		for i := range r.Interfaces {
			t := &r.Interfaces[i]
			fmt.Fprintf(w, "%s: Max-send limit:%dPkts/%dSec, Usage:%d%%\n", t.Interface, t.MaxSend, int(t.MaxSendInterval.Seconds()), t.Usage)
			block(w, "Sent", t.Counters.Sent, t.Counters.Suppressed)
			block(w, "Rcvd", t.Counters.Received, 0)
			if detail {
				block(w, "Fwd", t.Counters.Forwarded, 0)
				dropRows(w, &t.Counters)
			}
		}
		if detail {
			fmt.Fprintln(w, "Packets that belong to no NHRP interface:")
			dropRows(w, &r.Other)
		}
	}}
}

// block prints counters by type, and how many Traffic Indications were not sent since
// their receiver was told lately: those are no packets.
func block(w io.Writer, title string, c [core.NumMessageTypes]uint64, suppressed uint64) {
	total := uint64(0)
	for _, n := range c {
		total += n
	}
	fmt.Fprintf(w, "   %s: Total %d\n", title, total)
	fmt.Fprintf(w, "         %d Resolution Request  %d Resolution Reply  %d Registration Request\n", c[1], c[2], c[3])
	fmt.Fprintf(w, "         %d Registration Reply  %d Purge Request  %d Purge Reply\n", c[4], c[5], c[6])
	fmt.Fprintf(w, "         %d Error Indication  %d Traffic Indication  %d Redirect Suppress\n", c[7], c[8], suppressed)
}

// dropRows prints the reasons for which packets were dropped; zeros are left out.
func dropRows(w io.Writer, c *core.Counters) {
	none := true
	for _, r := range core.DropReasons() {
		if n := c.Drop(r); n > 0 {
			fmt.Fprintf(w, "   Dropped: %8d %s\n", n, r)
			none = false
		}
	}
	if none {
		fmt.Fprintln(w, "   Dropped: none")
	}
}
