package ikefault

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/godmvpn/godmvpn/ipsecd/packet"
)

// UDP is a Wire to a daemon that runs.
type UDP struct {
	Conn     *net.UDPConn // of the Peer's address
	To       netip.AddrPort
	Silence  time.Duration // for how long an answer to what is wrong is waited for
	Patience time.Duration // the same for what is right
}

// Right is the Wire for what is right.
func (u *UDP) Right(bs [][]byte) [][]byte { return u.tell(bs, u.Patience) }

// Wrong is the Wire for what is not, where silence is an answer.
func (u *UDP) Wrong(bs [][]byte) [][]byte { return u.tell(bs, u.Silence) }

// answering reports whether a message has the SPI of the initiator and the Message ID of
// another (RFC 7296 section 3.1); what is too short for these may be answered by anything.
func answering(request, answer []byte) bool {
	const spi, id, end = 8, 20, 24 // the SPI ends, the Message ID begins and ends
	return len(request) < end || bytes.Equal(request[:spi], answer[:spi]) && bytes.Equal(request[id:end], answer[id:end])
}

// tell sends, and waits until an answer is there, with all of its fragments. What the
// daemon asks by itself is not answered, and late answers to something else are none.
func (u *UDP) tell(bs [][]byte, wait time.Duration) (got [][]byte) {
	ours := func(answer []byte) bool {
		return slices.ContainsFunc(bs, func(b []byte) bool { return answering(b, answer) })
	}
	for _, b := range bs {
		_, _ = u.Conn.WriteToUDPAddrPort(b, u.To)
	}
	for b := range u.read(time.Now().Add(wait)) {
		m, err := packet.Parse(b)
		if err != nil || !m.Response() || !ours(b) {
			continue
		}
		got = append(got, b)
		if m.Encrypted == nil || len(got) >= int(m.Encrypted.Total) {
			break
		}
	}
	return got
}

// read yields what arrives until an instant.
func (u *UDP) read(until time.Time) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		if u.Conn.SetReadDeadline(until) != nil {
			return
		}
		buf := make([]byte, packet.MaxMessageSize)
		for {
			n, from, err := u.Conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if from == u.To && !yield(append([]byte(nil), buf[:n]...)) {
				return
			}
		}
	}
}

// Report is what came of a fault.
type Report struct {
	Answered bool
	Clear    []packet.NotifyType // what was said without protection
	Errors   []packet.NotifyType
	Alive    bool // what is right is answered afterwards
}

// Kind tells what the other end made of the fault.
func (r Report) Kind() Kind {
	switch {
	case !r.Answered && r.Alive:
		return Dropped
	case !r.Alive:
		return Ended
	case len(r.Errors) > 0:
		return Refused
	}
	return Taken
}

// Attack makes a fault in a request, in an IKE SA that the peer begins for it, and deletes
// that afterwards. The error is that of what is right before the fault.
func (u *UDP) Attack(p *Peer, f Fault) (r Report, err error) {
	p.Forget()
	p.CBC, p.MLKEM = f.CBC, f.MLKEM
	if err := p.Reach(f.At, u.Right); err != nil {
		return r, fmt.Errorf("before: %w", err)
	}
	send := u.Wrong
	if f.Want.Kind == Taken || f.Want.Kind == Refused {
		send = u.Right // an answer is due, however slow the machine is
	}
	for range 3 { // again, where a cookie is wanted
		d := p.Draft(f.At)
		f.Do(p, d)
		cookie := p.Cookie
		if got := send(p.Write(d)); len(got) > 0 {
			r.look(p, f.At, got)
		}
		if bytes.Equal(cookie, p.Cookie) {
			break
		}
	}
	switch {
	case f.At == Init && !r.Answered:
		r.Alive = p.Do(Init, u.Right) == nil
	case f.At == Init:
		other := *p
		other.Forget()
		r.Alive = other.Do(Init, u.Right) == nil
	case !r.Answered:
		r.Alive = p.Do(f.At, u.Right) == nil
	default:
		r.Alive = p.Do(Probe, u.Right) == nil
	}
	if p.Keys != nil && r.Alive {
		u.Wrong(p.Write(p.Inform(&packet.Delete{Protocol: packet.ProtocolIKE})))
	}
	return r, nil
}

// look reads an answer; one that wants a cookie is none.
func (r *Report) look(p *Peer, at Moment, got [][]byte) {
	m, err := packet.Parse(got[0])
	if err != nil {
		return
	}
	if m.Encrypted != nil {
		ps, err := p.Take(got)
		r.Answered, r.Errors = err == nil, Notifies(ps)
		return
	}
	if at != Init || m.Exchange != packet.IKESAInit {
		r.Clear = Notifies(m.Payloads)
		return
	}
	r.Answered, r.Errors = false, nil
	if n := packet.FindNotify(m.Payloads, packet.Cookie); n != nil {
		p.Cookie = n.Data
		return
	}
	errs := Notifies(m.Payloads)
	if slices.Contains(errs, packet.UnsupportedCriticalPayload) || slices.Contains(errs, packet.InvalidMajorVersion) {
		r.Clear = errs // the request is dropped
		return
	}
	r.Answered, r.Errors = true, errs
	if len(errs) == 0 {
		_ = p.TakeInit(got[0])
	}
}
