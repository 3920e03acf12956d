package core

import (
	"testing"

	"github.com/godmvpn/godmvpn/lib/sm/scripttest"
)

func birth(t testing.TB) scripttest.World { return newWorld(t) }

// TestScripts runs the scripts of testdata, whose commands are those of a world.
func TestScripts(t *testing.T) { scripttest.Run(t, birth) }

// TestScriptsTwice makes each script yield the same in every run.
func TestScriptsTwice(t *testing.T) { scripttest.Repeat(t, 2, birth) }

// TestScriptsCite makes each script say which clause it is about.
func TestScriptsCite(t *testing.T) { scripttest.Cite(t, "RFC ") }
