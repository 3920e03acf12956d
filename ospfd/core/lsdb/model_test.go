package lsdb

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/ospfd/packet"
)

// model is a database as section 13 of RFC 2328 reads: a list, whose ages are counted up.
type model struct {
	lsas []*modelLSA
	max  int
}

type modelLSA struct {
	packet.LSAKey
	seq      int32
	sum      uint16
	age      int
	frozen   bool
	body     []byte
	own      bool
	received clock.Instant // by flooding; Never otherwise
	sent     clock.Instant // or Never
	tick     clock.Instant // when it is a second older
	again    *Statement
}

func (m *model) find(key packet.LSAKey) *modelLSA {
	for _, l := range m.lsas {
		if l.LSAKey == key {
			return l
		}
	}
	return nil
}

func (m *model) drop(key packet.LSAKey) {
	m.lsas = slices.DeleteFunc(m.lsas, func(l *modelLSA) bool { return l.LSAKey == key })
}

// newer is section 13.1.
func (l *modelLSA) newer(o *modelLSA) bool {
	switch {
	case l.seq != o.seq:
		return l.seq > o.seq
	case l.sum != o.sum:
		return l.sum > o.sum
	case l.age == packet.MaxAge || o.age == packet.MaxAge:
		return o.age != packet.MaxAge
	case l.age-o.age > packet.MaxAgeDiff || o.age-l.age > packet.MaxAgeDiff:
		return l.age < o.age
	}
	return false
}

func (m *model) receive(now clock.Instant, lsa packet.LSA, exchanging bool) Verdict {
	l := &modelLSA{LSAKey: lsa.LSAKey, seq: lsa.Sequence, sum: lsa.Checksum, age: min(int(lsa.Age&0x7fff), packet.MaxAge), body: lsa.Body(),
		received: now, sent: clock.Never, tick: now.Add(time.Second)}
	l.frozen = lsa.Age&packet.DoNotAge != 0 && l.age < packet.MaxAge
	old := m.find(l.LSAKey)
	switch {
	case old == nil && l.age == packet.MaxAge && !exchanging:
		return Gone
	case old != nil && l.newer(old) && old.received != clock.Never && now < old.received.Add(time.Second):
		return TooSoon
	case old == nil || l.newer(old):
	case !old.newer(l):
		old.frozen = old.frozen || l.frozen && !old.own && old.age < packet.MaxAge
		return Duplicate
	case old.age == packet.MaxAge && old.seq == packet.MaxSequence:
		return Wrapping
	case old.sent != clock.Never && now < old.sent.Add(time.Second):
		return JustSent
	default:
		return SendBack
	}
	n := 0
	for _, x := range m.lsas {
		if !x.own {
			n++
		}
	}
	if old == nil && n >= m.max {
		return Full
	}
	l.frozen = l.frozen || old != nil && old.frozen && l.age < packet.MaxAge && bytes.Equal(l.body, old.body)
	m.drop(l.LSAKey)
	m.lsas = append(m.lsas, l)
	return Newer
}

func (m *model) originate(now clock.Instant, s Statement, force bool) string {
	key := external(s.ID, me)
	l := &modelLSA{LSAKey: key, seq: packet.InitialSequence, frozen: s.DoNotAge, body: s.Body, own: true,
		received: clock.Never, sent: clock.Never, tick: now.Add(time.Second)}
	if old := m.find(key); old != nil {
		if !force && old.own && old.age < packet.MaxAge && bytes.Equal(old.body, s.Body) && old.frozen == s.DoNotAge {
			return ""
		}
		if old.seq == packet.MaxSequence {
			old.again = &s
			return m.flush(now, old)
		}
		l.seq = old.seq + 1
	}
	lsa, _ := packet.NewLSA(packet.LSAHeader{LSAKey: key, Sequence: l.seq}, s.Body)
	l.sum = lsa.Checksum
	m.drop(key)
	m.lsas = append(m.lsas, l)
	return fmt.Sprint(Originated, l)
}

func (m *model) flush(now clock.Instant, l *modelLSA) string {
	if l.age == packet.MaxAge {
		return ""
	}
	l.age, l.frozen, l.received, l.sent = packet.MaxAge, false, clock.Never, clock.Never
	return fmt.Sprint(Flushing, l)
}

// advance lets the clock run, and tells what happens.
func (m *model) advance(to clock.Instant) (events []string) {
	for _, l := range slices.Clone(m.lsas) {
		for l.tick <= to {
			now := l.tick
			l.tick = l.tick.Add(time.Second)
			if l.frozen || l.age == packet.MaxAge {
				continue
			}
			if l.age++; l.own && l.age == packet.LSRefreshTime {
				events = append(events, now.String()+" "+m.originate(now, Statement{ID: l.ID, Body: l.body}, true))
				if n := m.find(l.LSAKey); n != l {
					l = n
				}
			} else if l.age == packet.MaxAge {
				l.received, l.sent = clock.Never, clock.Never
				events = append(events, now.String()+" "+fmt.Sprint(Expired, l))
			}
		}
	}
	slices.Sort(events)
	return events
}

func (l *modelLSA) String() string {
	age := l.age
	if l.frozen {
		age |= packet.DoNotAge
	}
	return fmt.Sprintf("%d/%d %x age %d %x", l.ID, l.Router, uint32(l.seq), age, l.body)
}

