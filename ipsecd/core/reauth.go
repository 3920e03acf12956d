package core

import (
	"crypto/x509"
	"time"

	"github.com/godmvpn/godmvpn/lib/clock"
)

// reauthenticate begins another IKE SA with the peer of one, with IKE_AUTH and a child SA
// of its own, which take the place of the old ones before those go (RFC 7296 section
// 2.8.3).
func (c *Core) reauthenticate(now clock.Instant, sa *ikeSA) {
	if sa.state != StateReady || sa.reason != "" || c.stopped {
		return
	}
	if sa.peer.nego == nil && !sa.peer.aliased() {
		if next := c.begin(now, sa.peer); next != nil {
			next.replaces = sa
			return
		}
	}
	c.again(now, sa, retryRefused)
}

// again replaces an IKE SA later.
func (c *Core) again(now clock.Instant, sa *ikeSA, wait time.Duration) {
	c.timers.Set(timerKey{kind: timerLife, sa: sa}, now.Add(c.jitter(wait)))
}

// reauthenticated has the old IKE SA go, a little later: the peer sends by its child until
// then, and what is on its way still arrives.
func (c *Core) reauthenticated(now clock.Instant, sa *ikeSA) {
	old := sa.replaces
	sa.replaces = nil
	if old == nil || !c.alive(old) || old.state != StateReady || len(sa.children) == 0 {
		return
	}
	c.counters.Rekeyed++
	old.reason = "authenticated anew"
	c.timers.Set(timerKey{kind: timerReap, sa: old}, now.Add(reapDelay))
}

// notReplaced tries again to replace an IKE SA whose successor ended before it was one.
func (c *Core) notReplaced(now clock.Instant, sa *ikeSA) {
	if old := sa.replaces; old != nil && c.alive(old) && old.state == StateReady {
		c.again(now, old, retryRefused)
	}
}

// stillBelieved reports whether the certificate by which the peer was authenticated would
// be believed now: it may have expired since, or been revoked. The IKE SA goes on until its
// lifetime is over, but another takes its place only with a certificate that is.
func (c *Core) stillBelieved(now clock.Instant, sa *ikeSA) bool {
	p := c.profile(sa.profile)
	if len(sa.peerCerts) == 0 || p == nil {
		return true
	}
	var certs []*x509.Certificate
	for _, der := range sa.peerCerts {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return false
		}
		certs = append(certs, one)
	}
	return c.believe(now, p, certs) == nil
}
