package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/tests/topotests/harness"
)

// streamPort is where the stream goes.
const streamPort = 9000

// stream is UDP datagrams from one node to another, at an interval.
type stream struct {
	sink, source net.Conn
	stop         chan struct{}
	done         sync.WaitGroup

	mu    sync.Mutex
	sent  []time.Time // by number
	got   []bool      // by number
	count int         // of those that came
}

// newStream begins a stream, and waits until it passes.
func newStream(t harness.TB, from, to *harness.Node, addr string, interval time.Duration) *stream {
	s := &stream{stop: make(chan struct{})}
	err := to.Do(func() (err error) {
		s.sink, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(addr), Port: streamPort})
		return err
	})
	if err == nil {
		err = from.Do(func() (err error) {
			s.source, err = net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.ParseIP(addr), Port: streamPort})
			return err
		})
	}
	if err != nil {
		t.Fatalf("a stream from %s to %s: %v", from.Name(), to.Name(), err)
	}
	s.done.Add(2)
	go s.send(interval)
	go s.receive()
	harness.Eventually(t, lossLimit, func() error {
		if s.passed() == 0 {
			return fmt.Errorf("nothing passes from %s to %s", from.Name(), to.Name())
		}
		return nil
	})
	return s
}

func (s *stream) send(interval time.Duration) {
	defer s.done.Done()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var b [8]byte
	for n := uint64(0); ; n++ {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			binary.BigEndian.PutUint64(b[:], n)
			s.mu.Lock()
			s.sent, s.got = append(s.sent, time.Now()), append(s.got, false)
			s.mu.Unlock()
			_, _ = s.source.Write(b[:]) // an error is one of the loss that is measured
		}
	}
}

func (s *stream) receive() {
	defer s.done.Done()
	var b [8]byte
	for {
		if _, err := s.sink.Read(b[:]); err != nil {
			return
		}
		s.mu.Lock()
		if n := binary.BigEndian.Uint64(b[:]); n < uint64(len(s.got)) {
			s.got[n] = true
			s.count++
		}
		s.mu.Unlock()
	}
}

// passed is how many datagrams came.
func (s *stream) passed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// lost waits until a datagram has come that left after a moment, and returns when the last
// one left before it that did not come: the zero Time if all came.
func (s *stream) lost(after time.Time, limit time.Duration) (last time.Time, ok bool) {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(poll) {
		if last, ok = s.look(after); ok {
			return last, true
		}
	}
	return last, false
}

func (s *stream) look(after time.Time) (last time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, _ := slices.BinarySearchFunc(s.sent, after, time.Time.Compare)
	if !slices.Contains(s.got[from:], true) {
		return last, false
	}
	for k := from - 1; k >= 0; k-- {
		if !s.got[k] {
			return s.sent[k], true
		}
	}
	return last, true
}

// end ends the stream.
func (s *stream) end() {
	close(s.stop)
	s.source.Close()
	s.sink.Close()
	s.done.Wait()
}
