// Testsum runs the steps of a test run and adds up what they found.
//
//	testsum run [-json] -results DIR -name STEP COMMAND [ARG]…
//	testsum total -results DIR
//
// The first form runs a command, shows its output, and leaves its counts in DIR.
// With -json the command is a go test -json (or several in a row): of tests that
// pass nothing is shown but one line for their package, of those that fail all
// that they printed, and at the end what they said of the failure. Without -json the command is one check that passes or fails.
// The exit status is not 0 when something failed.
//
// The second form prints what the failed tests said, a line for each step and, as its
// last line, the sum: "N passed, N failed, N skipped".
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// counts are what a step found.
type counts struct {
	Step    string        `json:"step"`
	Passed  int           `json:"passed"`
	Failed  int           `json:"failed"`
	Skipped int           `json:"skipped"`
	Took    time.Duration `json:"took"`

	Failures []failure `json:"failures,omitempty"`
}

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.Passed, c.Failed, c.Skipped)
}

func main() {
	if len(os.Args) < 2 {
		fatal(errors.New("use: testsum run|total …"))
	}
	fs := flag.NewFlagSet("testsum "+os.Args[1], flag.ExitOnError)
	results := fs.String("results", "", "directory of the counts")
	name := fs.String("name", "", "name of the step")
	asJSON := fs.Bool("json", false, "the command is a go test -json")
	_ = fs.Parse(os.Args[2:])
	if *results == "" {
		fatal(errors.New("-results is missing"))
	}
	var failed bool
	var err error
	switch os.Args[1] {
	case "run":
		failed, err = runStep(*results, *name, *asJSON, fs.Args())
	case "total":
		failed, err = total(*results)
	default:
		err = fmt.Errorf("%s: neither run nor total", os.Args[1])
	}
	if err != nil {
		fatal(err)
	}
	if failed {
		os.Exit(1)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "testsum:", err)
	os.Exit(2)
}

// runStep runs one step and leaves its counts.
func runStep(dir, name string, asJSON bool, args []string) (failed bool, err error) {
	if name == "" || len(args) == 0 {
		return true, errors.New("run needs -name and a command")
	}
	c := counts{Step: name}
	start := time.Now()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	if asJSON {
		err = runTests(cmd, &c)
	} else {
		cmd.Stdout = os.Stdout
		err = runCheck(cmd, &c)
	}
	if err != nil {
		return true, err
	}
	c.Took = time.Since(start)
	c.tell(os.Stdout)
	fmt.Printf("%-30s %s (%.1f s)\n", name+":", c, c.Took.Seconds())
	b, err := json.Marshal(c)
	if err != nil {
		return true, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return true, err
	}
	file := strings.NewReplacer("/", "-", " ", "-").Replace(name) + ".json"
	return c.Failed > 0, os.WriteFile(filepath.Join(dir, file), b, 0o644)
}

// runCheck runs a command that is one check.
func runCheck(cmd *exec.Cmd, c *counts) error {
	err := cmd.Run()
	switch {
	case err == nil:
		c.Passed = 1
	case errors.As(err, new(*exec.ExitError)):
		c.Failed = 1
	default:
		return err
	}
	return nil
}

// runTests runs a go test -json.
func runTests(cmd *exec.Cmd, c *counts) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r := newReader(c, os.Stdout)
	if err := r.read(out); err != nil {
		_ = cmd.Process.Kill()
		return err
	}
	if err := cmd.Wait(); err != nil {
		if !errors.As(err, new(*exec.ExitError)) {
			return err
		}
		if c.Failed == 0 && len(r.timeUp) == 0 { // something that no event tells of
			fmt.Printf("%s: %v\n", strings.Join(cmd.Args, " "), err)
			c.Failed = 1
		}
	}
	return nil
}

// total adds up the steps.
func total(dir string) (failed bool, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return true, err
	}
	var steps []counts
	var sum counts
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return true, err
		}
		var c counts
		if err := json.Unmarshal(b, &c); err != nil {
			return true, fmt.Errorf("%s: %w", f, err)
		}
		steps = append(steps, c)
		sum.Passed += c.Passed
		sum.Failed += c.Failed
		sum.Skipped += c.Skipped
	}
	slices.SortFunc(steps, func(a, b counts) int { return strings.Compare(a.Step, b.Step) })
	for _, c := range steps {
		c.tell(os.Stdout)
	}
	for _, c := range steps {
		fmt.Printf("%-30s %s (%.1f s)\n", c.Step+":", c, c.Took.Seconds())
	}
	fmt.Println(sum)
	return sum.Failed > 0 || sum.Passed == 0, nil
}
