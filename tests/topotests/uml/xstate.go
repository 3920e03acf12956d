package uml

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// wideXstate is the source of a preloaded library; it says itself what it is for.
//
//go:embed wide/xstate.c
var wideXstate []byte

// needsWideXstate tells whether this processor's extended register state is
// larger than the guest kernel can keep: it has AMX.
func needsWideXstate() bool {
	b, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && bytes.Contains(b, []byte(" amx_tile"))
}

// buildWideXstate compiles the library into dir and returns its path.
func buildWideXstate(dir string) (string, error) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		return "", fmt.Errorf("%w: on this processor (AMX) it needs a C compiler (Debian package gcc)", ErrUnavailable)
	}
	src, lib := filepath.Join(dir, "wide_xstate.c"), filepath.Join(dir, "wide_xstate.so")
	if err := os.WriteFile(src, wideXstate, 0o644); err != nil {
		return "", err
	}
	out, err := exec.Command(cc, "-O2", "-fPIC", "-shared", "-o", lib, src).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("uml: compiling %s: %w\n%s", src, err, out)
	}
	return lib, nil
}
