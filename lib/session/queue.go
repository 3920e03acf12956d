package session

import "github.com/godmvpn/godmvpn/lib/rib"

// entry is one object, watch or topic value, or the deletion of one that zebra
// has to be told of. It stands in the list at the place of its last change.
type entry struct {
	prev, next *entry
	up         Up
	seq        uint64 // of the last change
	gone       bool   // up is a deletion
	born       uint64 // sequence number at which the key came
	replay     uint64 // the replay in which zebra was last told of the key
}

// list holds entries in the order of their last change. Those from todo on are
// to be sent; as a change moves an entry to the end, they are always a tail of
// the list, and a replay is todo moved back to the head.
type list struct {
	head, tail *entry
	todo       *entry // first one to be sent; nil: none
	live       int    // entries that are not deletions
}

func (l *list) push(e *entry) {
	e.prev, e.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = e
	} else {
		l.head = e
	}
	l.tail = e
	if l.todo == nil {
		l.todo = e
	}
}

func (l *list) unlink(e *entry) {
	if l.todo == e {
		l.todo = e.next
	}
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		l.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		l.tail = e.prev
	}
	e.prev, e.next = nil, nil
}

// change gives an entry, or a new one if e is nil, a new value at the end of
// the list. The caller has raised seq.
func (c *Client) change(e *entry, up Up) *entry {
	if e == nil {
		e = &entry{born: c.seq}
		c.unsent++
		c.list.live++
	} else {
		c.list.unlink(e)
		if e.gone {
			c.list.live++
		}
	}
	e.up, e.seq, e.gone = up, c.seq, false
	c.list.push(e)
	c.notify()
	return e
}

// remove turns an entry into its deletion, or drops it if zebra does not know of
// it in this replay. It reports whether the entry is still in the list.
func (c *Client) remove(e *entry, up Up) (kept bool) {
	c.list.unlink(e)
	c.list.live--
	if !c.attached || e.replay != c.replay {
		c.settle(e)
		c.notify() // EndOfReplay may have waited for it
		return false
	}
	e.up, e.seq, e.gone = up, c.seq, true
	c.list.push(e)
	c.notify()
	return true
}

// settle takes an entry that zebra has not seen in this replay out of the
// counts, since it was sent or is not wanted any more.
func (c *Client) settle(e *entry) {
	if e.replay == c.replay {
		return
	}
	c.unsent--
	if c.complete && !c.ended && e.born <= c.mark {
		c.owed--
	}
}

// oweAll makes EndOfReplay wait for all that is wanted now and was not sent. It
// does not wait for what comes later, so that a busy daemon ends its replay too.
// A key that is owed may change and so move behind the mark: it is still owed,
// as zebra would sweep it otherwise.
func (c *Client) oweAll() { c.mark, c.owed = c.seq, c.unsent }

// restart begins a replay.
func (c *Client) restart() {
	c.forgetDeletions()
	c.replay++
	c.begin, c.ended, c.counted = true, false, c.counters != nil
	c.unsent = c.list.live
	c.list.todo = c.list.head
	c.oweAll()
	c.notify()
}

// forgetDeletions drops deletions: the next replay says as much.
func (c *Client) forgetDeletions() {
	for e := c.list.todo; e != nil; {
		next := e.next
		if e.gone {
			c.forget(e)
		}
		e = next
	}
}

// forget drops a deletion.
func (c *Client) forget(e *entry) {
	c.list.unlink(e)
	switch up := e.up.(type) {
	case Delete:
		c.objects.delete(up.Key)
	case WatchDel:
		delete(c.watches, up.Watch)
	case Publish:
		delete(c.topics, topicKey{up.Topic, up.Key})
	}
}

// next returns what is to be sent next, at most limit messages.
func (c *Client) next(limit int) []Up {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.attached {
		return nil
	}
	var batch []Up
	if c.begin {
		c.begin = false
		batch = append(batch, Begin{Replay: c.replay})
	}
	batch = c.nextLogs(batch, limit/2)
	if c.counted {
		c.counted = false
		batch = append(batch, Counters{Values: c.counters})
	}
	for size := 0; len(batch) < limit && size < maxBatchBytes && !c.endDue() && c.list.todo != nil; {
		e := c.list.todo
		size += weight(e.up)
		c.list.todo, c.sent = e.next, e.seq
		batch = append(batch, e.up)
		if e.gone {
			c.forget(e)
			continue
		}
		c.settle(e)
		e.replay = c.replay
	}
	if len(batch) < limit && c.endDue() {
		c.ended = true
		batch = append(batch, EndOfReplay{Seq: max(c.mark, c.sent)})
	}
	return batch
}

// weight returns about how many bytes of a message are not bounded by names.
func weight(m Up) int {
	switch m := m.(type) {
	case Publish:
		return len(m.Payload)
	case Put:
		if r, ok := m.Object.(rib.Route); ok {
			return 64 * len(r.NextHops)
		}
	}
	return 0
}

// endDue tells whether EndOfReplay is the next thing to say: nothing is owed,
// and no older change waits.
func (c *Client) endDue() bool {
	return c.complete && !c.ended && c.owed == 0 && (c.list.todo == nil || c.list.todo.seq > c.mark)
}

func (c *Client) nextLogs(batch []Up, limit int) []Up {
	n := max(0, min(len(c.logs), limit-len(batch)))
	for i := range n {
		record := c.logs[i]
		record.Dropped, c.dropped = c.dropped, 0
		batch = append(batch, record)
	}
	if c.logs = c.logs[n:]; len(c.logs) == 0 {
		c.logs = nil
	}
	return batch
}

// notify wakes the sender.
func (c *Client) notify() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
