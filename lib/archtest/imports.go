package archtest

import (
	"slices"
	"strings"
)

// Imports are the rules that follow from the import graph.
var Imports = []Rule{
	{"lib", "lib is the foundation: whoever uses it must not get a program with it", checkLib},
	{"program", "a program (zebra, vtysh, a daemon) knows the others by the session only: else a third-party daemon is a second-class one", checkPrograms},
	{"ring", "arrows point inwards: packet, then suite, then core, then cli, then edge, then Main", checkRings},
	{"pure", "a core is a plain value: with a socket, a lock, a logger or a wall clock it cannot be simulated or replayed", checkPure},
	{"grpc", "gRPC stays at the process boundary, so that it can be replaced there", checkConfined(
		[]string{"google.golang.org/grpc", "google.golang.org/protobuf", "github.com/golang/protobuf", "github.com/hashicorp/go-plugin", "/lib/pb"},
		[]string{"lib/pb", "lib/plugin", "lib/session", "zebra/supervisor", "zebra/hub", "zebra/ctl", "vtysh/client"}, "grpc")},
	{"go-plugin", "go-plugin is known to its two ends only", checkConfined(
		[]string{"github.com/hashicorp/go-plugin"}, []string{"lib/plugin", "zebra/supervisor"}, "go-plugin")},
	{"netlink", "zebra's provider is the only writer of the kernel's state", checkConfined(
		[]string{"github.com/vishvananda/netlink", "github.com/vishvananda/netns", "github.com/mdlayher/netlink", "github.com/google/nftables", "github.com/jsimonetti/rtnetlink"},
		[]string{"zebra/dataplane/linuxkernel"}, "netlink")},
	{"ebpf", "what the kernel runs for us is made where the kernel is written to", checkConfined(
		[]string{"github.com/cilium/ebpf"}, []string{"zebra/dataplane/linuxkernel"}, "ebpf")},
	{"crypto", "constant-time arithmetic and ciphers that are not in the library have one place to be reviewed", checkConfined(
		[]string{"filippo.io/bigmod", "golang.org/x/crypto"}, []string{"ipsecd/suite"}, "crypto")},
	{"gobgp", "GoBGP owns goroutines and a clock: it stays behind its adaptor", checkConfined(
		[]string{"github.com/osrg/gobgp"}, []string{"bgpd/speaker"}, "gobgp")},
}

// shared are the top-level folders that are no programs.
var shared = []string{"", "lib", "cmd", "tests", "docs"}

func checkLib(m *Module) (out []Violation) {
	m.eachImport(true, func(p *Package, f *File, i Import) {
		if dir, ok := m.local(i.Path); ok && top(p.Dir) == "lib" && top(dir) != "lib" {
			out = append(out, m.at(f, i.Pos, "lib", "lib imports %s", dir))
		}
	})
	return out
}

func checkPrograms(m *Module) (out []Violation) {
	m.eachImport(false, func(p *Package, f *File, i Import) {
		dir, ok := m.local(i.Path)
		from, to := top(p.Dir), top(dir)
		if !ok || slices.Contains(shared, from) || to == "lib" || to == from {
			return
		}
		out = append(out, m.at(f, i.Pos, "program", "%s imports %s", from, dir))
	})
	return out
}

// ring returns the program of a directory and its ring: 0 packet, 1 suite (the
// cryptography of a core), 2 core, 3 cli, 4 edge (which answers for the daemon and so
// knows its grammar), 5 Main; -1 for other folders.
func ring(dir string) (program, name string, n int) {
	program, rest, below := strings.Cut(dir, "/")
	switch name = top(rest); {
	case slices.Contains(shared, program):
		return program, name, -1
	case !below:
		return program, "Main", 5
	case name == "packet":
		return program, name, 0
	case name == "suite":
		return program, name, 1
	case name == "core":
		return program, name, 2
	case name == "cli":
		return program, name, 3
	case name == "edge":
		return program, name, 4
	}
	return program, name, -1
}

func checkRings(m *Module) (out []Violation) {
	m.eachImport(false, func(p *Package, f *File, i Import) {
		dir, ok := m.local(i.Path)
		if !ok {
			return
		}
		program, from, a := ring(p.Dir)
		other, to, b := ring(dir)
		if a < 0 || b < 0 || program != other || from == to || b < a {
			return
		}
		out = append(out, m.at(f, i.Pos, "ring", "%s of %s imports %s", from, program, to))
	})
	return out
}

