package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/godmvpn/godmvpn/ipsecd/core"
	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/lib/cli"
)

// saJSON is an IKE SA.
type saJSON struct {
	ID            int      `json:"id"`
	Local         string   `json:"local"` // address/port
	Remote        string   `json:"remote"`
	VRF           string   `json:"vrf"` // "" is the default one
	Status        string   `json:"status"`
	Encryption    string   `json:"encryption"`
	KeySize       int      `json:"keySizeBits"`
	PRF           string   `json:"prf"`
	Integrity     string   `json:"integrity"`
	Group         int      `json:"group"`
	Additional    []string `json:"additionalKeyExchanges"`
	AuthLocal     string   `json:"authLocal"`
	AuthRemote    string   `json:"authRemote"`
	Lifetime      int64    `json:"lifetimeSeconds"`
	Age           int64    `json:"ageSeconds"`
	LocalSPI      string   `json:"localSpi"`
	RemoteSPI     string   `json:"remoteSpi"`
	Profile       string   `json:"profile"`
	LocalID       string   `json:"localId"`
	RemoteID      string   `json:"remoteId"`
	NextRequest   uint32   `json:"nextRequest"`
	NextExpected  uint32   `json:"nextExpected"`
	Window        uint32   `json:"remoteWindow"`
	DPDInterval   int64    `json:"dpdIntervalSeconds"` // 0: none
	DPDRetry      int64    `json:"dpdRetrySeconds"`
	Fragmentation bool     `json:"fragmentation"`
	NATLocal      bool     `json:"natLocal"`
	NATRemote     bool     `json:"natRemote"`
	Initiator     bool     `json:"initiator"`
	Children      int      `json:"children"`
	Alias         string   `json:"alias"` // by which the peer goes here, if not by its address
}

// statuses are the words of IOS for states.
var statuses = map[core.State]string{core.StateInitSent: "IN-NEG", core.StateInitAnswered: "IN-NEG", core.StateIntermediate: "IN-NEG", core.StateAuthSent: "IN-NEG",
	core.StateReady: "READY", core.StateRekeyed: "DELETE", core.StateDeleting: "DELETE"}

// descriptions are what `detailed` says of states.
var descriptions = map[core.State]string{core.StateInitSent: "Initiator waiting for INIT response", core.StateInitAnswered: "Responder waiting for AUTH message",
	core.StateIntermediate: "Additional key exchange", core.StateAuthSent: "Initiator waiting for AUTH response", core.StateReady: "Negotiation done",
	core.StateRekeyed: "Replaced by a rekey", core.StateDeleting: "Deleting IKE SA"}

func saOf(s *core.SAStatus) saJSON {
	out := saJSON{ID: s.Number, Local: endpoint(s.Local), Remote: endpoint(s.Remote), VRF: s.VRF, Status: statuses[s.State], KeySize: int(s.Suite.Encryption.KeyLength),
		Group: int(s.Group), Additional: []string{}, AuthLocal: methodName(s.LocalMethod), AuthRemote: methodName(s.RemoteMethod), Lifetime: seconds64(s.Lifetime), Age: seconds64(s.Age),
		LocalSPI: s.SPI.String(), RemoteSPI: s.PeerSPI.String(), Profile: s.Profile, LocalID: s.Identity.String(), RemoteID: s.Peer.String(), NextRequest: s.NextRequest,
		NextExpected: s.NextExpected, Window: s.PeerWindow, Fragmentation: s.Fragmentation, NATLocal: s.NATLocal, NATRemote: s.NATRemote, Initiator: s.Initiator, Children: len(s.Children), Alias: aliasText(s.Alias)}
	out.Encryption, out.PRF, out.Integrity = suiteNames(s)
	for _, g := range s.Additional {
		out.Additional = append(out.Additional, g.String())
	}
	if s.DPD != nil {
		out.DPDInterval, out.DPDRetry = seconds64(s.DPD.Interval), seconds64(s.DPD.Retry)
	}
	return out
}

