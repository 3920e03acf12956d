package rippeers

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// RIP describes a RIP router, for FRR ([RIP.FRR]), for BIRD ([RIP.BIRD]) and for this
// suite ([RIP.Godmvpn]).
type RIP struct {
	Interfaces []Interface
	Static     []string // prefixes of discard routes that are announced with metric 1
	Connected  bool     // the subnets of all other devices are announced too
	Timers     Timers   // zero: Short
	// Extra are further lines in the words of the one that they are for: below "router
	// rip", for BIRD in its protocol.
	Extra string
}

// Interface is a device with RIP.
type Interface struct {
	Device  string
	Network string // the subnet, such as 10.9.0.0/24
	Address string // for this suite, which sets it: 10.9.0.1/24; "" where somebody else does
	Auth    Auth
	Version int // 1 or 2, which is also what 0 means
	// Neighbors are sent to in place of the group; BIRD can have one.
	Neighbors []string
	// NoSplitHorizon announces routes to where they came from; otherwise FRR leaves
	// them out and BIRD announces them as unreachable (RFC 2453 section 3.4.3).
	NoSplitHorizon bool
}

// Timers are those of RFC 2453 section 3.8.
type Timers struct{ Update, Timeout, Garbage time.Duration }

// Timers to run with.
var (
	// Short is what tests use: news are there within seconds, and a dead neighbour's
	// routes are gone within 25. FRR takes no less than 5 seconds.
	Short = Timers{5 * time.Second, 15 * time.Second, 10 * time.Second}
	// Standard is what RFC 2453 says.
	Standard = Timers{30 * time.Second, 180 * time.Second, 120 * time.Second}
)

// Mode is how packets are authenticated.
type Mode string

// Modes; the HMACs are BIRD's alone. Their texts are those of this suite's
// "ip rip authentication mode".
const (
	None       Mode = ""
	Text       Mode = "text"         // RFC 2453 section 4.1
	MD5        Mode = "md5"          // keyed MD5, RFC 4822 section 3.2.1 (RFC 2082)
	HMACSHA1   Mode = "hmac-sha-1"   // RFC 4822 section 2.5
	HMACSHA256 Mode = "hmac-sha-256" // also this
	HMACSHA384 Mode = "hmac-sha-384" // and this
	HMACSHA512 Mode = "hmac-sha-512" // and this
)

// Auth is an interface's authentication: with one key, or with several of which each
// side sends one and takes all.
type Auth struct {
	Mode Mode
	Keys []Key
}

// Key is a key with its identifier, which text authentication ignores. Times bound
// its use where they are not zero.
type Key struct {
	ID         int
	Text       string
	SendFrom   time.Time
	SendUntil  time.Time
	TakenUntil time.Time
}

// WithKey is an authentication with one key, of identifier 1.
func WithKey(mode Mode, text string) Auth {
	return Auth{Mode: mode, Keys: []Key{{ID: 1, Text: text}}}
}

// timers returns those in force, in whole seconds.
func (c RIP) timers() (update, timeout, garbage int) {
	t := c.Timers
	if t == (Timers{}) {
		t = Short
	}
	return int(t.Update.Seconds()), int(t.Timeout.Seconds()), int(t.Garbage.Seconds())
}

// FRR writes the configuration for FRR's zebra, ripd and staticd ([FRRDaemons]). It
// panics on what FRR has not.
func (c RIP) FRR() string {
	var b strings.Builder
	for i, in := range c.Interfaces {
		frrKeys(&b, i, in.Auth)
	}
	for i, in := range c.Interfaces {
		fmt.Fprintf(&b, "interface %s\n", in.Device)
		frrAuth(&b, i, in.Auth)
		if in.NoSplitHorizon {
			b.WriteString(" no ip rip split-horizon\n")
		}
		if in.Version == 1 {
			b.WriteString(" ip rip send version 1\n ip rip receive version 1\n")
		}
	}
	for _, p := range c.Static {
		fmt.Fprintf(&b, "ip route %s blackhole\n", p)
	}
	update, timeout, garbage := c.timers()
	fmt.Fprintf(&b, "router rip\n version 2\n timers basic %d %d %d\n", update, timeout, garbage)
	c.writeRouter(&b)
	return b.String()
}

// writeRouter writes the lines of "router rip" that FRR and this suite share.
func (c RIP) writeRouter(b *strings.Builder) {
	for _, in := range c.Interfaces {
		fmt.Fprintf(b, " network %s\n", netip.MustParsePrefix(in.Network).Masked())
		for _, n := range in.Neighbors {
			fmt.Fprintf(b, " neighbor %s\n", n)
		}
		if len(in.Neighbors) > 0 {
			fmt.Fprintf(b, " passive-interface %s\n", in.Device)
		}
	}
	if len(c.Static) > 0 {
		b.WriteString(" redistribute static metric 1\n")
	}
	if c.Connected {
		b.WriteString(" redistribute connected metric 1\n")
	}
	for line := range strings.Lines(c.Extra) {
		b.WriteString(" " + strings.TrimSpace(line) + "\n")
	}
}

// FRRDaemons are the daemons that the configuration of FRR needs beside zebra.
var FRRDaemons = []string{"ripd", "staticd"}

// chain is the name of the key chain of the interface with this index.
func chain(i int) string { return fmt.Sprintf("rip%d", i) }

// frrTime is how FRR and Cisco write a point in time.
func frrTime(t time.Time) string { return t.UTC().Format("15:04:05 Jan 2 2006") }

// frrKeys writes a key chain, which several keys, a key number but 1, and times need.
func frrKeys(b *strings.Builder, i int, a Auth) {
	if !needsChain(a) {
		return
	}
	fmt.Fprintf(b, "key chain %s\n", chain(i))
	for _, k := range a.Keys {
		fmt.Fprintf(b, " key %d\n  key-string %s\n", k.ID, k.Text)
		writeLifetimes(b, k, frrTime)
	}
}

// writeLifetimes writes when a key is sent and taken, where that is bounded.
func writeLifetimes(b *strings.Builder, k Key, text func(time.Time) string) {
	write := func(what string, from, until time.Time) {
		if from.IsZero() && until.IsZero() {
			return
		}
		if from.IsZero() {
			from = longAgo
		}
		end := "infinite"
		if !until.IsZero() {
			end = text(until)
		}
		fmt.Fprintf(b, "  %s-lifetime %s %s\n", what, text(from), end)
	}
	write("accept", time.Time{}, k.TakenUntil)
	write("send", k.SendFrom, k.SendUntil)
}

// longAgo is before any test.
var longAgo = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func needsChain(a Auth) bool {
	return len(a.Keys) > 1 || len(a.Keys) == 1 && (a.Keys[0] != Key{ID: 1, Text: a.Keys[0].Text})
}

// frrAuth writes an interface's authentication.
func frrAuth(b *strings.Builder, i int, a Auth) {
	switch a.Mode {
	case None:
		return
	case Text:
		b.WriteString(" ip rip authentication mode text\n")
	case MD5:
		b.WriteString(" ip rip authentication mode md5 auth-length rfc\n")
	default:
		panic("FRR has no RIP authentication " + string(a.Mode))
	}
	if needsChain(a) {
		fmt.Fprintf(b, " ip rip authentication key-chain %s\n", chain(i))
	} else {
		fmt.Fprintf(b, " ip rip authentication string %s\n", a.Keys[0].Text)
	}
}
