package ikefault

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// Moment is a message of a negotiation.
type Moment uint8

// The moments. The first ones are requests of a Peer, the others answers to those of the
// other end.
const (
	Init         Moment = iota // IKE_SA_INIT
	Intermediate               // IKE_INTERMEDIATE
	Auth                       // IKE_AUTH
	Probe                      // INFORMATIONAL with nothing in it
	Create                     // CREATE_CHILD_SA for a child SA
	ChildRekey                 // CREATE_CHILD_SA for one in place of another
	Rekey                      // CREATE_CHILD_SA for another IKE SA
	Delete                     // INFORMATIONAL that deletes the child SA
	AnswerInit
	AnswerIntermediate
	AnswerAuth
	AnswerCreate // to CREATE_CHILD_SA for a child SA in place of another
	AnswerRekey
	AnswerDelete
)

var momentNames = [...]string{"IKE_SA_INIT", "IKE_INTERMEDIATE", "IKE_AUTH", "probe", "child", "child rekey", "rekey", "delete",
	"answer to IKE_SA_INIT", "answer to IKE_INTERMEDIATE", "answer to IKE_AUTH", "answer to child rekey", "answer to rekey", "answer to delete"}

// String names the message.
func (m Moment) String() string { return momentNames[m] }

// Answer reports whether the message is an answer.
func (m Moment) Answer() bool { return m >= AnswerInit }

// Established reports whether both ends are authenticated by then.
func (m Moment) Established() bool { return m >= Probe && m <= Delete || m >= AnswerCreate }

// Draft returns the right message of a request.
func (p *Peer) Draft(m Moment) *Draft {
	switch m {
	case Init:
		return p.Init()
	case Intermediate:
		return p.Intermediate()
	case Auth:
		return p.Auth()
	case Create, ChildRekey:
		return p.Create(m == ChildRekey)
	case Rekey:
		return p.Rekey()
	case Delete:
		return p.Delete()
	}
	return p.Inform()
}

// Wire carries datagrams to the other end, and returns what comes back.
type Wire func([][]byte) [][]byte

// Reach makes, as the initiator, the exchanges before a moment.
func (p *Peer) Reach(m Moment, w Wire) error {
	steps := []Moment{Init, Intermediate, Auth}
	for _, s := range steps {
		if s >= m || s == Intermediate && !p.MLKEM {
			continue
		}
		if err := p.Do(s, w); err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
	}
	return nil
}

// Do makes an exchange as is right. Where a cookie is wanted it begins again.
func (p *Peer) Do(m Moment, w Wire) error {
	got := w(p.Write(p.Draft(m)))
	switch m {
	case Init:
		if len(got) == 0 {
			return fmt.Errorf("%w: silence", errAnswer)
		}
		err := p.TakeInit(got[0])
		for range 3 {
			if err != nil && p.Cookie != nil {
				if got = w(p.Write(p.Init())); len(got) == 0 {
					return fmt.Errorf("%w: silence", errAnswer)
				}
				err = p.TakeInit(got[0])
			}
		}
		return err
	case Intermediate:
		return p.TakeIntermediate(got)
	}
	ps, err := p.Take(got)
	if f := Notifies(ps); err == nil && len(f) > 0 {
		return fmt.Errorf("%w: %v", errAnswer, f)
	}
	return err
}

// Outcome is what a good peer makes of a fault.
type Outcome struct {
	Kind   Kind
	Notify packet.NotifyType // of Refused and Ended: the error that is answered; 0: any, or none
	Reason Reason            // of Dropped
}

// Kind is a kind of outcome.
type Kind uint8

// The kinds.
const (
	Dropped Kind = iota // there is no answer, and what is right is still taken
	Refused             // an error is answered, and all goes on; of answers: only what it was for comes to nothing
	Ended               // an error is answered, and the IKE SA is no more
	Taken               // it does no harm: as if it was right
)

// Reason is why a message is dropped.
type Reason uint8

// The reasons.
const (
	_            Reason = iota
	Malformed           // it cannot be read
	IKEv1               // it is of IKEv1
	UnknownSA           // it is of no IKE SA
	NotAuthentic        // it is not protected, or its checksum is wrong
	WrongID             // its Message ID is not the next one
	OutOfState          // its exchange has no place there
	NoFragment          // a fragment where none may be
	Incomplete          // nothing is wrong with it yet
	Hint                // nothing protects it: it is no more than what may be the reason
)

func dropped(r Reason) Outcome            { return Outcome{Kind: Dropped, Reason: r} }
func refused(n packet.NotifyType) Outcome { return Outcome{Kind: Refused, Notify: n} }
func ended(n packet.NotifyType) Outcome   { return Outcome{Kind: Ended, Notify: n} }

var taken = Outcome{Kind: Taken}

// Fault is one thing that is wrong.
type Fault struct {
	Class string // F1 to F20, or whose list it is from
	Name  string
	Why   string // the vulnerability that it is known from, or the clause that it breaks
	At    Moment
	CBC   bool // wants Peer.CBC
	MLKEM bool // wants Peer.MLKEM
	Do    func(p *Peer, d *Draft)
	Want  Outcome
}

// Faults returns all of them, always in the same order.
func Faults() (out []Fault) {
	for _, list := range []func() []Fault{missing, keyExchanges, states, selectors, notifies, fragments, versions, algorithms, hints, deletions, checksums, lengths, conftest, impair} {
		out = append(out, list()...)
	}
	slices.SortStableFunc(out, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.Class, b.Class), cmp.Compare(a.At, b.At), strings.Compare(a.Name, b.Name))
	})
	return out
}
