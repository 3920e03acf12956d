package cli

import (
	"fmt"
	"net/netip"

	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// Dump prints what is in a packet, a line of text for each of its parts, as "debug
// nhrp detail" and, for the extensions alone, "debug nhrp extension" do. The string of
// an Authentication extension is not printed.
func Dump(m *packet.Message, size int, detail, extensions bool) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if detail {
		add(" (F) afn: %d, type: %#04x, hop: %d, ver: %d, packet size: %d", m.NBMA, uint16(m.Protocol), m.HopCount, packet.Version, size)
		if m.Type.IsIndication() {
			add(" (M) error code: %v(%d), offset: %d, encloses %d octets", m.ErrorCode, uint16(m.ErrorCode), m.ErrorOffset, len(m.Payload))
		} else {
			add(" (M) flags: %q, reqid: %d", m.Flags.Text(m.Type), m.RequestID)
		}
		add("     src NBMA: %s", given(m.SrcNBMA))
		add("     src protocol: %s, dst protocol: %s", given(m.SrcProtocol), given(m.DstProtocol))
		for k := range m.CIEs {
			out = append(out, dumpCIE(k, &m.CIEs[k])...)
		}
	}
	for k := range m.Extensions {
		if e := &m.Extensions[k]; extensions || detail {
			out = append(out, dumpExtension(e)...)
		}
	}
	return out
}

func dumpCIE(k int, c *packet.CIE) []string {
	return []string{
		fmt.Sprintf(" (C-%d) code: %v(%d)", k+1, c.Code, uint8(c.Code)),
		fmt.Sprintf("       prefix: %d, mtu: %d, hd_time: %d, pref: %d", c.PrefixLength, c.MTU, c.HoldingTime, c.Preference),
		fmt.Sprintf("       client NBMA: %s, client protocol: %s", given(c.NBMA), given(c.Protocol)),
	}
}

func dumpExtension(e *packet.Extension) []string {
	compulsory := ""
	if e.Compulsory {
		compulsory = ", compulsory"
	}
	value := ""
	switch {
	case e.Type == packet.Authentication && len(e.Value) >= 4: // the string is not for terminals
		value = fmt.Sprintf(" type: %d, %d octets", uint16(e.Value[2])<<8|uint16(e.Value[3]), len(e.Value)-4)
	case e.Type != packet.Authentication && len(e.Value) > 0:
		value = fmt.Sprintf(" %x", e.Value[:min(len(e.Value), 64)])
	}
	out := []string{fmt.Sprintf(" %v Extension(%d%s):%s", e.Type, uint16(e.Type), compulsory, value)}
	for k := range e.CIEs {
		out = append(out, dumpCIE(k, &e.CIEs[k])...)
	}
	return out
}

// given prints an address that a packet may leave out.
func given(a netip.Addr) string {
	if !a.IsValid() {
		return "none"
	}
	return a.String()
}