// suiteNames are the names of the algorithms of an IKE SA, "Unknown" before they are
// settled.
func suiteNames(s *core.SAStatus) (cipher, prf, integrity string) {
	if s.Suite.Encryption.ID == 0 {
		return "Unknown", "Unknown", "Unknown"
	}
	cipher = packet.Transform{Type: packet.Encryption, ID: s.Suite.Encryption.ID}.String()
	prf = packet.Transform{Type: packet.PRF, ID: uint16(s.Suite.PRF)}.String()
	if integrity = "None"; s.Suite.Integrity != packet.AuthNone {
		integrity = packet.Transform{Type: packet.Integrity, ID: s.Suite.Integrity}.String()
	}
	return cipher, prf, integrity
}

// byFamily returns the IKE SAs of one family that a command is about.
func byFamily(r *core.SAReport, a cli.Args, six bool) (out []*core.SAStatus) {
	for i := range r.SAs {
		if s := &r.SAs[i]; s.Remote.Addr().Unmap().Is6() == six && of(a, s.Remote.Addr(), s.Alias) {
			out = append(out, s)
		}
	}
	return out
}

// showSA is `show crypto ikev2 sa`.
func showSA(r *core.SAReport, a cli.Args) cli.Output {
	list := []saJSON{}
	for i := range r.SAs {
		if of(a, r.SAs[i].Remote.Addr(), r.SAs[i].Alias) {
			list = append(list, saOf(&r.SAs[i]))
		}
	}
	return cli.Output{JSON: map[string]any{"ikeSas": list}, Text: func(w io.Writer) {
		for _, family := range []string{"IPv4", "IPv6"} {
			fmt.Fprintf(w, " %s Crypto IKEv2  SA\n\n", family)
			for _, s := range byFamily(r, a, family == "IPv6") {
				writeSA(w, s, a.Has("detailed"))
				fmt.Fprintln(w)
			}
		}
	}}
}

// writeSA writes one IKE SA.
func writeSA(w io.Writer, s *core.SAStatus, detail bool) {
	j := saOf(s)
	fmt.Fprintln(w, "Tunnel-id Local                 Remote                fvrf/ivrf            Status")
	fmt.Fprintf(w, "%-9d %-21s %-21s %-20s %s\n", j.ID, j.Local, j.Remote, nameOr(j.VRF, "none")+"/none", j.Status)
	key := ""
	if j.KeySize != 0 {
		key = fmt.Sprintf(", keysize: %d", j.KeySize)
	}
	fmt.Fprintf(w, "      Encr: %s%s, PRF: %s, Hash: %s, DH Grp:%d, Auth sign: %s, Auth verify: %s\n", j.Encryption, key, j.PRF, j.Integrity, j.Group, j.AuthLocal, j.AuthRemote)
	if len(j.Additional) > 0 {
		fmt.Fprintln(w, "      PQC Key Exchange: "+strings.Join(j.Additional, " "))
	}
	fmt.Fprintf(w, "      Life/Active Time: %d/%d sec\n      CE id: %d, Session-id: %d\n", j.Lifetime, j.Age, 1000+j.ID, j.ID)
	if detail {
		fmt.Fprintln(w, "      Status Description: "+descriptions[s.State])
	}
	fmt.Fprintf(w, "      Local spi: %s       Remote spi: %s\n", j.LocalSPI, j.RemoteSPI)
	if detail {
		writeDetail(w, j)
	}
}

