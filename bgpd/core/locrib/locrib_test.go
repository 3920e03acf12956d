package locrib

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/lib/policy"
	"github.com/godmvpn/godmvpn/lib/rib"
)

var (
	ten = netip.MustParsePrefix("10.0.0.0/16")
	hub = netip.MustParseAddr("192.0.2.1")
)

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// peer makes a neighbour 10.255.0.N of an AS; the own one is 65000.
func peer(n byte, as uint32) *Neighbor {
	return &Neighbor{Address: netip.AddrFrom4([4]byte{10, 255, 0, n}), AS: as, LocalAS: 65000,
		RouterID: netip.AddrFrom4([4]byte{1, 1, 1, n}), External: as != 65000}
}

func path(as ...uint32) ASPath {
	if len(as) == 0 {
		return nil
	}
	return ASPath{{Sequence, as}}
}

func newTable(edit ...func(*Config)) *Table {
	c := Config{AS: 65000, RouterID: hub}
	for _, e := range edit {
		e(&c)
	}
	return New(c)
}

// best returns the neighbours of the best paths of a prefix, as "2 3"; "own" is ours.
func (t *Table) best(p netip.Prefix) string {
	var out []string
	paths, _ := t.Select(p)
	for _, o := range paths {
		if o.Neighbor == nil {
			out = append(out, "own")
			continue
		}
		b := o.Neighbor.Address.As4()
		out = append(out, fmt.Sprint(b[3]))
	}
	return strings.Join(out, " ")
}

// TestSelection has each rule decide, against all that come after it.
func TestSelection(t *testing.T) {
	type p struct {
		n  *Neighbor
		a  Attributes
		at int64
	}
	ext := func(n byte, as uint32, more ...uint32) (q p) {
		q.n = peer(n, as)
		q.a = Attributes{ASPath: path(append([]uint32{as}, more...)...), NextHop: q.n.Address}
		return q
	}
	internal := func(n byte) (q p) {
		q.n = peer(n, 65000)
		q.a = Attributes{ASPath: path(65009), NextHop: q.n.Address}
		return q
	}
	with := func(q p, f func(*p)) p { f(&q); return q }
	cases := []struct {
		name string
		a, b p
		want string
		c    func(*Config)
	}{
		{"LLGR_STALE", with(ext(2, 65002), func(q *p) { q.a.Communities = []policy.Community{LLGRStale}; q.n.Weight = 9 }), ext(3, 65003, 1, 2), "3", nil},
		{"weight", ext(2, 65002), with(ext(3, 65003, 1), func(q *p) { q.n.Weight = 1 }), "3", nil},
		{"LOCAL_PREF", with(internal(2), func(q *p) { q.a.LocalPref, q.a.HasLocalPref = 101, true; q.a.ASPath = path(1, 2, 3) }), ext(3, 65003), "2", nil},
		{"LOCAL_PREF of an external one is ignored", with(ext(2, 65002, 1), func(q *p) { q.a.LocalPref, q.a.HasLocalPref = 101, true }), ext(3, 65003), "3", nil},
		{"AS_PATH", ext(2, 65002, 7), with(ext(3, 65003), func(q *p) { q.a.Origin = Incomplete }), "3", nil},
		{"AS_PATH, a set is one", with(ext(2, 65002), func(q *p) { q.a.ASPath = append(q.a.ASPath, Segment{Set, []uint32{1, 2, 3}}) }),
			ext(3, 65003, 1, 2), "2", nil},
		{"AS_PATH ignored", ext(2, 65002, 7), with(ext(3, 65003), func(q *p) { q.a.Origin = Incomplete }), "2", func(c *Config) { c.IgnoreASPath = true }},
		{"ORIGIN", with(ext(2, 65002), func(q *p) { q.a.Origin = EGP }), ext(3, 65003), "3", nil},
		{"MED of one AS", with(ext(2, 65002), func(q *p) { q.a.MED, q.a.HasMED = 5, true }), with(ext(3, 65002), func(q *p) { q.at = 9 }), "3", nil},
		{"MED missing as worst", with(ext(2, 65002), func(q *p) { q.a.MED, q.a.HasMED, q.at = 5, true, 9 }), ext(3, 65002), "2", func(c *Config) { c.MissingMEDWorst = true }},
		{"MED of different AS", with(ext(2, 65002), func(q *p) { q.a.MED, q.a.HasMED = 5, true }), with(ext(3, 65003), func(q *p) { q.at = 9 }), "2", nil},
		{"MED always", with(ext(2, 65002), func(q *p) { q.a.MED, q.a.HasMED = 5, true }), with(ext(3, 65003), func(q *p) { q.at = 9 }), "3", func(c *Config) { c.AlwaysCompareMED = true }},
		{"external", internal(2), with(ext(3, 65009), func(q *p) { q.at = 9 }), "3", nil},
		{"oldest", with(ext(2, 65002), func(q *p) { q.at = 9 }), ext(3, 65003), "3", nil},
		{"router ID", with(ext(2, 65002), func(q *p) { q.at = 9 }), ext(3, 65003), "2", func(c *Config) { c.CompareRouterID = true }},
		{"ORIGINATOR_ID", internal(2), with(internal(3), func(q *p) { q.a.OriginatorID = ip("1.0.0.1") }), "3", nil},
		{"CLUSTER_LIST", with(internal(2), func(q *p) { q.a.ClusterList = []netip.Addr{ip("9.9.9.9")}; q.n.RouterID = ip("1.1.1.3") }), internal(3), "3", nil},
		{"address", internal(2), with(internal(3), func(q *p) { q.n.RouterID = ip("1.1.1.2") }), "2", nil},
	}
	for _, c := range cases {
		for _, order := range [][]p{{c.a, c.b}, {c.b, c.a}} {
			table := newTable()
			if c.c != nil {
				table = newTable(c.c)
			}
			for _, q := range order {
				a := q.a
				table.Learn(ten, q.n, 0, &a, q.at)
			}
			if got := table.best(ten); got != c.want {
				t.Errorf("%s: best is %q, not %q", c.name, got, c.want)
			}
		}
	}
}

