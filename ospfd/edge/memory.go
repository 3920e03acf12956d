package edge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/ospfd/core"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// memoryTopic is the topic under which zebra keeps what the next life of the daemon is to
// know.
const memoryTopic = "ospfd.memory"

// endOfMemory is a question that zebra answers when it has told all values of the topics
// that were watched before.
var endOfMemory = rib.Watch{Kind: rib.WatchNextHop, Addr: packet.AllSPFRouters}

// memory keeps what instances remember as values of a topic.
type memory struct {
	log     *slog.Logger
	publish func(topic, key string, payload []byte) error

	mu     sync.Mutex // guards the following
	held   []core.Input
	before []core.Input // Remembered
	whole  bool         // all values of an earlier life came, or went by
}

// hold keeps an input back until the values of an earlier life have come. It returns false
// when they have.
func (m *memory) hold(in core.Input) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, again := in.(core.Attached); again && !m.whole {
		m.held, m.before = nil, nil // the attachment before ended early
	}
	if !m.whole {
		m.held = append(m.held, in)
	}
	return !m.whole
}

// recall takes in a value.
func (m *memory) recall(msg rib.TopicMessage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.whole || msg.Payload == nil {
		return // this life's own
	}
	in, err := decode(msg.Key, msg.Payload)
	if err != nil {
		m.log.Warn("what an earlier life of the daemon remembered cannot be read", "key", msg.Key, "error", err)
		return
	}
	m.before = append(m.before, in)
}

// release returns what was held back, after what is remembered: all values have come.
func (m *memory) release() []core.Input {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := append(m.before, m.held...)
	m.before, m.held, m.whole = nil, nil, true
	return all
}

func (m *memory) save(r core.Remember) {
	if err := m.publish(memoryTopic, keyOf(r.Key), encode(r.Value)); err != nil {
		m.log.Warn("an instance will not outlive the daemon", "process", r.Key.Process, "error", err)
	}
}

func (m *memory) forget(k core.Key) { _ = m.publish(memoryTopic, keyOf(k), nil) } // fails for keys only that save refused

// keyOf is the key of an instance: its process, and its VRF if that is not the default one.
func keyOf(k core.Key) string {
	return strings.TrimSpace(fmt.Sprint(k.Process, " ", k.VRF))
}

// memoryVersion is the first octet of a value; router ID, sequence number and the end of
// the grace period follow, the latter in nanoseconds since 1970, 0 for none.
const (
	memoryVersion = 1
	memoryLen     = 1 + 4 + 8 + 8
)

func encode(m core.Memory) []byte {
	b := append(make([]byte, 0, memoryLen), memoryVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(m.RouterID))
	b = binary.BigEndian.AppendUint64(b, m.Sequence)
	restart := uint64(0)
	if !m.Restart.IsZero() {
		restart = uint64(m.Restart.UnixNano())
	}
	return binary.BigEndian.AppendUint64(b, restart)
}

// errMemory says that octets are no memory.
var errMemory = errors.New("ospfd: malformed memory")

func decode(key string, b []byte) (core.Remembered, error) {
	process, vrf, _ := strings.Cut(key, " ")
	n, err := strconv.ParseUint(process, 10, 16)
	if err != nil {
		return core.Remembered{}, err
	}
	if len(b) != memoryLen || b[0] != memoryVersion {
		return core.Remembered{}, errMemory
	}
	m := core.Memory{RouterID: packet.ID(binary.BigEndian.Uint32(b[1:])), Sequence: binary.BigEndian.Uint64(b[5:])}
	if at := binary.BigEndian.Uint64(b[13:]); at != 0 {
		m.Restart = time.Unix(0, int64(at))
	}
	return core.Remembered{Key: core.Key{Process: uint16(n), VRF: vrf}, Value: m}, nil
}
