package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
)

// interfaceJSON is an interface for programs. Times are in seconds.
type interfaceJSON struct {
	Name           string          `json:"name"`
	Up             bool            `json:"up"`
	Address        string          `json:"address"` // "" if unnumbered
	Area           string          `json:"area"`
	NetworkType    string          `json:"networkType"`
	State          string          `json:"state"`
	Passive        bool            `json:"passive"`
	Cost           uint16          `json:"cost"`
	MTU            int             `json:"mtu"`
	MTUIgnore      bool            `json:"mtuIgnore"`
	Priority       uint8           `json:"priority"`
	DR             string          `json:"designatedRouter"`
	DRID           string          `json:"designatedRouterId"`
	BDR            string          `json:"backupDesignatedRouter"`
	BDRID          string          `json:"backupDesignatedRouterId"`
	Hello          float64         `json:"helloInterval"`
	Dead           float64         `json:"deadInterval"`
	Retransmit     float64         `json:"retransmitInterval"`
	Window         float64         `json:"retransmitWindow"`
	TransmitDelay  float64         `json:"transmitDelay"`
	NextHello      float64         `json:"nextHello"`
	Wait           float64         `json:"wait,omitempty"`
	Neighbors      int             `json:"neighbors"`
	Adjacent       int             `json:"adjacentNeighbors"`
	Adjacencies    []string        `json:"adjacencies"`
	FloodQueue     int             `json:"floodQueue"`
	Authentication string          `json:"authentication"` // "none", "simple", "md5", "key-chain"
	Keys           []uint32        `json:"authenticationKeys"`
	Rollover       bool            `json:"authenticationRollover"`
	Suppression    bool            `json:"prefixSuppression"`
	FilterOut      bool            `json:"databaseFilterOut"`
	FloodReduction bool            `json:"floodReduction"`
	NeighborFilter string          `json:"neighborFilter,omitempty"` // the prefix-list
	Mismatch       string          `json:"lastMismatch,omitempty"`
	MismatchAgo    float64         `json:"lastMismatchAgo,omitempty"`
	Virtual        string          `json:"virtualLinkTo,omitempty"`
	Transit        string          `json:"transitArea,omitempty"`
	Counters       countersSummary `json:"counters"`
}

var authWords = map[core.Authentication]string{core.AuthenticationUnset: "none", core.AuthenticationNull: "none", core.AuthenticationSimple: "simple", core.AuthenticationMD5: "md5", core.AuthenticationKeyChain: "key-chain"}

func interfaceOf(id core.Identity, s *core.InterfaceStatus) interfaceJSON {
	out := interfaceJSON{Name: s.Name, Up: s.Up, Area: areaText(id, s.Area), NetworkType: networkWord(s), State: stateWord(s), Passive: s.Passive, Cost: s.Cost, MTU: s.MTU, MTUIgnore: s.Config.MTUIgnore,
		Priority: s.Priority, DR: addrText(s.DR), BDR: addrText(s.BDR), DRID: idText(s.DR.IsValid(), s.DRID), BDRID: idText(s.BDR.IsValid(), s.BDRID), Hello: helloInterval(s).Seconds(), Dead: s.Config.Dead.Seconds(),
		Retransmit: s.Config.Retransmit.Seconds(), Window: s.Config.RetransmitWindow.Seconds(), TransmitDelay: s.Config.TransmitDelay.Seconds(), NextHello: s.NextHello.Seconds(), Wait: s.Wait.Seconds(), Neighbors: s.Neighbors, Adjacent: s.Adjacent,
		Adjacencies: []string{}, FloodQueue: s.Flood, Authentication: authWords[s.Config.Authentication], Keys: append([]uint32{}, s.AuthKeys...), Rollover: s.Rollover, Suppression: s.Suppress, FilterOut: s.Config.DatabaseFilterOut,
		FloodReduction: s.Config.FloodReduction, Mismatch: s.Mismatch, MismatchAgo: s.MismatchAgo.Seconds(), Counters: counted(&s.Counters)}
	out.NeighborFilter = s.Config.NeighborFilter(s.Addr.Addr())
	if s.Addr.IsValid() {
		out.Address = s.Addr.String()
	}
	for _, n := range s.Adjacencies {
		out.Adjacencies = append(out.Adjacencies, n.String())
	}
	if s.Virtual != 0 {
		out.Virtual, out.Transit = s.Virtual.String(), areaText(id, s.Transit)
	}
	return out
}

