package speaker

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Here our words become GoBGP's.

// idleHold is the time in Idle after a reset, in seconds: GoBGP's 30 s make of each
// clear an outage, while none at all would let a broken neighbour spin.
const idleHold = 3

// anyAS lets GoBGP drop nothing for the own AS in AS_PATH: locrib does, which notes that
// the path that was there before is no more.
const anyAS = 255

// deferral is how long a speaker that restarted sends nothing (RFC 4724, section 4.1).
const deferral = 20 * time.Second

// api makes GoBGP's neighbour. One that comes later, when the speaker lives, is not
// told of a restart.
func (n *Neighbor) api(c *Config, later bool) *api.Peer {
	s := &n.Settings
	restart := s.restart()
	restart.LocalRestarting = c.Process.Restarting && !later && s.RestartTime != 0
	restart.DeferralTime = c.deferral()
	return &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: n.Address.String(), PeerAsn: s.RemoteAS, LocalAsn: s.LocalAS,
			AuthPassword: string(s.Password.Reveal()), AdminDown: s.Shutdown,
			AllowOwnAsn: anyAS, AllowAspathLoopLocal: true, ReplacePeerAsn: s.ASOverride, RemovePrivate: s.private(),
		},
		Transport: s.transport(c), Timers: s.timers(), EbgpMultihop: s.multihop(), TtlSecurity: s.ttlSecurity(),
		RouteReflector: s.reflector(c), GracefulRestart: restart, AfiSafis: s.afiSafis(),
	}
}

// member makes GoBGP's neighbour of one that returns to a group.
func (g *Group) member(a netip.Addr, c *Config) *api.Peer {
	p := (&Neighbor{a, g.Settings}).api(c, false)
	p.Conf.PeerGroup, p.Transport.PassiveMode = g.Name, true
	return p
}

// deferral returns the time in seconds.
func (c *Config) deferral() uint32 {
	return uint32(cmp.Or(c.Process.Deferral, deferral) / time.Second)
}

func (g *Group) api(c *Config) *api.PeerGroup {
	s := &g.Settings
	t := s.transport(c)
	t.PassiveMode = true
	restart := s.restart()
	restart.DeferralTime = c.deferral() // those that return take it from here
	return &api.PeerGroup{
		Conf: &api.PeerGroupConf{
			PeerGroupName: g.Name, PeerAsn: s.RemoteAS, LocalAsn: s.LocalAS, AuthPassword: string(s.Password.Reveal()),
			AllowOwnAsn: anyAS, AllowAspathLoopLocal: true, ReplacePeerAsn: s.ASOverride, RemovePrivate: s.private(),
		},
		Transport: t, Timers: s.timers(), EbgpMultihop: s.multihop(), TtlSecurity: s.ttlSecurity(),
		RouteReflector: s.reflector(c), GracefulRestart: restart, AfiSafis: s.afiSafis(),
	}
}

func (s *Settings) private() api.RemovePrivate {
	switch s.RemovePrivateAS {
	case RemovePrivateAS:
		return api.RemovePrivate_REMOVE_PRIVATE_ALL
	case ReplacePrivateAS:
		return api.RemovePrivate_REMOVE_PRIVATE_REPLACE
	}
	return api.RemovePrivate_REMOVE_PRIVATE_UNSPECIFIED
}

// transport binds connections that go out to the VRF, as the listener is.
func (s *Settings) transport(c *Config) *api.Transport {
	t := &api.Transport{PassiveMode: s.Passive, RemotePort: uint32(s.Port), BindInterface: c.Process.Device}
	if s.Source.IsValid() {
		t.LocalAddress = s.Source.String()
	}
	return t
}

func (s *Settings) timers() *api.Timers {
	seconds := func(d time.Duration) uint64 { return uint64(d / time.Second) }
	return &api.Timers{Config: &api.TimersConfig{IdleHoldTimeAfterReset: idleHold, ConnectRetry: seconds(s.Timers.Connect),
		HoldTime: seconds(s.Timers.Hold), KeepaliveInterval: seconds(s.Timers.Keepalive)}}
}

func (s *Settings) multihop() *api.EbgpMultihop {
	return &api.EbgpMultihop{Enabled: s.MultihopTTL != 0, MultihopTtl: uint32(s.MultihopTTL)}
}

func (s *Settings) ttlSecurity() *api.TtlSecurity {
	return &api.TtlSecurity{Enabled: s.TTLSecurity != 0, TtlMin: uint32(s.TTLSecurity)}
}

// reflector makes every internal neighbour of a reflector GoBGP's client: so it writes
// ORIGINATOR_ID and CLUSTER_LIST also to those that are none (RFC 4456, section 8). Who
// is sent what is not its business.
func (s *Settings) reflector(c *Config) *api.RouteReflector {
	r := &api.RouteReflector{RouteReflectorClient: !s.external(c.Process.AS) && c.reflects()}
	if c.ClusterID.IsValid() {
		r.RouteReflectorClusterId = c.ClusterID.String()
	}
	return r
}

func (s *Settings) restart() *api.GracefulRestart {
	return &api.GracefulRestart{Enabled: s.RestartTime != 0, RestartTime: uint32(s.RestartTime), LonglivedEnabled: s.LongLived != 0}
}

func (s *Settings) afiSafis() (out []*api.AfiSafi) {
	for _, f := range families {
		set, name := s.IPv4, apiFamily(f)
		if f == rib.IPv6 {
			set = s.IPv6
		}
		if !set.Active {
			continue
		}
		out = append(out, &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: name, Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: s.RestartTime != 0}},
			LongLivedGracefulRestart: &api.LongLivedGracefulRestart{Config: &api.LongLivedGracefulRestartConfig{
				Enabled: s.LongLived != 0, RestartTime: s.LongLived}},
			PrefixLimits: &api.PrefixLimit{Family: name, MaxPrefixes: set.MaximumPrefix.hard()},
			AddPaths:     &api.AddPaths{Config: &api.AddPathsConfig{Receive: set.AddPathReceive, SendMax: uint32(set.AddPathSend)}},
		})
	}
	return out
}

func (p *Process) api() *api.Global {
	port := int32(p.Port)
	switch {
	case p.NoListen:
		port = -1
	case port == 0:
		port = bgp.BGP_PORT
	}
	g := &api.Global{
		Asn: p.AS, RouterId: p.RouterID.String(), ListenPort: port, BindToDevice: p.Device}
	for _, a := range p.Listen {
		g.ListenAddresses = append(g.ListenAddresses, a.String())
	}
	return g
}

func apiFamily(f rib.Family) *api.Family {
	if f == rib.IPv6 {
		return &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST}
	}
	return &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}
}

func bgpFamily(f rib.Family) bgp.Family {
	if f == rib.IPv6 {
		return bgp.RF_IPv6_UC
	}
	return bgp.RF_IPv4_UC
}

// prefixOf returns the prefix of a route of ours; ok is false for other families.
func prefixOf(n bgp.NLRI) (p netip.Prefix, ok bool) {
	if n, is := n.(*bgp.IPAddrPrefix); is {
		return n.Prefix, true
	}
	return p, false
}