// writeDetail writes what `detailed` has besides.
func writeDetail(w io.Writer, j saJSON) {
	fmt.Fprintf(w, "      Local id: %s\n      Remote id: %s\n", j.LocalID, j.RemoteID)
	if j.Alias != "" {
		fmt.Fprintln(w, "      Alias: "+j.Alias)
	}
	pair := func(local, remote string, a, b uint32) {
		fmt.Fprintf(w, "      %-18s %-14d %-19s %d\n", local, a, remote, b)
	}
	pair("Local req msg id:", "Remote req msg id:", j.NextRequest, j.NextExpected)
	pair("Local next msg id:", "Remote next msg id:", j.NextRequest, j.NextExpected)
	pair("Local req queued:", "Remote req queued:", j.NextRequest, j.NextExpected)
	pair("Local window:", "Remote window:", 1, j.Window)
	fmt.Fprintf(w, "      DPD configured for %d seconds, retry %d\n", j.DPDInterval, j.DPDRetry)
	if j.Fragmentation {
		fmt.Fprintln(w, "      IETF Std Fragmentation  enabled.")
	} else {
		fmt.Fprintln(w, "      Fragmentation not  configured.")
	}
	switch {
	case j.NATLocal && j.NATRemote:
		fmt.Fprintln(w, "      NAT-T is detected inside and outside")
	case j.NATLocal:
		fmt.Fprintln(w, "      NAT-T is detected inside")
	case j.NATRemote:
		fmt.Fprintln(w, "      NAT-T is detected outside")
	default:
		fmt.Fprintln(w, "      NAT-T is not detected")
	}
	fmt.Fprintln(w, "      Initiator of SA : "+map[bool]string{true: "Yes", false: "No"}[j.Initiator])
}

// showIKEv2Session is `show crypto ikev2 session`: IKE SAs with their child SAs.
func showIKEv2Session(r *core.SAReport, a cli.Args) cli.Output {
	type session struct {
		SA       saJSON      `json:"ikeSa"`
		Status   string      `json:"status"`
		Children []childJSON `json:"childSas"`
	}
	list := []session{}
	for i := range r.SAs {
		if s := &r.SAs[i]; of(a, s.Remote.Addr(), s.Alias) {
			list = append(list, session{saOf(s), sessionStatus(s), childrenOf(s)})
		}
	}
	return cli.Output{JSON: map[string]any{"sessions": list}, Text: func(w io.Writer) {
		for _, family := range []string{"IPv4", "IPv6"} {
			fmt.Fprintf(w, " %s Crypto IKEv2 Session\n\n", family)
			for _, s := range byFamily(r, a, family == "IPv6") {
				fmt.Fprintf(w, "Session-id:%d, Status:%s, IKE count:1, CHILD count:%d\n\n", s.Number, sessionStatus(s), len(s.Children))
				writeSA(w, s, a.Has("detailed"))
				for _, c := range childrenOf(s) {
					fmt.Fprintf(w, "Child sa: local selector  %s\n          remote selector %s\n          ESP spi in/out: %s/%s\n", c.LocalTS, c.RemoteTS, c.InSPI, c.OutSPI)
				}
				fmt.Fprintln(w)
			}
		}
	}}
}

// sessionStatus is the status of a session as IOS calls it.
func sessionStatus(s *core.SAStatus) string {
	switch {
	case s.State < core.StateReady:
		return "DOWN-NEGOTIATING"
	case len(s.Children) == 0 && s.State == core.StateReady:
		return "UP-IDLE"
	case len(s.Children) == 0:
		return "DOWN"
	}
	return "UP-ACTIVE"
}

// childJSON is a pair of ESP SAs.
type childJSON struct {
	LocalTS  string `json:"localSelector"`
	RemoteTS string `json:"remoteSelector"`
	InSPI    string `json:"inSpi"`
	OutSPI   string `json:"outSpi"`
}

func childrenOf(s *core.SAStatus) []childJSON {
	out := []childJSON{}
	for i := range s.Children {
		c := &s.Children[i]
		out = append(out, childJSON{selectors(c.LocalTS), selectors(c.RemoteTS), fmt.Sprintf("0x%X", c.In.SPI), fmt.Sprintf("0x%X", c.Out.SPI)})
	}
	return out
}

// selectors are traffic selectors as IOS writes them.
func selectors(list []packet.Selector) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%v/%d - %v/%d", s.Start, s.StartPort, s.End, s.EndPort))
	}
	return strings.Join(out, ", ")
}
