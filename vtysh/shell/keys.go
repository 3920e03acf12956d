package shell

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
)

// Control keys.
const (
	ctrlC = 3
	ctrlE = 5
	ctrlF = 6
	tab   = 9
	ctrlU = 21
	ctrlV = 22
	ctrlZ = 26
)

// endLine is the line that Ctrl-Z types in place of what stands there: a
// character without width (WORD JOINER), which no command has.
const endLine = "\u2060"

// maxQueued bounds the help keys that wait to be answered, and the keys that wait
// for the pager.
const maxQueued = 256

// keys stands between the terminal and liner; doc.go says why.
type keys struct {
	to io.Writer // the pipe that liner reads

	mu      sync.Mutex
	helps   []byte // '?' or TAB for each TAB that was written to the pipe
	literal bool   // the next key loses its meaning
	plain   bool   // all keys have
	paging  bool   // keys go to the pager
	running func() // ends the command that is running; nil at the prompt
	more    chan byte
	lost    chan struct{} // closed when the terminal is gone
}

// newKeys makes a filter that writes to the pipe.
func newKeys(to io.Writer) *keys {
	return &keys{to: to, more: make(chan byte, maxQueued), lost: make(chan struct{})}
}

// copyFrom reads the terminal until it ends; then it closes the pipe.
func (k *keys) copyFrom(from io.Reader, pipe io.Closer) {
	defer pipe.Close()
	defer close(k.lost)
	buf := make([]byte, 1024)
	for {
		n, err := from.Read(buf)
		if out := k.translate(buf[:n]); len(out) > 0 {
			if _, err := k.to.Write(out); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// translate rewrites keys for liner, or hands them to the pager.
func (k *keys) translate(in []byte) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]byte, 0, len(in))
	for _, b := range in {
		switch {
		case k.paging:
			select {
			case k.more <- b:
			default:
			}
		case k.plain:
			out = append(out, b)
		case k.literal:
			k.literal = false
			out = append(out, b)
		case b == ctrlV:
			k.literal = true
		case b == '?' || b == tab:
			if len(k.helps) < maxQueued {
				k.helps = append(k.helps, b)
				out = append(out, tab)
			}
		case b == ctrlC && k.running != nil:
			k.running()
		case b == ctrlZ:
			out = append(out, ctrlE, ctrlU)
			out = append(out, endLine...)
			out = append(out, '\r')
		default:
			out = append(out, b)
		}
	}
	return out
}

// help pops the key that the TAB which liner has just seen stands for.
func (k *keys) help() byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.helps) == 0 {
		return tab
	}
	b := k.helps[0]
	k.helps = k.helps[1:]
	return b
}

// setPlain takes the meanings from all keys, or gives them back.
func (k *keys) setPlain(on bool) {
	k.mu.Lock()
	k.plain = on
	k.mu.Unlock()
}

// setRunning says how Ctrl-C ends the command that is running; nil: none is.
func (k *keys) setRunning(cancel func()) {
	k.mu.Lock()
	k.running = cancel
	k.mu.Unlock()
}

// errTerminal says that the terminal is gone.
var errTerminal = errors.New("terminal is gone")

// hold gives all keys to the pager, until pageDone.
func (k *keys) hold() {
	k.mu.Lock()
	k.paging = true
	k.mu.Unlock()
}

// page returns the next key for the pager.
func (k *keys) page(ctx context.Context) (byte, error) {
	select {
	case b := <-k.more:
		return b, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-k.lost:
		return 0, errTerminal
	}
}

// pageDone gives the keys back to liner and drops those that the pager did not take.
func (k *keys) pageDone() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.paging = false
	for {
		select {
		case <-k.more:
		default:
			return
		}
	}
}

// grab puts a pipe in the place of os.Stdin and starts to translate what comes
// from the terminal. The goroutine ends with the terminal.
func grab() (*keys, error) {
	terminal := os.Stdin
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	os.Stdin = r
	k := newKeys(w)
	go k.copyFrom(terminal, w)
	return k, nil
}
