package cli

import (
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// Condition says about whom there is debugging: "debug dmvpn condition". One of its
// fields is set.
type Condition struct {
	Interface string     // a tunnel
	VRF       string     // the VRF of a tunnel
	NBMA      netip.Addr // a peer's
	Tunnel    netip.Addr // a peer's, or of a network of which an event is
	Unmatched bool       // what is about nobody in particular
}

// ConditionOf reads the arguments of "debug dmvpn condition".
func ConditionOf(a cli.Args) Condition {
	return Condition{Interface: a.String("ifname"), VRF: a.String("vrf"), NBMA: a.Addr("nbma"), Tunnel: a.Addr("tunnel"), Unmatched: a.Has("unmatched")}
}

// String returns the condition as it is typed.
func (c Condition) String() string {
	switch {
	case c.Interface != "":
		return "interface " + c.Interface
	case c.VRF != "":
		return "vrf " + c.VRF
	case c.NBMA.IsValid():
		return "peer nbma " + c.NBMA.String()
	case c.Tunnel.IsValid():
		return "peer tunnel " + c.Tunnel.String()
	}
	return "unmatched"
}

func (c Condition) meets(t core.Trace, vrf string) bool {
	switch {
	case c.Interface != "":
		return c.Interface == t.Interface
	case c.VRF != "":
		return c.VRF == vrf
	case c.NBMA.IsValid():
		return c.NBMA == t.NBMA
	case c.Tunnel.IsValid():
		return c.Tunnel == t.Peer || t.Target.IsValid() && t.Target.Contains(c.Tunnel)
	}
	return t.Interface == "" && !t.NBMA.IsValid() && !t.Peer.IsValid()
}

// MaxConditions bounds how many conditions there may be.
const MaxConditions = 64

// Conditions are those in force. The zero value lets everything through.
type Conditions []Condition

// Pass reports whether an event on a tunnel of a VRF is debugged: if one of the
// conditions is met, or there is none.
func (c Conditions) Pass(t core.Trace, vrf string) bool {
	return len(c) == 0 || slices.ContainsFunc(c, func(one Condition) bool { return one.meets(t, vrf) })
}

// With returns the conditions with one more, Without those with one less; c is not
// changed. With is an error beyond MaxConditions.
func (c Conditions) With(one Condition) (Conditions, error) {
	switch {
	case slices.Contains(c, one):
		return c, nil
	case len(c) >= MaxConditions:
		return c, fmt.Errorf("there are %d conditions already", len(c))
	}
	return append(slices.Clip(c), one), nil
}

// Without returns the conditions without one.
func (c Conditions) Without(one Condition) Conditions {
	return slices.DeleteFunc(slices.Clone(c), func(o Condition) bool { return o == one })
}

// ShowConditions prints the conditions in force: `show nhrp debug-condition`.
func ShowConditions(c Conditions) cli.Output {
	list := []string{}
	for _, one := range c {
		list = append(list, one.String())
	}
	return cli.Output{JSON: map[string]any{"conditions": list}, Text: func(w io.Writer) {
		if len(list) == 0 {
			fmt.Fprintln(w, "No debug conditions: everything that is debugged is shown")
			return
		}
		fmt.Fprintln(w, "Debugging shows what meets one of these conditions:")
		for _, s := range list {
			fmt.Fprintln(w, "  "+s)
		}
	}}
}
