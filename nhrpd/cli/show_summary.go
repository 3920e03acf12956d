package cli

import (
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// entryBytes is about what an entry takes in the core, with its timer, its
// neighbour and its places in tables (docs/benchmarks.md).
const entryBytes = 600

// tally counts entries.
type tally struct {
	Entries    int `json:"entries"`
	Static     int `json:"static"`
	Dynamic    int `json:"dynamic"`
	Incomplete int `json:"incomplete"`
	NextHops   int `json:"nextHops"`
	Temporary  int `json:"temporary"`
	Routes     int `json:"routes"`
	Overrides  int `json:"overrides"`
}

func (t *tally) count(e core.CacheEntry) {
	t.Entries++
	switch e.Type {
	case core.EntryStatic:
		t.Static++
	case core.EntryIncomplete:
		t.Incomplete++
	default:
		t.Dynamic++
	}
	for _, f := range []struct {
		flag core.EntryFlags
		n    *int
	}{{core.FlagNexthop, &t.NextHops}, {core.FlagTemporary, &t.Temporary}} {
		if e.Flags&f.flag != 0 {
			*f.n++
		}
	}
	switch {
	case e.Flags&core.FlagNHO != 0: // printed together with rib
		t.Overrides++
	case e.Flags&core.FlagRIB != 0:
		t.Routes++
	}
}

// ShowSummary prints how many entries there are: `show ip nhrp summary`. What is
// not built (BFD, default maps, BGP, labels) has no entries.
func ShowSummary(r *core.CacheReport) cli.Output {
	var all, remote, local tally
	for _, e := range r.Entries {
		all.count(e)
		if e.Type == core.EntryLocal {
			local.count(e)
		} else {
			remote.count(e)
		}
	}
	bytes := all.Entries * entryBytes
	return cli.Output{JSON: map[string]any{"bytes": bytes, "all": all, "remote": remote, "local": local}, Text: func(w io.Writer) {
		types := func(t tally) {
			fmt.Fprintf(w, "    %d static   %d dynamic    %d incomplete\n", t.Static, t.Dynamic, t.Incomplete)
		}
		fmt.Fprintf(w, "IP NHRP cache %d entries, %d bytes\n", all.Entries, bytes)
		types(all)
		fmt.Fprintf(w, "%d Remote\n", remote.Entries)
		types(remote)
		fmt.Fprintf(w, "    %d nhop     %d bfd\n", remote.NextHops, 0)
		fmt.Fprintf(w, "    %d default  %d temporary\n", 0, remote.Temporary)
		fmt.Fprintf(w, "    %d route\n", remote.Routes+remote.Overrides)
		fmt.Fprintf(w, "        %d rib (%d H    %d nho)\n", remote.Routes+remote.Overrides, remote.Routes, remote.Overrides)
		fmt.Fprintf(w, "        %d bgp\n", 0)
		fmt.Fprintf(w, "    %d lfib\n", 0)
		fmt.Fprintf(w, "%d Local\n", local.Entries)
		types(local)
		fmt.Fprintf(w, "    %d lfib\n", 0)
	}}
}

// selfJSON is what others know of this router.
type selfJSON struct {
	Interface  string     `json:"interface"`
	VRF        string     `json:"vrf,omitempty"`
	Up         bool       `json:"up"`
	Address    string     `json:"address,omitempty"`
	NBMA       string     `json:"nbma,omitempty"`
	NetworkID  uint32     `json:"networkId"`
	Registered []seenJSON `json:"registered"`
}

// seenJSON is a server that has this router's registration.
type seenJSON struct {
	Server string `json:"server"`
	As     string `json:"nbmaSeen"`
}

// ShowSelf prints this router as others know it: `show ip nhrp self`.
func ShowSelf(r *core.PeerReport) cli.Output {
	list := []selfJSON{}
	for _, i := range r.Interfaces {
		s := selfJSON{Interface: i.Interface, VRF: i.VRF, Up: i.Up, Address: text(i.Addr), NBMA: text(i.Source), NetworkID: i.NetworkID,
			Registered: []seenJSON{}}
		for _, n := range i.Servers {
			if n.State != core.NHSResponding {
				continue
			}
			seen := n.Translated
			if !seen.IsValid() {
				seen = i.Source
			}
			s.Registered = append(s.Registered, seenJSON{n.Addr.String(), text(seen)})
		}
		list = append(list, s)
	}
	return cli.Output{JSON: map[string]any{"interfaces": list}, Text: func(w io.Writer) {
		for k, i := range r.Interfaces {
			if !i.Addr.IsValid() {
				fmt.Fprintf(w, "%s has no address\n", i.Interface)
				continue
			}
			fmt.Fprintf(w, "%v/%d via %v\n", i.Addr, i.Addr.BitLen(), i.Addr)
			fmt.Fprintf(w, "   %s is %s, network-id %d\n", i.Interface, upDown(i.Up), i.NetworkID)
			fmt.Fprintf(w, "   NBMA address: %s\n", text(i.Source))
			for _, s := range list[k].Registered {
				claimed := ""
				if s.As != text(i.Source) {
					claimed = ", which sees NBMA address " + s.As
				}
				fmt.Fprintf(w, "   Registered with %s%s\n", s.Server, claimed)
			}
		}
	}}
}
