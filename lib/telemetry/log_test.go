package telemetry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/telemetry"
)

func newLog(t *testing.T, cfg telemetry.LogConfig) *telemetry.Log {
	t.Helper()
	l, err := telemetry.NewLog(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func texts(l *telemetry.Log) []string {
	var out []string
	for _, r := range l.Recent() {
		out = append(out, r.Text)
	}
	return out
}

func wantTexts(t *testing.T, l *telemetry.Log, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, texts(l)); diff != "" {
		t.Errorf("recent records (-want +got):\n%s", diff)
	}
}

var nhsUp = telemetry.Message{Facility: "DMVPN", Severity: telemetry.Notification, Mnemonic: "NHRP_NHS_UP"}

// TestCiscoLine compares lines with the form of Cisco's `show logging`.
func TestCiscoLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // starts at midnight UTC 2000-01-01
		time.Sleep(123 * time.Millisecond)
		l := newLog(t, telemetry.LogConfig{Level: slog.LevelDebug})
		nhsUp.Log(l.Logger(), "NHS %s is %s", "10.0.0.1", "up")
		l.Logger().Warn("queue is full", "dropped", 7)
		l.Logger().Debug("RIP: sending v2 update")
		got := []string{}
		for _, r := range l.Recent() {
			r.Time = r.Time.UTC()
			got = append(got, r.String())
		}
		want := []string{
			"*Jan  1 00:00:00.123: %DMVPN-5-NHRP_NHS_UP: NHS 10.0.0.1 is up",
			"*Jan  1 00:00:00.123: warnings: queue is full dropped=7",
			"*Jan  1 00:00:00.123: RIP: sending v2 update",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestLevels(t *testing.T) {
	l := newLog(t, telemetry.LogConfig{Level: slog.LevelWarn})
	l.Logger().Info("too low")
	nhsUp.Log(l.Logger(), "too low")
	l.SetLevel(telemetry.LevelNotice)
	l.Logger().Info("still too low")
	nhsUp.Log(l.Logger(), "shown")
	wantTexts(t, l, "%DMVPN-5-NHRP_NHS_UP: shown")
	for s := telemetry.Emergency; s <= telemetry.Debugging; s++ {
		if got := telemetry.SeverityOf(s.Level()); got != s {
			t.Errorf("severity %v became %v", s, got)
		}
		if level, err := telemetry.ParseLevel(s.String()); err != nil || level != s.Level() {
			t.Errorf("ParseLevel(%v) = %v, %v", s, level, err)
		}
	}
	if level, err := telemetry.ParseLevel("warn"); err != nil || level != slog.LevelWarn {
		t.Errorf("ParseLevel(warn) = %v, %v", level, err)
	}
	if _, err := telemetry.ParseLevel("loud"); err == nil {
		t.Error("ParseLevel(loud) works")
	}
}

func TestAttrsAndGroups(t *testing.T) {
	var out bytes.Buffer
	l := newLog(t, telemetry.LogConfig{Output: &out, Format: telemetry.JSON})
	l.Logger().With("daemon", "nhrpd").WithGroup("peer").Error("lost", "addr", "10.0.0.2", "msg", "a b")
	wantTexts(t, l, `lost daemon=nhrpd peer.addr=10.0.0.2 peer.msg="a b"`)
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	delete(line, "time")
	want := map[string]any{
		"level": "errors", "msg": "lost", "daemon": "nhrpd",
		"peer": map[string]any{"addr": "10.0.0.2", "msg": "a b"},
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestRingIsBounded(t *testing.T) {
	l := newLog(t, telemetry.LogConfig{Buffer: 3})
	for i := range 8 {
		l.Logger().Info(fmt.Sprint(i))
	}
	wantTexts(t, l, "5", "6", "7")
	if r := l.Recent(); r[2].Seq != 8 {
		t.Errorf("last record is number %d, want 8", r[2].Seq)
	}
	l.ClearRecent()
	l.Logger().Info(strings.Repeat("ä", 5000))
	if r := l.Recent(); len(r) != 1 || len(r[0].Text) > 2060 || !strings.HasSuffix(r[0].Text, "ä…") {
		t.Errorf("a record of 10,000 bytes is kept as one of %d", len(r[0].Text))
	}
}

func TestSubscribe(t *testing.T) {
	l := newLog(t, telemetry.LogConfig{})
	var a, b []string
	cancelA := l.Subscribe(func(r telemetry.Record) { a = append(a, r.Text) })
	cancelB := l.Subscribe(func(r telemetry.Record) { b = append(b, r.Text) })
	l.Logger().Info("one")
	cancelA()
	l.Logger().Info("two")
	cancelB()
	l.Logger().Info("three")
	if diff := cmp.Diff([][]string{{"one"}, {"one", "two"}}, [][]string{a, b}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestReopen renames the file as logrotate does.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zebra.log")
	l := newLog(t, telemetry.LogConfig{File: path})
	l.Logger().Info("first")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("second")
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("third")
	for name, want := range map[string][]string{path + ".1": {"first", "second"}, path: {"third"}} {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(got), "\n"); lines != len(want) {
			t.Errorf("%s has %d lines", name, lines)
		}
		for _, w := range want {
			if !strings.Contains(string(got), "level=informational msg="+w+"\n") {
				t.Errorf("%s lacks %q: %s", name, w, got)
			}
		}
	}
	if fi, _ := os.Stat(path); fi.Mode().Perm()&^0o640 != 0 {
		t.Errorf("mode %v", fi.Mode())
	}
}

// TestTruncatedFile empties the file as logrotate's copytruncate does: the log
// goes on at the new end.
func TestTruncatedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "zebra.log")
	l := newLog(t, telemetry.LogConfig{File: path})
	l.Logger().Info("first")
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	l.Logger().Info("second")
	if got, _ := os.ReadFile(path); !strings.HasPrefix(string(got), "time=") {
		t.Errorf("file has %q", got)
	}
}

// TestReopenFails wants the old file to stay in use.
func TestReopenFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", "zebra.log")
	if _, err := telemetry.NewLog(telemetry.LogConfig{File: path}); err == nil {
		t.Error("NewLog in no directory works")
	}
	os.Mkdir(filepath.Dir(path), 0o750)
	l := newLog(t, telemetry.LogConfig{File: path})
	os.Rename(filepath.Dir(path), filepath.Join(dir, "moved"))
	if err := l.Reopen(); err == nil {
		t.Error("Reopen in no directory works")
	}
	l.Logger().Info("still here")
	if got, _ := os.ReadFile(filepath.Join(dir, "moved", "zebra.log")); !strings.Contains(string(got), "still here") {
		t.Errorf("file has %q", got)
	}
}

func TestConcurrentUse(t *testing.T) {
	l := newLog(t, telemetry.LogConfig{Output: io.Discard, Buffer: 10})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			cancel := l.Subscribe(func(telemetry.Record) {})
			defer cancel()
			for range 100 {
				l.Logger().With("i", i).Info("x", "k", i)
				l.Recent()
			}
		})
	}
	wg.Wait()
	for _, r := range l.Recent() {
		if len(r.Text) != len("x i=0 k=0") || r.Text[4] != r.Text[8] {
			t.Errorf("mixed-up record %q", r.Text)
		}
	}
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t, telemetry.LogConfig{})
		limit := telemetry.NewLimiter(2, time.Second)
		for i := range 5 {
			nhsUp.LogLimited(l.Logger(), limit, "10.0.0.1", "a%d", i)
		}
		nhsUp.LogLimited(l.Logger(), limit, "10.0.0.2", "b") // a key of its own
		time.Sleep(time.Second)
		for i := range 2 {
			nhsUp.LogLimited(l.Logger(), limit, "10.0.0.1", "c%d", i)
		}
		time.Sleep(time.Hour) // refills the burst, not more
		for i := range 3 {
			nhsUp.LogLimited(l.Logger(), limit, "10.0.0.1", "d%d", i)
		}
		tag := nhsUp.String() + ": "
		wantTexts(t, l, tag+"a0", tag+"a1", tag+"b", tag+"c0 (3 similar not shown)",
			tag+"d0 (1 similar not shown)", tag+"d1")
	})
}

// TestLimiterBoundsKeys floods a limiter with keys: the flood is limited as well.
func TestLimiterBoundsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := telemetry.NewLimiter(1, time.Minute)
		allowed := 0
		for i := range 100000 {
			if ok, _ := limit.Allow(fmt.Sprint(i)); ok {
				allowed++
			}
		}
		if allowed > 1025 {
			t.Errorf("%d events of 100,000 keys allowed at one instant", allowed)
		}
		time.Sleep(time.Hour)
		if ok, _ := limit.Allow("new"); !ok {
			t.Error("old keys are not forgotten")
		}
	})
}
