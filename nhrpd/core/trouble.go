package core

import (
	"fmt"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
	"github.com/godmvpn/godmvpn/nhrpd/packet"
)

// trouble is what went wrong last with a server or an entry. It decides nothing;
// it is shown.
type trouble struct {
	text  string        // "" if nothing did
	code  uint16        // of an Error Indication or a refusal; 0 for neither
	error bool          // it is that of an Error Indication
	since clock.Instant // of the first of those in a row that say the same
	last  clock.Instant
}

// note takes down what went wrong just now.
func (t *trouble) note(now clock.Instant, text string) {
	if t.text != text {
		*t = trouble{text: text, since: now}
	}
	t.last = now
}

// refused takes down the code of a CIE by which something was refused just now.
func (t *trouble) refused(now clock.Instant, code packet.CIECode) {
	t.note(now, fmt.Sprintf("%v (%d)", code, uint8(code)))
	t.code = uint16(code)
}

// indicated takes down the code of an Error Indication that came just now.
func (t *trouble) indicated(now clock.Instant, code packet.ErrorCode) {
	t.note(now, fmt.Sprintf("%v (%d)", code, uint16(code)))
	t.code, t.error = uint16(code), true
}

// Trouble is what went wrong last with a server or an entry.
type Trouble struct {
	Text  string        // in the words of the RFC, with its code in brackets; "" if nothing did
	Code  uint16        // that code (RFC 2332 sections 5.2.0.1 and 5.2.7); 0 if there is none
	Error bool          // it is the code of an Error Indication, not of a CIE
	Since time.Duration // since it was first said without another word between
	Last  time.Duration // since it was last said
}

func (t *trouble) report(now clock.Instant) Trouble {
	if t == nil || t.text == "" {
		return Trouble{}
	}
	return Trouble{Text: t.text, Code: t.code, Error: t.error, Since: now.Sub(t.since), Last: now.Sub(t.last)}
}

// troubled notes what went wrong with an entry.
func (e *entry) troubled(now clock.Instant, text string) {
	if e.trouble == nil {
		e.trouble = new(trouble)
	}
	e.trouble.note(now, text)
}
