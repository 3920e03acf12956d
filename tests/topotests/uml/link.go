package uml

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// The serial line loses its wake-up when more input arrives than the guest's
// terminal layer holds (4096 bytes). So the host may have only inputWindow bytes
// on their way: the guest acknowledges what it has read. Towards the guest the
// line carries plain bytes; from the guest, frames of data and of
// acknowledgements.
const (
	inputWindow = 2048
	linkData    = 'd' // type, 32-bit length, bytes
	linkAck     = 'a' // type, 32-bit number of bytes read
)

// hostLink is the host's end of the serial line.
type hostLink struct {
	line io.ReadWriteCloser
	left uint32 // bytes of the data frame being read

	mu     sync.Mutex
	more   *sync.Cond
	credit int
	closed bool
}

func newHostLink(line io.ReadWriteCloser) *hostLink {
	l := &hostLink{line: line, credit: inputWindow}
	l.more = sync.NewCond(&l.mu)
	return l
}

// Read returns data from the guest and books the acknowledgements in between.
func (l *hostLink) Read(b []byte) (int, error) {
	for l.left == 0 {
		var head [5]byte
		if _, err := io.ReadFull(l.line, head[:]); err != nil {
			return 0, err
		}
		n := binary.BigEndian.Uint32(head[1:])
		switch head[0] {
		case linkData:
			l.left = n
		case linkAck:
			l.mu.Lock()
			l.credit += int(n)
			l.mu.Unlock()
			l.more.Broadcast()
		default:
			return 0, fmt.Errorf("uml: frame type %#x on the serial line", head[0])
		}
	}
	if uint32(len(b)) > l.left {
		b = b[:l.left]
	}
	n, err := l.line.Read(b)
	l.left -= uint32(n)
	return n, err
}

// Write sends as the guest acknowledges.
func (l *hostLink) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		l.mu.Lock()
		for l.credit == 0 && !l.closed {
			l.more.Wait()
		}
		n := min(l.credit, len(b)-done)
		l.credit -= n
		closed := l.closed
		l.mu.Unlock()
		if closed {
			return done, io.ErrClosedPipe
		}
		n, err := l.line.Write(b[done : done+n])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (l *hostLink) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.more.Broadcast()
	return l.line.Close()
}

// guestLink is the guest's end.
type guestLink struct {
	line io.ReadWriteCloser
	mu   sync.Mutex // one frame at a time
}

func (l *guestLink) frame(kind byte, n int, data []byte) error {
	buf := make([]byte, 5, 5+len(data))
	buf[0] = kind
	binary.BigEndian.PutUint32(buf[1:], uint32(n))
	buf = append(buf, data...)
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.line.Write(buf)
	return err
}

// Read reads plain bytes and acknowledges them.
func (l *guestLink) Read(b []byte) (int, error) {
	n, err := l.line.Read(b)
	if n > 0 {
		if aerr := l.frame(linkAck, n, nil); aerr != nil {
			return n, aerr
		}
	}
	return n, err
}

// Write sends one data frame.
func (l *guestLink) Write(b []byte) (int, error) {
	if err := l.frame(linkData, len(b), b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (l *guestLink) Close() error { return l.line.Close() }
