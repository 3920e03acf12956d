package cli

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/godmvpn/godmvpn/lib/cli"
	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/zebra/engine"
	"github.com/godmvpn/godmvpn/zebra/fib"
	"github.com/godmvpn/godmvpn/zebra/supervisor"
)

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// interfaceJSON is an interface for programs.
type interfaceJSON struct {
	Name        string      `json:"name"`
	Kernel      string      `json:"kernelName,omitempty"`
	Index       int         `json:"index,omitempty"`
	AdminUp     bool        `json:"adminUp"`
	Up          bool        `json:"up"`
	HeldDown    bool        `json:"heldDown,omitempty"`
	VRF         string      `json:"vrf"`
	MTU         int         `json:"mtu"`
	Bandwidth   uint64      `json:"bandwidthKbit"`
	Delay       uint32      `json:"delayTensOfMicroseconds"`
	Description string      `json:"description,omitempty"`
	Addresses   []string    `json:"addresses"`
	Tunnel      *tunnelJSON `json:"tunnel,omitempty"`
}

type tunnelJSON struct {
	Mode            string  `json:"mode"`
	Source          string  `json:"source,omitempty"`
	SourceInterface string  `json:"sourceInterface,omitempty"`
	Destination     string  `json:"destination,omitempty"`
	Key             *uint32 `json:"key,omitempty"`
	VRF             string  `json:"vrf"`
}

func interfaceOf(i librib.Interface) interfaceJSON {
	j := interfaceJSON{Name: i.Name, Kernel: i.KernelName, Index: i.Index, AdminUp: i.AdminUp, Up: i.Up, HeldDown: i.HeldDown, VRF: i.VRF, MTU: i.MTU,
		Bandwidth: i.Bandwidth, Delay: i.Delay, Description: i.Description, Addresses: []string{}}
	for _, a := range i.Addresses {
		j.Addresses = append(j.Addresses, a.Prefix.String())
	}
	if t := i.Tunnel; t != nil {
		j.Tunnel = &tunnelJSON{Mode: modeText(t), SourceInterface: t.SourceInterface, VRF: t.VRF}
		if t.Source.IsValid() {
			j.Tunnel.Source = t.Source.String()
		}
		if t.Destination.IsValid() {
			j.Tunnel.Destination = t.Destination.String()
		}
		if t.HasKey {
			j.Tunnel.Key = &t.Key
		}
	}
	return j
}

func modeText(t *librib.Tunnel) string {
	text := "GRE/IP"
	if t.Mode == librib.TunnelGREMultipoint {
		text = "multi-GRE/IP"
	}
	if t.IPv6Transport {
		text += "v6"
	}
	return text
}

// ShowInterfaces prints interfaces in full; name "" means all.
func ShowInterfaces(all []librib.Interface, name string) (cli.Output, error) {
	list := []interfaceJSON{}
	var shown []librib.Interface
	for _, i := range all {
		if name == "" || i.Name == name {
			shown = append(shown, i)
			list = append(list, interfaceOf(i))
		}
	}
	if name != "" && len(shown) == 0 {
		return cli.Output{}, fmt.Errorf("there is no interface %s", name)
	}
	return cli.Output{JSON: map[string]any{"interfaces": list}, Text: func(w io.Writer) {
		for _, i := range shown {
			printInterface(w, i)
		}
	}}, nil
}

