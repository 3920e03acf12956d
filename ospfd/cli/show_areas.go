package cli

import (
	"cmp"
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// areaJSON is an area for programs.
type areaJSON struct {
	Area           string                 `json:"area"`
	Kind           string                 `json:"kind"` // "normal", "stub", "nssa"
	NoSummary      bool                   `json:"noSummary"`
	DefaultCost    uint32                 `json:"defaultCost"`
	Authentication string                 `json:"authentication"`
	Interfaces     int                    `json:"interfaces"`
	Loopbacks      int                    `json:"loopbacks"`
	Transit        bool                   `json:"transit"`
	Shortcut       string                 `json:"shortcut"`
	ShortcutBit    bool                   `json:"shortcutBit"`
	ShortcutInUse  bool                   `json:"shortcutInUse"`
	Translator     bool                   `json:"translator"`
	Elected        bool                   `json:"translatorElected"`
	SPFRuns        int                    `json:"spfRuns"`
	LastSPF        float64                `json:"lastSpf"` // seconds ago
	LSAs           summaryJSON            `json:"lsas"`
	Opaque         summaryJSON            `json:"opaqueLsas"`
	Types          map[string]summaryJSON `json:"lsasByType"`
	Demand         demandJSON             `json:"demandCircuits"`
	Flood          int                    `json:"floodList"`
	Borders        int                    `json:"areaBorderRouters"`
	ASBRs          int                    `json:"asBoundaryRouters"`
	Ranges         []rangeJSON            `json:"ranges"`
	FilterIn       string                 `json:"filterListIn,omitempty"`
	FilterOut      string                 `json:"filterListOut,omitempty"`
	ImportList     string                 `json:"importList,omitempty"`
	ExportList     string                 `json:"exportList,omitempty"`
}

// demandJSON is what keeps an area from having LSAs that do not age, and how many it has.
type demandJSON struct {
	DoNotAge   int `json:"doNotAge"`
	DCClear    int `json:"dcBitClear"`
	Indication int `json:"indications"`
}

type rangeJSON struct {
	Prefix    string  `json:"prefix"`
	Advertise bool    `json:"advertise"`
	Cost      *uint32 `json:"configuredCost"` // null: that of its parts
	NSSA      bool    `json:"nssa"`
	Active    bool    `json:"active"`
	Metric    uint32  `json:"metric"`
	// Substitute is what is told in place of the range.
	Substitute string `json:"substitute,omitempty"`
}

var kindWords = map[core.AreaKind]string{core.AreaNormal: "normal", core.AreaStub: "stub", core.AreaNSSA: "nssa"}

func areaOf(id core.Identity, s *core.AreaStatus) areaJSON {
	c := &s.Config
	out := areaJSON{Area: areaText(id, c.ID), Kind: kindWords[c.Kind], NoSummary: c.NoSummary, DefaultCost: cmp.Or(c.DefaultCost, core.DefaultAreaCost), Authentication: authWords[c.Authentication],
		Interfaces: s.Interfaces, Loopbacks: s.Loopbacks, Transit: s.Transit, Shortcut: c.Shortcut.String(), ShortcutBit: s.ShortcutBit, ShortcutInUse: s.Shortcut, Translator: s.Translator, Elected: s.Elected, SPFRuns: s.SPFRuns, LastSPF: s.LastSPF.Seconds(), LSAs: summaryJSON(s.LSAs),
		Opaque: summaryJSON(s.Opaque), Types: map[string]summaryJSON{}, Demand: demandJSON(s.Demand), Flood: s.Flood, Borders: s.BorderCount, ASBRs: s.ASBRCount, Ranges: []rangeJSON{},
		FilterIn: c.FilterIn, FilterOut: c.FilterOut, ImportList: c.ImportList, ExportList: c.ExportList}
	for t, n := range s.Types { // unordered: into a map
		out.Types[typeWord(t)] = summaryJSON(n)
	}
	for _, r := range ranges(s) {
		x := rangeJSON{Prefix: r.Prefix.String(), Advertise: !r.NotAdvertise, Cost: r.Cost, NSSA: r.NSSA, Active: r.Active, Metric: r.Metric}
		if r.Substitute.IsValid() {
			x.Substitute = r.Substitute.String()
		}
		out.Ranges = append(out.Ranges, x)
	}
	return out
}

// ranges are the ranges of an area, with what is known of them.
func ranges(s *core.AreaStatus) []core.RangeStatus {
	if len(s.Ranges) > 0 {
		return s.Ranges
	}
	out := make([]core.RangeStatus, len(s.Config.Ranges))
	for i, r := range s.Config.Ranges {
		out[i].Range = r
	}
	return out
}

// typeWord is the word of `show ip ospf database` for a type of LSAs.
func typeWord(t packet.LSType) string {
	for word, of := range databaseTypes { // unordered: one of them
		if of == t {
			return word
		}
	}
	return fmt.Sprintf("type-%d", uint8(t))
}

// areaParagraph prints what `show ip ospf` has of an area.
func areaParagraph(w io.Writer, id core.Identity, s *core.AreaStatus) {
	c := &s.Config
	line := func(format string, values ...any) { fmt.Fprintf(w, "        "+format+"\n", values...) }
	name := areaText(id, c.ID)
	if c.ID == 0 {
		name = "BACKBONE(" + name + ")"
	}
	if s.Interfaces == 0 {
		name += " (Inactive)"
	}
	fmt.Fprintf(w, "    Area %s\n", name)
	loopbacks := ""
	if s.Loopbacks > 0 {
		loopbacks = fmt.Sprintf(" (%d loopback)", s.Loopbacks)
	}
	line("Number of interfaces in this area is %d%s", s.Interfaces, loopbacks)
	areaKind(w, s)
	if s.ShortcutBit || c.Shortcut != core.ShortcutDefault {
		line("Shortcutting mode is %v, S-bit is %s, shortcuts are %s", c.Shortcut, map[bool]string{true: "set", false: "not set"}[s.ShortcutBit], map[bool]string{true: "taken", false: "not taken"}[s.Shortcut])
	}
	switch c.Authentication {
	case core.AuthenticationSimple:
		line("Area has simple password authentication")
	case core.AuthenticationMD5, core.AuthenticationKeyChain:
		line("Area has message digest authentication")
	default:
		line("Area has no authentication")
	}
	line("SPF algorithm last executed %s", ago(s.SPFRuns, s.LastSPF))
	line("SPF algorithm executed %d times", s.SPFRuns)
	line("Area ranges are")
	for _, r := range ranges(s) {
		fmt.Fprintf(w, "           %v %s %s\n", r.Prefix, rangeState(&r), rangeWord(&r))
	}
	for _, f := range [...][2]string{{c.FilterIn, "in (prefix-list)"}, {c.FilterOut, "out (prefix-list)"}, {c.ImportList, "in (access-list)"}, {c.ExportList, "out (access-list)"}} {
		if f[0] != "" {
			line("Area-filter %s %s", f[0], f[1])
		}
	}
	line("Number of LSA %d. Checksum Sum 0x%06X", s.LSAs.Count, s.LSAs.Checksum)
	line("Number of opaque link LSA %d. Checksum Sum 0x%06X", s.Opaque.Count, s.Opaque.Checksum)
	line("Number of area border routers is %d, of AS boundary routers %d", s.BorderCount, s.ASBRCount)
	line("Number of DCbitless LSA %d", s.Demand.DCClear)
	line("Number of indication LSA %d", s.Demand.Indication)
	line("Number of DoNotAge LSA %d", s.Demand.DoNotAge)
	line("Flood list length %d", s.Flood)
}

// areaKind prints the lines of stub areas and NSSAs.
func areaKind(w io.Writer, s *core.AreaStatus) {
	c := &s.Config
	line := func(format string, values ...any) { fmt.Fprintf(w, "        "+format+"\n", values...) }
	cost := cmp.Or(c.DefaultCost, core.DefaultAreaCost)
	summary := ""
	if c.NoSummary {
		summary = ", no summary LSA in this area"
	}
	switch c.Kind {
	case core.AreaStub:
		line("It is a stub area%s", summary)
		line("Generates stub default route with cost %d", cost)
	case core.AreaNSSA:
		line("It is a NSSA area%s", summary)
		switch {
		case s.Translator && s.Elected:
			line("Perform type-7/type-5 LSA translation, elected")
		case s.Translator:
			line("Perform type-7/type-5 LSA translation")
		}
		if c.SuppressFA {
			line("Suppress forwarding address in translated LSAs")
		}
		if c.NoRedistribution {
			line("No redistribution into this area")
		}
		if c.NSSADefault != nil || c.NoSummary {
			line("Generates NSSA default route with cost %d", cost)
		}
	}
}

func rangeState(r *core.RangeStatus) string {
	if !r.Active {
		return "Passive"
	}
	if r.Cost != nil {
		return fmt.Sprintf("Active(%d - configured)", r.Metric)
	}
	return fmt.Sprintf("Active(%d)", r.Metric)
}

func rangeWord(r *core.RangeStatus) string {
	word := "Advertise"
	if r.NotAdvertise {
		word = "DoNotAdvertise"
	}
	if r.Substitute.IsValid() {
		word += " as " + r.Substitute.String()
	}
	if r.NSSA {
		word += " (translated type-7 LSAs)"
	}
	return word
}
