package core

import (
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// TestNSSABorder: what a border router redistributes into an NSSA has no P-bit (RFC 3101
// section 2.4), with no-redistribution it does not; suppress-fa.
func TestNSSABorder(t *testing.T) {
	nssa := AreaConfig{ID: 1, Kind: AreaNSSA, SuppressFA: true}
	l, x, b, _, _, z := chain(t, byAddress(nssa))
	b.instance().Redistribute = []Redistribute{{Protocol: rib.Static}, {Protocol: rib.RIP, NSSAOnly: true}}
	x.instance().Redistribute = []Redistribute{{Protocol: rib.Static}, {Protocol: rib.RIP, NSSAOnly: true}}
	l.start()
	b.redistribute(rib.Static, "172.16.0.0/16")
	b.redistribute(rib.RIP, "172.17.0.0/16")
	x.redistribute(rib.Static, "172.18.0.0/16 10.1.91.9 Eth9")
	x.redistribute(rib.RIP, "172.19.0.0/16")
	l.advance(2 * time.Minute)
	same(t, "type-7 LSAs", x.lsas(packet.NSSALSA), "0.0.0.1: 172.16.0.0 of 0.0.0.2: 255.255.0.0 E2 20", "0.0.0.1: 172.17.0.0 of 0.0.0.2: 255.255.0.0 E2 20",
		"0.0.0.1: 172.18.0.0 of 0.0.0.1: 255.255.0.0 E2 20, via 10.1.91.9, P", "0.0.0.1: 172.19.0.0 of 0.0.0.1: 255.255.0.0 E2 20")
	same(t, "type-5 LSAs", z.lsas(packet.ExternalLSA), "AS: 172.16.0.0 of 0.0.0.2: 255.255.0.0 E2 20", "AS: 172.18.0.0 of 0.0.0.2: 255.255.0.0 E2 20")
	// Another forwarding address, on the same way.
	nssa.SuppressFA = false
	b.instance().Areas = []AreaConfig{nssa}
	b.configure()
	x.redistribute(rib.Static, "172.18.0.0/16 10.1.91.11 Eth9")
	l.advance(time.Minute)
	same(t, "type-5 LSAs", z.lsas(packet.ExternalLSA), "AS: 172.16.0.0 of 0.0.0.2: 255.255.0.0 E2 20", "AS: 172.18.0.0 of 0.0.0.2: 255.255.0.0 E2 20, via 10.1.91.11")
	x.redistribute(rib.Static, "172.18.0.0/16 10.1.91.12 Eth9")
	l.advance(time.Minute)
	same(t, "type-5 LSAs", z.lsas(packet.ExternalLSA), "AS: 172.16.0.0 of 0.0.0.2: 255.255.0.0 E2 20", "AS: 172.18.0.0 of 0.0.0.2: 255.255.0.0 E2 20, via 10.1.91.12")
	nssa.NoRedistribution = true
	b.instance().Areas = []AreaConfig{nssa}
	b.configure()
	l.advance(time.Minute)
	if got := x.lsas(packet.NSSALSA); len(got) != 2 {
		t.Errorf("%q", got)
	}
	b.instance().SummaryAddresses = []SummaryAddress{{Prefix: prefix("172.16.0.0/12")}}
	b.configure()
	l.advance(time.Minute)
	same(t, "type-5 LSAs", z.lsas(packet.ExternalLSA), "AS: 172.16.0.0 of 0.0.0.2: 255.240.0.0 E2 20")
	b.edit("Eth1", setDown) // the backbone
	b.edit("Eth9", setDown)
	l.advance(time.Minute)
	if st := b.query(Query{Kind: ReportStatus}).(*StatusReport).Instances[0]; st.AreaBorder || st.Areas[1].Translator {
		t.Errorf("%+v", st.Areas)
	}
}

// TestTranslatorStability: a translator that is supplanted goes on for 40 seconds (RFC 3101
// section 3.1).
func TestTranslatorStability(t *testing.T) {
	var tr translator
	for _, step := range []struct {
		at                        time.Duration
		border, always, other, on bool
	}{
		{0, false, false, false, false}, {1, true, false, false, true}, {2, true, false, true, true}, {41, true, false, true, true}, {42, true, false, true, false},
		{50, true, true, true, true}, {51, true, false, false, true}, {52, true, false, true, true}, {60, true, false, false, true}, {93, true, false, true, true},
		{94, false, true, false, false},
	} {
		tr.elect(instant(step.at), step.border, step.always, step.other)
		if tr.on != step.on {
			t.Errorf("after %d s: %+v", step.at, tr)
		}
	}
}

// TestMaximumMetrics: `max-metric router-lsa summary-lsa external-lsa include-stub`.
func TestMaximumMetrics(t *testing.T) {
	l, x, b, _, _, _ := chain(t, byAddress())
	b.instance().Redistribute = []Redistribute{{Protocol: rib.Static}}
	b.instance().MaxMetric = &MaxMetric{IncludeStub: true, Summary: 1000, External: 2000}
	l.start()
	b.redistribute(rib.Static, "172.16.0.0/16")
	l.advance(2 * time.Minute)
	same(t, "type-5 LSAs", x.lsas(packet.ExternalLSA), "AS: 172.16.0.0 of 0.0.0.2: 255.255.0.0 E2 2000")
	for _, s := range x.lsas(packet.SummaryLSA) {
		if s[len(s)-5:] != " 1000" {
			t.Error(s)
		}
	}
	same(t, "router-LSA", b.lsas(packet.RouterLSA)[:1],
		"0.0.0.0: 0.0.0.2 of 0.0.0.2: B, E, transit 10.0.1.3/10.0.1.2 65535, stub 10.0.92.0/255.255.255.0 65535")
}

func instant(s time.Duration) clock.Instant { return clock.Instant(s * time.Second) }
