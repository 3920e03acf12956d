package core

import (
	"net/netip"
	"testing"
)

// TestNeighborFilter: the line with the address of the interface goes before the one without.
func TestNeighborFilter(t *testing.T) {
	own, other := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	of, all := NeighborFilter{List: "of", Addr: own}, NeighborFilter{List: "all"}
	for _, ic := range []InterfaceConfig{{NeighborFilters: []NeighborFilter{of, all}}, {NeighborFilters: []NeighborFilter{all, of}}} {
		same(t, "lists", []string{ic.NeighborFilter(own), ic.NeighborFilter(other), ic.NeighborFilter(netip.Addr{})}, "of", "all", "all")
	}
	only := InterfaceConfig{NeighborFilters: []NeighborFilter{of}}
	same(t, "lists", []string{only.NeighborFilter(own), only.NeighborFilter(other)}, "of", "")
}
