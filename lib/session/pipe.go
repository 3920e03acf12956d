package session

import (
	"io"
	"sync"
)

// pipeDepth is how many batches a Pipe holds in each direction before Send blocks.
const pipeDepth = 4

// Pipe returns the two ends of an attachment in memory. Like a connection it is
// bounded: Send blocks while the other end does not receive. Closing one end
// closes both; what was sent before is still received.
func Pipe() (Stream, HostStream) {
	ups, downs := make(chan []Up, pipeDepth), make(chan []Down, pipeDepth)
	c := &pipeEnd{done: make(chan struct{})}
	return &pipe[Up, Down]{c, ups, downs}, &pipe[Down, Up]{c, downs, ups}
}

// pipeEnd is what both ends share.
type pipeEnd struct {
	once sync.Once
	done chan struct{}
}

type pipe[Out, In any] struct {
	end *pipeEnd
	out chan<- []Out
	in  <-chan []In
}

func (p *pipe[Out, In]) Send(batch []Out) error {
	select {
	case <-p.end.done:
		return io.ErrClosedPipe
	default:
	}
	select {
	case p.out <- batch:
		return nil
	case <-p.end.done:
		return io.ErrClosedPipe
	}
}

func (p *pipe[Out, In]) Recv() ([]In, error) {
	select {
	case batch := <-p.in:
		return batch, nil
	case <-p.end.done:
	}
	select {
	case batch := <-p.in:
		return batch, nil
	default:
		return nil, io.EOF
	}
}

func (p *pipe[Out, In]) Close() error {
	p.end.once.Do(func() { close(p.end.done) })
	return nil
}
