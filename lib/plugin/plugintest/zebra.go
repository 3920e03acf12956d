package plugintest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing/synctest"

	"github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
)

// Zebra is the other end of a daemon's sessions, in a bubble of synctest: it remembers
// what it is told, sweeps what is stale, relays topics, and has routes of others.
type Zebra struct {
	Others []rib.Route // of other protocols; set before the daemon watches

	mu      sync.Mutex
	epoch   uint64
	objects map[rib.Key]rib.Object
	stale   map[rib.Key]bool // of an earlier attachment
	watches map[rib.Watch]bool
	topics  map[topicKey][]byte // what the daemon published
	others  map[topicKey][]byte // what others did
	ended   int                 // ends of replay
	logs    []string
}

type topicKey struct{ topic, key string }

// NewZebra returns one that knows nothing.
func NewZebra() *Zebra {
	return &Zebra{objects: map[rib.Key]rib.Object{}, watches: map[rib.Watch]bool{}, topics: map[topicKey][]byte{}, others: map[topicKey][]byte{}}
}

// serve serves one attachment until the stream ends.
func (z *Zebra) serve(s session.HostStream, interfaces []rib.Interface) {
	z.mu.Lock()
	z.epoch++
	z.watches = map[rib.Watch]bool{}
	former := maps.Clone(z.topics)
	first := []session.Down{session.Event{Event: rib.Attached{Epoch: z.epoch, Stale: len(z.objects)}}}
	z.mu.Unlock()
	for _, i := range interfaces {
		first = append(first, session.Event{Event: rib.InterfaceChanged{Interface: i}})
	}
	if s.Send(append(first, session.Event{Event: rib.InterfacesKnown{}})) != nil {
		return
	}
	for {
		batch, err := s.Recv()
		if err != nil {
			return
		}
		for _, up := range batch {
			if answer := z.take(up, former); len(answer) > 0 && s.Send(answer) != nil {
				return
			}
		}
	}
}

func (z *Zebra) take(up session.Up, former map[topicKey][]byte) (answer []session.Down) {
	z.mu.Lock()
	defer z.mu.Unlock()
	switch up := up.(type) {
	case session.Begin:
		z.stale = map[rib.Key]bool{}
		for k := range z.objects {
			z.stale[k] = true
		}
	case session.Put:
		z.objects[up.Object.Key()] = up.Object
		delete(z.stale, up.Object.Key())
	case session.Delete:
		delete(z.objects, up.Key)
	case session.WatchAdd:
		if up.Watch.Kind != rib.WatchTopic {
			z.watches[up.Watch] = true
		}
		return z.answer(up.Watch, former)
	case session.WatchDel:
		delete(z.watches, up.Watch)
	case session.Publish:
		z.topics[topicKey{up.Topic, up.Key}] = up.Payload
		if up.Payload == nil {
			delete(z.topics, topicKey{up.Topic, up.Key})
		}
	case session.EndOfReplay:
		z.ended++
		for k := range z.stale {
			delete(z.objects, k)
		}
	case session.Log:
		z.logs = append(z.logs, up.Message)
	}
	return nil
}

// answer says what a new watch is told at once: routes of others, and the values of a
// topic, of others and of a former life. z.mu is held.
func (z *Zebra) answer(w rib.Watch, former map[topicKey][]byte) (answer []session.Down) {
	switch w.Kind {
	case rib.WatchRedistribute:
		for _, r := range z.Others {
			if r.VRF == w.VRF && r.Protocol == w.Protocol {
				answer = append(answer, session.Event{Event: rib.RouteChanged{Watch: w, Route: r}})
			}
		}
		return append(answer, session.Event{Event: rib.RoutesKnown{Watch: w}})
	case rib.WatchNextHop:
		return []session.Down{session.Event{Event: rib.NextHopChanged{Watch: w}}} // not reached
	case rib.WatchTopic:
		for _, values := range []map[topicKey][]byte{former, z.others} {
			for _, k := range slices.SortedFunc(maps.Keys(values), func(a, b topicKey) int { return cmp.Compare(a.key, b.key) }) {
				if k.topic == w.Topic {
					answer = append(answer, session.Event{Event: rib.TopicMessage{Topic: k.topic, Key: k.key, Payload: values[k]}})
				}
			}
		}
	}
	return answer
}

// State has zebra hold an object, as of a former life of the daemon.
func (z *Zebra) State(obj rib.Object) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.objects[obj.Key()] = obj
}

// Objects returns what zebra has of the daemon.
func (z *Zebra) Objects() map[rib.Key]rib.Object {
	synctest.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	return maps.Clone(z.objects)
}

// Routes returns the routes that zebra has of the daemon, as a text.
func (z *Zebra) Routes() string {
	var out []string
	for _, o := range z.Objects() {
		r, ok := o.(rib.Route)
		if !ok {
			continue
		}
		line := r.Prefix.String()
		if r.VRF != "" {
			line = r.VRF + " " + line
		}
		for _, h := range r.NextHops {
			line += fmt.Sprintf(" via %v %s", h.Addr, h.Interface)
		}
		out = append(out, fmt.Sprintf("%s [%d/%d]", line, r.Distance, r.Metric))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// TakeLogs returns what was logged since the last call.
func (z *Zebra) TakeLogs() string {
	synctest.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	out := strings.Join(z.logs, "\n")
	z.logs = nil
	return out
}

// Ends returns how many ends of replay there were.
func (z *Zebra) Ends() int {
	synctest.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.ended
}

// Watched returns what the daemon wants to be told of, but for topics.
func (z *Zebra) Watched() []rib.Watch {
	synctest.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Collect(maps.Keys(z.watches))
}

// Topic returns the values of a topic that the daemon published.
func (z *Zebra) Topic(name string) map[string][]byte {
	synctest.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	out := map[string][]byte{}
	for k, v := range z.topics {
		if k.topic == name {
			out[k.key] = v
		}
	}
	return out
}
