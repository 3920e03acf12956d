package cli

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/bgpd/core"
	"github.com/godmvpn/godmvpn/bgpd/speaker"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// Config is bgpd's configuration.
type Config struct {
	Core    core.Config
	Routers []Router // by VRF; the default one first
}

// Router is BGP in a VRF.
type Router struct {
	VRF      string
	RouterID netip.Addr // not valid: one is chosen among the addresses
	// Speaker is the speaker's configuration, but for what depends on interfaces: router
	// ID, device, and the addresses of update-source.
	Speaker speaker.Config
	Peers   map[netip.Addr]*Peer // of the neighbours in Speaker
	Groups  map[string]*Peer     // of the groups in Speaker
	// Idle are neighbours that are configured and cannot run yet.
	Idle         []netip.Addr
	NoLogChanges bool

	distance core.Distance // of IPv4
}

// Peer is what is configured of a neighbour or peer-group and is no matter of the
// speaker's.
type Peer struct {
	Group       string // peer-group that it is in
	Description string
	Source      string // interface of update-source
}

// Read turns bgpd's part of the configuration, policies included, into values. BGP's
// lines that cannot be, or that contradict others, are returned; policy lines that
// contradict themselves are zebra's to refuse. Policies that have not changed since the
// last Read with the same memory are the same values.
func Read(tree *conf.Tree, memory *Policies) (Config, []plugin.LineError) {
	set, _ := policy.Read(tree)
	r := &reader{policies: memory.begin(tree, set), templates: map[string]*template{}}
	cfg := Config{Core: core.Config{Policy: set}}
	routers := tree.All(Owner, CmdRouter)
	for i, block := range routers {
		if i > 0 {
			r.refuse("there is one autonomous system: router bgp "+routers[0].Args.String("as")+" is there already", block.Key)
			continue
		}
		r.router(block)
	}
	for _, s := range r.scopes {
		router, instance := r.finish(s)
		cfg.Routers = append(cfg.Routers, router)
		cfg.Core.Instances = append(cfg.Core.Instances, instance)
	}
	return cfg, r.errs
}

// reader collects what is read and what is refused.
type reader struct {
	policies  *Policies
	templates map[string]*template // by kind and name
	scopes    []*scope             // by VRF
	errs      []plugin.LineError
}

// scope is BGP in a VRF that is being read.
type scope struct {
	vrf       string
	as        uint32
	lines     attributes // of the process
	family    [2]family
	neighbors map[netip.Addr]*entity
	groups    map[string]*entity
	ranges    []item
	router    map[string]item // of the default VRF: what holds for all of them
}

// family is an address family that is being read.
type family struct {
	present bool // it has a block
	lines   []item
}

// item is a line and where it stands.
type item struct {
	node *conf.Node
	path []string
}

// attributes are lines by what they are about.
type attributes map[string]item

// about names what a line is about among those of one neighbour.
func lineAbout(n *conf.Node) string {
	switch n.ID {
	case CmdPrefixList, CmdDistributeList, CmdFilterList, CmdRouteMap:
		return n.ID + " " + n.Args.String("direction")
	case CmdInheritPolicy:
		return n.ID + " " + n.Args.String("template")
	}
	return n.ID
}

// entity is a neighbour or a peer-group.
type entity struct {
	path    []string // of its first line
	session attributes
	routes  [2]attributes // by family: IPv4, IPv6
}

func newEntity(path []string) *entity {
	return &entity{path: path, session: attributes{}, routes: [2]attributes{{}, {}}}
}

// template is a template, and those that it inherits from.
type template struct{ lines attributes }

func (r *reader) refuse(msg string, path ...string) {
	if msg != "" {
		r.errs = append(r.errs, plugin.LineError{Path: slices.Clone(path), Msg: msg})
	}
}

// scope returns the scope of a VRF.
func (r *reader) scope(vrf string, as uint32) *scope {
	for _, s := range r.scopes {
		if s.vrf == vrf {
			return s
		}
	}
	s := &scope{vrf: vrf, as: as, lines: attributes{}, neighbors: map[netip.Addr]*entity{}, groups: map[string]*entity{}}
	if len(r.scopes) > 0 {
		s.router = r.scopes[0].lines
	}
	r.scopes = append(r.scopes, s)
	slices.SortStableFunc(r.scopes, func(a, b *scope) int { return strings.Compare(a.vrf, b.vrf) })
	return s
}

