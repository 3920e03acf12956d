package linuxkernel

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// book is a ledger, and what it says in warnings.
type book struct {
	*ledger
	warnings []string
}

func openBook(t interface{ Fatal(...any) }, path string) *book {
	b := &book{}
	l, err := openLedger("peers", path, func(err error) { b.warnings = append(b.warnings, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	b.ledger = l
	return b
}

// picture is what a ledger has, by program.
func (b *book) picture() map[uint32][]string {
	all := map[uint32][]string{}
	for id, p := range b.lists {
		all[id] = []string{p.device}
		for a, value := range p.peers {
			text := a.String()
			if value != 0 {
				text += fmt.Sprint("=", value)
			}
			all[id] = append(all[id], text)
		}
		slices.Sort(all[id])
	}
	return all
}

// TestLedgerAnyOrder changes lists in any order, with a crash now and then: the
// next life reads what the last one had, and the file does not grow without end.
func TestLedgerAnyOrder(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(dir, "ledger")
		_ = os.Remove(path)
		b := openBook(t, path)
		next := uint32(1)
		current := map[string]uint32{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			device := rapid.SampledFrom([]string{"Tunnel0", "Tunnel1"}).Draw(t, "device")
			nbma := netip.AddrFrom4([4]byte{192, 0, 2, rapid.ByteRange(1, 5).Draw(t, "peer")})
			id := current[device]
			switch what := rapid.SampledFrom([]string{"begin", "add", "add", "del", "end", "crash", "many"}).Draw(t, "what"); {
			case what == "crash":
				before := b.picture()
				b.close()
				b = openBook(t, path)
				if d := cmp.Diff(before, b.picture()); d != "" || len(b.warnings) > 0 {
					t.Fatalf("after a crash (-before +after) %v:\n%s", b.warnings, d)
				}
			case what == "begin":
				var peers table
				if p, ok := b.list(id, 7); ok {
					peers = p
				}
				b.begin(next, 7, device, peers)
				if id != 0 && rapid.Bool().Draw(t, "in force") {
					b.end(id)
				}
				current[device] = next
				next++
			case id == 0:
			case what == "add":
				b.add(id, nbma, rapid.Uint32Range(0, 2).Draw(t, "value"))
			case what == "del":
				b.remove(id, nbma)
			case what == "many":
				for range 700 {
					b.add(id, nbma, 3)
					b.remove(id, nbma)
				}
			case what == "end":
				b.end(id)
				delete(current, device)
			}
			if len(b.lists) > 4 {
				t.Fatalf("%d lists are kept: %v", len(b.lists), b.picture())
			}
		}
		b.close()
		if text, _ := os.ReadFile(path); strings.Count(string(text), "\n") > 2*ledgerSlack {
			t.Fatalf("%d lines", strings.Count(string(text), "\n"))
		}
	})
}

// TestLedgerDamaged reads what a crash or a person may have left.
func TestLedgerDamaged(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want map[uint32][]string
		warn bool
	}{
		"half a line":   {"list 5 7 Tunnel0\nadd 5 192.0.2.1\nadd 5 192.0.2", map[uint32][]string{5: {"192.0.2.1", "Tunnel0"}}, false},
		"no list":       {"add 5 192.0.2.1\n", map[uint32][]string{}, true},
		"no address":    {"list 5 7 Tunnel0\nadd 5 x\nadd 5 192.0.2.1\n", map[uint32][]string{5: {"Tunnel0"}}, true},
		"unknown word":  {"list 5 7 Tunnel0\nmove 5 192.0.2.1\n", map[uint32][]string{5: {"Tunnel0"}}, true},
		"empty":         {"", map[uint32][]string{}, false},
		"binary":        {"\x00\xff\x00\n\n", map[uint32][]string{}, true},
		"values":        {"list 5 7 Tunnel0\nadd 5 192.0.2.1 7\nadd 5 192.0.2.2 8\nadd 5 192.0.2.1 9\n", map[uint32][]string{5: {"192.0.2.1=9", "192.0.2.2=8", "Tunnel0"}}, false},
		"no value":      {"list 5 7 Tunnel0\nadd 5 192.0.2.1 x\n", map[uint32][]string{5: {"Tunnel0"}}, true},
		"much of it":    {"list 5 7 Tunnel0\nadd 5 192.0.2.1 4294967296\n", map[uint32][]string{5: {"Tunnel0"}}, true},
		"del a value":   {"list 5 7 Tunnel0\ndel 5 192.0.2.1 1\n", map[uint32][]string{5: {"Tunnel0"}}, true},
		"ended":         {"list 5 7 Tunnel0\nadd 5 192.0.2.1\nend 5\n", map[uint32][]string{}, false},
		"begun again":   {"list 5 7 Tunnel0\nadd 5 192.0.2.1\nlist 5 8 Tunnel0\n", map[uint32][]string{5: {"Tunnel0"}}, false},
		"short":         {"list 5 7\n", map[uint32][]string{}, true},
		"number":        {"list x 7 Tunnel0\n", map[uint32][]string{}, true},
		"huge number":   {"list 99999999999 7 Tunnel0\n", map[uint32][]string{}, true},
		"large program": {"list 4294967295 7 Tunnel0\n", map[uint32][]string{4294967295: {"Tunnel0"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ledger")
			if err := os.WriteFile(path, []byte(tc.text), 0o640); err != nil {
				t.Fatal(err)
			}
			b := openBook(t, path)
			if d := cmp.Diff(tc.want, b.picture()); d != "" || (len(b.warnings) > 0) != tc.warn {
				t.Errorf("warnings %q (-want +have):\n%s", b.warnings, d)
			}
			b.begin(9, 7, "Tunnel9", nil) // and it is whole again
			b.add(9, netip.MustParseAddr("192.0.2.9"), 4)
			want := b.picture()
			b.close()
			if b = openBook(t, path); len(b.warnings) > 0 || cmp.Diff(want, b.picture()) != "" {
				t.Errorf("afterwards: %q, %v, wanted %v", b.warnings, b.picture(), want)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("the file is %v: %v", info.Mode(), err)
			}
		})
	}
}

// TestLedgerUnwritable goes on without a file, and says so once.
func TestLedgerUnwritable(t *testing.T) {
	b := openBook(t, filepath.Join(t.TempDir(), "missing", "ledger"))
	b.begin(1, 7, "Tunnel0", nil)
	b.add(1, netip.MustParseAddr("192.0.2.1"), 0)
	b.add(1, netip.MustParseAddr("192.0.2.2"), 0)
	if len(b.warnings) != 1 || len(b.lists[1].peers) != 2 {
		t.Errorf("warnings %q, lists %v", b.warnings, b.picture())
	}
	if peers, ok := b.list(1, 8); ok {
		t.Errorf("another device's list: %v", peers)
	}
}
