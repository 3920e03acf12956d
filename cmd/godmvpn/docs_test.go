package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	eigrpcli "github.com/godmvpn/godmvpn/eigrpd/cli"
	ipseccli "github.com/godmvpn/godmvpn/ipsecd/cli"
	"github.com/godmvpn/godmvpn/lib/cli"
	"github.com/godmvpn/godmvpn/lib/conf"
	"github.com/godmvpn/godmvpn/lib/plugin"
	"github.com/godmvpn/godmvpn/lib/rib"
	nhrpcli "github.com/godmvpn/godmvpn/nhrpd/cli"
	ripcli "github.com/godmvpn/godmvpn/ripd/cli"
	zcli "github.com/godmvpn/godmvpn/zebra/cli"
)

// The documents are tested here because only this package sees all daemons.

const root = "../.."

// trees are the grammars of the whole suite, as zebra merges them.
func trees() []cli.Owned {
	return append([]cli.Owned{{Owner: zcli.Owner, Tree: zcli.Grammar()}}, builtin().Daemons...)
}

func grammar(t *testing.T) *cli.Grammar {
	t.Helper()
	g, err := cli.Merge(trees()...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// documents are the Markdown files of the project.
func documents(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			rel, err := filepath.Rel(root, name)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, rel)
		}
	}
	return out
}

// example is a fenced block of a document that is marked as a configuration.
type example struct {
	place string // file:line
	text  string
}

// configurations returns the blocks marked "ios".
func configurations(t *testing.T, name string) (out []example) {
	t.Helper()
	var block *example
	for n, line := range strings.Split(read(t, name), "\n") {
		switch {
		case block != nil && line == "```":
			out, block = append(out, *block), nil
		case block != nil:
			block.text += line + "\n"
		case line == "```ios":
			block = &example{place: fmt.Sprintf("%s:%d", name, n+1)}
		}
	}
	if block != nil {
		t.Errorf("%s: the block has no end", block.place)
	}
	return out
}

// refusals returns what zebra and the daemons have against a configuration.
func refusals(tree *conf.Tree) []plugin.LineError {
	_, errs := zcli.Read(tree)
	_, more := nhrpcli.Read(tree)
	_, rip := ripcli.Read(tree)
	_, eigrp := eigrpcli.Read(tree)
	_, _, ipsec := ipseccli.Read(tree)
	return slices.Concat(errs, more, rip, eigrp, ipsec)
}

// TestExamplesLoad loads every configuration that a document shows, alone, as
// zebra does at its start.
func TestExamplesLoad(t *testing.T) {
	g, found := grammar(t), 0
	for _, name := range documents(t) {
		for _, e := range configurations(t, name) {
			found++
			tree, errs := conf.Load(g, e.text, e.place)
			for _, err := range errs {
				t.Errorf("%v", err)
			}
			if tree == nil {
				continue
			}
			for _, err := range refusals(tree) {
				t.Errorf("%s: %q: %s", e.place, err.Path, err.Msg)
			}
		}
	}
	if found < 5 {
		t.Errorf("found %d configurations in the documents", found)
	}
}

// TestReadmeShowsHubAndSpoke keeps the first configuration that a reader sees
// complete and short.
func TestReadmeShowsHubAndSpoke(t *testing.T) {
	blocks := configurations(t, "README.md")
	if len(blocks) != 2 {
		t.Fatalf("README.md has %d configurations, not a hub's and a spoke's", len(blocks))
	}
	for i, want := range [][]string{
		{zcli.CmdRoute, zcli.CmdTunMode, nhrpcli.CmdNetworkID},
		{zcli.CmdRoute, zcli.CmdTunMode, nhrpcli.CmdNetworkID, nhrpcli.CmdNHS},
	} {
		tree, errs := conf.Load(grammar(t), blocks[i].text, blocks[i].place)
		if errs != nil {
			t.Fatal(errs)
		}
		seen := map[string]bool{}
		collect(tree.Nodes, seen)
		for _, id := range want {
			if !seen[id] {
				t.Errorf("%s: no line of %s", blocks[i].place, id)
			}
		}
		if n := strings.Count(blocks[i].text, "\n"); n > 12 {
			t.Errorf("%s: %d lines", blocks[i].place, n)
		}
	}
}

func collect(nodes []*conf.Node, seen map[string]bool) {
	for _, n := range nodes {
		seen[n.ID] = true
		collect(n.Nodes, seen)
	}
}

