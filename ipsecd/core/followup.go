package core

import (
	"bytes"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
	"github.com/godmvpn/godmvpn/ipsecd/suite"
	"github.com/godmvpn/godmvpn/lib/clock"
)

// Bounds of additional key exchanges that the peer has begun.
const (
	followWait  = 30 * time.Second // until the next of them
	maxFollowup = 4                // series of an IKE SA
	linkLen     = 8
)

// followup is a series of additional key exchanges at the responder: they complete a
// CREATE_CHILD_SA, whose SA is made with the last one (RFC 9370 section 2.2.4).
type followup struct {
	link    []byte         // names it; another in every answer
	groups  []packet.Group // of those to come
	secrets [][]byte       // of the CREATE_CHILD_SA, and of those that are done
	until   clock.Instant
	ike     bool   // for another IKE SA
	old     *child // that is replaced, nil if none is
	finish  func(now clock.Instant, secrets [][]byte) reply
}

// wipe forgets the secrets.
func (f *followup) wipe() { suite.Wipe(f.secrets...) }

// await keeps a series that is to come, in place of one for the same SA, and returns the
// notification that names it.
func (c *Core) await(now clock.Instant, sa *ikeSA, f *followup) *packet.Notify {
	sa.drop(func(o *followup) bool { return o.ike == f.ike && o.old == f.old })
	if len(sa.followups) >= maxFollowup {
		oldest := sa.followups[0]
		sa.drop(func(o *followup) bool { return o == oldest })
	}
	f.link, f.until = c.bytes(linkLen), now.Add(followWait)
	sa.followups = append(sa.followups, f)
	c.timers.Set(timerKey{kind: timerFollow, sa: sa}, now.Add(followWait))
	return notify(packet.AdditionalKeyExchange, f.link...)
}

// drop forgets some series.
func (sa *ikeSA) drop(which func(*followup) bool) {
	sa.followups = slices.DeleteFunc(sa.followups, func(f *followup) bool {
		if which(f) {
			f.wipe()
			return true
		}
		return false
	})
}

// followDue forgets the series that the peer did not go on with.
func (c *Core) followDue(now clock.Instant, sa *ikeSA) {
	sa.drop(func(f *followup) bool { return f.until <= now })
	for _, f := range sa.followups[:min(len(sa.followups), 1)] {
		c.timers.Set(timerKey{kind: timerFollow, sa: sa}, f.until)
	}
}

// followupRequest answers IKE_FOLLOWUP_KE.
func (c *Core) followupRequest(now clock.Instant, sa *ikeSA, ps []packet.Payload) reply {
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	n := packet.FindNotify(ps, packet.AdditionalKeyExchange)
	if ke == nil || n == nil {
		return refusal(packet.InvalidSyntax)
	}
	i := slices.IndexFunc(sa.followups, func(f *followup) bool { return bytes.Equal(f.link, n.Data) })
	switch {
	case sa.state != StateReady:
		return refusal(packet.TemporaryFailure)
	case i < 0:
		return refusal(packet.StateNotFound)
	}
	f := sa.followups[i]
	public, secret, err := suite.Respond(ke.Group, ke.Data, c.random)
	if ke.Group != f.groups[0] || err != nil {
		return refusal(packet.InvalidSyntax)
	}
	f.secrets, f.groups = append(f.secrets, secret), f.groups[1:]
	out := []packet.Payload{&packet.KE{Group: ke.Group, Data: public}}
	if len(f.groups) > 0 {
		sa.followups = slices.Delete(sa.followups, i, i+1)
		return reply{payloads: append(out, c.await(now, sa, f))}
	}
	last := f.finish(now, f.secrets)
	sa.drop(func(o *followup) bool { return o == f })
	last.payloads = append(out, last.payloads...)
	if failure(last.payloads) != nil {
		last.payloads = last.payloads[1:]
	}
	return last
}

// followed is a task whose CREATE_CHILD_SA additional key exchanges complete.
type followed interface {
	// completed makes the SA.
	completed(c *Core, now clock.Instant, sa *ikeSA, secrets [][]byte)
	// failed tries again later; why is "" for what is a matter of a moment.
	failed(c *Core, now clock.Instant, sa *ikeSA, why string)
}

// followTask is an additional key exchange of ours (RFC 9370 section 2.2.4).
type followTask struct {
	of      followed
	groups  []packet.Group // this one's, and of those to come
	secrets [][]byte
	link    []byte
	ke      *suite.Exchange
}

// follow begins a series: nothing comes between it and the CREATE_CHILD_SA. It reports
// whether the answer to that named it.
func (c *Core) follow(sa *ikeSA, of followed, groups []packet.Group, secret []byte, ps []packet.Payload) bool {
	n := packet.FindNotify(ps, packet.AdditionalKeyExchange)
	if n == nil {
		return false
	}
	link, ok := n.Link()
	if ok {
		sa.queue = slices.Insert(sa.queue, 0, task(&followTask{of: of, groups: groups, secrets: [][]byte{secret}, link: link}))
	}
	return ok
}

func (t *followTask) request(c *Core, now clock.Instant, sa *ikeSA) (packet.ExchangeType, []packet.Payload, bool) {
	x, err := suite.Start(t.groups[0], c.random)
	if err != nil || sa.state != StateReady {
		t.of.failed(c, now, sa, "key exchange not possible")
		return 0, nil, false
	}
	t.ke = x
	return packet.IKEFollowupKE, []packet.Payload{&packet.KE{Group: t.groups[0], Data: x.Public()}, notify(packet.AdditionalKeyExchange, t.link...)}, true
}

func (t *followTask) answered(c *Core, now clock.Instant, sa *ikeSA, ps []packet.Payload) {
	defer func() { suite.Wipe(t.secrets...) }()
	if f := failure(ps); f != nil {
		why := "refused: " + f.Kind.String()
		if f.Kind == packet.StateNotFound || f.Kind == packet.TemporaryFailure {
			why = ""
		}
		t.of.failed(c, now, sa, why)
		return
	}
	ke, _ := packet.Find(ps, packet.TypeKE).(*packet.KE)
	if ke == nil || ke.Group != t.groups[0] {
		t.of.failed(c, now, sa, "malformed answer")
		return
	}
	secret, err := t.ke.Secret(ke.Data)
	if err != nil {
		t.of.failed(c, now, sa, "invalid public value")
		return
	}
	t.secrets = append(t.secrets, secret)
	if len(t.groups) == 1 {
		t.of.completed(c, now, sa, t.secrets)
		return
	}
	n := packet.FindNotify(ps, packet.AdditionalKeyExchange)
	if n == nil || len(n.Data) == 0 {
		t.of.failed(c, now, sa, "malformed answer")
		return
	}
	next := &followTask{of: t.of, groups: t.groups[1:], secrets: t.secrets, link: n.Data}
	t.secrets = nil
	sa.queue = slices.Insert(sa.queue, 0, task(next))
}

// asked returns the task whose request waits for an answer, or which that completes; nil if
// there is none.
func (sa *ikeSA) asked() (t any, following bool) {
	if sa.request == nil {
		return nil, false
	}
	if f, ok := sa.request.task.(*followTask); ok {
		return f.of, true
	}
	return sa.request.task, false
}