// networkWord is the type of a network in the words of IOS.
func networkWord(s *core.InterfaceStatus) string {
	if s.State == fsm.InterfaceLoopback {
		return "LOOPBACK"
	}
	switch s.Type {
	case fsm.Broadcast:
		return "BROADCAST"
	case fsm.NonBroadcast:
		return "NON_BROADCAST"
	case fsm.PointToPoint:
		return "POINT_TO_POINT"
	case fsm.PointToMultipoint:
		return "POINT_TO_MULTIPOINT"
	case fsm.VirtualLink:
		return "VIRTUAL_LINK"
	}
	return "UNKNOWN"
}

// stateWord is the state of an interface in the words of IOS.
func stateWord(s *core.InterfaceStatus) string {
	switch {
	case s.State == fsm.InterfacePointToPoint && s.Type == fsm.PointToMultipoint:
		return "POINT_TO_MULTIPOINT"
	case s.State == fsm.InterfacePointToPoint:
		return "POINT_TO_POINT"
	case s.State == fsm.InterfaceBackup:
		return "BDR"
	}
	return upper(s.State)
}

// briefStates are the states in `brief`, by the words of stateWord.
var briefStates = map[string]string{"POINT_TO_MULTIPOINT": "P2MP", "POINT_TO_POINT": "P2P", "DROTHER": "DROTH", "LOOPBACK": "LOOP", "WAITING": "WAIT"}

func chosenInterfaces(all []core.InterfaceStatus, a cli.Args) []*core.InterfaceStatus {
	var out []*core.InterfaceStatus
	for i := range all {
		if !a.Has("ifname") || all[i].Name == a.String("ifname") {
			out = append(out, &all[i])
		}
	}
	return out
}

