package edge

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/nhrpd/core"
)

// memoryTopic is the topic under which zebra keeps the cache for the next life
// of the daemon.
const memoryTopic = "nhrpd.cache"

// memory keeps cache entries as values of a topic: the wall-clock time of the
// save, in nanoseconds since 1970 (8 octets), then what the core gave.
type memory struct {
	publish func(topic, key string, payload []byte) error

	mu   sync.Mutex
	mine map[string]bool // keys that this life has saved or forgotten; nil once its table is whole
}

func (m *memory) save(e core.SaveEntry, now time.Time) error {
	m.note(e.Key)
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(e.Data)), uint64(now.UnixNano()))
	return m.publish(memoryTopic, e.Key, append(b, e.Data...))
}

func (m *memory) forget(key string) {
	m.note(key)
	_ = m.publish(memoryTopic, key, nil) // fails for keys only that save refused
}

func (m *memory) note(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.mine != nil {
		m.mine[key] = true
	}
}

// whole says that this life's table is complete: there is nothing to recall
// any more.
func (m *memory) whole() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mine = nil
}

// recall turns a value of an earlier life into an input; ok is false for the
// echo of this life's own values.
func (m *memory) recall(msg rib.TopicMessage, now time.Time) (in core.RestoreEntry, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if msg.Topic != memoryTopic || len(msg.Payload) < 8 || m.mine == nil || m.mine[msg.Key] {
		return in, false
	}
	saved := time.Unix(0, int64(binary.BigEndian.Uint64(msg.Payload)))
	return core.RestoreEntry{Key: msg.Key, Data: msg.Payload[8:], Elapsed: now.Sub(saved)}, true
}
