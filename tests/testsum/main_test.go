package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMain lets the test binary be testsum itself, started by the tests.
func TestMain(m *testing.M) {
	if os.Getenv("TESTSUM_BE_MAIN") == "1" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// testsum runs the program and returns its output and status.
func testsum(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "TESTSUM_BE_MAIN=1")
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// module writes a Go module with these test files and returns its directory.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.org/m\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRunRealTests runs go test over packages that pass, fail, skip, panic, do not
// build and give up in TestMain.
func TestRunRealTests(t *testing.T) {
	head := "package p\nimport (\"testing\"; \"os\")\nvar _ = os.Exit\n"
	dir := module(t, map[string]string{
		"good/p_test.go":  head + "func TestA(t *testing.T) { t.Run(\"sub\", func(*testing.T) {}) }",
		"mixed/p_test.go": head + "func TestF(t *testing.T) { t.Error(\"told\") }\nfunc TestS(t *testing.T) { t.Skip(\"why\") }\nfunc TestP(t *testing.T) { t.Log(\"quiet\") }",
		"panic/p_test.go": head + "func TestX(t *testing.T) { panic(\"oops\") }",
		"build/p_test.go": head + "func TestB(t *testing.T) { undefined() }",
		"main/p_test.go":  head + "func TestMain(*testing.M) { println(\"given up\"); os.Exit(1) }",
	})
	results := t.TempDir()
	t.Chdir(dir)
	out, status := testsum(t, "run", "-json", "-results", results, "-name", "unit", "go", "test", "-json", "./...")
	if status != 1 {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(out, "3 passed, 4 failed, 1 skipped") {
		t.Errorf("counts (TestA and its sub-test, TestP; TestF, panic, build, main; TestS):\n%s", out)
	}
	for _, want := range []string{"told", "why", "oops", "undefined", "given up", "ok   example.org/m/good"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	for _, again := range []string{"FAIL unit: example.org/m/mixed TestF\n    p_test.go:4: told\n", "FAIL unit: example.org/m/panic TestX\npanic: oops", "FAIL unit: example.org/m/main\ngiven up\n"} {
		if total, _ := testsum(t, "total", "-results", results); !strings.Contains(total, again) {
			t.Errorf("the end does not say %q:\n%s", again, total)
		}
	}
	if strings.Contains(out, "quiet") {
		t.Errorf("output of a passed test is shown:\n%s", out)
	}
}

// TestSaid picks what a test said of its failure from what else was printed for it.
func TestSaid(t *testing.T) {
	for name, tc := range map[string]struct{ output, want string }{
		"logs of helpers follow": {"=== RUN   TestX\n    x_test.go:3: not within 1m0s: gateways (-want +got):\n          []string{\n        - \t\"a\",\n" +
			"    topology.go:188: end of a.log:\n        one\n        two\n--- FAIL: TestX (1.00s)\n",
			"    x_test.go:3: not within 1m0s: gateways (-want +got):\n          []string{\n        - \t\"a\","},
		"a sub-test":      {"=== RUN   TestX/a\n        x_test.go:3: bad\n            more\n    --- FAIL: TestX/a (0.00s)\n", "        x_test.go:3: bad\n            more"},
		"the last ones":   {strings.Repeat("    x_test.go:1: log\n", 20) + "    x_test.go:2: bad\n", strings.Repeat("    x_test.go:1: log\n", 9) + "    x_test.go:2: bad"},
		"a long message":  {"    x_test.go:2: bad\n" + strings.Repeat("        more\n", 20), "    x_test.go:2: bad" + strings.Repeat("\n        more", 4)},
		"no message":      {"=== RUN   TestX\npanic: oops\n\ngoroutine 1\n", "panic: oops\ngoroutine 1"},
		"nothing":         {"=== RUN   TestX\n--- FAIL: TestX (0.00s)\n", ""},
		"a line too long": {"    x_test.go:2: " + strings.Repeat("é", 400), "    x_test.go:2: " + strings.Repeat("é", 141) + "…"},
	} {
		if diff := cmp.Diff(tc.want, strings.Join(said(tc.output), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestTotal adds up steps and fails when one failed, or when nothing ran.
func TestTotal(t *testing.T) {
	results := t.TempDir()
	if out, status := testsum(t, "total", "-results", results); status != 1 || lastLine(out) != "0 passed, 0 failed, 0 skipped" {
		t.Errorf("nothing ran: status %d, %q", status, out)
	}
	testsum(t, "run", "-results", results, "-name", "a", "true")
	out, status := testsum(t, "total", "-results", results)
	if status != 0 || lastLine(out) != "1 passed, 0 failed, 0 skipped" {
		t.Errorf("one passed: status %d, %q", status, out)
	}
	if _, status := testsum(t, "run", "-results", results, "-name", "b/c", "false"); status != 1 {
		t.Errorf("a failing check has status %d", status)
	}
	out, status = testsum(t, "total", "-results", results)
	if status != 1 || lastLine(out) != "1 passed, 1 failed, 0 skipped" {
		t.Errorf("one failed: status %d, %q", status, out)
	}
	if _, status := testsum(t, "run", "-results", results, "-name", "x", "no-such-program-here"); status == 0 {
		t.Error("a program that is not there passes")
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// TestForeignLines shows lines that are no events.
func TestForeignLines(t *testing.T) {
	var out bytes.Buffer
	var c counts
	in := "hello\n{\"x\":1}\n{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"T\"}\n"
	if err := newReader(&c, &out).read(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("hello\n{\"x\":1}\n", out.String()); diff != "" || c.Passed != 1 {
		t.Errorf("passed %d, output:\n%s", c.Passed, diff)
	}
}
