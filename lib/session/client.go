package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/godmvpn/godmvpn/lib/rib"
)

// logRing is how many log records wait for zebra; the oldest ones are dropped.
const logRing = 1024

// Client holds what a daemon wants of zebra and sends it, again at every
// attachment. It is safe for use by several goroutines; no call but Run and Settle blocks.
type Client struct {
	sink func(rib.Event)
	wake chan struct{} // something to send; capacity 1

	mu       sync.Mutex // guards all below
	list     list       // everything wanted, and deletions to be sent, by last change
	objects  objects
	watches  map[rib.Watch]*entry
	topics   map[topicKey]*entry
	seq      uint64
	attached bool
	replay   uint64 // counts Begins; entries know in which one they were sent
	begin    bool   // Begin is to be sent
	complete bool   // the daemon called EndOfReplay
	ended    bool   // EndOfReplay was sent in this replay
	mark     uint64 // entries born up to here are owed before EndOfReplay
	owed     int    // how many of them were not sent yet
	sent     uint64 // sequence number of the last change that was sent
	unsent   int    // entries that zebra has not seen in this replay
	logs     []Log
	dropped  uint64
	counters []Counter
	counted  bool // counters are to be sent
}

type topicKey struct{ topic, key string }

// NewClient returns a client that is not attached. Events are handed to sink,
// one at a time and in order; sink should post to the daemon's inbox and may
// block, but must not call Run's caller back.
func NewClient(sink func(rib.Event)) *Client {
	return &Client{
		sink:    sink,
		wake:    make(chan struct{}, 1),
		objects: newObjects(),
		watches: map[rib.Watch]*entry{},
		topics:  map[topicKey]*entry{},
	}
}

// Put asks zebra to hold obj, in place of the object with the same key if there
// is one. The sequence number returned is the one that a rib.Ack will cover; for
// an object that is equal to the present one nothing is sent and the number is
// that of the present one. An object that Check refuses is an error and changes
// nothing.
func (c *Client) Put(obj rib.Object) (seq uint64, err error) {
	if err := Check(obj); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := obj.Key()
	e := c.objects.get(key)
	if e != nil && !e.gone {
		if old := e.up.(Put); old.Object.Equal(obj) {
			return old.Seq, nil
		}
	}
	c.seq++
	c.objects.set(key, c.change(e, Put{Seq: c.seq, Object: obj}))
	return c.seq, nil
}

// Delete takes the object with the key back and returns the sequence number of
// that, or 0 if there is no such object.
func (c *Client) Delete(key rib.Key) (seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.objects.get(key)
	if e == nil || e.gone {
		return 0
	}
	c.seq++
	if !c.remove(e, Delete{Seq: c.seq, Key: key}) {
		c.objects.delete(key)
	}
	return c.seq
}

// Watch asks to be told of w. Events answer it until Unwatch, at every
// attachment from the start.
func (c *Client) Watch(w rib.Watch) error {
	if err := CheckWatch(w); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.watches[w]
	if e != nil && !e.gone {
		return nil
	}
	c.seq++
	c.watches[w] = c.change(e, WatchAdd{w})
	return nil
}

// Unwatch ends a Watch. Events that are under way may still arrive.
func (c *Client) Unwatch(w rib.Watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.watches[w]
	if e == nil || e.gone {
		return
	}
	c.seq++
	if !c.remove(e, WatchDel{w}) {
		delete(c.watches, w)
	}
}

// Publish gives key of topic a value, which all daemons that watch the topic
// are told of, now or when they begin to watch. A nil payload withdraws it.
// Publishing the present value again does nothing: a topic holds state.
func (c *Client) Publish(topic, key string, payload []byte) error {
	p := Publish{Topic: topic, Key: key, Payload: bytes.Clone(payload)}
	if err := CheckPublish(p); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := topicKey{topic, key}
	e := c.topics[k]
	present := e != nil && !e.gone
	if payload == nil {
		if !present {
			return nil
		}
		c.seq++
		if !c.remove(e, p) {
			delete(c.topics, k)
		}
		return nil
	}
	if present && bytes.Equal(e.up.(Publish).Payload, payload) {
		return nil
	}
	c.seq++
	c.topics[k] = c.change(e, p)
	return nil
}

// EndOfReplay says that the daemon's state is complete for the first time since
// its start. zebra is told once all of it was sent, in this attachment and in
// each later one. Further calls do nothing.
func (c *Client) EndOfReplay() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.complete {
		return
	}
	c.complete = true
	c.oweAll()
	c.notify()
}

// Log hands zebra a log record. While zebra is away the last records are kept;
// how many were lost is told in the next record. A record beyond the limits of
// a message is cut.
func (c *Client) Log(record Log) {
	record = TrimLog(record)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.logs) >= logRing {
		lost := len(c.logs) - logRing + 1
		c.logs = slices.Delete(c.logs, 0, lost)
		c.dropped += uint64(lost)
	}
	c.logs = append(c.logs, record)
	c.notify()
}

// Count hands zebra the present values of all counters.
func (c *Client) Count(values []Counter) error {
	if err := CheckCounters(values); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Equal(c.counters, values) {
		return nil
	}
	c.counters, c.counted = slices.Clone(values), true
	c.notify()
	return nil
}

// Len returns how many objects, watches and topic values the client holds.
func (c *Client) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.list.live
}

// Idle reports whether everything that the client holds was sent in the present
// attachment: a daemon that ends may wait for it.
func (c *Client) Idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.attached && !c.begin && c.list.todo == nil && !c.endDue()
}

// Settle waits until the client is idle, and returns ctx's error if that ends before.
func (c *Client) Settle(ctx context.Context) error {
	const again = 2 * time.Millisecond
	tick := time.NewTicker(again)
	defer tick.Stop()
	for !c.Idle() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// ErrAttached is returned by Run while another Run is active.
var ErrAttached = errors.New("session: already attached")

// Run serves one attachment: it replays, then sends changes and delivers events,
// until ctx or zebra ends the attachment (nil is returned) or it is lost. It closes the stream. Run may be called again with the next stream.
func (c *Client) Run(ctx context.Context, s Stream) error {
	if !c.attach() {
		s.Close()
		return ErrAttached
	}
	defer c.detach()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, 2)
	go func() { errs <- c.sendLoop(ctx, s) }()
	go func() { errs <- c.recvLoop(s) }()
	var err error
	ended := 0
	select {
	case err = <-errs:
		ended++
	case <-ctx.Done():
	}
	cancel()
	s.Close()
	for ; ended < 2; ended++ {
		<-errs
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (c *Client) attach() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attached {
		return false
	}
	c.attached = true
	c.restart()
	return true
}

func (c *Client) detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attached = false
	c.forgetDeletions()
}

func (c *Client) sendLoop(ctx context.Context, s Stream) error {
	for {
		batch := c.next(MaxBatch)
		if len(batch) > 0 {
			if err := s.Send(batch); err != nil {
				return fmt.Errorf("session: send: %w", err)
			}
			continue
		}
		select {
		case <-c.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func (c *Client) recvLoop(s Stream) error {
	for {
		batch, err := s.Recv()
		if err != nil {
			return fmt.Errorf("session: receive: %w", err)
		}
		for _, m := range batch {
			switch m := m.(type) {
			case Event:
				c.sink(m.Event)
			case ReplayRequest:
				c.mu.Lock()
				c.restart()
				c.mu.Unlock()
			}
		}
	}
}
