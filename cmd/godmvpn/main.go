// Command godmvpn is the whole suite in one file. The name by which it is called
// picks the program: zebra, nhrpd, … or vtysh, as links beside it; or the first
// argument does ("godmvpn nhrpd").
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/godmvpn/godmvpn/bgpd"
	"github.com/godmvpn/godmvpn/eigrpd"
	"github.com/godmvpn/godmvpn/ipsecd"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/nhrpd"
	"github.com/godmvpn/godmvpn/ospfd"
	"github.com/godmvpn/godmvpn/ripd"
	"github.com/godmvpn/godmvpn/vtysh"
	"github.com/godmvpn/godmvpn/zebra"
)

// version is set by the Makefile.
var version = ""

// daemons is the list of daemons: a new one is a line here.
var daemons = []struct {
	name    string
	grammar func() cli.Tree
	main    func(build string) int
}{
	{nhrpd.Name, nhrpd.Grammar, nhrpd.Main},
	{bgpd.Name, bgpd.Grammar, bgpd.Main},
	{ospfd.Name, ospfd.Grammar, ospfd.Main},
	{eigrpd.Name, eigrpd.Grammar, eigrpd.Main},
	{ipsecd.Name, ipsecd.Grammar, ipsecd.Main},
	{ripd.Name, ripd.Grammar, ripd.Main},
}

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if program(name) == nil && len(args) > 0 {
		name, args = args[0], args[1:]
	}
	run := program(name)
	if run == nil {
		usage()
		os.Exit(2)
	}
	if name != "vtysh" {
		go giveBack()
	}
	os.Exit(run(args))
}

// program returns what a name stands for, or nil.
func program(name string) func(args []string) int {
	switch name {
	case "zebra":
		return func(args []string) int { return zebra.Main(args, builtin()) }
	case "vtysh":
		return vtysh.Main
	case "--list":
		return list
	case "--version":
		return func([]string) int { fmt.Println(build()); return 0 }
	}
	for _, d := range daemons {
		if d.name == name {
			return func([]string) int { return d.main(build()) }
		}
	}
	return nil
}

func builtin() zebra.Builtin {
	b := zebra.Builtin{Build: build()}
	for _, d := range daemons {
		b.Daemons = append(b.Daemons, cli.Owned{Owner: d.name, Tree: d.grammar()})
	}
	return b
}

// list prints the names that want a link.
func list([]string) int {
	fmt.Println("zebra")
	for _, d := range daemons {
		fmt.Println(d.name)
	}
	fmt.Println("vtysh")
	return 0
}

// build returns the version of the program.
func build() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: godmvpn PROGRAM [argument ...], where PROGRAM is one of")
	fmt.Fprintln(os.Stderr, "  zebra    the RIB manager, which starts the daemons")
	fmt.Fprintln(os.Stderr, "  vtysh    the command line")
	for _, d := range daemons {
		fmt.Fprintf(os.Stderr, "  %-8s a daemon; zebra starts it\n", d.name)
	}
	fmt.Fprintln(os.Stderr, "or godmvpn --version, or godmvpn --list")
}
