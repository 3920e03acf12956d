package sm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/godmvpn/godmvpn/lib/clock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// input of the toy: an alarm to be set in so many nanoseconds, or a tick.
type input struct {
	tick bool
	name uint32
	in   time.Duration
}

// toy reports every input and rings an alarm once its time has come.
type toy struct {
	alarms clock.Heap[uint32]
	out    []string
	last   clock.Instant
}

func (m *toy) Step(now clock.Instant, in input) {
	if now.Before(m.last) {
		panic("time went back")
	}
	m.last = now
	for {
		name, ok := m.alarms.PopDue(now)
		if !ok {
			break
		}
		m.out = append(m.out, fmt.Sprintf("%v ring %d", now, name))
	}
	if in.tick {
		return
	}
	if in.name == 0 {
		panic("toy: input 0")
	}
	m.out = append(m.out, fmt.Sprintf("%v set %d", now, in.name))
	if in.in > 0 {
		m.alarms.Set(in.name, now.Add(in.in))
	}
}

func (m *toy) Wake() (clock.Instant, bool) { return m.alarms.Next() }

func (m *toy) Drain(dst []string) []string {
	dst = append(dst, m.out...)
	m.out = m.out[:0]
	return dst
}

func encode(dst []byte, in input) ([]byte, error) {
	if in.name == 666 {
		return nil, errors.New("cannot encode 666")
	}
	if in.tick {
		return append(dst, 0), nil
	}
	dst = binary.BigEndian.AppendUint32(append(dst, 1), in.name)
	return binary.BigEndian.AppendUint64(dst, uint64(in.in)), nil
}

func decode(b []byte) (input, error) {
	switch {
	case len(b) == 1 && b[0] == 0:
		return input{tick: true}, nil
	case len(b) == 13 && b[0] == 1:
		return input{name: binary.BigEndian.Uint32(b[1:]), in: time.Duration(binary.BigEndian.Uint64(b[5:]))}, nil
	}
	return input{}, fmt.Errorf("bad input %x", b)
}