var (
	argument = regexp.MustCompile(`[a-z0-9]+:([A-Z][A-Z0-9:]*(\.[A-Z])*(/M)?(\([0-9]+\))?|<[0-9]+-[0-9]+>)`)
	group    = regexp.MustCompile(`[a-z0-9]+:([{\[])`)
)

// written is how the documents write a pattern: an argument by its name in
// capitals, or by its range; no names of groups.
func written(pattern string) string {
	pattern = argument.ReplaceAllStringFunc(pattern, func(s string) string {
		name, kind, _ := strings.Cut(s, ":")
		if strings.HasPrefix(kind, "<") {
			return kind
		}
		return strings.ToUpper(name)
	})
	return group.ReplaceAllString(pattern, "$1")
}

func TestWritten(t *testing.T) {
	for pattern, want := range map[string]string{
		"mtu bytes:<68-9216>":                         "mtu <68-9216>",
		"ip nhrp map addr:A.B.C.D [mask:MASK] x:ADDR": "ip nhrp map ADDR [MASK] X",
		"logging level:{errors|warnings}":             "logging {errors|warnings}",
		"ipv6 address addr:X:X::X:X/M":                "ipv6 address ADDR",
		"p sport:[{eq|lt} port:WORD(20)]":             "p [{eq|lt} PORT]",
	} {
		if got := written(pattern); got != want {
			t.Errorf("written(%q) = %q, want %q", pattern, got, want)
		}
	}
}

// sections returns the text of docs/configuration.md by the mode that a heading
// names between backquotes. A section that has the lines of another mode, and says so,
// is as if it had the other's text.
func sections(t *testing.T) map[string]string {
	t.Helper()
	heading := regexp.MustCompile("^## .*`([^`]+)`$")
	out, mode := map[string]string{}, ""
	for _, line := range strings.Split(read(t, "docs/configuration.md"), "\n") {
		if m := heading.FindStringSubmatch(line); m != nil {
			mode = m[1]
		} else if strings.HasPrefix(line, "## ") {
			mode = ""
		}
		out[mode] += line + "\n"
	}
	same := regexp.MustCompile("(?m)^The lines of mode `([^`]+)`")
	for mode, text := range out { // unordered: none refers to one that refers itself
		for _, m := range same.FindAllStringSubmatch(text, -1) {
			if out[m[1]] == "" || same.MatchString(out[m[1]]) {
				t.Errorf("docs/configuration.md, mode %s: it refers to mode %s, which lists no lines", mode, m[1])
			}
			out[mode] += out[m[1]]
		}
	}
	return out
}

// TestConfigurationIsComplete fails for a command that docs/configuration.md does
// not mention in the section of its mode, word by word, and for a configuration
// line of which it shows no example.
func TestConfigurationIsComplete(t *testing.T) {
	text, g, shown := sections(t), grammar(t), map[string]bool{}
	for _, e := range configurations(t, "docs/configuration.md") {
		if tree, _ := conf.Load(g, e.text, e.place); tree != nil {
			collect(tree.Nodes, shown)
		}
	}
	for _, owned := range append(trees(), cli.Owned{Owner: cli.SessionOwner, Tree: cli.SessionTree()}) {
		for _, c := range owned.Tree.Commands {
			if c.Hidden {
				continue
			}
			if _, f := nhrpcli.Split(c.ID); f == rib.IPv6 { // the document has what is about IPv4, and says how that is about IPv6
				if twins := "are there with `ipv6 nhrp` in the place of `ip nhrp`"; !strings.Contains(text[c.Mode], twins) {
					t.Errorf("docs/configuration.md, mode %s: it does not say which lines %s", c.Mode, twins)
				}
				continue
			}
			want := written(c.Pattern)
			if c.NoForm == cli.NoOnly {
				want = "no " + want
			}
			if !strings.Contains(text[c.Mode], "`"+want+"`") {
				t.Errorf("docs/configuration.md, mode %s: there is no `%s`", c.Mode, want)
			}
			session := owned.Owner == cli.SessionOwner || c.Immediate || c.Mode == cli.ModeExec || c.Mode == cli.ModeEnable
			if !session && c.NoForm != cli.NoOnly && c.Ignored == "" && !shown[c.ID] {
				t.Errorf("docs/configuration.md shows no example of %s (%s)", c.ID, want)
			}
		}
	}
}