func printInterface(w io.Writer, i librib.Interface) {
	admin := upDown(i.AdminUp)
	if !i.AdminUp {
		admin = "administratively down"
	}
	if i.KernelName == "" {
		admin = "not there"
	}
	fmt.Fprintf(w, "%s is %s, line protocol is %s\n", i.Name, admin, upDown(i.Up))
	if i.HeldDown {
		fmt.Fprintln(w, "  Held down by a daemon (if-state): the device sends and receives")
	}
	if i.KernelName == "" {
		hint := " (interface-alias names one for it)"
		if i.Type == librib.TypeTunnel || i.Type == librib.TypeLoopback {
			hint = " yet (see show zebra fib and show logging)"
		}
		fmt.Fprintf(w, "  The kernel has no such device%s\n", hint)
	} else {
		fmt.Fprintf(w, "  Kernel device %s, index %d\n", i.KernelName, i.Index)
	}
	if i.Description != "" {
		fmt.Fprintf(w, "  Description: %s\n", i.Description)
	}
	if i.VRF != "" {
		fmt.Fprintf(w, "  VRF %s\n", i.VRF)
	}
	for _, a := range i.Addresses {
		fmt.Fprintf(w, "  Internet address is %v\n", a.Prefix)
	}
	fmt.Fprintf(w, "  MTU %d bytes, BW %d Kbit/sec, DLY %d usec\n", i.MTU, i.Bandwidth, uint64(i.Delay)*10)
	t := i.Tunnel
	if t == nil {
		return
	}
	source := "not usable"
	if t.Source.IsValid() {
		source = t.Source.String()
	}
	if t.SourceInterface != "" {
		source += " (" + t.SourceInterface + ")"
	}
	destination := ""
	if t.Destination.IsValid() {
		destination = ", destination " + t.Destination.String()
	}
	fmt.Fprintf(w, "  Tunnel source %s%s\n", source, destination)
	key := "disabled"
	if t.HasKey {
		key = fmt.Sprintf("0x%X", t.Key)
	}
	fmt.Fprintf(w, "  Tunnel protocol/transport %s, Key %s\n", modeText(t), key)
	if t.VRF != "" {
		fmt.Fprintf(w, "  Tunnel VRF %s\n", t.VRF)
	}
}

// ShowIfBrief prints a line for each interface.
func ShowIfBrief(all []librib.Interface) cli.Output {
	list := []interfaceJSON{}
	for _, i := range all {
		list = append(list, interfaceOf(i))
	}
	return cli.Output{JSON: map[string]any{"interfaces": list}, Text: func(w io.Writer) {
		t := cli.Table{W: w, Format: "%-22s %-18s %-22s %s"}
		t.Row("Interface", "IP-Address", "Status", "Protocol")
		for _, i := range all {
			addr := "unassigned"
			for _, a := range i.Addresses {
				if a.Prefix.Addr().Is4() {
					addr = a.Prefix.Addr().String()
					break
				}
			}
			status := upDown(i.AdminUp)
			switch {
			case i.KernelName == "":
				status = "no device"
			case !i.AdminUp:
				status = "administratively down"
			}
			t.Row(i.Name, addr, status, upDown(i.Up))
		}
	}}
}

// ShowDaemons prints the daemons and their state.
func ShowDaemons(all []supervisor.Status, now time.Time) cli.Output {
	type row struct {
		Name       string  `json:"name"`
		State      string  `json:"state"`
		PID        int     `json:"pid,omitempty"`
		Restarts   int     `json:"restarts"`
		Uptime     float64 `json:"uptime"`
		Version    string  `json:"version"`
		Memory     uint64  `json:"memoryBytes"`
		Reattached bool    `json:"reattached"`
		LastExit   string  `json:"lastExit,omitempty"`
	}
	list := []row{}
	for _, s := range all {
		r := row{Name: s.Name, State: string(s.State), PID: s.PID, Restarts: s.Restarts, Version: s.Build, Memory: s.Memory,
			Reattached: s.Reattached, LastExit: s.LastExit}
		if s.State == supervisor.Running {
			r.Uptime = now.Sub(s.Since).Seconds()
		}
		list = append(list, r)
	}
	return cli.Output{JSON: map[string]any{"daemons": list}, Text: func(w io.Writer) {
		t := cli.Table{W: w, Format: "%-10s %-9s %8s %8s %9s %9s %-16s %s"}
		t.Row("Daemon", "State", "PID", "Restarts", "Uptime", "Memory", "Version", "Last exit")
		for _, r := range list {
			pid, uptime, memory := "-", "-", "-"
			if r.PID != 0 {
				pid = fmt.Sprint(r.PID)
			}
			if r.State == string(supervisor.Running) {
				uptime = cli.Duration(time.Duration(r.Uptime * float64(time.Second)))
			}
			if r.Memory != 0 {
				memory = fmt.Sprintf("%.1f MB", float64(r.Memory)/1e6)
			}
			t.Row(r.Name, r.State, pid, fmt.Sprint(r.Restarts), uptime, memory, r.Version, r.LastExit)
		}
	}}
}

