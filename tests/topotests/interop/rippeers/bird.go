package rippeers

import (
	"fmt"
	"strings"
	"time"
)

// BIRDProtocol is the name of BIRD's RIP instance, for "show protocols all rip1" and
// "show route protocol rip1".
const BIRDProtocol = "rip1"

// BIRD writes the configuration for BIRD. routerID is an IPv4 address that no other
// BIRD of the test has. It panics on what BIRD has not.
func (c RIP) BIRD(routerID string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "router id %s;\nprotocol device { scan time 1; }\n", routerID)
	b.WriteString("protocol kernel { scan time 1; ipv4 { import none; export where source = RTS_RIP; }; }\n")
	if len(c.Static) > 0 {
		b.WriteString("protocol static { ipv4;\n")
		for _, p := range c.Static {
			fmt.Fprintf(&b, "  route %s blackhole;\n", p)
		}
		b.WriteString("}\n")
	}
	sources := "source = RTS_STATIC || source = RTS_RIP || source = RTS_DEVICE"
	var devices []string
	if !c.Connected {
		for _, in := range c.Interfaces {
			devices = append(devices, fmt.Sprintf("%q", in.Device))
		}
	}
	b.WriteString("protocol direct { ipv4;")
	if len(devices) > 0 {
		fmt.Fprintf(&b, " interface %s;", strings.Join(devices, ", "))
	}
	b.WriteString(" }\n")
	fmt.Fprintf(&b, "protocol rip %s {\n  ipv4 { import all; export where %s; };\n", BIRDProtocol, sources)
	for line := range strings.Lines(c.Extra) {
		b.WriteString("  " + strings.TrimSpace(line) + "\n")
	}
	for _, in := range c.Interfaces {
		c.birdInterface(&b, in)
	}
	b.WriteString("}\n")
	return b.String()
}

func (c RIP) birdInterface(b *strings.Builder, in Interface) {
	update, timeout, garbage := c.timers()
	fmt.Fprintf(b, "  interface %q {\n    update time %d; timeout time %d; garbage time %d;\n", in.Device, update, timeout, garbage)
	switch len(in.Neighbors) {
	case 0:
		if in.Version == 1 {
			b.WriteString("    version 1; mode broadcast;\n")
		} else {
			b.WriteString("    version 2; mode multicast;\n")
		}
	case 1:
		fmt.Fprintf(b, "    version 2; mode broadcast; address %s;\n", in.Neighbors[0])
	default:
		panic("BIRD sends to one address of an interface")
	}
	if in.NoSplitHorizon {
		b.WriteString("    split horizon no;\n")
	}
	birdAuth(b, in.Auth)
	b.WriteString("  };\n")
}

// birdAlgorithms are BIRD's names.
var birdAlgorithms = map[Mode]string{MD5: "keyed md5", HMACSHA1: "hmac sha1", HMACSHA256: "hmac sha256",
	HMACSHA384: "hmac sha384", HMACSHA512: "hmac sha512"}

// birdTime is how BIRD writes a point in time.
func birdTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// birdAuth writes an interface's authentication. BIRD sends with the first key that
// is in time.
func birdAuth(b *strings.Builder, a Auth) {
	switch {
	case a.Mode == None:
		return
	case a.Mode == Text:
		b.WriteString("    authentication plaintext;\n")
	case birdAlgorithms[a.Mode] != "":
		b.WriteString("    authentication cryptographic;\n")
	default:
		panic("BIRD has no RIP authentication " + string(a.Mode))
	}
	for _, k := range a.Keys {
		fmt.Fprintf(b, "    password %q { id %d;", k.Text, k.ID)
		if name := birdAlgorithms[a.Mode]; name != "" {
			fmt.Fprintf(b, " algorithm %s;", name)
		}
		for _, t := range []struct {
			what string
			at   time.Time
		}{{"generate from", k.SendFrom}, {"generate to", k.SendUntil}, {"accept to", k.TakenUntil}} {
			if !t.at.IsZero() {
				fmt.Fprintf(b, " %s %q;", t.what, birdTime(t.at))
			}
		}
		b.WriteString(" };\n")
	}
}