// TestLinks follows the links of the documents to files of the project.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	for _, name := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, name), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: the link %s leads nowhere", name, m[1])
			}
		}
	}
}

// TestArchitectureTree compares the tree in ARCHITECTURE.md with the folders:
// each line begins with a path; those marked "planned" do not exist yet.
func TestArchitectureTree(t *testing.T) {
	_, text, _ := strings.Cut(read(t, "ARCHITECTURE.md"), "\n```tree\n")
	text, _, ok := strings.Cut(text, "\n```\n")
	if !ok {
		t.Fatal("ARCHITECTURE.md has no block marked tree")
	}
	listed := map[string]bool{}
	for _, line := range strings.Split(text, "\n") {
		path, about, _ := strings.Cut(strings.TrimSpace(line), " ")
		path = strings.TrimSuffix(path, "/")
		listed[path] = true
		_, err := os.Stat(filepath.Join(root, path))
		switch planned := strings.Contains(about, "planned"); {
		case err != nil && !planned:
			t.Errorf("ARCHITECTURE.md names %s, which does not exist", path)
		case err == nil && planned:
			t.Errorf("ARCHITECTURE.md has %s as planned, but it exists", path)
		}
	}
	for _, pattern := range []string{"lib/*", "zebra/*", "nhrpd/*", "vtysh/*"} {
		dirs, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, dir := range dirs {
			rel, _ := filepath.Rel(root, dir)
			if goFiles, _ := filepath.Glob(filepath.Join(dir, "*.go")); len(goFiles) > 0 && !listed[rel] {
				t.Errorf("ARCHITECTURE.md does not name %s", rel)
			}
		}
	}
}

// TestRFCS checks that what RFCS.md cites exists: tests and fuzz targets, core
// scripts, source files, and names of the code, in the folder that the heading
// of the table names.
func TestRFCS(t *testing.T) {
	heading := regexp.MustCompile("^## .*`([^`]+)`$")
	quoted := regexp.MustCompile("`([^`]+)`")
	dir, rows := "", 0
	for n, line := range strings.Split(read(t, "RFCS.md"), "\n") {
		if m := heading.FindStringSubmatch(line); m != nil {
			dir = m[1]
		}
		cells := strings.Split(line, "|")
		if !strings.HasPrefix(line, "| RFC") && !strings.HasPrefix(line, "| Cisco") {
			continue
		}
		if rows++; len(cells) != 6 || dir == "" {
			t.Errorf("RFCS.md:%d: not a row of clause, code, test and status below a folder", n+1)
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[2]+cells[3], -1) {
			if err := cited(dir, m[1]); err != nil {
				t.Errorf("RFCS.md:%d: %v", n+1, err)
			}
		}
	}
	if rows < 30 {
		t.Errorf("RFCS.md has %d rows", rows)
	}
}

// cited looks for what a row cites in a folder.
func cited(dir, name string) error {
	if filepath.Ext(name) == ".go" || filepath.Ext(name) == ".txt" {
		for _, at := range []string{name, filepath.Join("testdata", name)} {
			if _, err := os.Stat(filepath.Join(root, dir, at)); err == nil {
				return nil
			}
		}
		return fmt.Errorf("%s has no file %s", dir, name)
	}
	pkg, name, qualified := strings.Cut(name, ".")
	switch other := filepath.Join("lib", pkg); {
	case !qualified:
		name = pkg
	case isDir(filepath.Join(root, other)):
		dir = other
	default: // a method or field: the last word is what is looked for
	}
	if !declared(filepath.Join(root, dir))[name] {
		return fmt.Errorf("%s does not declare %s", dir, name)
	}
	return nil
}

var (
	declaration = regexp.MustCompile(`(?m)^(?:func (?:\([^)]*\) )?|[ \t]*(?:const |type |var )?)(\w+)`)
	declaredIn  = map[string]map[string]bool{} // what declared found in folders, so that each is read once
)

// declared returns the names that a folder's files declare, and others that a line begins with.
func declared(dir string) map[string]bool {
	if names := declaredIn[dir]; names != nil {
		return names
	}
	names := map[string]bool{}
	declaredIn[dir] = names
	files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, file := range files {
		b, _ := os.ReadFile(file) // of a file that cannot be read, nothing is found
		for _, m := range declaration.FindAllSubmatch(b, -1) {
			names[string(m[1])] = true
		}
	}
	return names
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
