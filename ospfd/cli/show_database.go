package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// section is LSAs of one type and scope, as the tables of a database have them.
type section struct {
	typ  packet.LSType
	area *packet.ID // nil: of the AS
	link string     // interface, of type 9
	lsas []packet.LSA
}

// typeOrder is the order of the types in tables, as on IOS.
var typeOrder = []packet.LSType{packet.RouterLSA, packet.NetworkLSA, packet.SummaryLSA, packet.ASBRSummaryLSA, packet.NSSALSA, packet.OpaqueLinkLSA, packet.OpaqueAreaLSA}

// sections divides a database.
func sections(in *core.InstanceDatabase) []section {
	var out []section
	for i := range in.Areas {
		a := &in.Areas[i]
		for _, t := range typeOrder {
			if t == packet.OpaqueLinkLSA {
				for _, l := range a.Links {
					out = append(out, section{t, &a.Area, l.Interface, l.LSAs})
				}
				continue
			}
			if lsas := ofType(a.LSAs, t); len(lsas) > 0 {
				out = append(out, section{typ: t, area: &a.Area, lsas: lsas})
			}
		}
	}
	for _, t := range []packet.LSType{packet.ExternalLSA, packet.OpaqueASLSA} {
		if lsas := ofType(in.AS, t); len(lsas) > 0 {
			out = append(out, section{typ: t, lsas: lsas})
		}
	}
	return out
}

func ofType(all []packet.LSA, t packet.LSType) []packet.LSA {
	var out []packet.LSA
	for _, lsa := range all {
		if lsa.Type == t {
			out = append(out, lsa)
		}
	}
	return out
}

// sectionNames are the headings of IOS.
var sectionNames = map[packet.LSType]string{packet.RouterLSA: "Router Link States", packet.NetworkLSA: "Net Link States", packet.SummaryLSA: "Summary Net Link States",
	packet.ASBRSummaryLSA: "Summary ASB Link States", packet.ExternalLSA: "Type-5 AS External Link States", packet.NSSALSA: "Type-7 AS External Link States",
	packet.OpaqueLinkLSA: "Type-9 Opaque Link Local Link States", packet.OpaqueAreaLSA: "Type-10 Opaque Link Area Link States", packet.OpaqueASLSA: "Type-11 Opaque AS Link States"}

func (s *section) heading(id core.Identity) string {
	text := sectionNames[s.typ]
	if s.area != nil {
		text += fmt.Sprintf(" (Area %s)", areaText(id, *s.area))
	}
	if s.link != "" {
		text += fmt.Sprintf(" (Interface %s)", s.link)
	}
	return text
}

// lsaJSON is an LSA for programs.
type lsaJSON struct {
	Type       string `json:"type"` // word of `show ip ospf database`
	Area       string `json:"area,omitempty"`
	Interface  string `json:"interface,omitempty"`
	LinkState  string `json:"linkStateId"`
	Router     string `json:"advertisingRouter"`
	Age        uint16 `json:"age"`
	DoNotAge   bool   `json:"doNotAge,omitempty"`
	Sequence   string `json:"sequence"` // in hexadecimal digits
	Checksum   string `json:"checksum"`
	Length     uint16 `json:"length"`
	Options    uint8  `json:"options"`
	Body       any    `json:"body,omitempty"` // of commands that show one type
	Unreadable string `json:"unreadable,omitempty"`
}

func lsaOf(id core.Identity, s *section, lsa *packet.LSA, body bool) lsaJSON {
	out := lsaJSON{Type: typeWord(lsa.Type), Interface: s.link, LinkState: lsa.ID.String(), Router: lsa.LSAKey.Router.String(), Age: lsa.Age &^ packet.DoNotAge, DoNotAge: lsa.Age&packet.DoNotAge != 0,
		Sequence: fmt.Sprintf("%08x", uint32(lsa.Sequence)), Checksum: fmt.Sprintf("%04x", lsa.Checksum), Length: lsa.Length, Options: uint8(lsa.Options)}
	if s.area != nil {
		out.Area = areaText(id, *s.area)
	}
	if body {
		var err error
		if out.Body, err = bodyOf(lsa); err != nil {
			out.Unreadable = err.Error()
		}
	}
	return out
}