// showInterfaces prints `show ip ospf interface`.
func showInterfaces(r *core.InterfaceReport, a cli.Args) cli.Output {
	type instanceJSON struct {
		identityJSON
		Interfaces []interfaceJSON `json:"interfaces"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i, in := range r.Instances {
		list[i] = instanceJSON{identityOf(in.Identity), []interfaceJSON{}}
		for _, s := range chosenInterfaces(in.Interfaces, a) {
			list[i].Interfaces = append(list[i].Interfaces, interfaceOf(in.Identity, s))
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		if a.Has("brief") {
			fmt.Fprintln(w, "Interface    PID   Area            IP Address/Mask    Cost  State Nbrs F/C")
		}
		found := false
		each(w, r.Instances, func(in *core.InstanceInterfaces) core.Identity { return in.Identity }, a, func(in *core.InstanceInterfaces) {
			for _, s := range chosenInterfaces(in.Interfaces, a) {
				found = true
				if a.Has("brief") {
					briefLine(w, in.Identity, s)
				} else {
					interfaceDetail(w, in.Identity, s)
				}
			}
		})
		if a.Has("ifname") && !found && len(r.Instances) > 0 {
			fmt.Fprintf(w, "%%OSPF: OSPF not enabled on %s\n", a.String("ifname"))
		}
	}}
}

func briefLine(w io.Writer, id core.Identity, s *core.InterfaceStatus) {
	state := stateWord(s)
	if short, ok := briefStates[state]; ok {
		state = short
	}
	table := cli.Table{W: w, Format: "%-12s %-5d %-15s %-18s %-5d %-5s %s"}
	table.Row(cli.ShortInterfaceName(s.Name), id.Process, areaText(id, s.Area), addressText(s), s.Cost, state, fmt.Sprintf("%d/%d", s.Adjacent, s.Neighbors))
}

func addressText(s *core.InterfaceStatus) string {
	if !s.Addr.IsValid() {
		return "Unnumbered"
	}
	return s.Addr.String()
}

// helloInterval is the time between Hellos.
func helloInterval(s *core.InterfaceStatus) time.Duration {
	if n := s.Config.HelloPerSecond; n > 0 {
		return time.Second / time.Duration(n)
	}
	return s.Config.Hello
}

// interval is a timer in seconds, or in milliseconds below one.
func interval(d time.Duration) string {
	if d > 0 && d < time.Second {
		return fmt.Sprintf("%d msec", d.Milliseconds())
	}
	return fmt.Sprint(wholeSeconds(d))
}

// interfaceDetail prints an interface in full.
func interfaceDetail(w io.Writer, id core.Identity, s *core.InterfaceStatus) {
	state := "down"
	if s.Up {
		state = "up"
	}
	fmt.Fprintf(w, "%s is %s, line protocol is %s\n", s.Name, state, state)
	if s.Addr.IsValid() {
		fmt.Fprintf(w, "  Internet Address %v, Area %s", s.Addr, areaText(id, s.Area))
	} else {
		fmt.Fprintf(w, "  Interface is unnumbered, Area %s", areaText(id, s.Area))
	}
	switch {
	case s.Virtual != 0:
		fmt.Fprintln(w)
	case s.ByNetwork:
		fmt.Fprintln(w, ", Attached via Network Statement")
	default:
		fmt.Fprintln(w, ", Attached via Interface Enable")
	}
	fmt.Fprintf(w, "  Process ID %d, Router ID %v, Network Type %s, Cost: %d\n", id.Process, id.RouterID, networkWord(s), s.Cost)
	if s.Config.NoSecondary {
		fmt.Fprintln(w, "  Enabled by interface config, excluding secondary ip addresses")
	}
	if s.State == fsm.InterfaceLoopback {
		fmt.Fprintln(w, "  Loopback interface is treated as a stub Host")
		return
	}
	c := &s.Config
	fmt.Fprintf(w, "  Transmit Delay is %d sec, State %s", wholeSeconds(c.TransmitDelay), stateWord(s))
	if s.Type.Elects() {
		fmt.Fprintf(w, ", Priority %d", s.Priority)
	}
	fmt.Fprintln(w)
	designated(w, s)
	fmt.Fprintf(w, "  Timer intervals configured, Hello %s, Dead %d, Wait %d, Retransmit %d\n", interval(helloInterval(s)), wholeSeconds(c.Dead), wholeSeconds(c.Dead), wholeSeconds(c.Retransmit))
	if c.RetransmitWindow != core.DefaultRetransmitWindow {
		fmt.Fprintf(w, "  Retransmit window %d msec\n", c.RetransmitWindow.Milliseconds())
	}
	interfaceState(w, s)
	neighborCount(w, s)
	authenticationLines(w, s)
	if s.Mismatch != "" {
		fmt.Fprintf(w, "  Last mismatch of a packet %s ago: %s\n", cli.Duration(s.MismatchAgo), s.Mismatch)
	}
}

// designated prints who is elected on the network.
func designated(w io.Writer, s *core.InterfaceStatus) {
	if !s.Type.Elects() || s.State == fsm.InterfaceIsDown {
		return
	}
	if s.DR.IsValid() {
		fmt.Fprintf(w, "  Designated Router (ID) %v, Interface address %v\n", s.DRID, s.DR)
	} else {
		fmt.Fprintln(w, "  No designated router on this network")
	}
	if s.BDR.IsValid() {
		fmt.Fprintf(w, "  Backup Designated router (ID) %v, Interface address %v\n", s.BDRID, s.BDR)
	} else {
		fmt.Fprintln(w, "  No backup designated router on this network")
	}
}

// interfaceState prints what an interface is doing, and what is unusual about it.
func interfaceState(w io.Writer, s *core.InterfaceStatus) {
	c := &s.Config
	switch {
	case s.Passive:
		fmt.Fprintln(w, "    No Hellos (Passive interface)")
	case s.State == fsm.InterfaceIsDown:
	case s.NextHello > 0 && s.NextHello < time.Second:
		fmt.Fprintf(w, "    Hello due in %d msec\n", s.NextHello.Milliseconds())
	default:
		fmt.Fprintf(w, "    Hello due in %s\n", cli.Duration(s.NextHello))
	}
	if s.Wait > 0 {
		fmt.Fprintf(w, "    Wait time before Designated router selection %s\n", cli.Duration(s.Wait))
	}
	for _, line := range []struct {
		is   bool
		text string
	}{{c.MTUIgnore, "MTU mismatch detection disabled"}, {c.NoBroadcast, "Neighbors are configured, or offered by NHRP"}, {c.DelayReflood, "LSAs are not flooded back at once"}, {c.Spoke, "Spoke of a point-to-multipoint hub"},
		{c.DatabaseFilterOut, "Database-filter all out is configured"}, {c.FloodReduction, "Reduced LSA flooding"}, {s.Suppress, "Prefix-suppression is enabled"}, {c.Shutdown, "Administratively shut down for OSPF"}} {
		if line.is {
			fmt.Fprintln(w, "  "+line.text)
		}
	}
	if list := c.NeighborFilter(s.Addr.Addr()); list != "" {
		fmt.Fprintf(w, "  Neighbor-filter is prefix-list %s\n", list)
	}
	fmt.Fprintf(w, "  Flood queue length %d\n", s.Flood)
}

func neighborCount(w io.Writer, s *core.InterfaceStatus) {
	fmt.Fprintf(w, "  Neighbor Count is %d, Adjacent neighbor count is %d\n", s.Neighbors, s.Adjacent)
	for _, n := range s.Adjacencies {
		line := fmt.Sprintf("    Adjacent with neighbor %v", n)
		switch {
		case s.Type.Elects() && s.DR.IsValid() && n == s.DRID:
			line += "  (Designated Router)"
		case s.Type.Elects() && s.BDR.IsValid() && n == s.BDRID:
			line += "  (Backup Designated Router)"
		}
		fmt.Fprintln(w, line)
	}
	fmt.Fprintln(w, "  Suppress hello for 0 neighbor(s)")
}

func authenticationLines(w io.Writer, s *core.InterfaceStatus) {
	switch s.Config.Authentication {
	case core.AuthenticationSimple:
		fmt.Fprintln(w, "  Simple password authentication enabled")
	case core.AuthenticationMD5:
		fmt.Fprintln(w, "  Cryptographic authentication enabled")
		switch {
		case len(s.AuthKeys) == 0:
			fmt.Fprintln(w, "      No key configured, using default key id 0")
		default:
			fmt.Fprintf(w, "    Youngest key id is %d\n", s.AuthKeys[0])
		}
		if s.Rollover {
			fmt.Fprintln(w, "    Rollover in progress, neighbors still use the old key(s):")
			fmt.Fprintf(w, "      key id %s\n", keyList(s.AuthKeys[min(1, len(s.AuthKeys)):]))
		}
	case core.AuthenticationKeyChain:
		fmt.Fprintln(w, "  Cryptographic authentication enabled")
		if len(s.AuthKeys) == 0 {
			fmt.Fprintf(w, "    No valid key to send with - key chain %s\n", s.Config.KeyChain)
		} else {
			fmt.Fprintf(w, "    Sending SA: Key %s - key chain %s\n", keyList(s.AuthKeys), s.Config.KeyChain)
		}
	}
}

func keyList(keys []uint32) string {
	words := make([]string, len(keys))
	for i, k := range keys {
		words[i] = fmt.Sprint(k)
	}
	return strings.Join(words, ", ")
}

// showVirtualLinks prints `show ip ospf virtual-links`.
func showVirtualLinks(r *core.InterfaceReport, a cli.Args) cli.Output {
	type instanceJSON struct {
		identityJSON
		Links []interfaceJSON `json:"virtualLinks"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i, in := range r.Instances {
		list[i] = instanceJSON{identityOf(in.Identity), []interfaceJSON{}}
		for k := range in.Interfaces {
			if s := &in.Interfaces[k]; s.Virtual != 0 {
				list[i].Links = append(list[i].Links, interfaceOf(in.Identity, s))
			}
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, func(in *core.InstanceInterfaces) core.Identity { return in.Identity }, a, func(in *core.InstanceInterfaces) {
			for k := range in.Interfaces {
				if s := &in.Interfaces[k]; s.Virtual != 0 {
					virtualLink(w, in.Identity, s)
				}
			}
		})
	}}
}

