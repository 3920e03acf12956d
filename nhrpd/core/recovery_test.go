package core_test

import (
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// checkRecovery holds the servers against max-connections: of a cluster no more are
// connected than it allows, but for those that are about to give way; none is left
// alone unless enough others are connected or asked that are no worse; and who is
// left alone is not asked.
func (m *mirror) checkRecovery(t *rapid.T) {
	for _, s := range m.servers {
		if s.MaxConnections < 0 {
			if s.State == core.NHSStandby {
				t.Fatalf("%+v is left alone in a cluster without a limit", s)
			}
			continue
		}
		connected, busy := 0, 0
		for _, o := range m.servers {
			if o.Interface != s.Interface || o.Cluster != s.Cluster {
				continue
			}
			if o.State == core.NHSResponding && o.Fallback == core.NoExpiry {
				connected++
			}
			if (o.State == core.NHSResponding || o.State == core.NHSExpecting) && o.Priority <= s.Priority {
				busy++
			}
		}
		if connected > s.MaxConnections {
			t.Fatalf("%d of cluster %d are connected, not %d: %+v", connected, s.Cluster, s.MaxConnections, m.servers)
		}
		if s.State != core.NHSStandby {
			continue
		}
		if busy < s.MaxConnections {
			t.Fatalf("%+v is left alone, and only %d are connected or asked", s, busy)
		}
		if s.Pending || s.NextSend != core.NoExpiry {
			t.Fatalf("%+v is left alone and asked", s)
		}
	}
}

// checkLines holds what was stated of line protocols against the servers.
func (m *mirror) checkLines(t *rapid.T) {
	tunnels := map[string]bool{}
	for _, i := range m.report.(*core.PeerReport).Interfaces {
		tunnels[i.Interface] = true
		down, stated := m.lines[i.Interface]
		if !i.LineControl {
			if stated {
				t.Fatalf("the line protocol of %s is stated", i.Interface)
			}
			continue
		}
		up, asked := false, false
		for _, s := range i.Servers {
			up = up || s.State == core.NHSResponding
			asked = asked || s.State == core.NHSExpecting
		}
		switch {
		case !stated && (m.replayed || up):
			t.Fatalf("the line protocol of %s is not stated", i.Interface)
		case stated && up && down, stated && !up && !asked && !down:
			t.Fatalf("the line protocol of %s is down: %v; servers %+v", i.Interface, down, i.Servers)
		}
	}
	for name := range m.lines {
		if !tunnels[name] {
			t.Fatalf("the line protocol of %s is stated, which is not configured", name)
		}
	}
}
