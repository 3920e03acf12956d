package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/core/fsm"
)

// The longest secrets, in octets (RFC 2328 sections D.2 and D.3).
const (
	maxPassword  = 8
	maxDigestKey = 16
)

// iface reads the lines of an interface; ok is false if there are none.
func (r *reader) iface(block *conf.Node) (c core.InterfaceConfig, ok bool) {
	c.Name = block.Args.String("name")
	lines := map[string]*conf.Node{}
	for _, n := range block.Nodes {
		if n.Owner != Owner {
			continue
		}
		lines[n.ID], ok = n, true
		msg := ifaceLine(&c, n)
		if n.ID == CmdIfArea {
			for _, in := range r.instances {
				if in.cfg.Process == c.Process {
					in.note(n.Args)
				}
			}
		}
		r.refuse(msg, block.Key, n.Key)
	}
	if msg := intervals(c); msg != "" {
		r.refuse(msg, block.Key, lines[CmdIfDead].Key)
	}
	return c, ok
}

// intervals refuses a dead interval that does not go with the Hello interval; both lines
// are there.
func intervals(c core.InterfaceConfig) string {
	switch {
	case c.Hello == 0 || c.Dead == 0 && c.HelloPerSecond == 0:
		return ""
	case c.HelloPerSecond > 0:
		return "with dead-interval minimal the number of Hellos says how long the hello interval is: take the line hello-interval away"
	case c.Dead <= c.Hello:
		return fmt.Sprintf("neighbors would come and go: the dead interval, %d seconds, is not above the hello interval, %d seconds: enter dead-interval first if both are to rise",
			c.Dead/time.Second, c.Hello/time.Second)
	}
	return ""
}

// ifaceLine takes one line of an interface; it returns what is wrong with it.
func ifaceLine(c *core.InterfaceConfig, n *conf.Node) string {
	a := n.Args
	switch n.ID {
	case CmdIfArea:
		c.HasArea, c.Process, c.Area, c.NoSecondary = true, uint16(a.Uint("process")), areaID(a, "area"), a.Has("secondaries")
	case CmdIfNetwork:
		networkType(c, a)
	case CmdIfCost:
		c.Cost = uint16(a.Uint("cost"))
	case CmdIfPriority:
		p := uint8(a.Uint("priority"))
		c.Priority = &p
	case CmdIfHello:
		c.Hello = seconds(a, "seconds")
	case CmdIfDead:
		if c.Dead, c.HelloPerSecond = seconds(a, "seconds"), int(a.Uint("count")); c.HelloPerSecond > 0 {
			c.Dead = time.Second
		}
	case CmdIfRetransmit:
		c.Retransmit = seconds(a, "seconds")
	case CmdIfWindow:
		c.RetransmitWindow = milliseconds(a, "ms")
	case CmdIfDelay:
		c.TransmitDelay = seconds(a, "seconds")
	case CmdIfMTU:
		c.MTUIgnore = true
	case CmdIfFilter:
		c.DatabaseFilterOut = true
	case CmdIfNeighbors:
		f := core.NeighborFilter{List: a.String("list"), Addr: a.Addr("addr")}
		if a.Has("addr") && !routable(f.Addr) {
			return f.Addr.String() + " is not the address of a router"
		}
		c.NeighborFilters = append(c.NeighborFilters, f)
	case CmdIfReduction:
		c.FloodReduction = true
	case CmdIfSuppression:
		on := !a.Has("disable")
		c.PrefixSuppression = &on
	case CmdIfShutdown:
		c.Shutdown = true
	case CmdIfAuth, CmdIfPlain, CmdIfMD5:
		return authentication(c, n)
	default:
		return whyRefused(n.ID)
	}
	return ""
}

func seconds(a cli.Args, name string) time.Duration { return time.Duration(a.Uint(name)) * time.Second }

func networkType(c *core.InterfaceConfig, a cli.Args) {
	switch {
	case a.Has("point-to-multipoint"):
		c.Type, c.NoBroadcast, c.DelayReflood = fsm.PointToMultipoint, a.Has("non-broadcast"), a.Has("delay-reflood")
	case a.Has("point-to-point"):
		c.Type, c.Spoke = fsm.PointToPoint, a.Has("dmvpn")
	case a.Has("non-broadcast"):
		c.Type = fsm.NonBroadcast
	default:
		c.Type = fsm.Broadcast
	}
}

// authentication reads the lines about authentication of an interface, or of a virtual
// link.
func authentication(c *core.InterfaceConfig, n *conf.Node) string {
	a := n.Args
	switch {
	case a.Has("message-digest"):
		c.Authentication = core.AuthenticationMD5
	case a.Has("null"):
		c.Authentication = core.AuthenticationNull
	case a.Has("key-chain"):
		c.Authentication, c.KeyChain = core.AuthenticationKeyChain, a.String("chain")
	case n.ID == CmdIfAuth || a.Has("authentication"):
		c.Authentication = core.AuthenticationSimple
	}
	var wrong string
	switch n.ID {
	case CmdIfPlain, CmdVirtualPlain:
		c.Password, wrong = policy.ReadSecret(a, maxPassword)
	case CmdIfMD5, CmdVirtualMD5:
		k := core.DigestKey{ID: uint8(a.Uint("key"))}
		k.Key, wrong = policy.ReadSecret(a, maxDigestKey)
		c.DigestKeys = append(c.DigestKeys, k)
		slices.SortFunc(c.DigestKeys, func(a, b core.DigestKey) int { return int(a.ID) - int(b.ID) })
	}
	return wrong
}

// virtual takes the lines of a virtual link.
func virtual(area *core.AreaConfig, n *conf.Node) string {
	a := n.Args
	router := areaID(a, "router")
	i := slices.IndexFunc(area.VirtualLinks, func(v core.VirtualLink) bool { return v.Router == router })
	if i < 0 {
		i = len(area.VirtualLinks)
		area.VirtualLinks = append(area.VirtualLinks, core.VirtualLink{Router: router, Interface: core.InterfaceConfig{Type: fsm.VirtualLink}})
	}
	c := &area.VirtualLinks[i].Interface
	if n.ID == CmdVirtual {
		c.Hello, c.Dead = seconds(a, "hello"), seconds(a, "dead")
		c.Retransmit, c.TransmitDelay = seconds(a, "retransmit"), seconds(a, "delay")
	}
	said := c.Authentication
	msg := authentication(c, n)
	switch {
	case msg != "":
		return msg
	case area.ID == 0:
		return "a virtual link goes through another area to the backbone"
	case said != core.AuthenticationUnset && c.Authentication != said:
		return "another line of this virtual link has another authentication"
	}
	if msg := badRouter(a.Addr("router")); msg != "" || n.ID != CmdVirtual {
		return msg
	}
	return intervals(*c)
}