func virtualLink(w io.Writer, id core.Identity, s *core.InterfaceStatus) {
	state := "down"
	if s.Up {
		state = "up"
	}
	fmt.Fprintf(w, "Virtual Link %s to router %v is %s\n", s.Name, s.Virtual, state)
	fmt.Fprintf(w, "  Transit area %s, Cost of using %d\n", areaText(id, s.Transit), s.Cost)
	fmt.Fprintf(w, "  Transmit Delay is %d sec, State %s,\n", wholeSeconds(s.Config.TransmitDelay), stateWord(s))
	fmt.Fprintf(w, "  Timer intervals configured, Hello %s, Dead %d, Wait %d, Retransmit %d\n", interval(helloInterval(s)), wholeSeconds(s.Config.Dead), wholeSeconds(s.Config.Dead), wholeSeconds(s.Config.Retransmit))
	if !s.Up {
		return
	}
	fmt.Fprintf(w, "    Hello due in %s\n", cli.Duration(s.NextHello))
	switch {
	case s.Adjacent > 0:
		fmt.Fprintln(w, "    Adjacency State FULL")
	case s.Neighbors > 0:
		fmt.Fprintln(w, "    Adjacency State not FULL")
	}
	fmt.Fprintf(w, "    Retransmission queue length %d, number of retransmission %d\n", s.Flood, s.Counters.Retransmissions)
	authenticationLines(w, s)
}
