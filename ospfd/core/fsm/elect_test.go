package fsm

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// router is a router whose address is its ID and 100.
func router(id packet.ID, priority uint8, designated, backup packet.ID) Router {
	return Router{ID: id, Address: id + 100, Priority: priority, Designated: designated, Backup: backup}
}

// What section 9.4 and its footnote 5 tell of the election.
func TestElect(t *testing.T) {
	for _, tt := range []struct {
		name      string
		self      Router
		neighbors []Router
		want      Election
	}{
		{"alone: designated router without backup", router(1, 1, 0, 0), nil,
			Election{Designated: 101, State: InterfaceDR, Changed: true, Promoted: true}},
		{"alone and not eligible", router(1, 0, 0, 0), nil, Election{State: InterfaceDROther}},
		{"not eligible, nor anybody", router(1, 0, 0, 0), []Router{router(2, 0, 102, 102)}, Election{State: InterfaceDROther}},
		{"not eligible, and nobody has declared anything: a neighbour may be both", router(1, 0, 0, 0), []Router{router(2, 1, 0, 0)},
			Election{Designated: 102, Backup: 102, State: InterfaceDROther, Changed: true}},
		{"highest priority", router(1, 3, 0, 0), []Router{router(2, 2, 0, 0), router(3, 1, 0, 0)},
			Election{Designated: 101, Backup: 102, State: InterfaceDR, Changed: true, Promoted: true}},
		{"a tie: highest router ID", router(1, 1, 0, 0), []Router{router(2, 1, 102, 0), router(4, 1, 0, 0), router(3, 1, 0, 0)},
			Election{Designated: 102, Backup: 104, State: InterfaceDROther, Changed: true}},
		{"a tie: not the address", Router{ID: 1, Address: 109, Priority: 1}, []Router{{ID: 2, Address: 102, Priority: 1}},
			Election{Designated: 102, Backup: 102, State: InterfaceDROther, Changed: true}},
		{"a higher priority displaces nobody", router(1, 255, 0, 0), []Router{router(2, 1, 102, 103), router(3, 1, 102, 103)},
			Election{Designated: 102, Backup: 103, State: InterfaceDROther, Changed: true}},
		{"no backup yet", router(1, 1, 0, 0), []Router{router(2, 1, 102, 0)},
			Election{Designated: 102, Backup: 101, State: InterfaceBackup, Changed: true, Promoted: true}},
		{"two designated routers after a partition: the one of lower priority gives way", router(1, 1, 101, 0), []Router{router(2, 2, 102, 0)},
			Election{Designated: 102, Backup: 101, State: InterfaceBackup, Changed: true, Promoted: true}},
		{"the same, of higher priority", router(2, 2, 102, 0), []Router{router(1, 1, 101, 0)},
			Election{Designated: 102, State: InterfaceDR}},
		{"nothing changes", router(1, 1, 101, 102), []Router{router(2, 1, 101, 102), router(3, 9, 101, 102)},
			Election{Designated: 101, Backup: 102, State: InterfaceDR}},
		{"footnote 5: RT1 is gone, RT2 has not seen it: RT2 is both", router(3, 1, 101, 102), []Router{router(2, 1, 101, 102), router(4, 1, 101, 102)},
			Election{Designated: 102, Backup: 102, State: InterfaceDROther, Changed: true}},
		{"footnote 5: RT2 sees it: RT2, and the remaining one of highest priority", router(2, 1, 101, 102), []Router{router(3, 1, 101, 102), router(4, 5, 101, 102)},
			Election{Designated: 102, Backup: 104, State: InterfaceDR, Changed: true, Promoted: true}},
		{"priority taken away", router(1, 0, 101, 102), []Router{router(2, 1, 101, 102)},
			Election{Designated: 102, Backup: 102, State: InterfaceDROther, Changed: true}},
		{"who has no address is nobody", router(1, 1, 0, 0), []Router{{ID: 9, Priority: 9}},
			Election{Designated: 101, State: InterfaceDR, Changed: true, Promoted: true}},
	} {
		if got := Elect(tt.self, tt.neighbors); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// naive is section 9.4 by sorting lists.
func naive(self Router, neighbors []Router) (dr, bdr packet.ID) {
	once := func() (dr, bdr packet.ID) {
		list := slices.DeleteFunc(append([]Router{self}, neighbors...), func(r Router) bool { return r.Priority == 0 })
		slices.SortFunc(list, func(a, b Router) int { return int(b.Priority)<<16 - int(a.Priority)<<16 + int(b.ID) - int(a.ID) })
		first := func(ok func(Router) bool) packet.ID {
			if i := slices.IndexFunc(list, ok); i >= 0 {
				return list[i].Address
			}
			return 0
		}
		bdr = first(func(r Router) bool { return r.Designated != r.Address && r.Backup == r.Address })
		if bdr == 0 {
			bdr = first(func(r Router) bool { return r.Designated != r.Address })
		}
		if dr = first(func(r Router) bool { return r.Designated == r.Address }); dr == 0 {
			dr = bdr
		}
		return dr, bdr
	}
	role := func(dr, bdr packet.ID) [2]bool { return [2]bool{dr == self.Address, bdr == self.Address} }
	was := role(self.Designated, self.Backup)
	dr, bdr = once()
	if role(dr, bdr) != was {
		self.Designated, self.Backup = dr, bdr
		dr, bdr = once()
	}
	return dr, bdr
}

func TestElectAgainstNaive(t *testing.T) {
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 4))
		n := 1 + r.IntN(6)
		var all []Router
		for i := range n {
			all = append(all, router(packet.ID(i+1), uint8(r.IntN(3)), packet.ID(r.IntN(n+1)), packet.ID(r.IntN(n+1))))
			for _, at := range []*packet.ID{&all[i].Designated, &all[i].Backup} {
				if *at != 0 {
					*at += 100
				}
			}
		}
		r.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
		self, neighbors := all[0], all[1:]
		got := Elect(self, neighbors)
		dr, bdr := naive(self, neighbors)
		state := InterfaceDROther
		if bdr == self.Address {
			state = InterfaceBackup
		}
		if dr == self.Address {
			state = InterfaceDR
		}
		promoted := dr == self.Address && self.Designated != dr || dr != self.Address && bdr == self.Address && self.Backup != bdr
		want := Election{dr, bdr, state, dr != self.Designated || bdr != self.Backup, promoted}
		if got != want {
			t.Fatalf("seed %d: %+v of %+v: %+v, want %+v", seed, self, neighbors, got, want)
		}
		if got.Designated == self.Address && got.Backup == self.Address {
			t.Fatalf("seed %d: it is both itself", seed)
		}
	}
}

