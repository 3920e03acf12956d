package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// interfacesJSON are the interfaces of an instance for programs. Times are in seconds.
type interfacesJSON struct {
	identityJSON
	Interfaces []interfaceJSON `json:"interfaces"`
}

type interfaceJSON struct {
	Name             string        `json:"name"`
	Up               bool          `json:"up"`
	Passive          bool          `json:"passive"`
	Peers            int           `json:"peers"`
	Bandwidth        uint64        `json:"bandwidth"` // kbit/s
	Delay            uint64        `json:"delay"`     // picoseconds
	BandwidthPercent int           `json:"bandwidthPercent"`
	Hello            float64       `json:"helloInterval"`
	Hold             float64       `json:"holdTime"`
	NextHello        float64       `json:"nextHello"`
	SplitHorizon     bool          `json:"splitHorizon"`
	NextHopSelf      bool          `json:"nextHopSelf"`
	ECMPMode         bool          `json:"ecmpMode"`
	AddPaths         int           `json:"addPaths"`
	Summaries        []string      `json:"summaries"`
	Authentication   string        `json:"authentication"` // none, md5 or hmac-sha-256
	KeyChain         string        `json:"keyChain,omitempty"`
	SendKey          *int64        `json:"sendKey"` // null: packets are sent with none
	HelloSent        uint64        `json:"helloSent"`
	HelloReceived    uint64        `json:"helloReceived"`
	Transport        transportJSON `json:"transport"`
}

type transportJSON struct {
	XmitQueueUnreliable  int     `json:"xmitQueueUnreliable"`
	XmitQueueReliable    int     `json:"xmitQueueReliable"`
	PeerQueueUnreliable  int     `json:"peerQueueUnreliable"`
	PeerQueueReliable    int     `json:"peerQueueReliable"`
	MeanSRTT             float64 `json:"meanSrtt"`
	PacingUnreliable     float64 `json:"pacingUnreliable"`
	PacingReliable       float64 `json:"pacingReliable"`
	MulticastFlow        float64 `json:"multicastFlowTimer"`
	PendingRoutes        int     `json:"pendingRoutes"`
	UnreliableMulticasts uint64  `json:"unreliableMulticasts"`
	ReliableMulticasts   uint64  `json:"reliableMulticasts"`
	UnreliableUnicasts   uint64  `json:"unreliableUnicasts"`
	ReliableUnicasts     uint64  `json:"reliableUnicasts"`
	MulticastExceptions  uint64  `json:"multicastExceptions"`
	ConditionalReceive   uint64  `json:"conditionalReceive"`
	AcksSuppressed       uint64  `json:"acksSuppressed"`
	Retransmissions      uint64  `json:"retransmissions"`
	OutOfSequence        uint64  `json:"outOfSequence"`
}

// authenticationWords are the words of `authentication mode`.
var authenticationWords = map[core.Authentication]string{
	core.AuthenticationNone: "none", core.AuthenticationMD5: "md5", core.AuthenticationSHA256: "hmac-sha-256",
}

func interfaceOf(s *core.InterfaceStatus) interfaceJSON {
	c, t := &s.Config, &s.Transport
	out := interfaceJSON{Name: c.Name, Up: s.Up, Passive: c.Passive, Peers: s.Peers, Bandwidth: s.Bandwidth, Delay: s.Delay,
		BandwidthPercent: c.BandwidthPercent, Hello: c.Hello.Seconds(), Hold: c.Hold.Seconds(), NextHello: s.NextHello.Seconds(),
		SplitHorizon: !c.NoSplitHorizon, NextHopSelf: !c.NoNextHopSelf, ECMPMode: !c.NoECMPMode, AddPaths: c.AddPaths, Summaries: []string{},
		Authentication: authenticationWords[c.Authentication], KeyChain: c.KeyChain, HelloSent: s.HelloSent, HelloReceived: s.HelloReceived,
		Transport: transportJSON{t.QueueUnreliable, t.QueueReliable, t.PeerQueueUnreliable, t.PeerQueueReliable, t.MeanSRTT.Seconds(),
			t.PacingUnreliable.Seconds(), t.PacingReliable.Seconds(), t.MulticastFlow.Seconds(), t.PendingRoutes, t.UnreliableMulticasts,
			t.ReliableMulticasts, t.UnreliableUnicasts, t.ReliableUnicasts, t.MulticastExceptions, t.ConditionalReceive, t.AcksSuppressed,
			t.Retransmissions, t.OutOfSequence}}
	for _, p := range c.Summaries {
		out.Summaries = append(out.Summaries, p.Prefix.String())
	}
	if c.Authentication != core.AuthenticationNone && s.SendKey >= 0 {
		out.SendKey = &s.SendKey
	}
	return out
}

