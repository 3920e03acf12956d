package edge

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core"
)

// TestMemory: what is published is read back, and nothing else.
func TestMemory(t *testing.T) {
	at := time.Date(2026, 11, 28, 23, 0, 0, 5, time.UTC)
	for _, want := range []core.Remembered{
		{Key: core.Key{Process: 1}, Value: core.Memory{RouterID: 0x0a000001, Sequence: 1<<40 + 7, Restart: at}},
		{Key: core.Key{Process: 65535, VRF: "RED"}},
	} {
		var in core.Remembered
		m := memory{publish: func(topic, key string, payload []byte) (err error) {
			if topic != "ospfd.memory" {
				t.Error(topic)
			}
			in, err = decode(key, payload)
			return err
		}}
		m.save(core.Remember(want))
		in.Value.Restart = in.Value.Restart.UTC()
		if diff := cmp.Diff(want, in); diff != "" {
			t.Error(diff)
		}
	}
	good := encode(core.Memory{})
	for _, c := range []struct {
		key   string
		value []byte
	}{{"", good}, {"x", good}, {"65536", good}, {"1", good[1:]}, {"1", append(good, 0)}, {"1", append([]byte{2}, good[1:]...)}} {
		if in, err := decode(c.key, c.value); err == nil {
			t.Errorf("%q %x is read as %+v", c.key, c.value, in)
		}
	}
}

// TestOrder: what zebra tells waits for what is remembered, once.
func TestOrder(t *testing.T) {
	var log strings.Builder
	m := memory{log: slog.New(slog.NewTextHandler(&log, nil))}
	told := rib.TopicMessage{Topic: memoryTopic, Key: "1", Payload: encode(core.Memory{Sequence: 9})}
	attached := core.Attached{Stale: 3}
	for range 2 { // the first attachment ends early
		if !m.hold(attached) || !m.hold(core.InterfacesKnown{}) {
			t.Error("not held back")
		}
		m.recall(told)
		m.recall(rib.TopicMessage{Topic: memoryTopic, Key: "nonsense", Payload: []byte{1}})
	}
	want := []core.Input{core.Remembered{Key: core.Key{Process: 1}, Value: core.Memory{Sequence: 9}}, attached, core.InterfacesKnown{}}
	if diff := cmp.Diff(want, m.release()); diff != "" {
		t.Error(diff)
	}
	m.recall(told) // its own, after zebra was started again
	if m.hold(attached) || len(m.release()) != 0 {
		t.Error("held back again")
	}
	if strings.Count(log.String(), "cannot be read") != 2 {
		t.Error(log.String())
	}
}
