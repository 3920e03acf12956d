package cli

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// lsaNames are the types in the words of IOS.
var lsaNames = map[packet.LSType]string{packet.RouterLSA: "Router Links", packet.NetworkLSA: "Network Links", packet.SummaryLSA: "Summary Links(Network)", packet.ASBRSummaryLSA: "Summary Links(AS Boundary Router)",
	packet.ExternalLSA: "AS External Link", packet.NSSALSA: "AS External Link", packet.OpaqueLinkLSA: "Opaque Link Local Link", packet.OpaqueAreaLSA: "Opaque Area Link", packet.OpaqueASLSA: "Opaque AS Link"}

// idNotes say what a Link State ID is.
var idNotes = map[packet.LSType]string{packet.NetworkLSA: " (address of Designated Router)", packet.SummaryLSA: " (summary Network Number)", packet.ASBRSummaryLSA: " (AS Boundary Router address)",
	packet.ExternalLSA: " (External Network Number )", packet.NSSALSA: " (External Network Number )"}

// lsaText prints an LSA in full.
func lsaText(w io.Writer, l *packet.LSA) {
	age := ageText(l.LSAHeader)
	if l.IsMaxAge() {
		age = fmt.Sprintf("MAXAGE(%d)", packet.MaxAge)
	}
	fmt.Fprintf(w, "  LS age: %s\n  Options: %s\n  LS Type: %s\n", age, lsaOptions(l.LSAHeader), lsaNames[l.Type])
	fmt.Fprintf(w, "  Link State ID: %v%s\n", l.ID, idNotes[l.Type])
	if l.Type >= packet.OpaqueLinkLSA {
		typ, id := l.OpaqueType()
		fmt.Fprintf(w, "  Opaque Type: %d\n  Opaque ID: %d\n", typ, id)
	}
	fmt.Fprintf(w, "  Advertising Router: %v\n  LS Seq Number: %08X\n  Checksum: 0x%X\n  Length: %d\n", l.LSAKey.Router, uint32(l.Sequence), l.Checksum, l.Length)
	var err error
	switch l.Type {
	case packet.RouterLSA:
		err = routerText(w, l)
	case packet.NetworkLSA:
		err = networkText(w, l)
	case packet.SummaryLSA, packet.ASBRSummaryLSA:
		var s packet.Summary
		if s, err = l.Summary(); err == nil {
			fmt.Fprintf(w, "  Network Mask: /%d\n        MTID: 0         Metric: %d\n", maskLength(s.Mask), s.Metric)
		}
	case packet.ExternalLSA, packet.NSSALSA:
		err = externalText(w, l)
	default:
		err = opaqueText(w, l)
	}
	if err != nil {
		fmt.Fprintf(w, "  It cannot be read: %v\n", err)
	}
}

// lsaOptions are the options of an LSA as IOS has them.
func lsaOptions(h packet.LSAHeader) string {
	words := []string{"No TOS-capability"}
	if h.Type == packet.NSSALSA {
		if h.Options&packet.OptionNP != 0 {
			words = append(words, "Type 7/5 translation")
		} else {
			words = append(words, "No Type 7/5 translation")
		}
	}
	if h.Options&packet.OptionDC != 0 {
		words = append(words, "DC")
	} else {
		words = append(words, "No DC")
	}
	return "(" + strings.Join(words, ", ") + ")"
}

// maskLength is how many bits of a netmask are ones, from the first one on.
func maskLength(mask uint32) int {
	n := 0
	for n < 32 && mask&(1<<(31-n)) != 0 {
		n++
	}
	return n
}

// linkTexts are the lines of links: what it is connected to, what its ID and its data are.
var linkTexts = map[packet.LinkType][3]string{
	packet.LinkPointToPoint: {"another Router (point-to-point)", "Neighboring Router ID", "Router Interface address"},
	packet.LinkTransit:      {"a Transit Network", "Designated Router address", "Router Interface address"},
	packet.LinkStub:         {"a Stub Network", "Network/subnet number", "Network Mask"},
	packet.LinkVirtual:      {"a Virtual Link", "Neighboring Router ID", "Router Interface address"},
}

func routerText(w io.Writer, l *packet.LSA) error {
	body, err := l.Router()
	if err != nil {
		return err
	}
	for _, flag := range []struct {
		of   packet.RouterFlags
		text string
	}{{packet.RouterB, "Area Border Router"}, {packet.RouterE, "AS Boundary Router"}, {packet.RouterV, "Virtual Link Endpoint"}, {packet.RouterNt, "Unconditional NSSA translator"}, {packet.RouterS, "Shortcut"}} {
		if body.Flags&flag.of != 0 {
			fmt.Fprintf(w, "  %s\n", flag.text)
		}
	}
	fmt.Fprintf(w, "  Number of Links: %d\n", len(body.Links))
	for _, k := range body.Links {
		texts, ok := linkTexts[k.Type]
		if !ok {
			texts = [3]string{fmt.Sprintf("a link of type %d", k.Type), "Link ID", "Link Data"}
		}
		fmt.Fprintf(w, "\n    Link connected to: %s\n     (Link ID) %s: %v\n     (Link Data) %s: %v\n", texts[0], texts[1], k.ID, texts[2], packet.ID(k.Data))
		fmt.Fprintf(w, "      Number of MTID metrics: 0\n       TOS 0 Metrics: %d\n", k.Metric)
	}
	return nil
}

