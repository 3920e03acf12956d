package session

import (
	"log/slog"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// Version is the version of the messages of this package. It is told in the
// daemon's Hello; zebra restarts a daemon that speaks another one.
const Version = 1

// MaxBatch is the largest number of messages that are sent at once, and
// maxBatchBytes about how many bytes of topic payloads and next hops.
const (
	MaxBatch      = 256
	maxBatchBytes = 1 << 20
)

// Limits of what one message may hold. Client refuses what is larger, and so
// does whoever decodes messages from a connection.
const (
	MaxName     = 255       // bytes of a name: VRF, interface, topic
	MaxText     = 4096      // bytes of free text, and of the key of a topic value
	MaxPayload  = 64 << 10  // bytes of a topic's payload
	MaxNextHops = 256       // next hops of a route
	MaxAttrs    = 64        // attributes of a log record
	MaxCounters = 4 << 10   // counters of a daemon
	MaxFailures = 128 << 10 // failures of one Ack
	MaxUsed     = 16 << 10  // addresses of one PeersUsed

	MaxUnmatched = 256 // rows of one UnmatchedGRE
	MaxSADump    = 512 // associations of one part of an SADump
)

// Up is a message from a daemon to zebra. The set is closed.
type Up interface{ up() }

// Begin opens a replay: everything that the daemon wants follows. It is the
// first message of every attachment.
type Begin struct {
	Replay uint64 // counts the replays of this process, from 1
}

// Put asks zebra to hold an object, or to replace the one with the same key.
type Put struct {
	Seq    uint64 // grows from message to message; rib.Ack refers to it
	Object rib.Object
}

// Delete takes an object back.
type Delete struct {
	Seq uint64
	Key rib.Key
}

// WatchAdd asks to be told of something.
type WatchAdd struct{ Watch rib.Watch }

// WatchDel ends a WatchAdd.
type WatchDel struct{ Watch rib.Watch }

// Publish gives the value of a key of a topic to all daemons that watch it.
// Payloads may hold key material: they are never logged nor recorded.
type Publish struct {
	Topic, Key string
	Payload    []byte // nil withdraws the value; empty is a value
}

// EndOfReplay says that the daemon's state is complete: what was not repeated
// since Begin is not wanted any more.
type EndOfReplay struct {
	Seq uint64 // of the last change before; an Ack up to Seq covers the replay
}

// Log is a log record of the daemon, for "show logging" and "terminal monitor".
type Log struct {
	Time    time.Time
	Level   slog.Level
	Message string
	Attrs   []LogAttr
	Dropped uint64 // records that were lost before this one since the ring was full
}

// LogAttr is an attribute of a log record.
type LogAttr struct{ Key, Value string }

// Counters has the present values of all counters of the daemon.
type Counters struct{ Values []Counter }

// Counter is the value of one counter.
type Counter struct {
	Name  string
	Value uint64
}

func (Begin) up()       {}
func (Put) up()         {}
func (Delete) up()      {}
func (WatchAdd) up()    {}
func (WatchDel) up()    {}
func (Publish) up()     {}
func (EndOfReplay) up() {}
func (Log) up()         {}
func (Counters) up()    {}

// Down is a message from zebra to a daemon. The set is closed.
type Down interface{ down() }

// Event tells the daemon something.
type Event struct{ Event rib.Event }

// ReplayRequest asks the daemon to begin a replay.
type ReplayRequest struct{}

func (Event) down()         {}
func (ReplayRequest) down() {}

// Stream is a daemon's end of an attachment. One goroutine may call Send and
// one other Recv. After Close, or once the attachment is lost, both return an
// error for ever. Batches belong to the receiver.
type Stream interface {
	Send([]Up) error       // blocks while zebra is slow
	Recv() ([]Down, error) // io.EOF if zebra ended the attachment in order
	Close() error          // ends the attachment; may be called by anyone, more than once
}

// HostStream is zebra's end of an attachment: Stream mirrored.
type HostStream interface {
	Send([]Down) error
	Recv() ([]Up, error)
	Close() error
}