// router reads `router bgp AS`.
func (r *reader) router(block *conf.Node) {
	as := uint32(block.Args.Uint("as"))
	global := r.scope("", as)
	for _, n := range block.Nodes { // lines first, so that those of address families count before
		r.line(global, 0, item{n, []string{block.Key, n.Key}}, false)
	}
	for _, n := range block.All(Owner, CmdFamily) {
		v := 0
		if n.Args.String("family") == "ipv6" {
			v = 1
		}
		s := r.scope(n.Args.String("vrf"), as)
		s.family[v].present = true
		for _, line := range n.Nodes {
			r.line(s, v, item{line, []string{block.Key, n.Key, line.Key}}, true)
		}
	}
}

// line files a line of a router or address family; v is the family that it is about.
func (r *reader) line(s *scope, v int, it item, inFamily bool) {
	n := it.node
	switch {
	case n.ID == CmdFamily:
	case n.ID == CmdSessionTemplate || n.ID == CmdPolicyTemplate:
		t := &template{attributes{}}
		for _, line := range n.Nodes {
			r.refuse(whyRefused(line.ID), append(slices.Clone(it.path), line.Key)...)
			t.lines[lineAbout(line)] = item{line, append(slices.Clone(it.path), line.Key)}
		}
		r.templates[n.ID+" "+n.Args.String("name")] = t
	case whyRefused(n.ID) != "":
		r.refuse(whyRefused(n.ID), it.path...)
	case n.ID == CmdListenRange:
		s.ranges = append(s.ranges, it)
	case sessionLines[n.ID]:
		if e := r.entity(s, it); e != nil {
			e.session[lineAbout(n)] = it
		}
	case routeLines[n.ID]:
		if e := r.entity(s, it); e != nil {
			e.routes[v][lineAbout(n)] = it
		}
	case familyLines[n.ID]:
		s.family[v].lines = append(s.family[v].lines, it)
	default:
		s.lines[n.ID] = it
	}
}

// entity returns the neighbour or peer-group that a line is about, nil if it is neither.
func (r *reader) entity(s *scope, it item) *entity {
	if addr := it.node.Args.Addr("addr"); addr.IsValid() {
		if addr.IsUnspecified() || addr.IsMulticast() || addr.Is4In6() {
			r.refuse(addr.String()+" is not the address of a router", it.path...)
			return nil
		}
		if s.neighbors[addr] == nil {
			s.neighbors[addr] = newEntity(it.path)
		}
		return s.neighbors[addr]
	}
	name := it.node.Args.String("group")
	if c := name[0] | 0x20; c < 'a' || c > 'z' {
		r.refuse(name+" is neither an address nor the name of a peer-group, which begins with a letter", it.path...)
		return nil
	}
	if s.groups[name] == nil {
		s.groups[name] = newEntity(it.path)
	}
	return s.groups[name]
}

var sessionLines = idSet(CmdRemoteAS, CmdGroup, CmdMember, CmdInherit, CmdDescription, CmdShutdown, CmdPassword, CmdPeerTimers, CmdConnect, CmdMultihop,
	CmdTTLSecurity, CmdSource, CmdLocalAS, CmdTransport, CmdPeerRestart)

var routeLines = idSet(CmdActivate, CmdNextHopSelf, CmdNextHopUnchanged, CmdReflectorClient, CmdSendCommunity, CmdDefaultOriginate, CmdPrefixList,
	CmdDistributeList, CmdFilterList, CmdRouteMap, CmdAllowASIn, CmdASOverride, CmdRemovePrivate, CmdMaximumPrefix, CmdWeight, CmdAddPaths, CmdInheritPolicy)

var familyLines = idSet(CmdNetwork, CmdAggregate, CmdRedistribute, CmdDefaultInformation, CmdDefaultMetric, CmdDistance, CmdMaximumPaths, CmdMaximumPathsIBGP)

func idSet(ids ...string) map[string]bool {
	out := map[string]bool{}
	for _, id := range ids {
		out[id] = true
	}
	return out
}

// process returns a line `bgp …`: in a VRF that of the router counts, but for what it
// says itself.
func (s *scope) process(id string) *conf.Node {
	if it, ok := s.lines[id]; ok {
		return it.node
	}
	if it, ok := s.router[id]; ok && id != CmdRouterID {
		return it.node
	}
	return nil
}

