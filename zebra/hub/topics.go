package hub

import (
	"fmt"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

// maxTopicValues is how many values one daemon may publish.
const maxTopicValues = 128 << 10

// topicStore has the last value per topic, key and publisher.
type topicStore struct {
	byTopic map[string]map[string][]value // topic → key → values, last published last
	count   map[string]int                // values by publisher
}

// value is what one publisher says under a key.
type value struct {
	owner   string
	payload []byte
	stale   bool // not repeated yet in the publisher's replay
}

func newTopicStore() topicStore {
	return topicStore{byTopic: map[string]map[string][]value{}, count: map[string]int{}}
}

// set stores or, with a nil payload, removes a publisher's value.
func (t *topicStore) set(topic, key, owner string, payload []byte) {
	values := t.byTopic[topic][key]
	for i, v := range values {
		if v.owner == owner {
			values = append(values[:i:i], values[i+1:]...)
			t.count[owner]--
			break
		}
	}
	if payload != nil {
		if t.byTopic[topic] == nil {
			t.byTopic[topic] = map[string][]value{}
		}
		values = append(values, value{owner: owner, payload: payload})
		t.count[owner]++
	}
	if len(values) > 0 {
		t.byTopic[topic][key] = values
		return
	}
	delete(t.byTopic[topic], key)
	if len(t.byTopic[topic]) == 0 {
		delete(t.byTopic, topic)
	}
}

// get returns the last value of anybody but the reader, or of the reader's own
// former life; nil if there is none.
func (t *topicStore) get(topic, key, reader string) []byte {
	values := t.byTopic[topic][key]
	for i := len(values) - 1; i >= 0; i-- {
		if values[i].owner != reader || values[i].stale {
			return values[i].payload
		}
	}
	return nil
}

// confirm marks a publisher's value as repeated if it is the present one.
func (t *topicStore) confirm(topic, key, owner string, payload []byte) bool {
	values := t.byTopic[topic][key]
	for i := range values {
		if values[i].owner == owner && payload != nil && string(values[i].payload) == string(payload) {
			values[i].stale = false
			return true
		}
	}
	return false
}

// publish takes a daemon's topic message. The caller holds the lock.
func (h *Hub) publish(p *peer, m session.Publish) error {
	if h.topics.confirm(m.Topic, m.Key, p.owner, m.Payload) {
		return nil // a replay says nothing new to the watchers
	}
	if m.Payload != nil && h.topics.count[p.owner] >= maxTopicValues {
		return fmt.Errorf("%w: more than %d topic values", ErrProtocol, maxTopicValues)
	}
	h.topics.set(m.Topic, m.Key, p.owner, m.Payload)
	h.relay(m.Topic, m.Key, p.owner)
	return nil
}

// relay tells all watchers but the publisher what the value of a key is now.
func (h *Hub) relay(topic, key, publisher string) {
	for _, name := range sortedKeys(h.peers) {
		p := h.peers[name]
		if _, watches := p.watching[topic]; !watches || name == publisher {
			continue
		}
		p.queue.add(rib.TopicMessage{Topic: topic, Key: key, Payload: h.topics.get(topic, key, name)})
		p.notify()
	}
}

// watchTopic begins or repeats a watch: the daemon is told all present values.
func (h *Hub) watchTopic(p *peer, topic string) {
	p.watching[topic] = true
	for _, key := range sortedKeys(h.topics.byTopic[topic]) {
		if payload := h.topics.get(topic, key, p.owner); payload != nil {
			p.queue.add(rib.TopicMessage{Topic: topic, Key: key, Payload: payload})
		}
	}
	p.notify()
}

// begin marks what a daemon has published and watches as not repeated.
func (h *Hub) begin(p *peer) {
	p.replayed = true
	for topic := range p.watching {
		p.watching[topic] = false
	}
	for _, keys := range h.topics.byTopic {
		for _, values := range keys {
			for i := range values {
				if values[i].owner == p.owner {
					values[i].stale = true
				}
			}
		}
	}
}

// end sweeps what a daemon did not repeat.
func (h *Hub) end(p *peer) {
	for topic, repeated := range p.watching {
		if !repeated {
			delete(p.watching, topic)
		}
	}
	h.sweep(p.owner, func(v value) bool { return v.stale })
}

// Withdraw forgets all that a daemon has published and tells the watchers: its
// hold time is over, or it was disabled.
func (h *Hub) Withdraw(owner string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sweep(owner, func(value) bool { return true })
}

func (h *Hub) sweep(owner string, unwanted func(value) bool) {
	for _, topic := range sortedKeys(h.topics.byTopic) {
		for _, key := range sortedKeys(h.topics.byTopic[topic]) {
			for _, v := range h.topics.byTopic[topic][key] {
				if v.owner == owner && unwanted(v) {
					h.topics.set(topic, key, owner, nil)
					h.relay(topic, key, owner)
					break
				}
			}
		}
	}
}
