package rippeers

import (
	"fmt"
	"strings"
)

// Godmvpn writes the configuration for this suite. It sets the interfaces'
// addresses where they are given; tunnels and all else are the caller's further
// lines. FRR and BIRD count the garbage time from the timeout, Cisco the flush time
// from the last update.
func (c RIP) Godmvpn() string {
	var b strings.Builder
	for i, in := range c.Interfaces {
		godmvpnKeys(&b, i, in.Auth)
	}
	for i, in := range c.Interfaces {
		fmt.Fprintf(&b, "interface %s\n", in.Device)
		if in.Address != "" {
			fmt.Fprintf(&b, " ip address %s\n", in.Address)
		}
		godmvpnAuth(&b, i, in.Auth)
		if in.NoSplitHorizon {
			b.WriteString(" no ip split-horizon\n")
		}
		if in.Version == 1 {
			b.WriteString(" ip rip send version 1\n ip rip receive version 1\n")
		}
	}
	for _, p := range c.Static {
		fmt.Fprintf(&b, "ip route %s Null0\n", p)
	}
	update, timeout, garbage := c.timers()
	fmt.Fprintf(&b, "router rip\n version 2\n timers basic %d %d 0 %d\n", update, timeout, timeout+garbage)
	c.writeRouter(&b)
	return b.String()
}

func godmvpnKeys(b *strings.Builder, i int, a Auth) {
	if !needsChain(a) {
		return
	}
	fmt.Fprintf(b, "key chain %s\n", chain(i))
	for _, k := range a.Keys {
		fmt.Fprintf(b, " key %d\n  key-string %s\n", k.ID, k.Text)
		writeLifetimes(b, k, frrTime)
	}
}

func godmvpnAuth(b *strings.Builder, i int, a Auth) {
	if a.Mode == None {
		return
	}
	fmt.Fprintf(b, " ip rip authentication mode %s\n", a.Mode)
	if needsChain(a) {
		fmt.Fprintf(b, " ip rip authentication key-chain %s\n", chain(i))
	} else {
		fmt.Fprintf(b, " ip rip authentication string %s\n", a.Keys[0].Text)
	}
}