// has tells whether a line of the process is there, and not its no form.
func (s *scope) has(id string) bool {
	n := s.process(id)
	return n != nil && !n.No
}

// finish makes the values of a scope.
func (r *reader) finish(s *scope) (Router, core.InstanceConfig) {
	out := Router{VRF: s.vrf, Peers: map[netip.Addr]*Peer{}, Groups: map[string]*Peer{}}
	inst := core.InstanceConfig{VRF: s.vrf, AS: s.as, Ranges: len(s.ranges) > 0}
	c := &out.Speaker
	c.Process.AS, c.TrackNextHops = s.as, true
	c.ListenLimit = DefaultListenLimit
	r.process(s, &out, &inst)
	for v := range s.family {
		fam := &inst.IPv4
		if v == 1 {
			fam = &inst.IPv6
		}
		for _, it := range s.family[v].lines {
			r.refuse(r.familyLine(it.node, v, fam, c), it.path...)
		}
	}
	out.distance = inst.IPv4.Distance.Or()
	r.neighbors(s, &out, &inst)
	r.ranges(s, &out)
	r.check(s, &out)
	return out, inst
}

// DefaultListenLimit is far above what a hub has, and bounds what strangers can cause.
const DefaultListenLimit = 5000

// process reads the lines `bgp …`.
func (r *reader) process(s *scope, out *Router, inst *core.InstanceConfig) {
	c := &out.Speaker
	out.NoLogChanges = s.process(CmdLogChanges) != nil
	if n := s.process(CmdRouterID); n != nil {
		out.RouterID = n.Args.Addr("id")
		if it := s.lines[CmdRouterID]; out.RouterID.IsUnspecified() || out.RouterID.IsMulticast() {
			r.refuse(out.RouterID.String()+" is no number of a router", it.path...)
		}
	}
	if n := s.process(CmdListenLimit); n != nil {
		c.ListenLimit = int(n.Args.Uint("count"))
	}
	if n := s.process(CmdClusterID); n != nil {
		if c.ClusterID = n.Args.Addr("id"); !c.ClusterID.IsValid() {
			v := uint32(n.Args.Uint("number"))
			c.ClusterID = netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
		}
	}
	sel := &c.Selection
	sel.AlwaysCompareMED, sel.MissingMEDWorst = s.has(CmdAlwaysMED), s.has(CmdMissingMED)
	sel.IgnoreASPath, sel.MultipathRelax, sel.CompareRouterID = s.has(CmdIgnoreASPath), s.has(CmdMultipathRelax), s.has(CmdCompareID)
	sel.IgnoreMetric = s.has(CmdIgnoreMetric)
	if n := s.process(CmdLocalPref); n != nil {
		c.LocalPref = uint32(n.Args.Uint("value"))
	}
	c.WaitInstall = s.has(CmdWaitInstall)
	if n := s.process(CmdUpdateDelay); n != nil {
		inst.UpdateDelay = time.Duration(n.Args.Uint("seconds")) * time.Second
	}
}

// check asks the speaker what of its configuration cannot be.
func (r *reader) check(s *scope, out *Router) {
	c := out.Speaker
	c.Process.RouterID = netip.AddrFrom4([4]byte{192, 0, 2, 1}) // the real one is found later
	var wrong *speaker.Error
	if err := c.Check(); errors.As(err, &wrong) {
		path := []string(nil)
		if e := s.neighbors[wrong.Neighbor]; e != nil {
			path = e.path
		}
		if e := s.groups[wrong.Group]; e != nil {
			path = e.path
		}
		r.refuse(wrong.Text, path...)
	} else if err != nil {
		r.refuse(err.Error())
	}
}

// awaits notes that a restarted daemon waits for a neighbour.
func awaits(inst *core.InstanceConfig, a netip.Addr, s *speaker.Settings) {
	if s.Shutdown {
		return
	}
	for _, f := range []struct {
		family rib.Family
		active bool
	}{{rib.IPv4, s.IPv4.Active}, {rib.IPv6, s.IPv6.Active}} {
		if f.active {
			inst.Awaited = append(inst.Awaited, core.Neighbor{Addr: a, Family: f.family})
		}
	}
}
