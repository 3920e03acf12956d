package engine

import (
	"cmp"
	"slices"

	librib "github.com/godmvpn/godmvpn/lib/rib"
	"github.com/godmvpn/godmvpn/lib/session"
	"github.com/godmvpn/godmvpn/zebra/dataplane"
	"github.com/godmvpn/godmvpn/zebra/rib"
)

// questions are a daemon's about security associations.
type questions struct {
	watch   bool // it wants to hear what becomes of them
	asked   bool // a dump, of number
	number  uint32
	listing bool // fib was asked, and has not answered
	due     bool // it is to be asked, again if it is listing
}

// forget ends what a daemon asked in an earlier session.
func (q *questions) forget() { *q = questions{listing: q.listing} }

// watchIPsec takes in that a daemon watches, or watches no more.
func (e *Engine) watchIPsec(owner string, w librib.Watch, on bool) {
	q := &e.daemon(owner).ipsec
	switch {
	case w.Kind == librib.WatchIPsec:
		q.watch = on
	case w.Kind == librib.WatchSADump && on:
		q.asked, q.due, q.number = true, true, w.Instance
	case w.Kind == librib.WatchSADump && q.number == w.Instance:
		q.asked, q.due = false, false
	}
}

// settleQuestions has the data plane list its SAs for the daemons that ask, one list at
// a time, and after what they stated before they asked.
func (e *Engine) settleQuestions() {
	for _, owner := range e.names() {
		q := &e.daemons[owner].ipsec
		if !q.due || q.listing || !e.start.swept {
			continue
		}
		q.listing, q.due = true, false
		e.fib.List(dataplane.KindSA, func(have []dataplane.Object, err error) {
			e.Post(func() { e.listedSAs(owner, have, err) })
		})
	}
}

// listedSAs answers a daemon's question.
func (e *Engine) listedSAs(owner string, have []dataplane.Object, err error) {
	d := e.daemon(owner)
	d.ipsec.listing = false
	switch {
	case !d.attached || !d.ipsec.asked || d.ipsec.due:
	case err != nil:
		e.hub.Send(owner, librib.SADump{Question: d.ipsec.number, Last: true, Error: err.Error()})
	default:
		e.hub.Send(owner, e.saDump(owner, d.ipsec.number, have)...)
	}
}

// saDump makes the parts of an answer.
func (e *Engine) saDump(owner string, question uint32, have []dataplane.Object) (parts []librib.Event) {
	var all []librib.SAState
	for _, o := range have {
		s, ok := o.(dataplane.SA)
		if !ok {
			continue
		}
		state := librib.SAState{SA: librib.SA{ESP: s.ESP}, Count: s.Count}
		state.SA.CipherKey, state.SA.IntegrityKey = librib.Secret{}, librib.Secret{}
		state.Live = e.rib.Stated(owner, state.SA.Key())
		all = append(all, state)
	}
	slices.SortFunc(all, func(a, b librib.SAState) int {
		return cmp.Or(a.SA.Destination.Compare(b.SA.Destination), cmp.Compare(a.SA.SPI, b.SA.SPI))
	})
	for part := uint32(0); ; part++ {
		n := min(len(all), session.MaxSADump)
		parts = append(parts, librib.SADump{Question: question, Part: part, Last: n == len(all), SAs: all[:n]})
		if all = all[n:]; len(all) == 0 {
			return parts
		}
	}
}

// ipsecEvent tells the daemons that watch what becomes of security associations.
func (e *Engine) ipsecEvent(ev dataplane.Event) {
	var told librib.Event
	switch ev := ev.(type) {
	case dataplane.Acquire:
		told = librib.Acquired{Source: ev.Source, Destination: ev.Destination}
	case dataplane.SAExpired:
		told = librib.SAExpired{SA: saName(ev.Key), Hard: ev.Hard}
	case dataplane.MappingChanged:
		told = librib.MappingChanged{SA: saName(ev.Key), Old: ev.Old, New: ev.New}
	default:
		return
	}
	for _, name := range e.names() {
		if e.daemons[name].ipsec.watch {
			e.hub.Send(name, told)
		}
	}
}

// saName is the key by which daemons know an SA.
func saName(k dataplane.Key) librib.Key {
	return librib.Key{Kind: librib.KindSA, Addr: k.Prefix.Addr(), Instance: k.Table}
}

// sa returns an SA for the data plane. One that was stated first in another session is
// kept, and not brought into force.
func (e *Engine) sa(put rib.SAPut) dataplane.SA {
	s := dataplane.SA{ESP: put.SA.ESP, Keep: put.SA.Epoch != e.daemon(put.Owner).epoch}
	e.note(s.Key(), put.Key(), put.Gen, s)
	return s
}

func (e *Engine) saKey(del rib.SADelete) dataplane.Key {
	s := dataplane.SA{ESP: librib.ESP{Destination: del.SA.Addr, SPI: del.SA.Instance}}
	e.note(s.Key(), del.Key(), del.Gen, nil)
	return s.Key()
}

func (e *Engine) policy(put rib.PolicyPut) dataplane.Policy {
	p := dataplane.Policy{Policy: put.Policy}
	e.note(p.Key(), put.Key(), put.Gen, p)
	return p
}

func (e *Engine) policyKey(del rib.PolicyDelete) dataplane.Key {
	p := dataplane.Policy{Policy: librib.Policy{Local: del.Policy.Addr, Peer: del.Policy.Prefix}}
	e.note(p.Key(), del.Key(), del.Gen, nil)
	return p.Key()
}
