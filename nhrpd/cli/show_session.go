package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/protection"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

type sessionJSON struct {
	NBMA     string  `json:"nbma"`
	Status   string  `json:"status"`
	Since    float64 `json:"since"`
	Ups      uint32  `json:"timesUp"`
	Identity string  `json:"identity,omitempty"`
	Reason   string  `json:"reason,omitempty"`
	Wanted   bool    `json:"wanted"`
	Waiting  int     `json:"packetsWaiting"`
}

func sessionsOf(all []core.Session) (list []sessionJSON) {
	for _, s := range all {
		list = append(list, sessionJSON{text(s.NBMA), sessionStatus(s), s.Since.Seconds(), s.Generation, s.Identity, s.Reason, s.Wanted, s.Held})
	}
	return list
}

// sessionStatus returns the status as `show crypto session` has it.
func sessionStatus(s core.Session) string {
	switch {
	case s.Security == protection.Up:
		return "UP-ACTIVE"
	case s.Security == protection.IPsec:
		return "UP-IDLE"
	case s.Wanted:
		return "DOWN-NEGOTIATING"
	}
	return "DOWN"
}

// printSessions prints the sessions of IPsec: those that packets pass over, and those that
// are to come.
func printSessions(w io.Writer, interfaces []core.InterfacePeers) {
	fmt.Fprintf(w, "Crypto Session Details: \n%s\n\n", strings.Repeat("-", 80))
	for _, i := range interfaces {
		for _, s := range i.Sessions {
			if s.Security == protection.Up {
				printSession(w, i, s)
			}
		}
	}
	fmt.Fprint(w, "Pending DMVPN Sessions:\n\n")
	for _, i := range interfaces {
		for _, s := range i.Sessions {
			if s.Security != protection.Up {
				printSession(w, i, s)
			}
		}
	}
}

// printSession prints a session as far as NHRP knows of it; `show crypto session` has the
// rest.
func printSession(w io.Writer, i core.InterfacePeers, s core.Session) {
	fmt.Fprintf(w, "Interface: %s\n", i.Interface)
	fmt.Fprintf(w, "  Crypto Session Status: %s\n", sessionStatus(s))
	fvrf := i.TransportVRF
	if fvrf == "" {
		fvrf = "(none)"
	}
	fmt.Fprintf(w, "  fvrf: %s, Phase1_id: %s\n", fvrf, orText(s.Identity, "(none)"))
	fmt.Fprintf(w, "  IPSEC FLOW: permit 47   host %v host %v\n", text(i.Source), s.NBMA)
	if s.Reason != "" {
		fmt.Fprintf(w, "        Reason: %s\n", s.Reason)
	}
	if s.Held > 0 {
		fmt.Fprintf(w, "        NHRP packets waiting: %d\n", s.Held)
	}
	state := "Closed"
	if s.Security == protection.Up {
		state = "Open"
	}
	fmt.Fprintf(w, "    Socket State: %s, for %s\n\n", state, cli.Duration(s.Since))
}
