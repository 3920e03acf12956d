package shell

import (
	"fmt"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/godmvpn/godmvpn/vtysh/shell/shelltest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vtysh": vtyshMain})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"terminal": shelltest.Terminal("vtysh", screenOf), "perm": perm},
		Setup: func(e *testscript.Env) error {
			e.Setenv("VTYSH_HISTORY", e.WorkDir+"/history")
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
	})
}

// perm checks the permission bits of a file.
func perm(ts *testscript.TestScript, neg bool, args []string) {
	st, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", st.Mode().Perm()); (got == args[0]) == neg {
		ts.Fatalf("%s has mode %s", args[1], got)
	}
}

// screenOf lets a vtysh on a terminal keep its history where the script looks.
func screenOf(ts *testscript.TestScript) (args, env []string) {
	return nil, []string{"VTYSH_HISTORY=" + ts.Getenv("VTYSH_HISTORY")}
}