func networkText(w io.Writer, l *packet.LSA) error {
	body, err := l.Network()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "  Network Mask: /%d\n", maskLength(body.Mask))
	for _, r := range body.Routers {
		fmt.Fprintf(w, "        Attached Router: %v\n", r)
	}
	return nil
}

func externalText(w io.Writer, l *packet.LSA) error {
	body, err := l.External()
	if err != nil {
		return err
	}
	kind := "1 (Comparable directly to link state metric)"
	if body.Type2 {
		kind = "2 (Larger than any link state path)"
	}
	fmt.Fprintf(w, "  Network Mask: /%d\n        Metric Type: %s\n        MTID: 0\n        Metric: %d\n", maskLength(body.Mask), kind, body.Metric)
	fmt.Fprintf(w, "        Forward Address: %s\n        External Route Tag: %d\n", zeros(body.Forwarding), body.Tag)
	return nil
}

// Of grace-LSAs (RFC 3623 section A): their opaque type, and the types of their TLVs.
const (
	opaqueGrace  = 3
	gracePeriod  = 1
	graceReason  = 2
	graceAddress = 3
)

func opaqueText(w io.Writer, l *packet.LSA) error {
	tlvs, err := l.Opaque()
	if err != nil {
		return err
	}
	typ, _ := l.OpaqueType()
	grace := l.Type == packet.OpaqueLinkLSA && typ == opaqueGrace
	for _, t := range tlvs {
		switch v := t.Value; {
		case grace && t.Type == gracePeriod && len(v) == 4:
			fmt.Fprintf(w, "  Grace Period: %d seconds\n", binary.BigEndian.Uint32(v))
		case grace && t.Type == graceReason && len(v) == 1:
			fmt.Fprintf(w, "  Restart Reason: %s\n", restartReason(v[0]))
		case grace && t.Type == graceAddress && len(v) == 4:
			fmt.Fprintf(w, "  Interface Address: %v\n", netip.AddrFrom4([4]byte(v)))
		default:
			fmt.Fprintf(w, "  TLV Type %d, length %d: %s\n", t.Type, len(v), octets(v))
		}
	}
	return nil
}

// maxOctets is how many octets of a TLV are shown.
const maxOctets = 64

func octets(b []byte) string {
	if len(b) > maxOctets {
		return hex.EncodeToString(b[:maxOctets]) + " …"
	}
	return hex.EncodeToString(b)
}

// bodyOf is the body of an LSA for programs.
func bodyOf(l *packet.LSA) (any, error) {
	switch l.Type {
	case packet.RouterLSA:
		return routerBody(l)
	case packet.NetworkLSA:
		n, err := l.Network()
		routers := make([]string, len(n.Routers))
		for i, r := range n.Routers {
			routers[i] = r.String()
		}
		return map[string]any{"maskLength": maskLength(n.Mask), "routers": routers}, err
	case packet.SummaryLSA, packet.ASBRSummaryLSA:
		s, err := l.Summary()
		return map[string]any{"maskLength": maskLength(s.Mask), "metric": s.Metric}, err
	case packet.ExternalLSA, packet.NSSALSA:
		e, err := l.External()
		return map[string]any{"maskLength": maskLength(e.Mask), "metricType": metricType(!e.Type2), "metric": e.Metric, "forwardingAddress": addrText(e.Forwarding), "tag": e.Tag}, err
	}
	tlvs, err := l.Opaque()
	list := make([]map[string]any, len(tlvs))
	for i, t := range tlvs {
		list[i] = map[string]any{"type": t.Type, "value": hex.EncodeToString(t.Value)}
	}
	return map[string]any{"tlvs": list}, err
}

func routerBody(l *packet.LSA) (any, error) {
	type linkJSON struct {
		Type   string `json:"type"` // "point-to-point", "transit", "stub", "virtual"
		ID     string `json:"id"`
		Data   string `json:"data"`
		Metric uint16 `json:"metric"`
	}
	words := map[packet.LinkType]string{packet.LinkPointToPoint: "point-to-point", packet.LinkTransit: "transit", packet.LinkStub: "stub", packet.LinkVirtual: "virtual"}
	r, err := l.Router()
	links := make([]linkJSON, len(r.Links))
	for i, k := range r.Links {
		links[i] = linkJSON{words[k.Type], k.ID.String(), packet.ID(k.Data).String(), k.Metric}
	}
	return map[string]any{"areaBorderRouter": r.Flags&packet.RouterB != 0, "asBoundaryRouter": r.Flags&packet.RouterE != 0, "virtualLinkEndpoint": r.Flags&packet.RouterV != 0, "links": links}, err
}