// Routers that hear each other's Hellos come to agree, whoever begins, and again when one goes.
func TestElectSettles(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 5))
		var all []Router
		eligible := 0
		for i := range 1 + r.IntN(8) {
			all = append(all, router(packet.ID(i+1), uint8(r.IntN(3)), 0, 0))
			if all[i].Priority > 0 {
				eligible++
			}
		}
		for len(all) > 0 {
			settle(t, seed, r, all)
			for _, x := range all {
				if x.Designated != all[0].Designated || x.Backup != all[0].Backup || (x.Designated != 0) != (eligible > 0) || (x.Backup != 0) != (eligible > 1) ||
					x.Designated != 0 && x.Designated == x.Backup {
					t.Fatalf("seed %d: of %d eligible: %+v", seed, eligible, all)
				}
			}
			gone := r.IntN(len(all))
			if all[gone].Priority > 0 {
				eligible--
			}
			all = slices.Delete(all, gone, gone+1)
		}
	}
}

// settle lets routers, in any order, calculate until nothing changes.
func settle(t *testing.T, seed uint64, r *rand.Rand, all []Router) {
	for range 50 {
		changed := false
		for _, i := range r.Perm(len(all)) {
			e := Elect(all[i], slices.Concat(all[:i], all[i+1:]))
			changed = changed || e.Changed
			all[i].Designated, all[i].Backup = e.Designated, e.Backup
		}
		if !changed {
			return
		}
	}
	t.Fatalf("seed %d: never settles: %+v", seed, all)
}

// Section 10.5: what a Hello is for the interface.
func TestHeard(t *testing.T) {
	nobody, dr, bdr := router(2, 1, 103, 104), router(2, 1, 102, 104), router(2, 1, 103, 102)
	alone := router(2, 1, 102, 0)
	strong := router(2, 2, 103, 104)
	for _, tt := range []struct {
		name          string
		before, after Router
		waiting       string
		later         string
	}{
		{"nothing new", nobody, nobody, "", ""},
		{"others are declared", nobody, router(2, 1, 105, 106), "", ""},
		{"newly designated, with a backup", nobody, dr, "NeighborChange", "NeighborChange"},
		{"newly designated, without a backup", nobody, alone, "BackupSeen", "NeighborChange"},
		{"designated as before, without a backup", alone, alone, "BackupSeen", ""},
		{"designated no longer", dr, nobody, "NeighborChange", "NeighborChange"},
		{"newly backup", nobody, bdr, "BackupSeen", "NeighborChange"},
		{"backup as before", bdr, bdr, "BackupSeen", ""},
		{"backup no longer", bdr, nobody, "NeighborChange", "NeighborChange"},
		{"priority", nobody, strong, "NeighborChange", "NeighborChange"},
		{"the first Hello", Router{}, dr, "NeighborChange", "NeighborChange"},
		{"the first Hello, of nobody with priority 0", Router{}, router(2, 0, 0, 0), "", ""},
	} {
		for s := range interfaceStates {
			want := tt.later
			if s == InterfaceWaiting {
				want = tt.waiting
			}
			got := ""
			if e, ok := Heard(s, tt.before, tt.after); ok {
				got = e.String()
			}
			if got != want {
				t.Errorf("%s, %v: %q, want %q", tt.name, s, got, want)
			}
		}
	}
}