// TestDeterministicMED is the example where the result would depend on the order of
// arrival if MED were compared as the paths come (RFC 4451, section 2.3).
func TestDeterministicMED(t *testing.T) {
	a, b, c := peer(2, 65000), peer(3, 65000), peer(4, 65000)
	a.RouterID, b.RouterID, c.RouterID = ip("1.1.1.1"), ip("1.1.1.3"), ip("1.1.1.2")
	med := func(as, med uint32) *Attributes {
		return &Attributes{ASPath: path(as), NextHop: hub, MED: med, HasMED: true}
	}
	paths := map[*Neighbor]*Attributes{a: med(65001, 10), b: med(65001, 5), c: med(65002, 99)}
	for _, order := range [][]*Neighbor{{a, b, c}, {a, c, b}, {b, a, c}, {b, c, a}, {c, a, b}, {c, b, a}} {
		table := newTable()
		for _, n := range order {
			table.Learn(ten, n, 0, paths[n], 0)
		}
		if got := table.best(ten); got != "4" { // 3 beats 2 within its AS, and 4 has the lower router ID
			t.Errorf("best is %q", got)
		}
	}
}

// TestIgnoreMetric: of two internal paths the farther one is chosen, by its address.
func TestIgnoreMetric(t *testing.T) {
	table := newTable(func(c *Config) { c.TrackNextHops = true })
	for i, n := range []*Neighbor{peer(2, 65000), peer(3, 65000)} {
		table.Learn(ten, n, 0, &Attributes{NextHop: n.Address}, 0)
		table.SetNextHop(n.Address, true, uint32(20-i))
	}
	if got := table.best(ten); got != "3" {
		t.Errorf("best is %q", got)
	}
	c := table.config
	c.IgnoreMetric = true
	table.Configure(c)
	if got := table.best(ten); got != "2" {
		t.Errorf("best is %q where the metric is ignored", got)
	}
}

