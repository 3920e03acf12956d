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
			"  NHRP activity debugging is on\n  NHRP cache debugging is on\n  NHRP errors debugging is on\n"+
			"  NHRP detail debugging is on\n  NHRP extension processing debugging is on\n  NHRP rate limiting debugging is on\n  NHRP tunnel debugging is on\n  NHRP group debugging is on\n")
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

// TestDebugConditions: only what is about one peer is told, until the condition is
// gone.
func TestDebugConditions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.level = slog.LevelInfo
		hub.start(hubConfig)
		same(t, "shown", hub.exec("show nhrp debug-condition", false), "No debug conditions: everything that is debugged is shown\n")
		hub.exec("debug dmvpn condition peer nbma 203.0.113.1", false)
		same(t, "answer", hub.exec("debug dmvpn packet nhrp", false), "NHRP activity debugging is on\n")
		spoke1.start(spokeConfig)
		spoke2.start(spokeConfig)
		lines := strings.Join(hub.debugged(), "\n")
		if strings.Contains(lines, "198.51.100.1") || strings.Count(lines, "203.0.113.1") != 2 {
			t.Errorf("with a condition of NBMA address:\n%s", lines)
		}
		hub.exec("debug nhrp condition peer tunnel 172.31.0.11", false)
		hub.exec("debug nhrp condition interface Tunnel7", false)
		hub.exec("debug nhrp condition vrf RED", false)
		hub.exec("debug nhrp condition unmatched", false)
		hub.exec("no debug dmvpn condition peer nbma 203.0.113.1", false)
		same(t, "shown", hub.exec("show nhrp debug-condition", false), "Debugging shows what meets one of these conditions:\n"+
			"  peer tunnel 172.31.0.11\n  interface Tunnel7\n  vrf RED\n  unmatched\n")
		time.Sleep(4 * time.Minute)
		lines = strings.Join(hub.debugged(), "\n")
		if strings.Contains(lines, "203.0.113.1") || !strings.Contains(lines, "Receive Registration Request via Tunnel0, source 172.31.0.11") {
			t.Errorf("with a condition of tunnel address:\n%s", lines)
		}
		hub.exec("undebug nhrp condition peer tunnel 172.31.0.11", false)
		time.Sleep(4 * time.Minute)
		same(t, "with conditions that nothing meets", strings.Join(hub.debugged(), "\n"), "")
		hub.exec("undebug dmvpn condition", false)
		time.Sleep(4 * time.Minute)
		if lines := strings.Join(hub.debugged(), "\n"); !strings.Contains(lines, "203.0.113.1") {
			t.Errorf("without conditions:\n%s", lines)
		}
		hub.exec("debug dmvpn condition interface Tunnel7", false)
		hub.exec("undebug all", false)
		same(t, "after undebug all", hub.exec("show nhrp debug-condition", false), "No debug conditions: everything that is debugged is shown\n")
	})
}

// TestDebugDMVPN turns several facilities on by one line, and is refused what is
// ipsecd's.
func TestDebugDMVPN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, _, _ := cloud(t)
		hub.start(hubConfig)
		same(t, "answer", hub.exec("debug dmvpn detail nhrp", false), "NHRP detail debugging is on\nNHRP cache debugging is on\n")
		same(t, "answer", hub.exec("debug dmvpn error all", false), "NHRP errors debugging is on\nNHRP tunnel debugging is on\n")
		same(t, "answer", hub.exec("no debug dmvpn error tunnel", false), "NHRP tunnel debugging is off\n")
		same(t, "shown", hub.exec("show debugging", false), "NHRP:\n  NHRP cache debugging is on\n  NHRP errors debugging is on\n  NHRP detail debugging is on\n")
		same(t, "answer", hub.exec("undebug dmvpn all all", false), "NHRP protocol debugging is off\nNHRP tunnel debugging is off\n")
		same(t, "shown", hub.exec("show debugging", false), "")
		for _, line := range []string{"debug dmvpn all crypto", "debug dmvpn error socket"} {
			if err := hub.try(line); err == nil || !strings.Contains(err.Error(), "debug crypto ipsec") {
				t.Errorf("%s: %v", line, err)
			}
		}
	})
}

