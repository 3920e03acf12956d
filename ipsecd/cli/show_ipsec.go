package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/core/proposal"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// transformText is a transform set as IOS writes it: "esp-256-aes esp-sha256-hmac".
func transformText(e proposal.ESP) string {
	var out []string
	for _, t := range e.Encryption {
		name := map[uint16]string{packet.EncrAESCBC: "aes", packet.EncrAESGCM16: "gcm", packet.EncrChaCha20: "chacha20-poly1305"}[t.ID]
		if t.KeyLength == 0 || t.KeyLength == 128 && t.ID == packet.EncrAESCBC {
			out = append(out, "esp-"+name)
		} else if t.ID == packet.EncrAESCBC {
			out = append(out, fmt.Sprintf("esp-%d-%s", t.KeyLength, name))
		} else {
			out = append(out, fmt.Sprintf("esp-%s %d", name, t.KeyLength))
		}
	}
	for _, id := range e.Integrity {
		for _, h := range hmacs {
			if h.value == id {
				out = append(out, h.word)
			}
		}
	}
	return strings.Join(out, " ")
}

// esn reports whether a transform set has extended sequence numbers.
func esn(e proposal.ESP) bool { return len(e.ESN) > 0 && e.ESN[0] }

// showTransform is `show crypto ipsec transform-set`.
func showTransform(r *core.ConfigReport, a cli.Args) cli.Output {
	type setJSON struct {
		Name       string `json:"name"`
		Transforms string `json:"transforms"`
		ESN        bool   `json:"esn"`
	}
	list := []setJSON{}
	for _, t := range named(r.Config.Transforms, a, func(t core.Transform) string { return t.Name }) {
		list = append(list, setJSON{t.Name, transformText(t.ESP), esn(t.ESP)})
	}
	return cli.Output{JSON: map[string]any{"transformSets": list}, Text: func(w io.Writer) {
		for _, t := range list {
			fmt.Fprintf(w, "Transform set %s: { %s  }\n", t.Name, t.Transforms)
			if t.ESN {
				fmt.Fprint(w, "   will negotiate = { Transport,  }, esn\n\n")
			} else {
				fmt.Fprint(w, "   will negotiate = { Transport,  },\n\n")
			}
		}
	}}
}

// showIPsecProfile is `show crypto ipsec profile`.
func showIPsecProfile(r *core.ConfigReport) cli.Output {
	type setJSON struct {
		Name       string `json:"name"`
		Transforms string `json:"transforms"` // "" if there is no such set
	}
	type profileJSON struct {
		Name          string    `json:"name"`
		Profile       string    `json:"ikev2Profile"`
		Lifetime      int64     `json:"lifetimeSeconds"`
		Kilobytes     uint64    `json:"lifetimeKilobytes"`
		ReplayWindow  uint32    `json:"replayWindow"`
		ResponderOnly bool      `json:"responderOnly"`
		PFS           string    `json:"pfs"` // "" for none
		Additional    string    `json:"additionalKeyExchange"`
		Sets          []setJSON `json:"transformSets"`
	}
	sets := map[string]string{}
	for _, t := range r.Config.Transforms {
		sets[t.Name] = transformText(t.ESP)
	}
	g := r.Config.Global
	list := []profileJSON{}
	for _, p := range r.Config.IPsec {
		j := profileJSON{p.Name, p.Profile, seconds64(cmp.Or(p.Lifetime, g.Lifetime)), cmp.Or(p.LifetimeBytes, g.LifetimeBytes) >> 10, cmp.Or(p.ReplayWindow, g.ReplayWindow),
			p.ResponderOnly, "", additional(p.Additional), []setJSON{}}
		for _, group := range p.PFS {
			j.PFS = strings.TrimSpace(j.PFS + fmt.Sprintf(" group%d", group))
		}
		for _, name := range p.Transforms {
			j.Sets = append(j.Sets, setJSON{name, sets[name]})
		}
		list = append(list, j)
	}
	yes := map[bool]string{true: "Y", false: "N"}
	return cli.Output{JSON: map[string]any{"profiles": list}, Text: func(w io.Writer) {
		for _, p := range list {
			fmt.Fprintln(w, "IPSEC profile "+p.Name)
			if p.Profile != "" {
				fmt.Fprintln(w, "\tIKEv2 Profile: "+p.Profile)
			}
			fmt.Fprintf(w, "\tSecurity association lifetime: %d kilobytes/%d seconds\n\tReplay window size: %d\n\tResponder-Only (Y/N): %s\n\tPFS (Y/N): %s\n", p.Kilobytes, p.Lifetime,
				p.ReplayWindow, yes[p.ResponderOnly], yes[p.PFS != ""])
			if p.PFS != "" {
				fmt.Fprintln(w, "\tDH group:  "+p.PFS)
			}
			if p.Additional != "" {
				fmt.Fprintln(w, "\tPQC Key Exchange: "+p.Additional)
			}
			fmt.Fprintln(w, "\tMixed-mode : Disabled\n\tTransform sets={")
			for _, s := range p.Sets {
				fmt.Fprintf(w, "\t\t%s:  { %s  } ,\n", s.Name, nameOr(s.Transforms, "not configured"))
			}
			fmt.Fprint(w, "\t}\n\n")
		}
	}}
}