// TestDefaultLocalPref: external and own routes have it, but for those that a policy or an
// internal neighbour gives another, and a change concerns what is there.
func TestDefaultLocalPref(t *testing.T) {
	table := newTable(func(c *Config) { c.LocalPref = 150 })
	lower := peer(3, 65003)
	lower.IPv4.Import = preferring(120)
	for _, n := range []*Neighbor{peer(2, 65002), lower, peer(4, 65000)} {
		table.Learn(ten, n, 0, &Attributes{NextHop: n.Address, LocalPref: 999, HasLocalPref: n.External}, 0)
	}
	table.Originate(ten, Originated, &Attributes{NextHop: hub}, 0)
	preferences := func() (out []uint32) {
		for _, o := range table.dest(ten).paths {
			out = append(out, o.Attributes.Preference())
		}
		return out
	}
	if got := fmt.Sprint(preferences()); got != "[150 120 100 150]" {
		t.Errorf("LOCAL_PREF %s", got)
	}
	c := table.config
	c.LocalPref = 0
	table.Configure(c)
	if got := fmt.Sprint(preferences()); got != "[100 120 100 100]" {
		t.Errorf("LOCAL_PREF %s without a default", got)
	}
}

// TestLoops has RFC 4271, section 9.1.2, and RFC 4456, section 8.
func TestLoops(t *testing.T) {
	n, in := peer(2, 65002), peer(3, 65000)
	table := newTable()
	own := &Attributes{ASPath: path(65002, 65000), NextHop: hub}
	table.Learn(ten, n, 0, &Attributes{ASPath: path(65002), NextHop: hub}, 0)
	if got := table.best(ten); got != "2" {
		t.Fatalf("best is %q", got)
	}
	// The path that loops takes the place of the one before.
	table.Learn(ten, n, 0, own, 0)
	if got := table.best(ten); got != "" || n.Count4 != (Count{1, 0}) {
		t.Errorf("best is %q, %+v", got, n.Count4)
	}
	n.IPv4.AllowASIn = 1
	table.Reimport(func(o *Neighbor) bool { return o == n })
	if got := table.best(ten); got != "2" || n.Count4 != (Count{1, 1}) {
		t.Errorf("best is %q, %+v", got, n.Count4)
	}
	table.Unlearn(ten, n, 0)
	for _, a := range []Attributes{{OriginatorID: hub}, {ClusterList: []netip.Addr{ip("9.9.9.9"), hub}}} {
		table.Learn(ten, in, 0, &a, 0)
		if got := table.best(ten); got != "" {
			t.Errorf("%+v: best is %q", a, got)
		}
	}
	if table.Unlearn(ten, in, 0); table.best(ten) != "" || table.Len() != 0 {
		t.Error("an empty prefix stays")
	}
}

// TestNextHops follows the next hops of paths from unknown to reachable, and away.
func TestNextHops(t *testing.T) {
	table := newTable(func(c *Config) { c.TrackNextHops = true })
	a, b := peer(2, 65000), peer(3, 65000)
	table.Learn(ten, a, 0, &Attributes{NextHop: ip("10.0.0.2")}, 0)
	table.Learn(ten, b, 0, &Attributes{NextHop: ip("10.0.0.3")}, 0)
	if got := fmt.Sprint(table.HopUses()); got != "[{10.0.0.2 true} {10.0.0.3 true}]" {
		t.Errorf("uses %s", got)
	}
	table.Changed(9, 0)
	step := func(want string, hop string, reachable bool, metric uint32) {
		t.Helper()
		table.SetNextHop(ip(hop), reachable, metric)
		if got := table.Changed(9, 0); len(got) != 1 {
			t.Errorf("marked %v", got)
		}
		if got := table.best(ten); got != want {
			t.Errorf("best is %q, not %q", got, want)
		}
	}
	if got := table.best(ten); got != "" {
		t.Errorf("by next hops that nobody knows: %q", got)
	}
	step("3", "10.0.0.3", true, 20)
	step("2", "10.0.0.2", true, 10) // the nearer one
	step("3", "10.0.0.2", true, 30)
	step("2", "10.0.0.3", false, 0)
	table.SetNextHop(ip("10.9.9.9"), true, 1)
	if got := table.Changed(9, 0); len(got) != 0 {
		t.Errorf("a next hop that nobody uses marked %v", got)
	}
	table.Unlearn(ten, a, 0)
	table.best(ten)
	if got := fmt.Sprint(table.HopUses()); got != "[{10.0.0.2 false}]" || len(table.hops) != 1 {
		t.Errorf("uses %s, %d known", got, len(table.hops))
	}
}