// TestDebugDetail has the contents of packets told, and no password.
func TestDebugDetail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.level = slog.LevelInfo
		hub.start(hubConfig)
		hub.exec("debug nhrp extension", false)
		spoke1.start(spokeConfig)
		lines := strings.Join(hub.debugged(), "\n")
		if !strings.Contains(lines, "NHRP: Receive Registration Request via Tunnel0, NBMA 198.51.100.1:\n Responder Address Extension(3, compulsory):\n") ||
			strings.Contains(lines, "src protocol") || strings.Contains(lines, "S3CRET") {
			t.Errorf("extensions:\n%s", lines)
		}
		hub.exec("debug nhrp detail", false)
		spoke2.start(spokeConfig)
		lines = strings.Join(hub.debugged(), "\n")
		if !strings.Contains(lines, "NHRP: Send Registration Reply via Tunnel0, NBMA 203.0.113.1:") || !strings.Contains(lines, "src protocol: 172.31.0.12, dst protocol: 172.31.0.1") ||
			strings.Contains(lines, "S3CRET") || strings.Contains(lines, "533343524554") {
			t.Errorf("details:\n%s", lines)
		}
		hub.exec("debug nhrp condition interface Tunnel7", false)
		time.Sleep(4 * time.Minute)
		same(t, "with a condition that nothing meets", strings.Join(hub.debugged(), "\n"), "")
	})
}

// TestEvents: what happened is remembered with its reason, and counted.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.start(hubConfig)
		spoke1.start(spokeConfig)
		spoke2.start(spokeConfig)
		hub.exec("clear ip nhrp 172.31.0.12", false)
		spoke1.kill()
		time.Sleep(11 * time.Minute)
		golden(t, "events.txt", withoutIDs(hub.exec("show monitor event-trace dmvpn all", false)))
		golden(t, "stats.txt", hub.exec("show nhrp stats", false))
		golden(t, "stats-detail.txt", hub.exec("show ip nhrp stats Tunnel0 detail", false))
		golden(t, "stats.json", hub.exec("show nhrp stats", true))
		same(t, "no such tunnel", hub.exec("show nhrp stats Tunnel7", false), "Counted for 00:11:00\n")
		hub.exec("clear ip nhrp stats Tunnel0", false)
		same(t, "counts after clear", hub.exec("show nhrp stats", false), "Counted for 00:11:00\nGlobal:\n   All entries told to zebra                     1\n")
		hub.exec("clear dmvpn statistics", false)
		same(t, "counts after clear", hub.exec("show nhrp stats", false), "Counted for 00:00:00\n")
		if out := hub.exec("show monitor event-trace dmvpn all", true); !strings.Contains(out, `"reason": "Expired"`) {
			t.Errorf("events after clear:\n%s", out)
		}
	})
}

// withoutIDs leaves out Request IDs, which are times.
func withoutIDs(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, l := range lines {
		if before, after, ok := strings.Cut(l, ", request ID "); ok {
			lines[i] = before + strings.TrimLeft(after, "0123456789")
		}
	}
	return strings.Join(lines, "")
}

// TestDebugGroup has the groups told that clients name, and nothing else.
func TestDebugGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub, spoke1, spoke2 := cloud(t)
		hub.level = slog.LevelInfo
		hub.start(hubConfig)
		same(t, "answer", hub.exec("debug nhrp group", false), "NHRP group debugging is on\n")
		spoke1.start(spokeConfig)
		spoke2.start(spokeConfig + " nhrp group GOLD\n")
		lines := hub.debugged()
		if len(lines) == 0 || lines[0] != "NHRP: Receive Registration Request via Tunnel0, NBMA 203.0.113.1, group GOLD" || strings.Contains(strings.Join(lines, ""), "198.51.100.1") {
			t.Errorf("lines: %q", lines)
		}
	})
}
