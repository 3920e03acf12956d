package cli

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// inherited is what counts for a neighbour or peer-group: its own lines, then those that
// it inherits, in order.
type inherited struct {
	session []attributes
	routes  [2][]attributes
}

// find returns the first line about something; nil if nothing says it.
func find(list []attributes, about string) *conf.Node {
	for _, a := range list {
		if it, ok := a[about]; ok {
			return it.node
		}
	}
	return nil
}

// inherits returns what counts for e.
func (r *reader) inherits(s *scope, e *entity) inherited {
	var out inherited
	all := []*entity{e}
	if it, ok := e.session[CmdMember]; ok {
		if g := s.groups[it.node.Args.String("member")]; g != nil {
			all = append(all, g)
		}
	}
	for _, e := range all {
		out.session = r.withTemplates(out.session, e.session, CmdSessionTemplate, CmdInherit, nil)
		for v := range e.routes {
			out.routes[v] = r.withTemplates(out.routes[v], e.routes[v], CmdPolicyTemplate, CmdInheritPolicy, nil)
		}
	}
	return out
}

// withTemplates appends a and the templates that it inherits from; seen keeps those who
// inherit from one another in a circle from going on for ever.
func (r *reader) withTemplates(list []attributes, a attributes, kind, inherit string, seen []string) []attributes {
	list = append(list, a)
	var lines []item
	for about, it := range a { // unordered: sorted below
		if strings.HasPrefix(about, inherit) {
			lines = append(lines, it)
		}
	}
	slices.SortFunc(lines, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.node.Args.Uint("seq"), b.node.Args.Uint("seq")), strings.Compare(a.node.Key, b.node.Key))
	})
	for _, it := range lines {
		name := it.node.Args.String("template")
		if t := r.templates[kind+" "+name]; t != nil && !slices.Contains(seen, name) {
			list = r.withTemplates(list, t.lines, kind, inherit, append(slices.Clone(seen), name))
		}
	}
	return list
}

// neighbors makes the settings of the neighbours.
func (r *reader) neighbors(s *scope, out *Router, inst *core.InstanceConfig) {
	for _, addr := range sortedKeys(s.neighbors, netip.Addr.Compare) {
		e := s.neighbors[addr]
		settings, peer, ok := r.settings(s, e, rib.FamilyOf(addr) == rib.IPv4)
		if !ok {
			out.Idle = append(out.Idle, addr)
			continue
		}
		out.Peers[addr] = peer
		out.Speaker.Neighbors = append(out.Speaker.Neighbors, speaker.Neighbor{Address: addr, Settings: settings})
		awaits(inst, addr, &settings)
	}
}

// ranges makes the groups of the listen ranges.
func (r *reader) ranges(s *scope, out *Router) {
	at := map[string]int{}
	for _, it := range s.ranges {
		p, name := it.node.Args.Prefix("prefix"), it.node.Args.String("group")
		e := s.groups[name]
		if e == nil {
			continue
		}
		settings, peer, ok := r.settings(s, e, p.Addr().Is4())
		if !ok {
			continue
		}
		i, known := at[name]
		if !known {
			i = len(out.Speaker.Groups)
			at[name] = i
			out.Groups[name] = peer
			out.Speaker.Groups = append(out.Speaker.Groups, speaker.Group{Name: name, Settings: settings})
		}
		g := &out.Speaker.Groups[i]
		g.Ranges = append(g.Ranges, p)
	}
}

// settings makes the settings of a neighbour, or of the neighbours of a listen range. ok
// is false while they are not complete.
func (r *reader) settings(s *scope, e *entity, ipv4 bool) (out speaker.Settings, peer *Peer, ok bool) {
	in := r.inherits(s, e)
	peer = &Peer{}
	if it, is := e.session[CmdMember]; is {
		peer.Group = it.node.Args.String("member")
	}
	remote := find(in.session, CmdRemoteAS)
	if remote == nil {
		return out, peer, false
	}
	switch {
	case remote.Args.Has("internal"):
		out.RemoteAS = s.as
	case remote.Args.Has("as"):
		out.RemoteAS = uint32(remote.Args.Uint("as"))
	}
	r.session(s, in.session, &out, peer)
	for v, fam := range []*speaker.Family{&out.IPv4, &out.IPv6} {
		r.routes(in.routes[v], v, fam, &out)
		fam.Active = s.active(find(in.routes[v], CmdActivate), v, ipv4)
	}
	return out, peer, out.IPv4.Active || out.IPv6.Active
}

// active tells whether a family is exchanged with a neighbour: IPv4 is by default with
// neighbours that have an IPv4 address, in a VRF the family whose block has its lines.
func (s *scope) active(n *conf.Node, v int, ipv4 bool) bool {
	switch {
	case n != nil:
		return !n.No
	case s.vrf != "":
		return s.family[v].present && ipv4 == (v == 0)
	}
	return v == 0 && ipv4 && s.process(CmdDefaultUnicast) == nil
}

// connectRetry is the time between attempts to connect. RFC 4271 section 10 suggests two
// minutes: for so long a spoke would have no routes whose tunnel is not up yet at the
// first attempt.
const connectRetry = 10 * time.Second

