package sm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// A recording is a header and then one record for each input:
//
//	magic "GoDMVPN-rec" and a zero byte
//	version of this format, 1 byte
//	name of the daemon: uvarint length and bytes
//	version of the daemon's input encoding: uvarint
//	birth of the machine: uvarint length and bytes
//	records: uvarint nanoseconds since the record before, uvarint length, input
//
// It begins at the machine's birth: whatever led to a state is in it.

// ErrRecordingFull says that a Recorder reached its limit. What was recorded
// until then stays a good recording of the machine's youth.
var ErrRecordingFull = errors.New("recording is full")

const (
	recordMagic   = "GoDMVPN-rec\x00"
	recordVersion = 1
	maxName       = 255
	maxBirth      = 1 << 20
	maxInput      = 64 << 20
)

// Header says whose inputs a recording holds.
type Header struct {
	Name    string // the daemon
	Version uint64 // of the daemon's encoding of inputs
	Birth   []byte // what the machine was born with (its seed, say), in the daemon's encoding
}

// Recorder writes the inputs of a machine as they are stepped. Each record is
// one Write, made before the machine sees the input, so that the input that
// crashed a machine is in the recording. It is not safe for concurrent use.
type Recorder[In any] struct {
	w       io.Writer
	encode  func(dst []byte, in In) ([]byte, error)
	room    int64
	last    clock.Instant
	err     error
	scratch []byte
	record  []byte
}

// NewRecorder writes the header to w. encode appends an input's bytes to dst;
// it leaves out secrets. At most limit bytes are written.
func NewRecorder[In any](w io.Writer, limit int64, h Header, encode func(dst []byte, in In) ([]byte, error)) (*Recorder[In], error) {
	if len(h.Name) > maxName || len(h.Birth) > maxBirth {
		return nil, errors.New("recording: name or birth too long")
	}
	b := append([]byte(recordMagic), recordVersion)
	b = binary.AppendUvarint(b, uint64(len(h.Name)))
	b = append(b, h.Name...)
	b = binary.AppendUvarint(b, h.Version)
	b = binary.AppendUvarint(b, uint64(len(h.Birth)))
	b = append(b, h.Birth...)
	r := &Recorder[In]{w: w, encode: encode, room: limit}
	if r.write(b); r.err != nil {
		return nil, r.err
	}
	return r, nil
}

// Record writes one input; it fits Config.Observe. After a failure nothing more
// is written, since a recording with a gap would replay to something else.
func (r *Recorder[In]) Record(now clock.Instant, in In) {
	if r.err != nil {
		return
	}
	if now.Before(r.last) {
		r.err = fmt.Errorf("recording: time went back from %v to %v", r.last, now)
		return
	}
	var err error
	if r.scratch, err = r.encode(r.scratch[:0], in); err != nil {
		r.err = fmt.Errorf("recording: %w", err)
		return
	}
	if len(r.scratch) > maxInput {
		r.err = fmt.Errorf("recording: input of %d bytes", len(r.scratch))
		return
	}
	r.record = binary.AppendUvarint(r.record[:0], uint64(now.Sub(r.last)))
	r.record = binary.AppendUvarint(r.record, uint64(len(r.scratch)))
	r.record = append(r.record, r.scratch...)
	r.write(r.record)
	r.last = now
}

// Err returns why the recording ended early: ErrRecordingFull, or an error of
// the writer or the encoder; nil while it goes on.
func (r *Recorder[In]) Err() error { return r.err }

func (r *Recorder[In]) write(b []byte) {
	if int64(len(b)) > r.room {
		r.err = ErrRecordingFull
		return
	}
	r.room -= int64(len(b))
	if _, err := r.w.Write(b); err != nil {
		r.err = fmt.Errorf("recording: %w", err)
	}
}