// ShowInterfaces prints the interfaces on which neighbours are looked for: `show ip
// eigrp interfaces`, with `detail` how. JSON has the passive ones too, and those that
// are down.
func ShowInterfaces(r *core.InterfaceReport, v View) cli.Output {
	list := make([]interfacesJSON, len(r.Instances))
	for i, in := range r.Instances {
		list[i] = interfacesJSON{identityOf(in.Identity), []interfaceJSON{}}
		for j := range in.Interfaces {
			if s := &in.Interfaces[j]; v.ifname == "" || v.ifname == s.Config.Name {
				list[i].Interfaces = append(list[i].Interfaces, interfaceOf(s))
			}
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		v.each(w, len(r.Instances), func(i int) { v.interfaceTable(w, &r.Instances[i]) })
	}}
}

// interfaceTable prints one table. Its columns are Cisco's.
func (v View) interfaceTable(w io.Writer, in *core.InstanceInterfaces) {
	fmt.Fprintln(w, heading(in.Identity, "Interfaces"))
	fmt.Fprintln(w, "                              Xmit Queue   PeerQ        Mean   Pacing Time   Multicast    Pending")
	fmt.Fprintln(w, "Interface              Peers  Un/Reliable  Un/Reliable  SRTT   Un/Reliable   Flow Timer   Routes")
	for i := range in.Interfaces {
		s := &in.Interfaces[i]
		if v.ifname != "" && v.ifname != s.Config.Name || !s.Up || s.Config.Passive {
			continue
		}
		t := &s.Transport
		line := fmt.Sprintf("%-22s%4d%9d/%-7d%2d/%-4d%9d%8d/%-5d%9d%12d", short(s.Config.Name), s.Peers, t.QueueUnreliable, t.QueueReliable,
			t.PeerQueueUnreliable, t.PeerQueueReliable, roundTrip(t.MeanSRTT), t.PacingUnreliable.Milliseconds(), t.PacingReliable.Milliseconds(),
			t.MulticastFlow.Milliseconds(), t.PendingRoutes)
		fmt.Fprintln(w, line)
		if v.detail {
			interfaceDetail(w, s)
		}
	}
}

// interfaceDetail prints what is below the line of an interface.
func interfaceDetail(w io.Writer, s *core.InterfaceStatus) {
	c, t := &s.Config, &s.Transport
	fmt.Fprintf(w, "  Hello-interval is %d, Hold-time is %d\n", seconds(c.Hello), seconds(c.Hold))
	fmt.Fprintf(w, "  Split-horizon is %s\n", enabled(!c.NoSplitHorizon))
	switch {
	case c.NoNextHopSelf && c.NoECMPMode:
		fmt.Fprintln(w, "  Next-hop-self is disabled, no-ecmp-mode")
	case c.NoNextHopSelf:
		fmt.Fprintln(w, "  Next-hop-self is disabled")
	}
	if c.AddPaths > 1 {
		fmt.Fprintf(w, "  Add-paths: %d\n", c.AddPaths)
	}
	fmt.Fprintf(w, "  Hello's sent/received: %d/%d\n", s.HelloSent, s.HelloReceived)
	fmt.Fprintf(w, "  Un/reliable mcasts: %d/%d  Un/reliable ucasts: %d/%d\n", t.UnreliableMulticasts, t.ReliableMulticasts, t.UnreliableUnicasts, t.ReliableUnicasts)
	fmt.Fprintf(w, "  Mcast exceptions: %d  CR packets: %d  ACKs suppressed: %d\n", t.MulticastExceptions, t.ConditionalReceive, t.AcksSuppressed)
	fmt.Fprintf(w, "  Retransmissions sent: %d  Out-of-sequence rcvd: %d\n", t.Retransmissions, t.OutOfSequence)
	fmt.Fprintln(w, "  Topology-ids on interface - 0")
	if c.BandwidthPercent != core.DefaultBandwidthPercent {
		fmt.Fprintf(w, "  Interface BW percentage is %d\n", c.BandwidthPercent)
	}
	fmt.Fprintf(w, "  Authentication mode is %s\n", authenticationText(s))
	if len(c.Summaries) > 0 {
		var list []string
		for _, p := range c.Summaries {
			list = append(list, p.Prefix.String())
		}
		fmt.Fprintf(w, "  Summary addresses: %s\n", strings.Join(list, ", "))
	}
	fmt.Fprintln(w, "  Topologies advertised on this interface:  base")
	fmt.Fprintln(w, "  Topologies not advertised on this interface:")
	fmt.Fprintln(w)
}

func enabled(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

// authenticationText is the mode, where the keys are, and which one is in use: without
// one nothing is sent and nothing is accepted.
func authenticationText(s *core.InterfaceStatus) string {
	c := &s.Config
	word := map[core.Authentication]string{core.AuthenticationMD5: "md5", core.AuthenticationSHA256: "HMAC-SHA-256"}[c.Authentication]
	if word == "" {
		return "not set"
	}
	switch {
	case c.KeyChain != "" && s.SendKey < 0:
		return fmt.Sprintf("%s,  key-chain is %q, no valid key", word, c.KeyChain)
	case c.KeyChain != "":
		return fmt.Sprintf("%s,  key-chain is %q, key sent is %d", word, c.KeyChain, s.SendKey)
	case s.SendKey < 0:
		return word + ",  key-chain is not set, no valid key"
	}
	return word + ",  key-chain is not set"
}
