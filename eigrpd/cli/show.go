package cli

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/godmvpn/godmvpn/eigrpd/core"
	"github.com/godmvpn/godmvpn/eigrpd/metric"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/rib"
)

// View is what of a report a show command prints.
type View struct {
	about     core.Query // which instances
	detail    bool
	ifname    string       // neighbours and interfaces: of this one; "" for all
	prefix    netip.Prefix // topology: this entry in full
	longest   bool         // prefix is an address and means the longest prefix that it is in
	selection core.Selected
}

// ViewOf returns what the arguments of a show command ask for.
func ViewOf(a cli.Args) View {
	v := View{about: About(a), detail: a.Has("detail"), ifname: a.String("ifname"), longest: a.Has("addr") && !a.Has("mask")}
	v.prefix, v.selection = Entries(a)
	return v
}

// Query returns what the core is to be asked for a report of a kind.
func (v View) Query(kind core.ReportKind) core.Query {
	q := v.about
	q.Kind, q.Selected = kind, v.selection
	if v.prefix.IsValid() {
		q.Selected = core.SelectedAllLinks
		if !v.longest {
			q.Prefix = v.prefix
		}
	}
	return q
}

// identityJSON says which instance a part of an output is about.
type identityJSON struct {
	Family   string `json:"family"` // ipv4 or ipv6
	VRF      string `json:"vrf"`    // "" is the default one
	AS       uint16 `json:"as"`
	Name     string `json:"name,omitempty"` // of named mode
	RouterID string `json:"routerId"`
	Wide     bool   `json:"wideMetrics"`
}

func identityOf(id core.Identity) identityJSON {
	return identityJSON{familyWord(id.Family), id.VRF, id.AS, id.Name, text(id.RouterID), id.Wide}
}

func familyWord(f rib.Family) string {
	if f == rib.IPv6 {
		return "ipv6"
	}
	return "ipv4"
}

// text is an address, "" if there is none.
func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// protocolName is EIGRP-IPv4 or EIGRP-IPv6.
func protocolName(f rib.Family) string {
	if f == rib.IPv6 {
		return "EIGRP-IPv6"
	}
	return "EIGRP-IPv4"
}

// heading is the first line of what is shown of an instance: "EIGRP-IPv4 Neighbors for
// AS(100)", in named mode "EIGRP-IPv4 VR(DMVPN) Address-Family Neighbors for AS(100)",
// and the VRF at its end.
func heading(id core.Identity, what string) string {
	line := protocolName(id.Family) + " "
	if id.Name != "" {
		line += fmt.Sprintf("VR(%s) Address-Family ", id.Name)
	}
	return line + fmt.Sprintf("%s for AS(%d)%s", what, id.AS, inVRF(id.VRF))
}

// headingID is the heading of what is about the topology: it has the router ID, and no
// words for the address family.
func headingID(id core.Identity, what string) string {
	line := protocolName(id.Family) + " "
	if id.Name != "" {
		line += fmt.Sprintf("VR(%s) ", id.Name)
	}
	router := text(id.RouterID)
	if router == "" {
		router = "0.0.0.0"
	}
	return line + fmt.Sprintf("%s for AS(%d)/ID(%s)", what, id.AS, router)
}

// inVRF is the end of a heading in a VRF.
func inVRF(vrf string) string {
	if vrf == "" {
		return ""
	}
	return " VRF(" + vrf + ")"
}

// each prints the parts of an output with an empty line between them, or says that
// there is no EIGRP.
func (v View) each(w io.Writer, n int, part func(i int)) {
	if n == 0 {
		fmt.Fprint(w, "% EIGRP is not configured")
		if v.about.AS != 0 {
			fmt.Fprintf(w, " for AS %d", v.about.AS)
		}
		if v.about.VRF != "" {
			fmt.Fprintf(w, " in VRF %s", v.about.VRF)
		}
		fmt.Fprintln(w)
	}
	for i := range n {
		if i > 0 {
			fmt.Fprintln(w)
		}
		part(i)
	}
}

// metricText is a composite metric as it is shown.
func metricText(wide bool, n uint64) string {
	if infinite(wide, n) {
		return "Infinity"
	}
	return fmt.Sprint(n)
}

func infinite(wide bool, n uint64) bool {
	return n == metric.WideInfinity || !wide && n >= uint64(metric.ClassicInfinity)
}

// metricJSON is a composite metric for programs: null if it is infinite.
func metricJSON(wide bool, n uint64) *uint64 {
	if infinite(wide, n) {
		return nil
	}
	return &n
}

// short is the name of an interface in a narrow table.
func short(name string) string { return cli.ShortInterfaceName(name) }