// ShowInit prints the steps of the start.
func ShowInit(s engine.Signals) cli.Output {
	steps := []struct {
		Name    string `json:"signal"`
		Reached bool   `json:"reached"`
	}{{"LINKS_KNOWN", s.LinksKnown}, {"CONFIG_LOADED", s.ConfigLoaded}, {"DAEMONS_ATTACHED", s.DaemonsAttached},
		{"REPLAYED", s.Replayed}, {"FIB_SYNCED", s.FIBSynced}}
	return cli.Output{JSON: map[string]any{"signals": steps}, Text: func(w io.Writer) {
		for _, step := range steps {
			fmt.Fprintf(w, "%-18s %s\n", step.Name, map[bool]string{true: "reached", false: "not yet"}[step.Reached])
		}
	}}
}

// ShowFIB prints what the reconciler does.
func ShowFIB(t fib.Totals) cli.Output {
	return cli.Output{JSON: t, Text: func(w io.Writer) {
		fmt.Fprintf(w, "Wanted %d, installed %d, stale %d, queued %d, failed %d\n", t.Wanted, t.Installed, t.Stale, t.Queued, t.Failed)
		fmt.Fprintf(w, "Puts %d, deletes %d, failures %d, kept without a write %d\n", t.Puts, t.Deletes, t.Failures, t.Kept)
		fmt.Fprintf(w, "Put back %d, repaired %d, strays removed %d, lost with their device %d\n", t.PutBack, t.Repaired, t.Strays, t.Lost)
		fmt.Fprintf(w, "Audits %d, of these after lost events %d, failed %d\n", t.Audits, t.Resyncs, t.Errors)
		for _, r := range t.Refused {
			fmt.Fprintf(w, "Not in force: %s: %s\n", r.Object, r.Error)
		}
		if more := t.Failed - len(t.Refused); more > 0 && len(t.Refused) > 0 {
			fmt.Fprintf(w, "Not in force: %d more\n", more)
		}
	}}
}

// ShowVersion prints the version.
func ShowVersion(build, hostname string, uptime time.Duration) cli.Output {
	return cli.Output{JSON: map[string]any{"version": build, "go": runtime.Version(), "hostname": hostname, "uptime": uptime.Seconds()},
		Text: func(w io.Writer) {
			fmt.Fprintf(w, "godmvpn %s (%s, %s/%s)\n", build, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			fmt.Fprintf(w, "%s uptime is %s\n", hostname, cli.Duration(uptime))
		}}
}

// VRF is a row of `show vrf`.
type VRF struct {
	Name        string   `json:"name"`
	Table       uint32   `json:"table"`
	Description string   `json:"description,omitempty"`
	Interfaces  []string `json:"interfaces"`
}

// ShowVRFs prints the VRFs.
func ShowVRFs(list []VRF) cli.Output {
	return cli.Output{JSON: map[string]any{"vrfs": list}, Text: func(w io.Writer) {
		t := cli.Table{W: w, Format: "  %-20s %-8s %s"}
		t.Row("Name", "Table", "Interfaces")
		for _, v := range list {
			t.Row(v.Name, fmt.Sprint(v.Table), strings.Join(v.Interfaces, ", "))
		}
	}}
}