// showDatabase prints `show ip ospf database` in all of its forms.
func showDatabase(r *core.DatabaseReport, a cli.Args) cli.Output {
	if a.Has("view") {
		return showDatabaseSummary(r, a)
	}
	type instanceJSON struct {
		identityJSON
		LSAs []lsaJSON `json:"lsas"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i := range r.Instances {
		in := &r.Instances[i]
		list[i] = instanceJSON{identityOf(in.Identity), []lsaJSON{}}
		for _, s := range sections(in) {
			for k := range s.lsas {
				list[i].LSAs = append(list[i].LSAs, lsaOf(in.Identity, &s, &s.lsas[k], a.Has("type")))
			}
		}
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, func(in *core.InstanceDatabase) core.Identity { return in.Identity }, a, func(in *core.InstanceDatabase) {
			title(w, in.Identity)
			for _, s := range sections(in) {
				fmt.Fprintf(w, "                %s\n\n", s.heading(in.Identity))
				if a.Has("type") {
					for k := range s.lsas {
						lsaText(w, &s.lsas[k])
						fmt.Fprintln(w)
					}
				} else {
					lsaTable(w, &s)
					fmt.Fprintln(w)
				}
			}
		})
	}}
}

// lsaTable prints one line for each LSA.
func lsaTable(w io.Writer, s *section) {
	last, value := "", func(*packet.LSA) string { return "" }
	switch s.typ {
	case packet.RouterLSA:
		last, value = " Link count", func(l *packet.LSA) string {
			body, err := l.Router()
			return number(len(body.Links), err)
		}
	case packet.ExternalLSA, packet.NSSALSA:
		last, value = " Tag", func(l *packet.LSA) string {
			body, err := l.External()
			return number(body.Tag, err)
		}
	case packet.OpaqueLinkLSA, packet.OpaqueAreaLSA, packet.OpaqueASLSA:
		last, value = " Opaque ID", func(l *packet.LSA) string {
			_, id := l.OpaqueType()
			return number(id, nil)
		}
	}
	fmt.Fprintf(w, "Link ID         ADV Router      Age         Seq#       Checksum%s\n", last)
	table := cli.Table{W: w, Format: "%-15v %-15v %-11s 0x%08X 0x%06X %s"}
	for i := range s.lsas {
		l := &s.lsas[i]
		table.Row(l.ID, l.LSAKey.Router, ageText(l.LSAHeader), uint32(l.Sequence), l.Checksum, value(l))
	}
}

// number is a value of a body, "?" of one that cannot be read.
func number[T int | uint32](n T, err error) string {
	if err != nil {
		return "?"
	}
	return fmt.Sprint(n)
}

// ageText is the age of an LSA.
func ageText(h packet.LSAHeader) string {
	switch age := h.Age &^ packet.DoNotAge; {
	case h.Age&packet.DoNotAge != 0:
		return fmt.Sprintf("%d (DNA)", age)
	default:
		return fmt.Sprint(age)
	}
}

// countJSON counts the LSAs of a scope for programs.
type countJSON struct {
	Area   string         `json:"area,omitempty"` // none: of the process
	Counts map[string]int `json:"counts"`
	MaxAge map[string]int `json:"maxAge"`
	Total  int            `json:"total"`
}

// summaryRows are the rows of `database-summary`.
var summaryRows = []struct {
	name string
	typ  packet.LSType
	as   bool // of the process only
}{{"Router", packet.RouterLSA, false}, {"Network", packet.NetworkLSA, false}, {"Summary Net", packet.SummaryLSA, false}, {"Summary ASBR", packet.ASBRSummaryLSA, false}, {"Type-7 Ext", packet.NSSALSA, false},
	{"Opaque Link", packet.OpaqueLinkLSA, false}, {"Opaque Area", packet.OpaqueAreaLSA, false}, {"Type-5 Ext", packet.ExternalLSA, true}, {"Opaque AS", packet.OpaqueASLSA, true}}

// census counts the LSAs of a process and of its areas.
func census(in *core.InstanceDatabase) (areas []countJSON, whole countJSON) {
	fresh := func(area string) countJSON { return countJSON{area, map[string]int{}, map[string]int{}, 0} }
	whole = fresh("")
	for i := range in.Areas {
		areas = append(areas, fresh(areaText(in.Identity, in.Areas[i].Area)))
	}
	for _, s := range sections(in) {
		into := []*countJSON{&whole}
		for i := range in.Areas {
			if s.area == &in.Areas[i].Area {
				into = append(into, &areas[i])
			}
		}
		for _, c := range into {
			for k := range s.lsas {
				word := typeWord(s.typ)
				c.Counts[word]++
				c.Total++
				if s.lsas[k].IsMaxAge() {
					c.MaxAge[word]++
				}
			}
		}
	}
	return areas, whole
}

// showDatabaseSummary prints `show ip ospf database database-summary`.
func showDatabaseSummary(r *core.DatabaseReport, a cli.Args) cli.Output {
	type instanceJSON struct {
		identityJSON
		Areas   []countJSON `json:"areas"`
		Process countJSON   `json:"processCount"`
	}
	list := make([]instanceJSON, len(r.Instances))
	for i := range r.Instances {
		list[i].identityJSON = identityOf(r.Instances[i].Identity)
		list[i].Areas, list[i].Process = census(&r.Instances[i])
	}
	return cli.Output{JSON: map[string]any{"instances": list}, Text: func(w io.Writer) {
		each(w, r.Instances, func(in *core.InstanceDatabase) core.Identity { return in.Identity }, a, func(in *core.InstanceDatabase) {
			title(w, in.Identity)
			areas, whole := census(in)
			for i := range areas {
				fmt.Fprintf(w, "Area %s database summary\n", areas[i].Area)
				summaryTable(w, &areas[i])
				fmt.Fprintln(w)
			}
			fmt.Fprintf(w, "Process %d database summary\n", in.Process)
			summaryTable(w, &whole)
		})
	}}
}

func summaryTable(w io.Writer, c *countJSON) {
	table := cli.Table{W: w, Format: "  %-13s %-8v %v"}
	table.Row("LSA Type", "Count", "Maxage")
	total, aged := "Total", 0
	if c.Area != "" {
		total = "Subtotal"
	}
	for _, row := range summaryRows {
		word := typeWord(row.typ)
		aged += c.MaxAge[word]
		if !row.as || c.Area == "" {
			table.Row(row.name, c.Counts[word], c.MaxAge[word])
		}
	}
	table.Row(total, c.Total, aged)
}