func shown(k Kind, l packet.LSA) string {
	if k == Nothing {
		return ""
	}
	return fmt.Sprint(k, fmt.Sprintf(" %d/%d %x age %d %x", l.ID, l.LSAKey.Router, uint32(l.Sequence), l.Age, l.Body()))
}

// draw makes an LSA near to what is there.
func draw(t *testing.T, r *rand.Rand) packet.LSA {
	ages := []uint16{0, 1, 899, 900, 901, 1799, 1800, 2700, 3599, packet.MaxAge, 3700, packet.DoNotAge, packet.DoNotAge + 901, packet.DoNotAge | packet.MaxAge}
	seqs := []int32{packet.InitialSequence, packet.InitialSequence + 1, 0, 1, packet.MaxSequence - 1, packet.MaxSequence}
	return instance(t, external(packet.ID(r.IntN(3)), me+packet.ID(r.IntN(3))), seqs[r.IntN(len(seqs))], ages[r.IntN(len(ages))], uint32(r.IntN(3)))
}

// Drawn inputs have the same outcome in the database as in the model.
func TestModel(t *testing.T) {
	verdicts := map[Verdict]int{}
	kinds := map[Kind]int{}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		d, m := newAS(Options{MaxLSAs: 5}), &model{max: 5}
		now := clock.Instant(0)
		for step := range 150 {
			now = now.Add([]time.Duration{0, 300 * time.Millisecond, time.Second, 100 * time.Second, 1000 * time.Second}[r.IntN(5)])
			var ticked []string
			for at, ok := d.Next(); ok && at <= now; at, ok = d.Next() {
				for _, c := range d.Tick(at, nil) {
					kinds[c.Kind]++
					if c.Kind == Refreshed {
						c.Kind = Originated
					}
					ticked = append(ticked, at.String()+" "+shown(c.Kind, c.LSA))
				}
			}
			slices.Sort(ticked)
			what, got, want := "ticks", fmt.Sprint(ticked), fmt.Sprint(m.advance(now))
			if got == want {
				what, got, want = both(t, r, now, d, m, verdicts, kinds)
			}
			if got == want {
				what, got, want = "contents", contents(d, now), m.contents()
			}
			if got != want {
				t.Fatalf("seed %d step %d at %v, %s:\n%s\nmodel:\n%s", seed, step, now, what, got, want)
			}
		}
	}
	for v := Newer; v <= Full; v++ {
		if verdicts[v] == 0 && v != BadChecksum && v != Unacceptable {
			t.Errorf("never: %v", v)
		}
	}
	for k := Nothing; k < Corrupt; k++ {
		if kinds[k] == 0 {
			t.Errorf("never: %v", k)
		}
	}
}

// both does one drawn thing to both.
func both(t *testing.T, r *rand.Rand, now clock.Instant, d *Database, m *model, verdicts map[Verdict]int, kinds map[Kind]int) (what, got, want string) {
	id := packet.ID(r.IntN(3))
	key := external(id, me+packet.ID(r.IntN(3)))
	switch r.IntN(8) {
	case 0:
		s := Statement{Type: packet.ExternalLSA, ID: id, Body: packet.External{Metric: uint32(r.IntN(3))}.Append(nil), DoNotAge: r.IntN(4) == 0}
		c, _ := d.Originate(now, s)
		kinds[c.Kind]++
		return "originate", shown(c.Kind, c.LSA), m.originate(now, s, false)
	case 1:
		c := d.Flush(now, key)
		kinds[c.Kind]++
		if l := m.find(key); l != nil && key.Router == me {
			l.again = nil
			want = m.flush(now, l)
		}
		return "flush", shown(c.Kind, c.LSA), want
	case 2:
		for _, c := range d.Flushed(now, key, nil) {
			kinds[c.Kind]++
			got += shown(c.Kind, c.LSA) + "\n"
		}
		if l := m.find(key); l != nil && l.age == packet.MaxAge {
			m.drop(key)
			want = fmt.Sprint(Removed, l) + "\n"
			if l.again != nil {
				want += m.originate(now, *l.again, true) + "\n"
			}
		}
		return "flushed", got, want
	case 3:
		d.Sent(now, key)
		if l := m.find(key); l != nil {
			l.sent = now
		}
		return "sent", "", ""
	}
	lsa, exchanging := draw(t, r), r.IntN(2) == 0
	receipt := d.Receive(now, lsa, exchanging)
	verdicts[receipt.Verdict]++
	kinds[receipt.Change.Kind]++
	got, want = receipt.Verdict.String(), m.receive(now, lsa, exchanging).String()
	if l := m.find(lsa.LSAKey); receipt.Verdict == SendBack && l != nil {
		got, want = shown(anyKind, receipt.Copy), fmt.Sprint(anyKind, l)
	}
	return fmt.Sprintf("receive %+v", lsa.LSAHeader), got, want
}

// anyKind stands for no kind, but is shown.
const anyKind Kind = 99

func contents(d *Database, now clock.Instant) (s string) {
	for lsa := range d.All(now) {
		s += shown(anyKind, lsa) + fmt.Sprintf(" own %v\n", d.Own(lsa.LSAKey))
	}
	return s
}

func (m *model) contents() (s string) {
	slices.SortFunc(m.lsas, func(a, b *modelLSA) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Router, b.Router)) })
	for _, l := range m.lsas {
		s += fmt.Sprint(anyKind, l) + fmt.Sprintf(" own %v\n", l.own)
	}
	return s
}
