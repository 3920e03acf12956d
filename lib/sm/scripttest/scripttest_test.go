package scripttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// egg is a machine that is woken once a minute after it was set.
type egg struct {
	at   clock.Instant
	set  bool
	mad  bool // wants to be woken without end
	said []string
}

type tick struct{}

func (e *egg) Step(now clock.Instant, in any) {
	switch in := in.(type) {
	case string:
		e.said = append(e.said, in)
		e.at, e.set, e.mad = now.Add(time.Minute), true, in == "mad"
	case tick:
		if e.set && now >= e.at && !e.mad {
			e.said, e.set = append(e.said, "done"), false
		}
	}
}

func (e *egg) Wake() (clock.Instant, bool) { return e.at, e.set }

func (e *egg) Drain(dst []string) []string {
	dst = append(dst, e.said...)
	e.said = nil
	return dst
}

type kitchen struct{ *Stage[any, string] }

func (k kitchen) Command(line string) {
	a := ParseArgs(line)
	switch a.Word(0) {
	case "egg":
		for range a.Number("times", 1) {
			k.Step(a.Word(1))
		}
	case "advance":
		k.Advance(a.Duration("by", 2*time.Minute))
	case "gap":
		k.Printf("a\n\nb")
	default:
		panic(line)
	}
}

func newKitchen(testing.TB) World {
	k := kitchen{&Stage[any, string]{Machine: &egg{}, Tick: tick{}}}
	k.Effect = func(s string) { k.Printf("%s", s) }
	return k
}

func TestScripts(t *testing.T) { Run(t, newKitchen) }

func TestScriptsRepeat(t *testing.T) { Repeat(t, 2, newKitchen) }

// A machine with a memory beyond its life is found out.
func TestRepeat(t *testing.T) {
	lives := 0
	err := repeat("egg soft\n----\n", 4, func() World {
		lives++
		w := newKitchen(t)
		if lives == 5 {
			w.Command("egg hard")
		}
		return w
	})
	if err == nil || !strings.Contains(err.Error(), "hard") {
		t.Errorf("%v", err)
	}
}

func TestCite(t *testing.T) { Cite(t, "RFC 2324") }

const good = `# A comment.
egg soft
egg hard times=2
----
     0.000s  soft
     0.000s  hard
     0.000s  hard

# Nothing comes of this.
advance by=59s
----

advance
----
    60.000s  done
`

func TestCheck(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"as recorded", good, ""},
		{"another effect", strings.Replace(good, "done", "over", 1), "+"},
		{"a missing effect", strings.Replace(good, "     0.000s  hard\n", "", 1), "+"},
		{"an effect too many", strings.Replace(good, "by=59s\n----\n", "by=59s\n----\n    59.000s  done\n", 1), "-"},
		{"another time", strings.Replace(good, "60.000s", "61.000s", 1), "+"},
		{"nothing recorded", "egg soft\n----\n", "soft"},
		{"effects that nobody looks at", good + "\negg lost\n", "lost"},
		{"an empty line", "gap\n----\n", "empty line"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(file, []byte(c.script), 0o600); err != nil {
				t.Fatal(err)
			}
			err := check(file, newKitchen(t), false)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q in it", err, c.want)
			}
			if b, _ := os.ReadFile(file); string(b) != c.script {
				t.Errorf("the script was changed unasked:\n%s", b)
			}
		})
	}
}

func TestRewrite(t *testing.T) {
	for _, c := range []struct{ name, script string }{
		{"from nothing", "# A comment.\negg soft\negg hard times=2\n----\n\n# Nothing comes of this.\nadvance by=59s\n----\n\nadvance\n----"},
		{"from wrong effects", strings.NewReplacer("hard\n\n", "wrong\n     0.000s  more\n\n", "59s\n----\n", "59s\n----\nmore\n").Replace(good)},
		{"from itself", good},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "script.txt")
			if err := os.WriteFile(file, []byte(c.script), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := check(file, newKitchen(t), true); err != nil {
				t.Fatal(err)
			}
			if b, _ := os.ReadFile(file); string(b) != good {
				t.Errorf("written:\n%s\nwant:\n%s", b, good)
			}
		})
	}
}

func TestCites(t *testing.T) {
	for script, want := range map[string]bool{
		"# RFC 2324 section 2.\negg soft\n":           true,
		"# Of tea, and\n# of RFC 2324.\n\negg soft\n": true,
		"# Of tea.\negg soft\n# RFC 2324\n":           false,
		"egg soft\n":                                  false,
	} {
		if got := cites(script, []string{"RFC 7168", "RFC 2324"}); got != want {
			t.Errorf("%q: %v", script, got)
		}
	}
}

// A machine that is never content must not hang its test.
func TestEndlessWakes(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it came to an end")
		}
	}()
	w := newKitchen(t)
	w.Command("egg mad")
	w.Command("advance")
}

func TestArgs(t *testing.T) {
	a := ParseArgs("link  eth0 up addr=10.0.0.1/24 addr=k=v mtu=1400 hold=90s")
	switch {
	case a.Word(0) != "link" || a.Word(2) != "up",
		!a.Has("up") || a.Has("link") || a.Has("down"),
		a.Get("addr", "") != "10.0.0.1/24" || a.Pairs["addr"][1] != "k=v" || a.Get("none", "x") != "x",
		a.Number("mtu", 1) != 1400 || a.Number("none", 7) != 7,
		a.Duration("hold", 0) != 90*time.Second || a.Duration("none", time.Hour) != time.Hour:
		t.Errorf("%+v", a)
	}
	for name, wrong := range map[string]func(){
		"a missing word": func() { a.Word(3) },
		"a number":       func() { a.Number("hold", 0) },
		"a duration":     func() { a.Duration("mtu", 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: taken", name)
				}
			}()
			wrong()
		}()
	}
}