func TestMultipath(t *testing.T) {
	type c = func(*Config)
	set := func(ext, in int, relax bool) c {
		return func(c *Config) { c.Paths, c.InternalPaths, c.MultipathRelax = ext, in, relax }
	}
	learn := func(table *Table, n *Neighbor, as ...uint32) {
		table.Learn(ten, n, 0, &Attributes{ASPath: path(as...), NextHop: n.Address}, 0)
	}
	cases := []struct {
		name string
		c    c
		want string
	}{
		{"none", set(1, 1, false), "2"},
		{"external", set(4, 1, false), "2 3"},
		{"limit", set(2, 1, true), "2 3"},
		{"relaxed", set(4, 1, true), "2 3 4"},
	}
	for _, c := range cases {
		table := newTable(c.c)
		learn(table, peer(2, 65002), 65002)
		learn(table, peer(3, 65002), 65002)
		learn(table, peer(4, 65004), 65004)
		learn(table, peer(5, 65005), 65005, 1) // longer
		learn(table, peer(6, 65000), 65002)    // internal
		if got := table.best(ten); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	table := newTable(set(1, 2, false))
	learn(table, peer(2, 65000), 65002)
	learn(table, peer(3, 65000), 65002)
	learn(table, peer(4, 65000), 65002)
	if got := table.best(ten); got != "2 3" {
		t.Errorf("internal: %q", got)
	}
}

func TestSelectTellsChanges(t *testing.T) {
	table := newTable()
	n := peer(2, 65002)
	changed := func(want bool, what string) {
		t.Helper()
		if _, got := table.Select(ten); got != want {
			t.Errorf("%s: changed is %v", what, got)
		}
	}
	a := Attributes{ASPath: path(65002), NextHop: n.Address}
	table.Learn(ten, n, 0, &a, 5)
	changed(true, "first")
	b := a
	table.Learn(ten, n, 0, &b, 9)
	changed(false, "the same again")
	if got := table.Paths(ten)[0].Since; got != 5 {
		t.Errorf("since %d", got)
	}
	table.Learn(ten, peer(3, 65002), 0, &Attributes{ASPath: path(65002, 1), NextHop: n.Address}, 9)
	changed(false, "a worse one")
	c := a
	c.MED, c.HasMED = 7, true
	table.Learn(ten, n, 0, &c, 9)
	changed(true, "another MED")
}

func TestAggregates(t *testing.T) {
	table := newTable()
	n := peer(2, 65002)
	wide := netip.MustParsePrefix("10.0.0.0/8")
	table.SetAggregates([]Aggregate{{Prefix: wide, SummaryOnly: true, ASSet: true}})
	marks := map[netip.Prefix]int{}
	settle := func() {
		for list := table.Changed(9, 0); len(list) > 0; list = table.Changed(9, 0) {
			for _, p := range list {
				table.Select(p)
				marks[p]++
			}
		}
	}
	table.Learn(ten, n, 0, &Attributes{ASPath: path(65002, 7), NextHop: n.Address, Origin: Incomplete, Communities: []policy.Community{5}}, 0)
	table.Learn(netip.MustParsePrefix("10.2.0.0/16"), n, 0, &Attributes{ASPath: path(65002), NextHop: n.Address}, 0)
	table.Originate(netip.MustParsePrefix("10.1.0.0/16"), Originated, &Attributes{}, 0)
	settle()
	got := table.Paths(wide)
	if len(got) != 1 || !got[0].Best || got[0].ID != Aggregated || got[0].Attributes.ASPath.String() != "{7,65002}" ||
		got[0].Attributes.Origin != Incomplete || !got[0].Attributes.Has(5) || got[0].Attributes.Aggregator.AS != 65000 {
		t.Fatalf("%+v", got)
	}
	if !table.Suppressed(ten) || table.Suppressed(wide) {
		t.Error("who is suppressed")
	}
	if marks[ten] != 2 { // once more when the aggregate took its place
		t.Errorf("marked %d times", marks[ten])
	}
	table.Learn(ten, n, 0, &Attributes{ASPath: path(65002, 8), NextHop: n.Address}, 0)
	settle()
	if a := table.Paths(wide)[0].Attributes; a.ASPath.String() != "{8,65002}" {
		t.Errorf("after a change of a member: %+v", a)
	}
	table.Unlearn(ten, n, 0)
	table.Unlearn(netip.MustParsePrefix("10.2.0.0/16"), n, 0)
	settle()
	if a := table.Paths(wide)[0].Attributes; a.ASPath != nil || a.Origin != IGP {
		t.Errorf("without the one that left: %+v", a)
	}
	table.Withdraw(netip.MustParsePrefix("10.1.0.0/16"), Originated)
	settle()
	if table.Len() != 0 || table.Suppressed(ten) {
		t.Errorf("an aggregate of nothing: %v", table.Prefixes(rib.IPv4))
	}
	table.Learn(ten, n, 0, &Attributes{ASPath: path(65002), NextHop: n.Address}, 0)
	table.SetAggregates([]Aggregate{{Prefix: wide}})
	settle()
	if a := table.Paths(wide)[0].Attributes; !a.AtomicAggregate || a.ASPath != nil || table.Suppressed(ten) {
		t.Errorf("%+v", a) // RFC 4271, section 5.1.6
	}
	table.SetAggregates(nil)
	settle()
	if table.Len() != 1 {
		t.Errorf("an aggregate that is no more: %v", table.Prefixes(rib.IPv4))
	}
}

// TestStale has a neighbour restart: RFC 4724, section 4.2, and RFC 9494, section 4.
func TestStale(t *testing.T) {
	table := newTable()
	n := peer(2, 65002)
	second, third := netip.MustParsePrefix("10.2.0.0/16"), netip.MustParsePrefix("10.3.0.0/16")
	a := &Attributes{ASPath: path(65002), NextHop: n.Address}
	table.Learn(ten, n, 0, a, 0)
	table.Learn(second, n, 0, a, 0)
	table.Learn(third, n, 0, &Attributes{ASPath: path(65002), NextHop: n.Address, Communities: []policy.Community{NoLLGR}}, 0)
	if got := table.Stale(n); got != 3 || !table.Paths(ten)[0].Stale {
		t.Fatalf("%d stale", got)
	}
	table.LongLived(n)
	if got := table.best(third); got != "" {
		t.Errorf("NO_LLGR: best is %q", got)
	}
	table.Learn(ten, peer(3, 65003), 0, &Attributes{ASPath: path(65003, 1, 2), NextHop: hub}, 0)
	if got := table.best(ten); got != "3" {
		t.Errorf("LLGR_STALE: best is %q", got)
	}
	table.Learn(ten, n, 0, a, 0) // it is back
	if got := table.best(ten); got != "2" {
		t.Errorf("said again: best is %q", got)
	}
	table.Forget(n, rib.IPv4, true)
	if got := table.best(second) + table.best(ten); got != "2" || n.Count4 != (Count{1, 1}) {
		t.Errorf("after the end of RIB: %q, %+v", got, n.Count4)
	}
}

func TestReflects(t *testing.T) {
	external, plain, client := peer(2, 65002), peer(3, 65000), peer(4, 65000)
	client.IPv4.Client = true
	cases := []struct {
		from             *Neighbor
		community        policy.Community
		external, client bool
		want             bool
	}{
		{nil, 0, false, false, true}, {external, 0, false, false, true}, {plain, 0, false, false, false},
		{plain, 0, false, true, true}, {client, 0, false, false, true}, {plain, 0, true, false, true},
		{external, policy.CommunityNoAdvertise, false, false, false}, {external, policy.CommunityNoExport, false, false, true},
		{external, policy.CommunityNoExport, true, false, false}, {nil, policy.CommunityLocalAS, true, false, false},
	}
	for i, c := range cases {
		a := &Attributes{Communities: []policy.Community{c.community}}
		if got := Reflects(&Path{Neighbor: c.from, Attributes: a}, ten, c.external, c.client); got != c.want {
			t.Errorf("case %d: %v", i, got)
		}
	}
}

// preferring is a policy that sets LOCAL_PREF.
type preferring uint32

func (p preferring) Apply(r Route) (*Attributes, bool) {
	a := *r.Attributes
	a.LocalPref, a.HasLocalPref = uint32(p), true
	return &a, true
}
