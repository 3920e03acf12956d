package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// holdTime is what the neighbour offers, in seconds: the router is kept from reading
// for long by what it does.
const holdTime = 240

// speaker is the neighbour's end of a session.
type speaker struct {
	conn net.Conn
	mu   sync.Mutex // a message is written as a whole
	end  chan struct{}

	done chan struct{} // the reader has ended; err is set
	err  error
}

// dial makes a session, from the calling goroutine's network namespace.
func dial() (*speaker, error) {
	conn, err := net.DialTimeout("tcp", routerAddress+":179", 5*time.Second)
	if err != nil {
		return nil, err
	}
	s := &speaker{conn: conn, end: make(chan struct{}), done: make(chan struct{})}
	if err := s.open(); err != nil {
		conn.Close()
		return nil, err
	}
	go s.read()
	go s.keepalive()
	return s, nil
}

// open exchanges OPENs (RFC 4271 section 4.2) with the capabilities of IPv4 unicast and
// of AS numbers of four octets (RFC 5492, RFC 4760, RFC 6793), and the KEEPALIVEs that
// answer them.
func (s *speaker) open() error {
	capabilities := binary.BigEndian.AppendUint32([]byte{1, 4, 0, 1, 0, 1, 65, 4}, feederAS)
	body := binary.BigEndian.AppendUint16([]byte{4}, feederAS)
	body = binary.BigEndian.AppendUint16(body, holdTime)
	id := netip.MustParseAddr(feederAddress).As4()
	body = append(append(body, id[:]...), byte(2+len(capabilities)), 2, byte(len(capabilities)))
	if err := s.write(appendMessage(nil, typeOpen, append(body, capabilities...))); err != nil {
		return err
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	for _, want := range []byte{typeOpen, typeKeepalive} {
		typ, err := s.next()
		if err == nil && typ != want {
			err = fmt.Errorf("the router sends a message of type %d, want %d", typ, want)
		}
		if err == nil && typ == typeOpen {
			err = s.write(appendMessage(nil, typeKeepalive, nil))
		}
		if err != nil {
			return err
		}
	}
	return s.conn.SetReadDeadline(time.Time{})
}

// next reads a message and returns its type.
func (s *speaker) next() (byte, error) {
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(s.conn, header); err != nil {
		return 0, err
	}
	n := int(binary.BigEndian.Uint16(header[16:])) - headerSize
	if n < 0 {
		return 0, fmt.Errorf("the router sends a message of %d octets", n+headerSize)
	}
	_, err := io.CopyN(io.Discard, s.conn, int64(n))
	return header[18], err
}

// read reads what the router sends, until it ends the session.
func (s *speaker) read() {
	defer close(s.done)
	for {
		typ, err := s.next()
		if err == nil && typ != typeUpdate && typ != typeKeepalive {
			err = fmt.Errorf("the router sends a message of type %d", typ)
		}
		if err != nil {
			s.err = err
			return
		}
	}
}

// keepalive keeps the session up while there is nothing to say.
func (s *speaker) keepalive() {
	tick := time.NewTicker(20 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.end:
			return
		case <-tick.C:
			if s.write(appendMessage(nil, typeKeepalive, nil)) != nil {
				return
			}
		}
	}
}

// write writes whole messages.
func (s *speaker) write(messages []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.conn.Write(messages)
	return err
}

// failed tells why the session has ended, nil while it has not.
func (s *speaker) failed() error {
	select {
	case <-s.done:
		return fmt.Errorf("the session has ended: %w", s.err)
	default:
		return nil
	}
}

func (s *speaker) close() {
	close(s.end)
	s.conn.Close()
	<-s.done
}
