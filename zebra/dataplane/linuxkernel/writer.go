package linuxkernel

import (
	"errors"

	"golang.org/x/sys/unix"
)

// maxBatch is the most messages that travel in one send: beyond it nothing is
// gained, and the answers of a batch of failures still fit the receive buffer.
const maxBatch = 1024

// resendBatch is the size of the parts in which a batch whose answers were lost
// is sent again.
const resendBatch = 32

// errLost says that answers of the kernel were lost.
var errLost = errors.New("answers of the kernel were lost")

// writer owns the socket that changes the kernel. It is used by one goroutine.
type writer struct {
	sock    *socket
	enc     encoder
	start   int   // of the message that is being written
	offs    []int // where each message of the batch begins
	tags    []int // what its verdict is reported under
	verdict func(tag int, err error)
	one     error // verdict of do
	limit   int   // bytes in one send
	seq     uint32
	buf     []byte
	errs    []error
	resent  uint64 // batches whose answers were lost
	writes  uint64 // of devices and switches, each of which was found to differ first
}

// single is the tag of the message of do.
const single = -1

func newWriter(s *socket) *writer {
	return &writer{sock: s, limit: s.sendLimit(), buf: make([]byte, 64<<10)}
}

// begin starts a message: its family header and attributes are then appended to
// the encoder that is returned.
func (w *writer) begin(typ, flags uint16) *encoder {
	w.seq++
	w.start = w.enc.begin(typ, flags, w.seq)
	return &w.enc
}

// commit ends the message. Its verdict is reported under tag, now or at a later
// commit or flush.
func (w *writer) commit(tag int) {
	w.enc.end(w.start)
	w.offs = append(w.offs, w.start)
	w.tags = append(w.tags, tag)
	if len(w.offs) == maxBatch || len(w.enc.b) >= w.limit-16<<10 {
		w.flush()
	}
}

// do sends one message and returns its verdict. The batch goes first.
func (w *writer) do(typ, flags uint16, encode func(*encoder)) error {
	w.writes++
	return w.ask(typ, flags, encode)
}

// ask is do for what the kernel is to refuse: how it does tells what it knows.
func (w *writer) ask(typ, flags uint16, encode func(*encoder)) error {
	w.flush()
	encode(w.begin(typ, flags))
	w.commit(single)
	w.flush()
	return w.one
}

// flush sends the batch and reports the verdicts.
func (w *writer) flush() {
	n := len(w.offs)
	if n == 0 {
		return
	}
	w.errs = append(w.errs[:0], make([]error, n)...)
	if err := w.transact(0, n, w.errs); errors.Is(err, errLost) {
		w.resent++
		w.resend(w.errs)
	} else if err != nil {
		for i := range w.errs {
			w.errs[i] = err
		}
	}
	for i, tag := range w.tags {
		if tag == single {
			w.one = w.errs[i]
		} else {
			w.verdict(tag, w.errs[i])
		}
	}
	w.enc.b, w.offs, w.tags = w.enc.b[:0], w.offs[:0], w.tags[:0]
}

// resend repeats a batch in small parts.
func (w *writer) resend(errs []error) {
	for i := 0; i < len(errs); i += resendBatch {
		j := min(i+resendBatch, len(errs))
		clear(errs[i:j])
		if err := w.transact(i, j, errs); err != nil {
			for k := i; k < j; k++ {
				errs[k] = err
			}
		}
	}
}

// transact sends messages i … j-1 and collects their verdicts in errs. An error
// of its own means that not all verdicts are known.
func (w *writer) transact(i, j int, errs []error) error {
	end := len(w.enc.b)
	if j < len(w.offs) {
		end = w.offs[j]
	}
	w.drain()
	last := w.enc.b[w.offs[j-1]:]
	native.PutUint16(last[6:], native.Uint16(last[6:])|unix.NLM_F_ACK)
	if err := w.sock.send(w.enc.b[w.offs[i]:end]); err != nil {
		return err
	}
	first := native.Uint32(w.enc.b[w.offs[i]+8:])
	for {
		n, err := w.sock.receive(w.buf, false)
		switch err {
		case nil:
		case unix.ENOBUFS, unix.EAGAIN:
			return errLost
		default:
			return err
		}
		for m := range messages(w.buf[:n]) {
			k := int(int32(m.seq - first))
			if m.typ != unix.NLMSG_ERROR || k < 0 || k >= j-i {
				continue
			}
			errs[i+k] = verdict(m)
			if k == j-i-1 {
				return nil
			}
		}
	}
}

// drain throws away answers that an earlier, broken transaction left.
func (w *writer) drain() {
	for {
		if _, err := w.sock.receive(w.buf, false); err != nil && err != unix.ENOBUFS {
			return
		}
	}
}

// get sends one request whose answer is an object, and hands the answer to f. Some
// requests are answered to everybody; it takes NLM_F_ECHO to be among them.
func (w *writer) get(typ, flags uint16, encode func(*encoder), f func(message)) error {
	w.flush()
	w.drain()
	w.seq++
	var e encoder
	start := e.begin(typ, flags, w.seq)
	encode(&e)
	e.end(start)
	if err := w.sock.send(e.b); err != nil {
		return err
	}
	n, err := w.sock.receive(w.buf, false)
	if err != nil {
		return err
	}
	for m := range messages(w.buf[:n]) {
		switch {
		case m.seq != w.seq:
		case m.typ == unix.NLMSG_ERROR:
			return verdict(m)
		default:
			f(m)
			return nil
		}
	}
	return errLost
}
