package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// Kinds returns which reports of the core a show command prints, in the order in which
// Show takes them; none if it is no show command.
func Kinds(id string) []core.ReportKind {
	switch id {
	case ExecSA, ExecIKEv2Session, ExecIPsecSA:
		return []core.ReportKind{core.ReportSAs}
	case ExecSession:
		return []core.ReportKind{core.ReportSAs, core.ReportPeers}
	case ExecSocket:
		return []core.ReportKind{core.ReportPeers, core.ReportConfig}
	case ExecStats:
		return []core.ReportKind{core.ReportStats}
	case ExecProposal, ExecPolicy, ExecProfile, ExecIPsecProfile, ExecTransform:
		return []core.ReportKind{core.ReportConfig}
	}
	return nil
}

// errReports says that reports are not those of Kinds.
var errReports = errors.New("the reports are not those of the command")

// Show returns the output of a show command. The reports are those of Kinds.
func Show(id string, a cli.Args, reports ...core.Report) (cli.Output, error) {
	var r collected
	for _, report := range reports {
		r.take(report)
	}
	kinds := Kinds(id)
	if len(kinds) == 0 || slices.ContainsFunc(kinds, func(k core.ReportKind) bool { return !r.has(k) }) {
		return cli.Output{}, errReports
	}
	switch id {
	case ExecSA:
		return showSA(r.sas, a), nil
	case ExecIKEv2Session:
		return showIKEv2Session(r.sas, a), nil
	case ExecIPsecSA:
		return showIPsecSA(r.sas, a), nil
	case ExecSession:
		return showSession(r.sas, r.peers, a), nil
	case ExecSocket:
		return showSocket(r.peers, r.config), nil
	case ExecStats:
		return showStats(r.stats), nil
	case ExecProposal:
		return showProposal(r.config, a), nil
	case ExecPolicy:
		return showPolicy(r.config, a), nil
	case ExecProfile:
		return showProfile(r.config, a), nil
	case ExecIPsecProfile:
		return showIPsecProfile(r.config), nil
	case ExecTransform:
		return showTransform(r.config, a), nil
	}
	return cli.Output{}, errReports
}

// collected are the reports that a command prints.
type collected struct {
	sas    *core.SAReport
	peers  *core.PeerReport
	config *core.ConfigReport
	stats  *core.StatsReport
}

func (c *collected) take(r core.Report) {
	switch r := r.(type) {
	case *core.SAReport:
		c.sas = r
	case *core.PeerReport:
		c.peers = r
	case *core.ConfigReport:
		c.config = r
	case *core.StatsReport:
		c.stats = r
	}
}

func (c *collected) has(kind core.ReportKind) bool {
	switch kind {
	case core.ReportSAs:
		return c.sas != nil
	case core.ReportPeers:
		return c.peers != nil
	case core.ReportConfig:
		return c.config != nil
	}
	return c.stats != nil
}

// of reports whether a peer is the one that a command is about, by its address or its alias.
func of(a cli.Args, peer, alias netip.Addr) bool {
	return !a.Has("addr") || a.Addr("addr").Unmap() == peer.Unmap() || a.Addr("addr") == alias
}

// aliasText is an alias as the JSON has it, "" for none.
func aliasText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// endpoint is an address and port as IOS writes it: 192.0.2.1/500.
func endpoint(a netip.AddrPort) string { return fmt.Sprintf("%v/%d", a.Addr(), a.Port()) }

// nameOr is a name, or a word if there is none.
func nameOr(name, none string) string {
	if name == "" {
		return none
	}
	return name
}

func seconds64(d time.Duration) int64 { return int64(max(d, 0) / time.Second) }

// remaining is what is left of a lifetime.
func remaining(life, age time.Duration) time.Duration { return max(life-age, 0) }

// methodNames are those of `Auth sign` and `Auth verify`.
var methodNames = map[core.Method]string{core.MethodPSK: "PSK", core.MethodRSA: "RSA", core.MethodECDSA: "ECDSA", core.MethodEdDSA: "EdDSA"}

func methodName(m core.Method) string { return nameOr(methodNames[m], "Unknown Auth") }

// groupNames are the names of groups as joined by sep.
func groupNames(groups []packet.Group, sep string) string {
	var out []string
	for _, g := range groups {
		out = append(out, g.String())
	}
	return strings.Join(out, sep)
}

// printable replaces what a peer might want to do to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