// checkConfined returns a check that only the folders import the packages given
// (or packages below them). Tests may.
func checkConfined(packages, folders []string, rule string) func(*Module) []Violation {
	return func(m *Module) (out []Violation) {
		m.eachImport(false, func(p *Package, f *File, i Import) {
			if within(p.Dir, folders...) || top(p.Dir) == "tests" {
				return
			}
			for _, forbidden := range packages {
				if strings.HasPrefix(forbidden, "/") {
					forbidden = m.Path + forbidden
				}
				if within(i.Path, forbidden) {
					out = append(out, m.at(f, i.Pos, rule, "%s imports %s, which only %s may",
						p.Dir, i.Path, strings.Join(folders, ", ")))
				}
			}
		})
		return out
	}
}

// IsPure reports whether the package in a directory obeys the rules of cores.
func IsPure(dir string) bool {
	if within(dir, "zebra/rib", "lib/clock", "lib/links", "lib/wire", "lib/rib", "lib/policy", "eigrpd/metric", "ipsecd/suite") {
		return true
	}
	parts := strings.Split(dir, "/")
	return len(parts) > 1 && parts[1] == "core" && !slices.Contains(shared, parts[0])
}

// impure says of an import path why a core must not have it; "" if it may.
func (m *Module) impure(importPath string) string {
	switch {
	case importPath == "net/netip":
		return ""
	case within(importPath, "net", "os", "syscall", "golang.org/x/sys", "golang.org/x/net"):
		return "it reaches the system"
	case within(importPath, "sync", "context"):
		return "one goroutine drives a core, and it never waits"
	case within(importPath, "log"):
		return "what a core has to tell is an effect"
	case importPath == "crypto/rand":
		return "randomness is a seeded source given at birth"
	case within(importPath, m.Path+"/lib/pb", m.Path+"/lib/session", m.Path+"/lib/rawsock", m.Path+"/lib/vrfsock", m.Path+"/lib/plugin", m.Path+"/lib/daemon",
		m.Path+"/lib/telemetry"):
		return "it belongs to the edge"
	case importPath == "unsafe", importPath == "C":
		return "a core is ordinary Go"
	}
	return ""
}

// checkPure looks at what pure packages import, directly or by way of other
// packages of this module. Not looked into are lib/sm, where the contract of a
// core stands beside the driver that must not be pure, and lib/cli, whose values
// import log/slog in order to hide secrets from it.
func checkPure(m *Module) (out []Violation) {
	for _, p := range m.Packages {
		if !IsPure(p.Dir) {
			continue
		}
		for f := range p.code {
			for _, i := range f.Imports {
				if why := m.impure(i.Path); why != "" {
					out = append(out, m.at(f, i.Pos, "pure", "%s imports %s: %s", p.Dir, i.Path, why))
					continue
				}
				if chain, why := m.impureBelow(i.Path, map[string]bool{}); why != "" {
					out = append(out, m.at(f, i.Pos, "pure", "%s imports %s: %s", p.Dir, strings.Join(chain, ", which imports "), why))
				}
			}
		}
	}
	return out
}

// impureBelow follows imports within the module to one that is impure.
func (m *Module) impureBelow(importPath string, seen map[string]bool) (chain []string, why string) {
	dir, ok := m.local(importPath)
	if !ok || dir == "lib/sm" || dir == "lib/cli" || IsPure(dir) || seen[dir] || m.byDir[dir] == nil {
		return nil, ""
	}
	seen[dir] = true
	for f := range m.byDir[dir].code {
		for _, i := range f.Imports {
			if why := m.impure(i.Path); why != "" {
				return []string{dir, i.Path}, why
			}
			if chain, why := m.impureBelow(i.Path, seen); why != "" {
				return append([]string{dir}, chain...), why
			}
		}
	}
	return nil, ""
}

// eachImport visits all imports, of tests only if asked for.
func (m *Module) eachImport(tests bool, visit func(*Package, *File, Import)) {
	for _, p := range m.Packages {
		for _, f := range p.Files {
			if f.Test && !tests {
				continue
			}
			for _, i := range f.Imports {
				visit(p, f, i)
			}
		}
	}
}
