package ospf

import (
	"fmt"
	"testing"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// TestAreas has an area of each kind, external routes of both types, and an area that
// only a virtual link joins to the backbone. Without that link it is alone.
func TestAreas(t *testing.T) {
	t.Parallel()
	tp := harness.New(t)
	var r [8]*harness.Node
	for i := 1; i < len(r); i++ {
		r[i] = tp.Router(fmt.Sprintf("r%d", i))
	}
	links := map[*harness.Node]string{}
	for area, ends := range [][2]int{0: {1, 2}, 1: {2, 3}, 2: {3, 4}, 3: {2, 5}, 4: {2, 6}, 5: {1, 7}} {
		a, b := ends[0], ends[1]
		toA, toB := fmt.Sprintf("to-r%d", a), fmt.Sprintf("to-r%d", b)
		tp.Link(r[a], toB, fmt.Sprintf("%d.0.0.%d/24", 10+area, a), r[b], toA, fmt.Sprintf("%d.0.0.%d/24", 10+area, b))
		links[r[a]] += quick(toB, "")
		links[r[b]] += quick(toA, "")
	}
	const null = "ip route 192.168.%d.0/24 Null0\n"
	harness.StartZebras(t, map[*harness.Node]string{
		r[1]: links[r[1]] + fmt.Sprintf(null, 1) + ospf(1, network("10.0.0.0", 0)+network("15.0.0.0", 5)+" area 5 stub no-summary\n"+
			" redistribute static subnets metric 50 metric-type 1\n default-information originate always\n"),
		r[2]: links[r[2]] + ospf(2, network("10.0.0.0", 0)+network("11.0.0.0", 1)+network("13.0.0.0", 3)+network("14.0.0.0", 4)+
			" area 3 stub\n area 4 nssa\n area 1 virtual-link 3.3.3.3 hello-interval 1 dead-interval 4\n"),
		r[3]: links[r[3]] + ospf(3, network("11.0.0.0", 1)+network("12.0.0.0", 2)+" area 1 virtual-link 2.2.2.2 hello-interval 1 dead-interval 4\n"),
		r[4]: links[r[4]] + ospf(4, network("12.0.0.0", 2)),
		r[5]: links[r[5]] + ospf(5, network("13.0.0.0", 3)+" area 3 stub\n"),
		r[6]: links[r[6]] + fmt.Sprintf(null, 6) + ospf(6, network("14.0.0.0", 4)+" area 4 nssa\n redistribute static subnets\n"),
		r[7]: links[r[7]] + ospf(7, network("15.0.0.0", 5)+" area 5 stub\n"),
	})
	const static1, static6, anything = "192.168.1.0/24", "192.168.6.0/24", "0.0.0.0/0"
	nets := func(areas ...int) (all []string) {
		for _, a := range areas {
			all = append(all, fmt.Sprintf("%d.0.0.0/24", 10+a))
		}
		return all
	}
	whole := []func() error{
		routes(r[1], append(nets(1, 2, 3, 4), static6)...),
		routes(r[2], append(nets(2, 5), static1, static6, anything)...),
		routes(r[3], append(nets(0, 3, 4, 5), static1, static6, anything)...),
		routes(r[4], append(nets(0, 1, 3, 4, 5), static1, static6, anything)...),
		routes(r[5], append(nets(0, 1, 2, 4, 5), anything)...),
		routes(r[6], nets(0, 1, 2, 3, 5)...),
		routes(r[7], anything),
	}
	await(t, whole...)
	r[4].MustPing("15.0.0.7", 3)
	r[7].MustPing("14.0.0.6", 3)

	r[2].Configure("router ospf 1\nno area 1 virtual-link 3.3.3.3")
	await(t, routes(r[4], nets(1)...), routes(r[1], append(nets(1, 3, 4), static6)...))
	r[2].Configure("router ospf 1\narea 1 virtual-link 3.3.3.3 hello-interval 1 dead-interval 4")
	await(t, whole...)

	// The ways of area 4 go, and come back.
	r[6].Configure("router ospf 1\nno redistribute static subnets")
	await(t, routes(r[1], nets(1, 2, 3, 4)...), routes(r[4], append(nets(0, 1, 3, 4, 5), static1, anything)...))
	r[6].Configure("router ospf 1\nredistribute static subnets")
	await(t, whole...)
}
