package shell

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// errQuit ends a command whose output the user has seen enough of.
var errQuit = errors.New("quit")

// more is the pager's prompt; erase takes it away again.
const (
	more  = " --More-- "
	erase = "\r          \r"
)

// pager stops after each screen of lines and asks for a key: space for the next
// screen, Enter for one line, q or Ctrl-C to end.
type pager struct {
	ctx    context.Context
	out    io.Writer
	screen int // lines per screen; 0: never stop
	width  int // columns; 0: unknown
	left   int // lines until the next stop
	column int
	key    func(context.Context) (byte, error)
	hold   func() // called before the question: keys are the pager's from now on; may be nil
	quit   func() // called when the user has seen enough; may be nil
}

// newPager makes a pager for a screen of that many rows; 0 or 1 row never stops.
func newPager(ctx context.Context, out io.Writer, rows, width int, key func(context.Context) (byte, error)) *pager {
	screen := max(rows-1, 0)
	return &pager{ctx: ctx, out: out, screen: screen, width: width, left: screen, key: key}
}

// Write implements io.Writer. It returns errQuit after the user has quit.
func (p *pager) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		if err := p.ctx.Err(); err != nil {
			return 0, errQuit
		}
		if p.screen > 0 && p.left <= 0 {
			if err := p.ask(); err != nil {
				if p.quit != nil {
					p.quit()
				}
				return 0, err
			}
		}
		chunk := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			chunk = b[:i+1]
		}
		if _, err := p.out.Write(chunk); err != nil {
			return 0, err
		}
		p.count(chunk)
		b = b[len(chunk):]
	}
	return n, nil
}

// count takes the rows that a chunk of one line has filled off the screen.
func (p *pager) count(chunk []byte) {
	p.column += len(bytes.TrimRight(chunk, "\r\n"))
	if p.width > 0 {
		for p.column > p.width {
			p.column -= p.width
			p.left--
		}
	}
	if chunk[len(chunk)-1] == '\n' {
		p.column = 0
		p.left--
	}
}

// ask waits for a key.
func (p *pager) ask() error {
	if p.hold != nil {
		p.hold()
	}
	io.WriteString(p.out, more)
	defer io.WriteString(p.out, erase)
	for {
		k, err := p.key(p.ctx)
		if err != nil {
			p.screen = 0
			return errQuit
		}
		switch k {
		case ' ', 'f', ctrlF:
			p.left = p.screen
			return nil
		case '\r', '\n', 'j':
			p.left = 1
			return nil
		case 'q', 'Q', ctrlC, ctrlZ, 'n', 'N':
			return errQuit
		}
	}
}
