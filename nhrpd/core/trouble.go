package core

import (
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// trouble is what went wrong last with a server or an entry. It decides nothing;
// it is shown.
type trouble struct {
	text  string        // "" if nothing did
	since clock.Instant // of the first of those in a row that say the same
	last  clock.Instant
}

// note takes down what went wrong just now.
func (t *trouble) note(now clock.Instant, text string) {
	if t.text != text {
		t.text, t.since = text, now
	}
	t.last = now
}

// Trouble is what went wrong last with a server or an entry.
type Trouble struct {
	Text  string        // in the words of the RFC, with its code in brackets; "" if nothing did
	Since time.Duration // since it was first said without another word between
	Last  time.Duration // since it was last said
}

func (t *trouble) report(now clock.Instant) Trouble {
	if t == nil || t.text == "" {
		return Trouble{}
	}
	return Trouble{Text: t.text, Since: now.Sub(t.since), Last: now.Sub(t.last)}
}

// troubled notes what went wrong with an entry.
func (e *entry) troubled(now clock.Instant, text string) {
	if e.trouble == nil {
		e.trouble = new(trouble)
	}
	e.trouble.note(now, text)
}
