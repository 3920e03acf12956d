package sm

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// Recording reads what a Recorder wrote.
type Recording[In any] struct {
	r      *bufio.Reader
	decode func([]byte) (In, error)
	header Header
	now    clock.Instant
	n      int
}

// OpenRecording reads the header from r. decode turns the bytes of one input
// into the input; it must not keep them.
func OpenRecording[In any](r io.Reader, decode func([]byte) (In, error)) (*Recording[In], error) {
	rec := &Recording[In]{r: bufio.NewReader(r), decode: decode}
	magic := make([]byte, len(recordMagic)+1)
	if _, err := io.ReadFull(rec.r, magic); err != nil || string(magic[:len(recordMagic)]) != recordMagic {
		return nil, errors.New("not a recording")
	}
	if v := magic[len(recordMagic)]; v != recordVersion {
		return nil, fmt.Errorf("recording of format %d, not %d", v, recordVersion)
	}
	name, err := rec.bytes(maxName)
	if err != nil {
		return nil, fmt.Errorf("recording header: %w", err)
	}
	version, err := rec.uvarint()
	if err != nil {
		return nil, fmt.Errorf("recording header: %w", err)
	}
	birth, err := rec.bytes(maxBirth)
	if err != nil {
		return nil, fmt.Errorf("recording header: %w", err)
	}
	rec.header = Header{Name: string(name), Version: version, Birth: birth}
	return rec, nil
}

// Header returns the header.
func (r *Recording[In]) Header() Header { return r.header }

// Next returns the next input and its instant. At the end the error is io.EOF;
// where the last record is cut off, as a full disk leaves it, it is
// io.ErrUnexpectedEOF.
func (r *Recording[In]) Next() (at clock.Instant, in In, err error) {
	delta, err := binary.ReadUvarint(r.r)
	if err != nil {
		return 0, in, err // io.EOF only where no byte of the record was read
	}
	if delta > uint64(clock.Never-r.now) {
		return 0, in, fmt.Errorf("record %d: instant out of range", r.n)
	}
	b, err := r.bytes(maxInput)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, in, io.ErrUnexpectedEOF
		}
		return 0, in, fmt.Errorf("record %d: %w", r.n, err)
	}
	if in, err = r.decode(b); err != nil {
		return 0, in, fmt.Errorf("record %d: %w", r.n, err)
	}
	r.now += clock.Instant(delta)
	r.n++
	return r.now, in, nil
}

// bytes reads a length and so many bytes; memory grows with what is there, not
// with what the length claims.
func (r *Recording[In]) bytes(limit uint64) ([]byte, error) {
	n, err := r.uvarint()
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, fmt.Errorf("length %d exceeds %d", n, limit)
	}
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r.r, int64(n)); err != nil {
		return nil, unexpected(err)
	}
	return buf.Bytes(), nil
}

func (r *Recording[In]) uvarint() (uint64, error) {
	n, err := binary.ReadUvarint(r.r)
	return n, unexpected(err)
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Replay steps a machine with every input of a recording, at full speed. The
// machine must be as the recorded one was at its birth. visit, if not nil, sees
// each input with the effects that it had, and ends the replay by an error; it
// must not keep out. A cut-off last record counts as the end. Effects that the
// machine has before the first input come with that input.
func Replay[In, Out any](r *Recording[In], m Machine[In, Out], visit func(at clock.Instant, in In, out []Out) error) error {
	var out []Out
	for {
		at, in, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		m.Step(at, in)
		out = m.Drain(out[:0])
		if visit == nil {
			continue
		}
		if err := visit(at, in, out); err != nil {
			return err
		}
	}
}