// session fills in what concerns the session.
func (r *reader) session(s *scope, lines []attributes, out *speaker.Settings, peer *Peer) {
	seconds := func(n *conf.Node, name string) time.Duration { return time.Duration(n.Args.Uint(name)) * time.Second }
	out.Timers = speaker.Timers{Hold: 180 * time.Second, Keepalive: 60 * time.Second, Connect: connectRetry} // Cisco's
	if n := cmp.Or(find(lines, CmdPeerTimers), s.process(CmdTimers)); n != nil {
		out.Timers.Hold, out.Timers.Keepalive = seconds(n, "hold"), seconds(n, "keepalive")
	}
	if n := find(lines, CmdConnect); n != nil {
		out.Timers.Connect = seconds(n, "seconds")
	}
	if n := find(lines, CmdDescription); n != nil {
		peer.Description = n.Args.String("text")
	}
	if n := find(lines, CmdSource); n != nil {
		peer.Source = n.Args.String("ifname")
	}
	out.Shutdown = find(lines, CmdShutdown) != nil
	out.Passive = find(lines, CmdTransport) != nil
	if n := find(lines, CmdPassword); n != nil {
		secret, wrong := policy.ReadSecret(n.Args, maxPassword)
		if it := itemOf(lines, CmdPassword); wrong != "" {
			r.refuse(wrong, it.path...)
		}
		out.Password = rib.NewSecret(secret.Bytes())
	}
	external := out.RemoteAS != s.as
	if n := find(lines, CmdMultihop); n != nil && external {
		out.MultihopTTL = uint8(n.Args.UintOr("hops", 255))
	}
	if n := find(lines, CmdTTLSecurity); n != nil {
		out.TTLSecurity = uint8(255 - n.Args.Uint("hops") + 1)
	}
	if n := find(lines, CmdLocalAS); n != nil {
		out.LocalAS = uint32(n.Args.Uint("as"))
	}
	r.restart(s, find(lines, CmdPeerRestart), out)
}

// maxPassword is the longest key that TCP takes for its MD5 signature (RFC 2385; Linux).
const maxPassword = 80

// itemOf is find with the place of the line.
func itemOf(list []attributes, about string) item {
	for _, a := range list {
		if it, ok := a[about]; ok {
			return it
		}
	}
	return item{}
}

// restart fills in graceful restart.
func (r *reader) restart(s *scope, n *conf.Node, out *speaker.Settings) {
	on := s.has(CmdRestart)
	if n != nil {
		on = !n.Args.Has("disable")
	}
	if !on {
		return
	}
	out.RestartTime = defaultRestartTime
	if n := s.process(CmdRestartTime); n != nil {
		out.RestartTime = uint16(n.Args.Uint("seconds"))
	}
	if n := s.process(CmdLongLived); n != nil {
		out.LongLived = uint32(n.Args.Uint("seconds"))
	}
}

// defaultRestartTime is Cisco's, in seconds.
const defaultRestartTime = 120

// routes fills in what concerns the routes of a family.
func (r *reader) routes(lines []attributes, v int, f *speaker.Family, out *speaker.Settings) {
	has := func(id string) bool { return find(lines, id) != nil }
	f.ReflectorClient = has(CmdReflectorClient)
	if n := find(lines, CmdDefaultOriginate); n != nil {
		if f.DefaultOriginate = true; n.Args.Has("map") {
			f.DefaultMap = r.policies.defaultMap(n.Args.String("map"))
		}
	}
	if n := find(lines, CmdNextHopSelf); n != nil {
		f.NextHop = speaker.NextHopSelf
		if n.Args.Has("all") {
			f.NextHop = speaker.NextHopSelfAll
		}
	} else if has(CmdNextHopUnchanged) {
		f.NextHop = speaker.NextHopUnchanged
	}
	if n := find(lines, CmdSendCommunity); n != nil {
		kind := n.Args.String("kind")
		f.SendStandard = kind == "" || kind == "standard" || kind == "both" || kind == "all"
		f.SendExtended = kind == "extended" || kind == "both" || kind == "all"
		f.SendLarge = kind == "large" || kind == "all"
	}
	if n := find(lines, CmdAllowASIn); n != nil {
		f.AllowASIn = uint8(n.Args.UintOr("count", 3))
	}
	if n := find(lines, CmdMaximumPrefix); n != nil {
		f.MaximumPrefix = speaker.MaximumPrefix{Limit: uint32(n.Args.Uint("limit")), Threshold: uint8(n.Args.Uint("threshold")),
			WarningOnly: n.Args.Has("warning-only"), Restart: time.Duration(n.Args.Uint("minutes")) * time.Minute}
	}
	if n := find(lines, CmdAddPaths); n != nil {
		f.AddPathReceive = n.Args.Has("receive")
		if n.Args.Has("send") {
			f.AddPathSend = maxAddPaths
		}
	}
	// These three are of the neighbour: either family may say them.
	out.ASOverride = out.ASOverride || has(CmdASOverride)
	if n := find(lines, CmdRemovePrivate); n != nil {
		if out.RemovePrivateAS = speaker.RemovePrivateAS; n.Args.Has("replace-as") {
			out.RemovePrivateAS = speaker.ReplacePrivateAS
		}
	}
	if n := find(lines, CmdWeight); n != nil {
		out.Weight = uint32(n.Args.Uint("weight"))
	}
	f.Import, f.Export = r.policies.filter(lines, v, "in"), r.policies.filter(lines, v, "out")
}

// maxAddPaths is how many paths to a prefix are sent with additional-paths.
const maxAddPaths = 16

func sortedKeys[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m { // unordered: sorted below
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}
