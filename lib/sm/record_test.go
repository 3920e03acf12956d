package sm_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/lib/sm"
)

const unlimited = 1 << 40

var header = sm.Header{Name: "toyd", Version: 7, Birth: []byte{1, 2, 3}}

// replayed returns all effects of a recording on a new toy.
func replayed(t testing.TB, recording []byte) []string {
	t.Helper()
	rec, err := sm.OpenRecording(bytes.NewReader(recording), decode)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(header, rec.Header()); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	var got []string
	err = sm.Replay(rec, &toy{}, func(_ clock.Instant, _ input, out []string) error {
		got = append(got, out...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestReplayEqualsLiveRun records a live run with timers and compares the
// effects of its replay.
func TestReplayEqualsLiveRun(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type action struct {
			in    input
			sleep time.Duration
		}
		actions := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) action {
			return action{
				in:    input{name: rapid.Uint32Range(1, 4).Draw(t, "name"), in: time.Duration(rapid.IntRange(0, 9e9).Draw(t, "in"))},
				sleep: time.Duration(rapid.IntRange(0, 5e9).Draw(t, "sleep")),
			}
		}), 1, 20).Draw(rt, "actions")
		var buf bytes.Buffer
		var live []string
		synctest.Test(t, func(t *testing.T) {
			rec, err := sm.NewRecorder(&buf, unlimited, header, encode)
			if err != nil {
				t.Fatal(err)
			}
			d, log, stop := run(t, sm.Config[input, string]{Observe: rec.Record})
			for _, a := range actions {
				d.Post(a.in)
				time.Sleep(a.sleep)
			}
			stop()
			live = log()
			if rec.Err() != nil {
				t.Error(rec.Err())
			}
		})
		if diff := cmp.Diff(live, replayed(t, buf.Bytes())); diff != "" {
			rt.Fatalf("effects (-live +replayed):\n%s", diff)
		}
	})
}

// record makes a recording of three inputs.
func record(t testing.TB, limit int64) ([]byte, *sm.Recorder[input]) {
	t.Helper()
	var buf bytes.Buffer
	rec, err := sm.NewRecorder(&buf, limit, header, encode)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		rec.Record(clock.Instant(i)*1000, input{name: uint32(i + 1)})
	}
	return buf.Bytes(), rec
}

func TestRecorderLimit(t *testing.T) {
	whole, _ := record(t, unlimited)
	b, rec := record(t, int64(len(whole)-1))
	if !errors.Is(rec.Err(), sm.ErrRecordingFull) {
		t.Errorf("Err() = %v, want ErrRecordingFull", rec.Err())
	}
	if len(b) >= len(whole) {
		t.Errorf("wrote %d bytes, limit %d", len(b), len(whole)-1)
	}
	want(t, replayed(t, b), "0s set 1", "1µs set 2")
	if _, err := sm.NewRecorder(io.Discard, 3, header, encode); !errors.Is(err, sm.ErrRecordingFull) {
		t.Errorf("header beyond the limit: %v", err)
	}
}

// TestRecorderStopsAtError wants no record after a gap.
func TestRecorderStopsAtError(t *testing.T) {
	for name, spoil := range map[string]func(*sm.Recorder[input]){
		"encoder": func(r *sm.Recorder[input]) { r.Record(2000, input{name: 666}) },
		"time":    func(r *sm.Recorder[input]) { r.Record(0, input{name: 1}) },
	} {
		var buf bytes.Buffer
		rec, err := sm.NewRecorder(&buf, unlimited, header, encode)
		if err != nil {
			t.Fatal(err)
		}
		rec.Record(1000, input{name: 1})
		n := buf.Len()
		spoil(rec)
		if rec.Err() == nil {
			t.Errorf("%s: no error", name)
		}
		rec.Record(3000, input{name: 1})
		if buf.Len() != n {
			t.Errorf("%s: wrote on after an error", name)
		}
	}
}

// TestRecordingCutOff cuts a recording at every byte: what is whole of it
// replays, and a cut within a record is told from the end.
func TestRecordingCutOff(t *testing.T) {
	var buf bytes.Buffer
	rec, err := sm.NewRecorder(&buf, unlimited, header, encode)
	if err != nil {
		t.Fatal(err)
	}
	ends := []int{buf.Len()} // where the header and each record end
	for name := range uint32(3) {
		rec.Record(clock.Instant(name)*1000, input{name: name + 1})
		ends = append(ends, buf.Len())
	}
	all := []string{"0s set 1", "1µs set 2", "2µs set 3"}
	for n := range buf.Len() + 1 {
		cut := buf.Bytes()[:n]
		r, err := sm.OpenRecording(bytes.NewReader(cut), decode)
		if (err == nil) != (n >= ends[0]) {
			t.Fatalf("OpenRecording of %d bytes: %v", n, err)
		}
		if err != nil {
			continue
		}
		whole := 0 // records
		for whole < 3 && ends[whole+1] <= n {
			whole++
		}
		if diff := cmp.Diff(all[:whole], replayed(t, cut), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("cut at %d (-want +got):\n%s", n, diff)
		}
		for err == nil {
			_, _, err = r.Next()
		}
		if want := map[bool]error{true: io.EOF, false: io.ErrUnexpectedEOF}[n == ends[whole]]; err != want {
			t.Errorf("cut at %d: %v, want %v", n, err, want)
		}
	}
}

func FuzzOpenRecording(f *testing.F) {
	whole, _ := record(f, unlimited)
	f.Add(whole)
	f.Add(append(bytes.Clone(whole[:len(whole)-15]), 0, 0xff, 0xff, 0xff, 0xff, 0x0f)) // claims a huge input
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := sm.OpenRecording(bytes.NewReader(b), decode)
		if err != nil {
			return
		}
		var last clock.Instant
		for {
			at, _, err := rec.Next()
			if err != nil {
				return
			}
			if at.Before(last) {
				t.Fatalf("time went back from %v to %v", last, at)
			}
			last = at
		}
	})
}
