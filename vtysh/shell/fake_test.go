package shell

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
)

// fakeTree is the grammar of the router in memory.
func fakeTree() cli.Tree {
	return cli.Tree{
		Help: cli.Help{"ip": "IP settings", "show": "Show running system information", "tunnel": "Tunnel settings", "nhrp": "NHRP settings"},
		Modes: []cli.Mode{
			{Name: "interface", Parent: "config", Prompt: "(config-if)#"},
			{Name: "router", Parent: "config", Prompt: "(config-router)#"},
			{Name: "af", Parent: "router", Prompt: "(config-router-af)#", Closers: []string{"exit-address-family"}},
		},
		Commands: []cli.Command{
			{ID: "show.version", Mode: "exec", Pattern: "show version", Help: cli.Help{"version": "Version of the software"}},
			{ID: "show.long", Mode: "exec", Pattern: "show long lines:<1-100000>", Help: cli.Help{"long": "Many lines", "lines": "How many"}},
			{ID: "show.run", Mode: "enable", Pattern: "show running-config [section:LINE]", Help: cli.Help{"running-config": "Current configuration", "section": "Part of it"}},
			{ID: "wait", Mode: "enable", Pattern: "wait", Help: cli.Help{"wait": "Wait for Ctrl-C"}},
			{ID: "broken", Mode: "enable", Pattern: "break", Help: cli.Help{"break": "Fail"}},
			{ID: "hostname", Mode: "config", Pattern: "hostname name:WORD(63)", Help: cli.Help{"hostname": "Name of this router", "name": "Name"}},
			{ID: "master", Mode: "config", Pattern: "master-key [master:SECRET(20)]", Immediate: true, Ask: "master", Help: cli.Help{"master": "New master key"}},
			{ID: "interface", Mode: "config", Pattern: "interface name:IFNAME", Enters: "interface", Key: []string{"name"}, Help: cli.Help{"interface": "Select an interface", "name": "Interface name"}},
			{ID: "route", Mode: "config", Pattern: "ip route prefix:PREFIX4 nh:A.B.C.D", Key: []string{"prefix", "nh"}, Weight: 9},
			{ID: "router", Mode: "config", Pattern: "router eigrp as:<1-65535>", Enters: "router", Key: []string{"as"}},
			{ID: "af", Mode: "router", Pattern: "address-family ipv4", Enters: "af"},
			{ID: "network", Mode: "af", Pattern: "network addr:A.B.C.D wild:WILDCARD", Key: []string{"addr"}},
			{ID: "address", Mode: "interface", Pattern: "ip address prefix:A.B.C.D/M", Help: cli.Help{"address": "Address of the interface", "prefix": "Address and length"}},
			{ID: "auth", Mode: "interface", Pattern: "ip nhrp authentication [type:{0|6|7}] secret:SECRET(8)"},
			{ID: "description", Mode: "interface", Pattern: "description text:LINE(240)"},
			{ID: "mode", Mode: "interface", Pattern: "tunnel mode gre {ip|multipoint}", Default: "tunnel mode gre ip",
				Help: cli.Help{"mode": "Encapsulation", "gre": "GRE", "ip": "Over IPv4, point to point", "multipoint": "Over IPv4, multipoint"}},
			{ID: "key", Mode: "interface", Pattern: "tunnel key key:<0-4294967295>"},
			{ID: "tmtu", Mode: "interface", Pattern: "tunnel mtu mtu:<68-9216>"},
		},
	}
}

// router is a Backend in memory.
type router struct {
	g    *cli.Grammar
	tree conf.Tree
}

func newRouter(t interface{ Fatal(...any) }) *router {
	g, err := cli.Merge(cli.Owned{Owner: "zebra", Tree: fakeTree()})
	if err != nil {
		t.Fatal(err)
	}
	return &router{g: g}
}

func (r *router) Refresh(context.Context) (State, error) {
	host := "hub1"
	if n := r.tree.Find("", "hostname"); n != nil {
		host = n.Args.String("name")
	}
	return State{Hostname: host, Grammar: r.g}, nil
}

func (r *router) Exec(ctx context.Context, line string, asJSON bool, w io.Writer) error {
	m, err := r.g.Parse([]string{cli.ModeEnable}, line)
	if err != nil {
		return err
	}
	switch m.Command.ID {
	case "show.version":
		return cli.Output{JSON: map[string]string{"version": "1.0"}, Text: func(w io.Writer) { fmt.Fprintln(w, "godmvpn 1.0") }}.Write(w, asJSON)
	case "show.long":
		for i := range m.Args.Uint("lines") {
			if _, err := fmt.Fprintf(w, "line number %d\n", i+1); err != nil {
				return err
			}
		}
		return nil
	case "show.run":
		t := &r.tree
		if s := m.Args.String("section"); s != "" {
			t = t.Section(r.g, s)
		}
		return t.Print(w)
	case "wait":
		fmt.Fprintln(w, "waiting")
		<-ctx.Done()
		return ctx.Err()
	}
	return errors.New("it is broken")
}

func (r *router) Apply(_ context.Context, path []string, line string) error {
	p, perr := conf.Resolve(r.g, path)
	if perr != nil {
		return perr
	}
	m, perr := r.g.Parse(p.Stack(), line)
	if perr != nil {
		return perr
	}
	if m.Command.ID == "key" && m.Args.Uint("key") == 666 {
		return conf.LineError{Line: 1, Column: 12, Text: line, Msg: "this key is taken"}
	}
	if m.Command.ID == "master" && !m.No {
		return fmt.Errorf("the key has %d characters", len(m.Args.String("master")))
	}
	_, err := r.tree.Apply(p, m)
	return err
}

func (r *router) Monitor(ctx context.Context, w io.Writer) error {
	fmt.Fprintln(w, "%DMVPN-5-CRYPTO_SS: message")
	<-ctx.Done()
	return ctx.Err()
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, "; ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// vtyshMain is the program that the scripts run.
func vtyshMain() {
	var o Options
	flags := flag.NewFlagSet("vtysh", flag.ExitOnError)
	flags.Var((*list)(&o.Commands), "c", "command")
	flags.StringVar(&o.File, "f", "", "file")
	flags.BoolVar(&o.JSON, "json", false, "JSON")
	flags.Parse(os.Args[1:])
	o.History = os.Getenv("VTYSH_HISTORY")
	os.Exit(Run(context.Background(), newRouter(fatal{}), o))
}

type fatal struct{}

func (fatal) Fatal(a ...any) { panic(fmt.Sprint(a...)) }

func testSession(t testing.TB) *session {
	t.Helper()
	s := &session{backend: newRouter(t), mode: cli.ModeEnable}
	if err := s.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}
