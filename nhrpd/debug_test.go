package nhrpd_test

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// debugged returns the lines of debugging that zebra has got since the last call.
func (s *station) debugged() []string {
	synctest.Wait()
	s.zebra.mu.Lock()
	defer s.zebra.mu.Unlock()
	var out []string
	for _, line := range s.zebra.logs {
		if !strings.HasPrefix(line, "%") {
			out = append(out, line)
		}
	}
	s.zebra.logs = nil
	return out
}

// TestDebug turns facilities on and off at log level informational and looks at the
// lines that reach zebra.
func TestDebug(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.level, spoke1.level = slog.LevelInfo, slog.LevelInfo
		hub.start(hubConfig)
		spoke1.start(spokeConfig)
		same(t, "nothing is debugged", strings.Join(hub.debugged(), "\n"), "")

		same(t, "answer", hub.exec("debug nhrp packet", false), "NHRP activity debugging is on\n")
		same(t, "shown", hub.exec("show debugging", false), "NHRP:\n  NHRP activity debugging is on\n")
		spoke2.start(spokeConfig)
		lines := hub.debugged()
		for i := range lines { // a Request ID is a time
			lines[i], _, _ = strings.Cut(lines[i], ", request ID")
		}
		want := []string{
			"NHRP: Receive Registration Request via Tunnel0, source 172.31.0.12, NBMA 203.0.113.1",
			"NHRP: Send Registration Reply via Tunnel0, destination 172.31.0.1, NBMA 203.0.113.1",
		}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		if log := hub.log.String(); strings.Contains(log, "received") {
			t.Errorf("the daemon's log at level informational has\n%s", log)
		}

		same(t, "answer", hub.exec("no debug nhrp packet", false), "NHRP activity debugging is off\n")
		same(t, "answer", hub.exec("debug nhrp cache", false), "NHRP cache debugging is on\n")
		hub.exec("clear ip nhrp", false)
		time.Sleep(time.Hour) // they come again, and refresh
		seen := map[string]bool{}
		for _, line := range hub.debugged() {
			words, _, _ := strings.Cut(line, " via ")
			seen[words] = true
		}
		for _, words := range []string{"deleted", "added", "refreshed"} {
			if !seen["NHRP: Cache entry "+words] || len(seen) != 3 {
				t.Errorf("with cache debugging: %v", seen)
			}
		}
		same(t, "answer", hub.exec("undebug all", false), "")
		same(t, "shown", hub.exec("show debugging", false), "")
		hub.debugged()
		time.Sleep(time.Hour) // many registrations
		if diff := cmp.Diff([]string(nil), hub.debugged()); diff != "" {
			t.Errorf("after undebug all: %s", diff)
		}
	})
}

// TestDebugErrors: a wrong password is seen by debug nhrp error, and debug nhrp
// turns on everything.
func TestDebugErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, _ := cloud(t)
		hub.level = slog.LevelInfo
		hub.start(hubConfig)
		hub.exec("debug nhrp error", false)
		spoke1.start(strings.ReplaceAll(spokeConfig, "S3CRET", "0THER"))
		lines := strings.Join(hub.debugged(), "\n")
		if !strings.Contains(lines, "NHRP: Drop Registration Request via Tunnel0") || strings.Contains(lines, "0THER") {
			t.Errorf("lines:\n%s", lines)
		}
		same(t, "answer", spoke1.exec("debug nhrp", false), "NHRP protocol debugging is on\n")
		same(t, "shown", spoke1.exec("show debugging", false), "NHRP:\n  NHRP protocol debugging is on\n"+
			"  NHRP activity debugging is on\n  NHRP cache debugging is on\n  NHRP errors debugging is on\n")
		spoke1.configure(spokeConfig)
		time.Sleep(time.Minute)
		lines = strings.Join(spoke1.debugged(), "\n")
		for _, want := range []string{"Send Registration Request", "Receive Registration Reply", "Next hop server up via Tunnel0, peer 172.31.0.1"} {
			if !strings.Contains(lines, "NHRP: "+want) {
				t.Errorf("no %q in:\n%s", want, lines)
			}
		}
	})
}
